"""What a selection goes by and what comes out of it."""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from aiomirror.requirements.values import FormatControl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aiomirror.errors import NoMatchingFileError
    from aiomirror.requirements.values import Hashes
    from aiomirror.simple.values import ProjectFile
    from aiomirror.targets import Target


class LeftOut(enum.IntEnum):
    """Why a file is left out, in the order in which the rules are asked: a later one came closer."""

    NOT_A_DISTRIBUTION = 1
    OTHER_PROJECT = 2
    NO_VERSION = 3
    SAME_BUT_FOR_CASE = 4
    LEGACY_FORMAT = 5
    WHEEL = 6
    SOURCE_ARCHIVE = 7
    TOO_LARGE = 8
    UNDATED = 9
    TOO_NEW = 10
    OTHER_VERSION = 11
    UNKNOWN_VERSION = 12
    NOT_LOCKED = 13
    YANKED = 14
    OTHER_DIGEST = 15
    PRE_RELEASE = 16
    OLDER = 17
    OTHER_TARGET = 18
    WORSE_WHEEL = 19
    SPARE_SOURCE = 20
    QUARANTINED = 21

    __hash__ = int.__hash__  # an enumeration's own is written in Python, and a page has thousands of reasons

    def __str__(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    LeftOut.NOT_A_DISTRIBUTION: "not a distribution",
    LeftOut.OTHER_PROJECT: "named as another project's file",
    LeftOut.NO_VERSION: "no version can be read from its name",
    LeftOut.SAME_BUT_FOR_CASE: "its name differs in case alone from one listed before it",
    LeftOut.LEGACY_FORMAT: "a legacy format; --legacy-formats takes it",
    LeftOut.WHEEL: "a wheel, and --no-binary leaves wheels out",
    LeftOut.SOURCE_ARCHIVE: "a source archive, and --only-binary leaves those out",
    LeftOut.TOO_LARGE: "larger than --max-file-size",
    LeftOut.UNDATED: "its upload time is unknown, and --exclude-newer is given",
    LeftOut.TOO_NEW: "uploaded later than --exclude-newer allows",
    LeftOut.OTHER_VERSION: "its version is not asked for",
    LeftOut.UNKNOWN_VERSION: "no version that PEP 440 knows; === or --all-versions takes it",
    LeftOut.NOT_LOCKED: "not one of the files that the lock file lists",
    LeftOut.YANKED: "yanked; an exact pin takes it",
    LeftOut.OTHER_DIGEST: "its digest is none of those that the requirement lists",
    LeftOut.PRE_RELEASE: "a pre-release; --pre takes it",
    LeftOut.OLDER: "older than the newest that match",
    LeftOut.OTHER_TARGET: "fits none of the targets",
    LeftOut.WORSE_WHEEL: "another wheel fits better, and --best-wheel is given",
    LeftOut.SPARE_SOURCE: "a source archive, and a wheel fits every target; --with-sdists takes it",
    LeftOut.QUARANTINED: "upstream has quarantined the project",
}


class Policy(msgspec.Struct, frozen=True):
    """What holds for all requirements of a run."""

    prereleases: bool = False
    latest: int | None = 1
    """The newest N matching versions; None: all of them."""
    formats: FormatControl = FormatControl()
    max_file_size: int | None = None
    """In bytes; a file of unknown size passes here and is capped when it is fetched."""
    legacy_formats: bool = False
    exclude_newer: datetime | None = None
    """Files uploaded then or later are as good as not there, and so are files of unknown age."""
    targets: tuple[Target, ...] = ()
    """Only what an installer on one of these would take; none: every file of a version."""
    best_wheel: bool = False
    """Of the wheels that fit a target only the one that an installer would choose."""
    sdists: bool = False
    """Source archives also where a wheel fits every target."""


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """A file that is wanted, and by which requirements.

    ``accepted``: the ``(algorithm, digest)`` pairs one of which its bytes must have; empty: any.
    """

    file: ProjectFile
    version: str
    wanted_by: tuple[str, ...]
    accepted: Hashes = frozenset()


class Selection(msgspec.Struct, frozen=True):
    """What was chosen, why the rest was not, and which requirements found nothing."""

    chosen: tuple[Chosen, ...]
    left_out: Mapping[str, LeftOut]
    """File name → reason."""
    unsatisfied: tuple[NoMatchingFileError, ...]

    def counts(self) -> dict[str, int]:
        """How many files are left out for each reason, in its words."""
        if not self.left_out:
            return {}
        return {str(reason): number for reason, number in Counter(self.left_out.values()).items()}

    def yanked(self) -> dict[str, str]:
        """The versions of which yanked files were chosen, each with upstream's reason, "" for none given."""
        reasons: dict[str, str] = {}
        for one in self.chosen:
            if one.file.yanked is not None:
                reasons[one.version] = reasons.get(one.version) or one.file.yanked
        return reasons
