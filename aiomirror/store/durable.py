"""Waiting until things are on disk: one after another, or, where there are many, all at once."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from aiomirror.errors import DestinationError
from aiomirror.store.entries import regular_file
from aiomirror.store.faults import translated
from aiomirror.store.linux import begin_writing, sync_file_system
from aiomirror.store.names import component

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set as AbstractSet

    from packaging.utils import NormalizedName

    from aiomirror.store.tree import Tree

MANY = 32
"""From so many files on, the whole file system is written out instead.

Waiting for a file costs four system calls, and the interpreter's lock is fetched back after each of them,
while the rest of the program wants it, too; one syncfs(2) costs one.
"""


def contents(
    tree: Tree, folders: Mapping[NormalizedName | None, Sequence[str]], temporaries: Sequence[str]
) -> None:
    """Wait until these files, and their names, and these temporary files are on disk.

    DestinationError when one is seen to be missing; where the whole file system is waited for, none is.
    """
    if len(temporaries) + sum(map(len, folders.values())) >= MANY and _sync_file_system(tree):
        return
    for project, names in folders.items():
        with tree.folder(project) as folder, translated(tree.dest, project):
            if folder is not None:
                _wait(tree, project, names, folder)
    names_in(tree, {*folders, None} if folders else set())
    _wait(tree, None, temporaries, tree.partial)


def names_in(tree: Tree, projects: AbstractSet[NormalizedName | None]) -> None:
    """Wait until the names of what is in these folders are on disk."""
    if len(projects) >= MANY and _sync_file_system(tree):
        return
    for project in projects:
        with tree.folder(project) as folder, translated(tree.dest, project):
            if folder is not None:
                _sync_folder(folder)


def _wait(tree: Tree, project: NormalizedName | None, names: Sequence[str], folder: int) -> None:
    """Wait for files of one folder.

    The system begins to write all of them before the first is waited for: so the group costs about one commit
    of the file system's journal instead of one for each file.
    """
    with ExitStack() as until:
        files = {name: _opened(tree, project, name, folder, until) for name in names}
        for file in files.values():
            begin_writing(file)
        for name, file in files.items():
            with translated(tree.dest, project, name):
                os.fsync(file)


def _opened(tree: Tree, project: NormalizedName | None, name: str, folder: int, until: ExitStack) -> int:
    with translated(tree.dest, project, name):
        opened = regular_file(component(name), folder)
    if opened is None:
        raise DestinationError(tree.where(*tree.parts(project), name), "is missing")
    until.callback(os.close, opened)
    return opened


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network file systems have no such thing.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise


def _sync_file_system(tree: Tree) -> bool:
    """Wait until everything on the mirror's file system is on disk; False where the system cannot."""
    with translated(tree.dest):
        return sync_file_system(tree.root)
