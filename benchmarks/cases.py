"""What is measured: a corpus, what is asked of it, a path to the upstream, and the contenders."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from benchmarks.tools import Select

FLOORS = ("curl", "wget2")
ROUND_TRIP_MS = 20


class Kind(enum.Enum):
    """What stands at the destination when the clock starts, and what has happened upstream since."""

    FIRST = enum.auto()
    """Nothing is there."""
    UNCHANGED = enum.auto()
    """All of it is there."""
    CHANGED = enum.auto()
    """One project in a hundred has a new version."""
    VERIFY = enum.auto()
    """All of it is there, once for all contenders, and is read again."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of tables; ``floors`` are the contenders whose fastest is the floor."""

    name: str
    title: str
    corpus: str
    select: Select = Select.EVERYTHING
    kind: Kind = Kind.FIRST
    delayed: bool = False
    tls: bool = False
    floors: tuple[str, ...] = FLOORS
    peers: tuple[str, ...] = ()
    times: float = 1.0
    """Multiplies the scale: growth is the same corpus ten times as large, matrix-tenth a tenth of it."""

    @property
    def tools(self) -> tuple[str, ...]:
        """All contenders, ours first."""
        return ("aiomirror", *self.floors, *self.peers)


@dataclass(frozen=True, slots=True)
class Goal:
    """The ``metric`` of aiomirror over that of ``against``, a contender or the floor, is at most this.

    Without ``against`` it is absolute, divided by thousands of files or by gigabytes where ``per`` says so.
    """

    case: str
    metric: str
    at_most: float
    against: str = ""
    per: str = ""


SNATCH, BARE, BARE_REQUESTS, BARE_MIRROR = "bandersnatch", "bare aiohttp", "bare requests", "bare mirror"
HASHING = ("sha256sum", "openssl dgst")
CONDITIONAL = "curl, pages if changed"

CASES = [
    Case("small", "first sync, small", "small", peers=(BARE, BARE_MIRROR, SNATCH)),
    Case(
        "small-20ms", "first sync, small, 20 ms", "small", delayed=True,
        peers=(BARE, BARE_REQUESTS, BARE_MIRROR, SNATCH),
    ),
    Case("mixed", "first sync, mixed", "mixed", peers=(BARE, BARE_MIRROR, SNATCH)),
    Case(
        "mixed-20ms", "first sync, mixed, 20 ms", "mixed", delayed=True,
        peers=(BARE, BARE_REQUESTS, BARE_MIRROR, SNATCH),
    ),
    Case(
        "newest-20ms", "newest of 300 projects, 20 ms", "small", Select.NEWEST, delayed=True,
        peers=(BARE_MIRROR, "morgan"),
    ),
    Case(
        "pins-20ms", "300 pins, 20 ms", "small", Select.PINS, delayed=True,
        peers=(BARE_MIRROR, "pip download", "python-pypi-mirror"),
    ),
    Case(
        "unchanged-20ms", "no-change sync, 5,000 projects, 20 ms", "pages", Select.NEWEST, Kind.UNCHANGED,
        delayed=True, floors=(CONDITIONAL,), peers=(SNATCH,),
    ),
    Case(
        "changed-20ms", "1 % of 5,000 projects changed, 20 ms", "pages", Select.NEWEST, Kind.CHANGED,
        delayed=True, floors=(CONDITIONAL,), peers=(SNATCH,),
    ),
    Case(
        "pages", "newest of 5,000 projects, long pages", "pages", Select.NEWEST,
        peers=(BARE_MIRROR, SNATCH),
    ),
    Case(
        "huge", "one file of 2 GB over TLS", "huge", tls=True, floors=("curl",),
        peers=(BARE, BARE_MIRROR),
    ),
    Case(
        "huge-20ms", "one file of 2 GB over TLS, 20 ms", "huge", delayed=True, tls=True, floors=("curl",),
        peers=(BARE, BARE_MIRROR),
    ),
    Case("verify", "verify of mixed", "mixed", kind=Kind.VERIFY, floors=HASHING),
    Case("matrix", "300 roots, 25 targets", "matrix", Select.MATRIX, peers=("morgan",)),
    Case(
        "matrix-tenth", "30 roots, 25 targets", "matrix", Select.MATRIX, times=0.1,
        peers=("pip download", "morgan"),
    ),
    Case("growth", "first sync, ten times small", "small", times=10, floors=()),
]  # fmt: skip

GOALS = [
    Goal("small-20ms", "wall", 1.2, "floor"),
    Goal("mixed-20ms", "wall", 1.2, "floor"),
    Goal("small-20ms", "wall", 1 / 3, SNATCH),
    Goal("mixed-20ms", "wall", 1 / 2, SNATCH),
    Goal("small", "wall", 3.0, "floor"),
    Goal("mixed", "wall", 1.9, "floor"),
    Goal("newest-20ms", "wall", 1 / 40, "morgan"),
    Goal("pins-20ms", "wall", 1 / 25, "pip download"),
    Goal("unchanged-20ms", "wall", 1.1, CONDITIONAL),
    Goal("unchanged-20ms", "wall", 1.0, SNATCH),
    Goal("huge", "wall", 1.2, "floor"),
    Goal("pages", "cpu", 1 / 5, SNATCH),
    Goal("small", "cpu", 0.8, per="thousand files"),
    Goal("mixed", "cpu", 2.0, per="GB"),
    *(Goal(case.name, "memory", 110e6) for case in CASES),
]
"""The table of the requirement; growth has a line of its own, for it compares two cases."""

GROWTH_LIMIT = 10.5


def case(name: str) -> Case:
    """The case of this name.

    Raises:
        KeyError: there is none.
    """
    return {one.name: one for one in CASES}[name]
