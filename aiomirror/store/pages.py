"""Pages in place of pages, after the files that they name are durable."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord
from aiomirror.store.faults import translated
from aiomirror.store.names import component, is_component
from aiomirror.store.tree import Temporary, file_stat, regular_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat
    from aiomirror.store.tree import Tree

_SECOND = 1_000_000_000
"""In nanoseconds."""


@dataclass(frozen=True, slots=True)
class PageWrite:
    """The pages of one project, or of the root for None: file name → content.

    ``files`` are the project's files that must be durable before any page of the batch is replaced; their
    ``.metadata`` siblings need not be named.
    """

    project: NormalizedName | None
    pages: Mapping[str, bytes]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A page as it is on disk now, and whether it was written for that."""

    project: NormalizedName | None
    record: FileRecord
    written: bool


@dataclass(frozen=True, slots=True)
class _Staged:
    """A page; where it differs from the one on disk, written and without its name."""

    project: NormalizedName | None
    record: FileRecord
    temporary: Temporary | None


def publish(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    """Files first, then the pages of projects, then the root's; every page of the batch as it then is."""
    _make_durable(tree, [write for write in batch if write.files])
    written = _replace(tree, [write for write in batch if write.project is not None])
    return written + _replace(tree, [write for write in batch if write.project is None])


def _make_durable(tree: Tree, batch: Sequence[PageWrite]) -> None:
    for write in batch:
        _each_file(tree, write, _begin_writing)
    for write in batch:
        _each_file(tree, write, os.fsync)
    _sync_folders(tree, {write.project for write in batch})


def _each_file(tree: Tree, write: PageWrite, do: Callable[[int], None]) -> None:
    with tree.folder(write.project) as folder:
        for filename in write.files:
            where = tree.where(*tree.parts(write.project), component(filename))
            with translated(where):
                if folder is None or not _with_file(filename, folder, do):
                    raise DestinationError(where, "is missing")
                if is_component(sibling := f"{filename}.metadata"):
                    _with_file(sibling, folder, do)


def _with_file(name: str, folder: int, do: Callable[[int], None]) -> bool:
    """Call ``do`` with a descriptor of the file; False when there is no such file."""
    opened = regular_file(name, folder)
    if opened is None:
        return False
    try:
        do(opened)
    finally:
        os.close(opened)
    return True


def _begin_writing(opened: int) -> None:
    # Asking Linux to drop a file from its cache makes it begin to write what is not yet written, without
    # waiting for it.  With all of a group begun before the first is waited for, the group costs about one
    # commit of the file system's journal instead of one for each file.
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_folders(tree: Tree, projects: set[NormalizedName | None]) -> None:
    # A project's folder may be new in the root.
    for project in (*projects, None) if projects else ():
        with tree.folder(project) as folder, translated(tree.where(*tree.parts(project))):
            if folder is not None:
                _sync_folder(folder)


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network file systems have no such thing.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise


def _replace(tree: Tree, batch: Sequence[PageWrite]) -> list[Published]:
    with ExitStack() as stack:
        pages = [
            _stage(tree, write.project, component(name), content, stack)
            for write in batch
            for name, content in write.pages.items()
        ]
        staged = [page for page in pages if page.temporary is not None]
        _flush(tree, staged)
        for page in staged:
            with tree.made_folder(page.project) as folder, translated(_path(tree, page)):
                assert page.temporary is not None
                page.temporary.settle(page.record.filename, folder)
    _sync_folders(tree, {page.project for page in staged})
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
        temporary.write(content)
        # Servers tell versions of a page by its time in seconds, and its size at best: a page that is
        # replaced twice within a second must not look like the one before.
        stat = temporary.finish(later_than=held.stat.mtime_ns + _SECOND if held else None)
    return _Staged(project, FileRecord(name, sha256, stat), temporary)


@dataclass(frozen=True, slots=True)
class _Held:
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


def _flush(tree: Tree, staged: Sequence[_Staged]) -> None:
    for do in (_begin_writing, os.fsync):
        for page in staged:
            with translated(_path(tree, page)):
                assert page.temporary is not None
                _with_file(page.temporary.name, tree.partial, do)


def _path(tree: Tree, page: _Staged) -> str:
    return tree.where(*tree.parts(page.project), page.record.filename)
