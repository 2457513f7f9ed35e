"""Pages: replaced when they differ, after the files that they name, and never mistaken for older ones."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError
from aiomirror.plan import FileStat, Remembered
from aiomirror.store import PageWrite, Published, Store
from aiomirror.store.entries import file_stat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

SIX, IDNA = canonicalize_name("six"), canonicalize_name("idna")
SECOND = 1_000_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path) as opened:
        yield opened


def pages(text: str) -> dict[str, bytes]:
    return {"index.html": f"<p>{text}".encode(), "index.v1_json": f'"{text}"'.encode()}


def written(published: Sequence[Published]) -> list[str]:
    return [f"{page.project or ''}/{page.record.filename}" for page in published if page.written]


async def put(store: Store, project: str, name: str) -> None:
    async with store.partial(project, name, hashes={}) as partial:
        await partial.write(name.encode())
        await partial.commit()


async def test_a_batch_is_written_projects_first_and_the_root_last(store: Store) -> None:
    await put(store, "six", "six-1.0.tar.gz")
    await store.write_sibling("six", "six-1.0.tar.gz.metadata", b"metadata")
    published = await store.publish(
        [
            PageWrite(None, pages("root")),
            PageWrite(SIX, pages("six"), files=("six-1.0.tar.gz", "six-1.0.tar.gz.metadata")),
            PageWrite(IDNA, pages("idna")),
        ]
    )
    assert written(published) == [
        "six/index.html",
        "six/index.v1_json",
        "idna/index.html",
        "idna/index.v1_json",
        "/index.html",
        "/index.v1_json",
    ]
    for page in published:
        found = (store.dest / (page.project or "") / page.record.filename).stat()
        assert page.record.stat == FileStat(found.st_size, found.st_mtime_ns, found.st_ino)
    for path, text in (("six/", "six"), ("idna/", "idna"), ("", "root")):
        for name, content in pages(text).items():
            assert (store.dest / f"{path}{name}").read_bytes() == content
    assert list((store.dest / ".aiomirror/partial").iterdir()) == []


async def test_nothing_to_publish(store: Store) -> None:
    assert await store.publish([]) == []


async def test_g9_an_unchanged_page_is_not_touched(store: Store) -> None:
    batch = [PageWrite(SIX, pages("six")), PageWrite(None, pages("root"))]
    await store.publish(batch)
    paths = [store.dest / "six/index.html", store.dest / "index.v1_json"]
    before = [file_stat(path.stat()) for path in paths]
    again = await store.publish(batch)
    assert written(again) == []
    assert [page.record.stat for page in again[-1:]] == before[1:]
    assert [file_stat(path.stat()) for path in paths] == before


async def test_only_the_page_that_differs_is_written(store: Store) -> None:
    await store.publish([PageWrite(SIX, pages("six"))])
    changed = {**pages("six"), "index.html": b"<p>seven"}
    assert written(await store.publish([PageWrite(SIX, changed)])) == ["six/index.html"]


@pytest.mark.parametrize("text", ["two", "three"])
async def test_a_changed_page_is_a_second_younger_at_least(store: Store, text: str) -> None:
    page = store.dest / "six/index.html"
    await store.publish([PageWrite(SIX, pages("one"))])
    for content in (text, "one"):
        before = page.stat()
        await store.publish([PageWrite(SIX, pages(content))])
        assert page.stat().st_mtime_ns >= before.st_mtime_ns + SECOND
        assert page.stat().st_ino != before.st_ino


async def test_an_old_page_gives_way_to_one_of_now(store: Store) -> None:
    page = store.dest / "six/index.html"
    await store.publish([PageWrite(SIX, pages("one"))])
    now = page.stat().st_mtime_ns
    os.utime(page, ns=(SECOND, SECOND))
    await store.publish([PageWrite(SIX, pages("two"))])
    assert page.stat().st_mtime_ns >= now


async def test_g6_no_page_is_written_when_a_file_that_it_names_is_not_there(store: Store) -> None:
    await put(store, "six", "six-1.0.tar.gz")
    batch = [
        PageWrite(IDNA, pages("idna")),
        PageWrite(SIX, pages("six"), files=("six-1.0.tar.gz", "six-2.0.tar.gz")),
    ]
    with pytest.raises(DestinationError, match=r"six/six-2\.0\.tar\.gz: is missing"):
        await store.publish(batch)
    assert not (store.dest / "idna").exists()
    assert not (store.dest / "six/index.html").exists()
    (store.dest / "six/six-2.0.tar.gz").symlink_to("six-1.0.tar.gz")
    with pytest.raises(DestinationError, match=r"six/six-2\.0\.tar\.gz: is missing"):
        await store.publish(batch)


async def test_files_of_a_project_without_a_folder_are_missing(store: Store) -> None:
    with pytest.raises(DestinationError, match=r"six/six-1\.0\.tar\.gz: is missing"):
        await store.publish([PageWrite(SIX, pages("six"), files=("six-1.0.tar.gz",))])


async def test_a_page_that_cannot_be_replaced_leaves_no_temporary(store: Store) -> None:
    (store.dest / "six/index.v1_json").mkdir(parents=True)
    with pytest.raises(DestinationError, match=r"six/index\.v1_json: is a folder where a file should be"):
        await store.publish([PageWrite(SIX, pages("six"))])
    assert list((store.dest / ".aiomirror/partial").iterdir()) == []


async def test_publications_do_not_overtake_each_other(store: Store) -> None:
    # A publication that was cancelled may be under way in its thread when the next one comes.
    for number in range(20):
        task = asyncio.create_task(store.publish([PageWrite(SIX, pages(f"old {number}"))]))
        await asyncio.sleep(0)
        task.cancel()
        await store.publish([PageWrite(SIX, pages(f"new {number}"))])
        assert (store.dest / "six/index.html").read_text() == f"<p>new {number}"


async def test_a_project_is_intact_while_no_file_has_changed(store: Store) -> None:
    await put(store, "six", "six-1.0.tar.gz")
    published = await store.publish([PageWrite(SIX, pages("six"), files=("six-1.0.tar.gz",))])
    file = await store.digest("six", "six-1.0.tar.gz")
    assert file is not None
    records = {record.filename: record for record in [file, *(page.record for page in published)]}
    known = [Remembered(SIX, records), Remembered(IDNA, records), Remembered(canonicalize_name("new"), {})]
    assert await store.intact(known) == {SIX}
    (store.dest / "six/six-1.0.tar.gz").write_bytes(b"rotten")
    assert await store.intact(known) == set()
    (store.dest / "six/six-1.0.tar.gz").unlink()
    assert await store.intact(known) == set()


async def test_the_batch_may_be_larger_than_the_limit_of_open_files(store: Store) -> None:
    batch = [PageWrite(canonicalize_name(f"p{number}"), pages("x")) for number in range(100)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 8, limits[1]))
    try:
        assert len(await store.publish(batch)) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.close(spare)
