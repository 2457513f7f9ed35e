"""Pages in place of pages, after the files that they name are durable."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from aiomirror.plan import FileRecord
from aiomirror.store import durable
from aiomirror.store.faults import translated
from aiomirror.store.names import component
from aiomirror.store.tree import Temporary, file_stat, regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    project: NormalizedName | None
    record: FileRecord
    temporary: Temporary | None


def publish(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    """Files first, then the pages of projects, then the root's; every page of the batch as it then is."""
    durable.files(tree, {write.project: write.files for write in batch if write.files})
    written = _replace(tree, [write for write in batch if write.project is not None])
    return written + _replace(tree, [write for write in batch if write.project is None])


def _replace(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    with ExitStack() as stack:
        pages = [
            _stage(tree, write.project, component(name), content, stack)
            for write in batch
            for name, content in write.pages.items()
        ]
        staged = [page for page in pages if page.temporary is not None]
        durable.temporaries(tree, [page.temporary.name for page in staged if page.temporary is not None])
        for page in staged:
            with tree.made_folder(page.project) as folder, translated(_path(tree, page)):
                assert page.temporary is not None
                page.temporary.settle(page.record.filename, folder)
    durable.names_in(tree, {project for page in staged for project in (page.project, None)})
    return [Published(page.project, page.record, page.temporary is not None) for page in pages]


def _stage(
    tree: Tree, project: NormalizedName | None, name: str, content: bytes, stack: ExitStack
) -> _Staged:
    sha256 = hashlib.sha256(content).hexdigest()
    with tree.folder(project) as folder, translated(tree.where(*tree.parts(project), name)):
        held = None if folder is None else _held(name, folder, content)
        if held is not None and held.same:
            return _Staged(project, FileRecord(name, sha256, held.stat), None)
        temporary = stack.enter_context(Temporary(tree))
        temporary.write([content])
        # Servers tell versions of a page by its time in seconds, and its size at best: a page that is
        # replaced twice within a second must not look like the one before.
        stat = temporary.finish(later_than=held.stat.mtime_ns + _SECOND if held else None)
    return _Staged(project, FileRecord(name, sha256, stat), temporary)


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


def _path(tree: Tree, page: _Staged) -> str:
    return tree.where(*tree.parts(page.project), page.record.filename)
