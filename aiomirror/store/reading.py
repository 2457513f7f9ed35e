"""What is in the tree."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from packaging.utils import canonicalize_name

from aiomirror.distributions import core_metadata, requires_python, source_member, wheel_metadata
from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord
from aiomirror.store.digests import Digester
from aiomirror.store.entries import file_stat, is_folder, is_regular, open_folder, regular_file
from aiomirror.store.faults import sentence, translated
from aiomirror.store.names import component, is_component, is_project, project_name
from aiomirror.store.tree import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from io import FileIO
    from typing import BinaryIO

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat, Remembered
    from aiomirror.store.tree import Tree

_BLOCK = 1 << 20
"""Bytes read at once for hashing: large enough that the interpreter is of no account."""
_PAGES = ("index.v1_json", "index.html")


@contextmanager
def _opened(tree: Tree, project: str | None, name: str) -> Iterator[FileIO | None]:
    with tree.folder(project) as folder, translated(tree.dest, project, component(name)):
        opened = None if folder is None else regular_file(name, folder)
        if opened is None:
            yield None
            return
        with open(opened, "rb", buffering=0) as file:  # noqa: PTH123 (a descriptor)
            yield file


def survey(tree: Tree, project: str) -> dict[str, FileStat]:
    """The regular files of a project's folder."""
    with tree.folder(project) as folder, translated(tree.dest, project):
        if folder is None:
            return {}
        with os.scandir(folder) as entries:
            return {
                entry.name: file_stat(entry.stat(follow_symlinks=False))
                for entry in entries
                if is_component(entry.name) and entry.is_file(follow_symlinks=False)
            }


def intact(tree: Tree, known: Collection[Remembered]) -> set[NormalizedName]:
    """The projects of which every file that is remembered is there as it was."""
    found: set[NormalizedName] = set()
    if not tree.present:
        return found
    for one in known:
        # No context managers here: where nothing has changed, this is most of what a run does.
        try:
            if _is_intact(tree, one):
                found.add(one.project)
        except OSError as error:
            raise DestinationError(tree.where(one.project), sentence(error)) from error
    return found


def _is_intact(tree: Tree, known: Remembered) -> bool:
    try:
        folder = open_folder(project_name(known.project), tree.root)
    except FileNotFoundError:
        return False
    try:
        return all(stat_of(record.filename, folder) == record.stat for record in known.records.values())
    finally:
        os.close(folder)


def stat_of(name: str, folder: int) -> FileStat | None:
    """What is remembered of a regular file's stat; None when there is no such file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return file_stat(found) if stat.S_ISREG(found.st_mode) else None


def _untold(_name: str, _count: int) -> None:
    """The tally of those who keep none."""


def hash_file(
    tree: Tree,
    project: str,
    filename: str,
    algorithms: Collection[str],
    tally: Callable[[str, int], None] = _untold,
) -> tuple[FileRecord, dict[str, str]] | None:
    """The file's record and its digests; None when there is no such regular file.

    ``tally`` is told of each block; what it raises ends the reading.
    """
    with _opened(tree, project, filename) as file:
        if file is None:
            return None
        # Before the bytes are read: a file that changes meanwhile does not have this stat afterwards.
        before = file_stat(os.fstat(file.fileno()))
        digester = Digester(algorithms)
        block = bytearray(min(_BLOCK, before.size + 1))
        view = memoryview(block)
        while count := file.readinto(block):
            digester.update(view[:count])
            tally(filename, count)
    digests = digester.digests()
    return FileRecord(filename, digests["sha256"], before), digests


def read(tree: Tree, project: str | None, name: str, cap: int) -> bytes | None:
    """The content of a file of at most ``cap`` bytes; None when there is none such."""
    with _opened(tree, project, name) as file:
        if file is None:
            return None
        size = os.fstat(file.fileno()).st_size
        return file.read(size) if size <= cap else None


def extract_metadata(tree: Tree, project: str, filename: str) -> bytes | None:
    """The METADATA inside a wheel; None when there is none to be had."""
    with _opened(tree, project, filename) as file:
        return None if file is None else wheel_metadata(cast("BinaryIO", file), filename)


def read_requires_python(tree: Tree, project: str, filename: str) -> str | None:
    """What a wheel or a source archive says itself; None when it says nothing or cannot be read."""
    with _opened(tree, project, filename) as file:
        metadata = None if file is None else core_metadata(cast("BinaryIO", file), filename)
    return requires_python(metadata) if metadata else None


def read_source_member(tree: Tree, project: str, filename: str, member: str, size: int) -> bytes | None:
    """A file in the top-level folder of a source archive; None unless that is here, of ``size`` bytes.

    Raises:
        Absent: the archive has none.
        Unreadable: there is none to be had.
    """
    with _opened(tree, project, filename) as file:
        if file is None or os.fstat(file.fileno()).st_size != size:
            return None
        return source_member(cast("BinaryIO", file), filename, member)


def folders(tree: Tree) -> list[NormalizedName]:
    """The folders with the names of projects, sorted."""
    if not tree.present:
        return []
    with translated(tree.dest):
        # A descriptor of its own: the position of a listing belongs to the descriptor.
        opened = open_folder(".", tree.root)
        try:
            with os.scandir(opened) as entries:
                return sorted(
                    canonicalize_name(entry.name)
                    for entry in entries
                    if is_project(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        finally:
            os.close(opened)


def is_mirror(tree: Tree) -> bool:
    """Whether there is what only a run makes: its folder, or a page of the root or of a project."""
    if not tree.present:
        raise DestinationError(tree.where(), "is missing")
    with translated(tree.dest):
        known = is_folder(PRIVATE, tree.root) or any(is_regular(page, tree.root) for page in _PAGES)
    return known or any(_has_page(tree, project) for project in folders(tree))


def projects(tree: Tree, among: Iterable[NormalizedName] | None = None) -> list[NormalizedName]:
    """The folders that have a page, of these or of all, sorted."""
    names = folders(tree) if among is None else sorted(among)
    return [project for project in names if _has_page(tree, project)]


def _has_page(tree: Tree, project: NormalizedName) -> bool:
    with tree.folder(project) as folder, translated(tree.dest, project):
        return folder is not None and any(is_regular(page, folder) for page in _PAGES)
