"""Taking things out of the tree: what was meant and nothing else, and nothing through a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError
from aiomirror.plan import FileStat
from aiomirror.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FOO = canonicalize_name("foo")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A mirror with two files of a project."""
    folder = tmp_path / "mirror" / "foo"
    folder.mkdir(parents=True)
    (folder / "a.zip").write_bytes(b"a")
    (folder / "b.zip").write_bytes(b"b")
    async with Store(tmp_path / "mirror") as opened:
        yield opened


async def test_files_that_are_what_was_meant_are_removed(store: Store) -> None:
    stats = await store.survey(FOO)
    (store.dest / "foo" / "b.zip").write_bytes(b"another meanwhile")
    assert await store.remove(FOO, stats) == ["a.zip"]
    assert [path.name for path in (store.dest / "foo").iterdir()] == ["b.zip"]
    assert await store.remove(FOO, stats) == []


async def test_what_is_not_there_is_no_failure(store: Store) -> None:
    gone = {"a.zip": FileStat(1, 1, 1)}
    assert await store.remove(canonicalize_name("nothing"), gone) == []
    assert await store.remove_folder(canonicalize_name("nothing"))


async def test_a_name_that_is_no_component(store: Store) -> None:
    with pytest.raises(ValueError, match="not a plain file name"):
        await store.remove(FOO, {"../foo/a.zip": FileStat(1, 1, 1)})


async def test_a_folder_goes_when_it_is_empty(store: Store) -> None:
    assert not await store.remove_folder(FOO)
    assert len(await store.remove(FOO, await store.survey(FOO))) == 2
    assert await store.remove_folder(FOO)
    assert not (store.dest / "foo").exists()


async def test_g23_nothing_is_removed_through_a_link(store: Store) -> None:
    outside = store.dest.parent / "outside"
    (store.dest / "foo").rename(outside)
    stats = {path.name: path.stat() for path in outside.iterdir()}
    (store.dest / "foo").symlink_to(outside)
    meant = {name: FileStat(one.st_size, one.st_mtime_ns, one.st_ino) for name, one in stats.items()}
    with pytest.raises(DestinationError, match="is a link or a file"):
        await store.remove(FOO, meant)
    assert not await store.remove_folder(FOO)
    assert {path.name for path in outside.iterdir()} == set(stats)
    assert (store.dest / "foo").is_symlink()


async def test_what_is_set_aside_is_private_and_the_last_of_its_name(store: Store) -> None:
    await store.set_aside("foo.json", b"one")
    where = await store.set_aside("foo.json", b"another")
    path = store.dest / ".aiomirror" / "aside" / "foo.json"
    assert (where, path.read_bytes()) == (str(path), b"another")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
