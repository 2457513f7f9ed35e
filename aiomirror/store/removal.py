"""Taking things out of the tree: files that are still what was meant, and folders that are empty."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from aiomirror.store import durable
from aiomirror.store.entries import make_folder
from aiomirror.store.faults import translated
from aiomirror.store.names import component
from aiomirror.store.reading import stat_of
from aiomirror.store.temporary import Temporary
from aiomirror.store.tree import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat
    from aiomirror.store.tree import Tree

ASIDE = "aside"
"""The folder below the private one for what was not believed."""
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}


def remove(tree: Tree, project: NormalizedName, files: Mapping[str, FileStat]) -> list[str]:
    """Remove the files that still have these stats; their names, once that has reached the disk."""
    removed: list[str] = []
    with tree.folder(project) as folder:
        if folder is None:
            return removed
        for name, stat in files.items():
            with translated(tree.dest, project, name):
                # Somebody may have put another file in its place since it was looked at.
                if stat_of(component(name), folder) == stat:
                    os.unlink(name, dir_fd=folder)
                    removed.append(name)
    if removed:
        durable.names_in(tree, {project})
    return removed


def remove_folder(tree: Tree, project: NormalizedName) -> bool:
    """Remove the folder unless something is in it; whether it is gone."""
    (name,) = tree.parts(project)
    with translated(tree.dest, name):
        try:
            os.rmdir(name, dir_fd=tree.root)
        except FileNotFoundError:
            return True
        except OSError as error:
            # A link to a folder, or a file: not what we made.
            if error.errno not in {*_NOT_EMPTY, errno.ENOTDIR}:
                raise
            return False
    durable.names_in(tree, {None})
    return True


def set_aside(tree: Tree, name: str, content: bytes) -> str:
    """Write a private file ``.aiomirror/aside/<name>``, in place of an earlier one."""
    where = tree.where(PRIVATE, ASIDE, name)
    with translated(where), Temporary(tree, private=True) as temporary:
        temporary.write([content])
        temporary.finish()
        folder = make_folder(ASIDE, tree.private, 0o700)
        try:
            temporary.settle(name, folder)
        finally:
            os.close(folder)
    return where
