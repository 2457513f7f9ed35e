"""A folder of the mirror as it is, whatever is in it, and files hashed in batches; nothing is changed."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import DestinationError
from aiomirror.store import reading
from aiomirror.store.entries import file_stat
from aiomirror.store.faults import translated
from aiomirror.store.names import is_component

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from aiomirror.plan import FileRecord, FileStat
    from aiomirror.store.tree import Tree

    Tally = Callable[[str, int], None]
    """Told of so many more bytes of a file, in the thread that reads; what it raises ends the reading."""


class Folder(msgspec.Struct, frozen=True):
    """What a project's folder holds, or the root; all empty when there is no folder.

    ``pages`` has the content of each page that was asked for and is a regular file, None for one that is
    longer than it may be.  ``copies`` are the pages beside which a compressed copy lies that is another page.
    """

    stats: Mapping[str, FileStat] = msgspec.field(default_factory=dict)
    """The regular files."""
    links: Mapping[str, bool] = msgspec.field(default_factory=dict)
    """The symbolic links, and whether each leads out of the mirror, or nowhere."""
    others: frozenset[str] = frozenset()
    """Folders, pipes and the like."""
    pages: Mapping[str, bytes | None] = msgspec.field(default_factory=dict)
    copies: tuple[str, ...] = ()


class Hashed(msgspec.Struct, frozen=True):
    """A file and its digests; without them, why it could not be read."""

    record: FileRecord | None
    hashes: Mapping[str, str] = msgspec.field(default_factory=dict)
    why: str = ""


def inspect(tree: Tree, project: str | None, pages: Collection[str], cap: int) -> Folder:
    """Look at a folder; of ``pages`` at most ``cap`` bytes each are read."""
    stats: dict[str, FileStat] = {}
    links: dict[str, bool] = {}
    others: set[str] = set()
    with tree.folder(project) as folder, translated(tree.dest, project):
        if folder is None:
            return Folder()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links[entry.name] = _leaves(tree, *tree.parts(project), entry.name)
                elif not is_component(entry.name):
                    continue
                elif entry.is_file(follow_symlinks=False):
                    stats[entry.name] = file_stat(entry.stat(follow_symlinks=False))
                else:
                    others.add(entry.name)
    bodies = {name: reading.read(tree, project, name, cap) for name in pages if name in stats}
    copies = tuple(
        f"{name}.gz"
        for name, body in bodies.items()
        if f"{name}.gz" in stats and not _is_copy(reading.read(tree, project, f"{name}.gz", cap), body)
    )
    return Folder(stats, links, frozenset(others), bodies, copies)


def _leaves(tree: Tree, *parts: str) -> bool:
    root = os.path.realpath(tree.dest)
    target = os.path.realpath(tree.where(*parts))
    return os.path.commonpath([root, target]) != root or not os.path.lexists(target)


def _is_copy(packed: bytes | None, body: bytes | None) -> bool:
    """Whether ``packed`` unpacks to the page; no more of it is unpacked than the page is long."""
    if packed is None or body is None:
        return False
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        return unpacker.decompress(packed, len(body) + 1) == body
    except zlib.error:
        return False


def hash_files(
    tree: Tree, project: str, wanted: Sequence[tuple[str, Collection[str]]], tally: Tally
) -> dict[str, Hashed]:
    """Hash several files of a project, each with its algorithms and sha256.

    One that cannot be read does not hinder the others: a bad sector is what is looked for.
    """
    found = {}
    for name, algorithms in wanted:
        try:
            one = reading.hash_file(tree, project, name, algorithms, tally)
        except DestinationError as error:
            found[name] = Hashed(None, why=f"cannot be read: {error.why}")
            continue
        found[name] = Hashed(*one) if one else Hashed(None, why="is missing")
    return found
