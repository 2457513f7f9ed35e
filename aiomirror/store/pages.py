"""Pages in place of pages, after the files that they name are durable."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from typing import TYPE_CHECKING, TypeVar

import msgspec

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord
from aiomirror.store import durable
from aiomirror.store.entries import file_stat, regular_file
from aiomirror.store.faults import translated
from aiomirror.store.names import component
from aiomirror.store.temporary import Folder, Temporary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat
    from aiomirror.store.hops import Hops
    from aiomirror.store.tree import Tree

T = TypeVar("T")

SLICE = 8
"""Projects between two turns of the loop, which takes longer than they do."""
_SECOND = 1_000_000_000
"""In nanoseconds."""


class PageWrite(msgspec.Struct, frozen=True):
    """The pages of one project, or of the root for None: file name → content.

    ``files`` are the project's files, siblings too, that must be durable before any page is replaced.
    """

    project: NormalizedName | None
    pages: Mapping[str, bytes]
    files: tuple[str, ...] = ()


class Published(msgspec.Struct, frozen=True):
    """A page as it is on disk now, and whether it was written for that."""

    project: NormalizedName | None
    record: FileRecord
    written: bool


class _Staged(msgspec.Struct, frozen=True):
    """A page; where it differs from the one on disk, written and without its name."""

    record: FileRecord
    temporary: Temporary | None


class Pages:
    """Puts pages where they belong, a project at a time: on the loop, while the disk is prompt.

    In a thread each system call would mean fetching the interpreter's lock back while the loop wants it, too;
    only what waits for the disk has one.
    """

    def __init__(self, hops: Hops, tree: Tree) -> None:
        self._hops, self._tree = hops, tree
        # A publication that was cancelled may still be at work on a project: what comes later comes after it.
        self._one = threading.Lock()

    async def publish(self, batch: Sequence[PageWrite]) -> list[Published]:
        """Files first, then the pages of projects, then the root's; every page of the batch as it then is."""
        written = await self._replace([write for write in batch if write.project is not None])
        return written + await self._replace([write for write in batch if write.project is None])

    async def _replace(self, batch: Sequence[PageWrite]) -> list[Published]:
        tree = self._tree
        written: list[Temporary] = []
        pages: list[tuple[NormalizedName | None, list[_Staged]]] = []
        try:
            async for writes in _in_slices(batch):
                pages += await self._hops.quick(self._stage, writes, written)
            # One wait for files and for the pages that will name them, which nobody sees before that.
            files = {write.project: write.files for write in batch if write.files}
            await self._hops.run(durable.contents, tree, files, [one.name for one in written])
            async for some in _in_slices(pages):
                await self._hops.quick(self._settle, some)
        finally:
            for temporary in written:
                temporary.discard()
        changed = {project for project, staged in pages if any(map(_is_new, staged))}
        await self._hops.run(durable.names_in, tree, changed | {None} if changed else changed)
        return [Published(project, one.record, _is_new(one)) for project, staged in pages for one in staged]

    def _stage(
        self, batch: Sequence[PageWrite], written: list[Temporary]
    ) -> list[tuple[NormalizedName | None, list[_Staged]]]:
        """Write the pages of projects that differ, without giving them their names."""
        tree, pages = self._tree, []
        for write in batch:
            project = write.project
            with self._one, tree.folder(project) as folder, translated(tree.dest, project):
                for name in write.files:
                    if not _exists(component(name), folder):
                        raise DestinationError(tree.where(*tree.parts(project), name), "is missing")
                contents = [(component(name), content) for name, content in write.pages.items()]
                pages.append((project, [_staged(tree, folder, *page, written) for page in contents]))
        return pages

    def _settle(self, pages: Sequence[tuple[NormalizedName | None, Sequence[_Staged]]]) -> None:
        """Give the pages of projects their names."""
        for project, staged in pages:
            with self._one, Folder(self._tree, project) as folder:
                for page in staged:
                    if page.temporary is not None:
                        folder.settle(page.temporary, page.record.filename)


async def _in_slices(work: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """A few at a time, and between them the loop does something else: files are on their way."""
    for start in range(0, len(work), SLICE):
        yield work[start : start + SLICE]
        await asyncio.sleep(0)


def _staged(tree: Tree, folder: int | None, name: str, content: bytes, written: list[Temporary]) -> _Staged:
    """A page; ``folder`` is where one may be already, None where there is none."""
    sha256 = hashlib.sha256(content).hexdigest()
    held = _held(name, folder, content) if folder is not None and _exists(name, folder) else None
    if held is not None and held.same:
        return _Staged(FileRecord(name, sha256, held.stat), None)
    temporary = Temporary(tree)
    written.append(temporary)
    temporary.write([content])
    # Servers tell versions of a page by its time in seconds, and its size at best: a page that is
    # replaced twice within a second must not look like the one before.
    stat = temporary.finish(later_than=held.stat.mtime_ns + _SECOND if held else None)
    return _Staged(FileRecord(name, sha256, stat), temporary)


def _exists(name: str, folder: int | None) -> bool:
    # Of a few names this is asked in a third of the time in which all of a folder's are listed.
    return folder is not None and os.access(name, os.F_OK, dir_fd=folder)


def _is_new(page: _Staged) -> bool:
    return page.temporary is not None


class _Held(msgspec.Struct, frozen=True):
    same: bool
    stat: FileStat


def _held(name: str, folder: int, content: bytes) -> _Held | None:
    opened = regular_file(name, folder)
    if opened is None:
        return None
    with open(opened, "rb", buffering=0) as page:  # noqa: PTH123 (a descriptor)
        found = os.fstat(opened)
        same = found.st_size == len(content) and page.read(found.st_size + 1) == content
    return _Held(same, file_stat(found))
