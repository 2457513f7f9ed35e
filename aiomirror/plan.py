"""What is wanted against what is held: files to fetch, files to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.simple.values import ProjectFile


@dataclass(frozen=True, slots=True)
class FileStat:
    """What one ``stat`` says of a file: enough to notice that it is not the one of last time."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that was verified: its bytes had this digest when its ``stat`` was this."""

    filename: str
    sha256: str
    stat: FileStat


@dataclass(frozen=True, slots=True)
class FileJob:
    """One file to fetch, as upstream lists it.

    ``accepted`` are the ``(algorithm, digest)`` pairs that the requirements admit, one of which the
    bytes must have; empty: any.
    """

    project: NormalizedName
    file: ProjectFile
    accepted: frozenset[tuple[str, str]] = frozenset()
