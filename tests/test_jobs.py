"""The order in which files are fetched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace
from packaging.utils import canonicalize_name

from aiomirror.jobs import LARGE, Jobs
from aiomirror.plan import LONG, FileJob, FileRecord, FileStat, HeldFile
from aiomirror.simple.values import ProjectFile

if TYPE_CHECKING:
    import pytest

    from mirror import Mirror


def job(name: str, size: int | None) -> FileJob:
    return FileJob(canonicalize_name("foo"), ProjectFile(filename=name, url="", hashes={}, size=size))


async def taken(jobs: Jobs, count: int, *, long: bool) -> list[str | None]:
    got = [await jobs.get(long=long) for _ in range(count)]
    return [None if one is None else one.file.filename for one in got]


async def test_large_files_come_first_and_the_others_as_they_came() -> None:
    sizes = {"a": 1, "b": LARGE, "c": None, "d": LARGE + 1, "e": LARGE - 1, "f": LARGE}
    jobs = Jobs(len(sizes))
    for name, size in sizes.items():
        await jobs.put(job(name, size))
    jobs.end(2)
    assert await taken(jobs, 8, long=False) == ["d", "b", "f", "a", "c", "e", None, None]


async def test_long_and_short_files_come_side_by_side() -> None:
    sizes = {"a": 1, "b": LONG, "c": 2, "d": LONG + 1, "e": LONG - 1, "f": LONG + 2}
    jobs = Jobs(len(sizes))
    for name, size in sizes.items():
        await jobs.put(job(name, size))
    jobs.end(2)
    assert await taken(jobs, 2, long=True) == ["f", "d"]
    # Of the other kind, too, when there is none else.
    assert await taken(jobs, 4, long=False) == ["e", "a", "c", "b"]
    assert await taken(jobs, 1, long=True) == [None]
    assert await taken(jobs, 1, long=False) == [None]


async def test_of_a_file_that_is_held_only_the_metadata_is_to_come() -> None:
    jobs = Jobs(2)
    held = HeldFile(FileRecord("a", "", FileStat(LONG, 0, 0)), {})
    await jobs.put(replace(job("a", LONG), held=held))
    await jobs.put(job("b", LONG))
    assert await taken(jobs, 2, long=False) == ["a", "b"]


async def test_no_more_wait_than_there_is_room_for() -> None:
    jobs = Jobs(1)
    await jobs.put(job("a", 1))
    putting = asyncio.create_task(jobs.put(job("b", LARGE)))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await taken(jobs, 1, long=True) == ["a"]
    await putting
    assert await taken(jobs, 1, long=False) == ["b"]


def test_a_run_begins_with_its_large_files(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.jobs.LARGE", 2000)
    for version, size in enumerate((1000, 1500, 2000, 3000)):
        mirror.upstream.add_file("foo", f"foo-{version}.tar.gz", content=bytes(size))
    mirror.sync("foo", "--all-versions", "--jobs", "1")
    names = [request.path.rpartition("-")[2] for request in mirror.upstream.file_requests()]
    assert names[:2] == ["3.tar.gz", "2.tar.gz"]
    assert sorted(names[2:]) == ["0.tar.gz", "1.tar.gz"]


def test_long_files_leave_room_for_short_ones(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.jobs.LARGE", 2000)
    monkeypatch.setattr("aiomirror.plan.LONG", 2000)
    for version, size in enumerate((1000, 1000, 1000, 2000, 3000, 4000)):
        mirror.upstream.add_file("foo", f"foo-{version}.tar.gz", content=bytes(size))
    mirror.sync("foo", "--all-versions", "--jobs", "2")
    names = [request.path.rpartition("-")[2] for request in mirror.upstream.file_requests()]
    assert "5.tar.gz" in names[:2]
    assert not {"4.tar.gz", "3.tar.gz"}.intersection(names[:2])
    assert len(names) == 6
