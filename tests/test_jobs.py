"""The order in which files are fetched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from aiomirror.jobs import LARGE, Jobs
from aiomirror.plan import FileJob
from aiomirror.simple.values import ProjectFile

if TYPE_CHECKING:
    import pytest

    from mirror import Mirror


def job(name: str, size: int | None) -> FileJob:
    return FileJob(canonicalize_name("foo"), ProjectFile(filename=name, url="", hashes={}, size=size))


async def test_large_files_come_first_and_the_others_as_they_came() -> None:
    sizes = {"a": 1, "b": LARGE, "c": None, "d": LARGE + 1, "e": LARGE - 1, "f": LARGE}
    jobs = Jobs(len(sizes) + 2)
    for name, size in sizes.items():
        await jobs.put(job(name, size))
    await jobs.end(2)
    got = [await jobs.get() for _ in range(len(sizes) + 2)]
    assert [one and one.file.filename for one in got] == ["d", "b", "f", "a", "c", "e", None, None]


async def test_no_more_wait_than_there_is_room_for() -> None:
    jobs = Jobs(1)
    await jobs.put(job("a", 1))
    putting = asyncio.create_task(jobs.put(job("b", LARGE)))
    await asyncio.sleep(0)
    assert not putting.done()
    first = await jobs.get()
    await putting
    second = await jobs.get()
    assert [one and one.file.filename for one in (first, second)] == ["a", "b"]


def test_a_run_begins_with_its_large_files(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.jobs.LARGE", 2000)
    for version, size in enumerate((1000, 1500, 2000, 3000)):
        mirror.upstream.add_file("foo", f"foo-{version}.tar.gz", content=bytes(size))
    mirror.sync("foo", "--all-versions", "--jobs", "1")
    names = [request.path.rpartition("-")[2] for request in mirror.upstream.file_requests()]
    assert names[:2] == ["3.tar.gz", "2.tar.gz"]
    assert sorted(names[2:]) == ["0.tar.gz", "1.tar.gz"]
