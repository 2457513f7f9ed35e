"""What the mirror holds and nothing wants: since when, what of it may go now, and what forbids that.

Pure: what a run found, what earlier runs left, the time and the policy in; tombstones, or a refusal, out.  A
tombstone stands while nothing wants a file; only a run that got an answer about every project sets one, and
whatever such a run cannot be sure of has none.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import PruneRefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import Visited
    from aiomirror.simple.values import ProjectFile, ProjectPage

DAY = 86_400.0
"""In seconds."""
WHOLE = ""
"""In place of a file name: everything of the project."""
FEW = 4
"""Of so few files half may well go at once."""
PLACES = 11
"""Decimal places that a share of files may have: those of a percentage, which is written with nine."""
FileKey = tuple["NormalizedName", str]
"""Project and file name, or :data:`WHOLE`."""


class Withdrawal(enum.StrEnum):
    """What becomes of a project that upstream takes back."""

    KEEP = "keep"
    """It stays as it is, and is reported."""
    HIDE = "hide"
    """No page lists its files any more; they stay on disk."""
    REMOVE = "remove"
    """As the last, and pruning removes the files after the grace period."""


class Withdrawn(msgspec.Struct, frozen=True):
    """What becomes of projects that upstream has deleted (404, 410) or quarantined (PEP 792)."""

    deleted: Withdrawal = Withdrawal.KEEP
    quarantined: Withdrawal = Withdrawal.REMOVE


class PrunePolicy(msgspec.Struct, frozen=True):
    """Whether a run removes what nothing wants, and how much of it at most."""

    enabled: bool = False
    grace: float = 7 * DAY
    """Seconds for which nothing must have wanted a file; 0: it goes at once."""
    max_delete_share: float = 0.1
    """Of the files that are held, from 0 to 1."""
    max_delete_files: int = 100
    """So many files may always go; the larger of the two limits counts."""

    def limit(self, held: int) -> int:
        """How many of so many files may go."""
        # As it was written: 29% is a little less as a float, and of 100 files one less.
        share = round(Fraction(self.max_delete_share), PLACES)
        return max(self.max_delete_files, int(share * held))


class Fate(enum.StrEnum):
    """What became of a file that pruning chose."""

    REMOVED = "removed"
    HIDDEN = "hidden"
    """No page lists it any more; it stays on disk."""
    PLANNED = "planned"
    REFUSED = "refused"


class Removal(msgspec.Struct, frozen=True):
    """One file that pruning chose; ``size`` in bytes, ``since`` in seconds since 1970."""

    project: NormalizedName
    filename: str
    size: int
    since: int
    why: str
    fate: Fate = Fate.PLANNED


class Tombstone(msgspec.Struct, frozen=True):
    """Nothing has wanted the file, or the whole project, ``since`` then (seconds since 1970)."""

    project: NormalizedName
    filename: str
    since: int
    why: str

    @property
    def key(self) -> FileKey:
        """What it stands for."""
        return self.project, self.filename


UNASKED = "no requirement names the project"
EXCLUDED = "the configuration excludes the project"
UNWANTED = "no requirement asks for it"
UNLISTED = "upstream no longer lists it"
DELETED = "upstream has deleted the project"
QUARANTINED = "upstream has quarantined the project"


class Census(msgspec.Struct):
    """What one run found of all projects that it asked about.

    ``unwanted`` are held files that nothing wants, and why; ``doubtful`` the projects of which this run
    cannot say, whatever it found of them; ``withdrawn`` those that upstream has taken back and that are to
    be removed for it, which leaves no doubt; ``hidden`` those that no page is to name any more.
    ``complete``: there was an answer, good or bad, about every project.
    """

    unwanted: dict[FileKey, str] = msgspec.field(default_factory=dict)
    doubtful: set[NormalizedName] = msgspec.field(default_factory=set)
    withdrawn: set[NormalizedName] = msgspec.field(default_factory=set)
    hidden: set[NormalizedName] = msgspec.field(default_factory=set)
    complete: bool = True

    def count(
        self, project: NormalizedName, held: Iterable[str], wanted: Collection[str], why: Mapping[str, str]
    ) -> None:
        """Take down the files of a project that are held and not wanted, each with its reason."""
        for name in held:
            if name not in wanted:
                self.unwanted[project, name] = why.get(name, UNWANTED)

    def whole(self, project: NormalizedName, why: str) -> None:
        """Take down that nothing of the project is wanted."""
        self.unwanted[project, WHOLE] = why


def buried(census: Census, known: Mapping[FileKey, Tombstone], now: int) -> dict[FileKey, Tombstone]:
    """The tombstones that stand after a complete run, in place of those that were ``known``.

    A tombstone that stood keeps its date.  Whatever is wanted again has none, nor what is in doubt: its grace
    begins anew once it is sure.
    """
    return {
        key: _stone(key, why, known.get(key), now)
        for key, why in census.unwanted.items()
        if key[0] in census.withdrawn or key[0] not in census.doubtful
    }


def _stone(key: FileKey, why: str, known: Tombstone | None, now: int) -> Tombstone:
    if known is None:
        return Tombstone(*key, now, why)
    # What a run knows only from the one before it has no reason; the one that was found then still holds.
    return Tombstone(*key, known.since, known.why if why == UNWANTED else why)


def due(
    tombstones: Iterable[Tombstone], now: float, grace: float
) -> dict[NormalizedName, tuple[Tombstone, ...]]:
    """The tombstones whose grace is over, by project, both sorted."""
    found: dict[NormalizedName, tuple[Tombstone, ...]] = {}
    for one in sorted(tombstones, key=lambda one: one.key):
        if now - one.since >= grace:
            found[one.project] = (*found.get(one.project, ()), one)
    return found


def check_limit(chosen: Sequence[Removal], held: int, policy: PrunePolicy) -> None:
    """Raise PruneRefusedError when more would go, of so many files that are held, than may."""
    if len(chosen) > (limit := policy.limit(held)):
        raise PruneRefusedError(len(chosen), held, limit)


def has_shrunk(page: ProjectPage, before: Visited | None, listed: Mapping[str, ProjectFile]) -> int | None:
    """How many files upstream listed before, if its page has lost suspiciously many; else None.

    ``before`` is what the last visit that was obeyed found; where no state tells, what our own page has
    ``listed`` stands for it.  A page without files has lost too many whenever there were any; another one
    when there were at least four and it has lost more than half, be it that so few are left, or that so many
    of those whose names are known are others now.
    """
    names = set(before.wanted_by) if before else set(listed)
    count = max(before.listed, len(names)) if before else len(names)
    if not page.files:
        return count or None
    lost = names - page.named.keys()
    halved = len(page.files) * 2 < count or len(lost) * 2 > count
    return count if halved and count >= FEW else None
