"""Pages in place of pages, after the files that they name are durable."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord
from aiomirror.store import durable
from aiomirror.store.faults import translated
from aiomirror.store.names import component
from aiomirror.store.tree import Temporary, file_stat, regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set as AbstractSet

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat
    from aiomirror.store.tree import Tree

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


def publish(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    """Files first, then the pages of projects, then the root's; every page of the batch as it then is."""
    written = _replace(tree, [write for write in batch if write.project is not None])
    return written + _replace(tree, [write for write in batch if write.project is None])


def _replace(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    with ExitStack() as stack:
        pages = [(write.project, _stage(tree, write, stack)) for write in batch]
        names = [one.temporary.name for _, staged in pages for one in staged if one.temporary is not None]
        # One wait for files and for the pages that will name them: nobody sees these before they have names.
        durable.contents(tree, {write.project: write.files for write in batch if write.files}, names)
        for project, staged in pages:
            _settle(tree, project, staged)
    changed = {project for project, staged in pages if any(map(_is_new, staged))}
    durable.names_in(tree, changed | {None} if changed else changed)
    return [Published(project, one.record, _is_new(one)) for project, staged in pages for one in staged]


def _stage(tree: Tree, write: PageWrite, stack: ExitStack) -> list[_Staged]:
    """Write the pages of a project that differ, without giving them their names."""
    project = write.project
    with tree.folder(project) as folder, translated(tree.dest, project):
        there: AbstractSet[str] = write.pages.keys()  # or so it may be
        if write.files:
            there = frozenset() if folder is None else frozenset(os.listdir(folder))  # noqa: PTH208 (a descriptor)
            if missing := sorted(set(map(component, write.files)) - there):
                raise DestinationError(tree.where(*tree.parts(project), missing[0]), "is missing")
        return [
            _staged(tree, folder if name in there else None, component(name), content, stack)
            for name, content in write.pages.items()
        ]


def _settle(tree: Tree, project: NormalizedName | None, staged: Sequence[_Staged]) -> None:
    """Give the pages of a project their names."""
    if not any(map(_is_new, staged)):
        return
    with tree.made_folder(project) as folder:
        for page in staged:
            with translated(tree.dest, project, page.record.filename):
                if page.temporary is not None:
                    page.temporary.settle(page.record.filename, folder)


def _staged(tree: Tree, folder: int | None, name: str, content: bytes, stack: ExitStack) -> _Staged:
    """A page; ``folder`` is where one may be already, None where there is none."""
    sha256 = hashlib.sha256(content).hexdigest()
    held = None if folder is None else _held(name, folder, content)
    if held is not None and held.same:
        return _Staged(FileRecord(name, sha256, held.stat), None)
    temporary = stack.enter_context(Temporary(tree))
    temporary.write([content])
    # Servers tell versions of a page by its time in seconds, and its size at best: a page that is
    # replaced twice within a second must not look like the one before.
    stat = temporary.finish(later_than=held.stat.mtime_ns + _SECOND if held else None)
    return _Staged(FileRecord(name, sha256, stat), temporary)


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
