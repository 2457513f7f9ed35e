"""Runs of sync and prune as a library, with a clock that a test sets, and a check of the tree after each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiomirror.config import Config
from aiomirror.config.values import Following
from aiomirror.plan import FetchPolicy
from aiomirror.progress import Silent
from aiomirror.prune import prune
from aiomirror.pruning import DAY, PrunePolicy, Withdrawn
from aiomirror.requirements import gather
from aiomirror.selection import Policy
from aiomirror.state import State
from aiomirror.sync import sync

if TYPE_CHECKING:
    from aiomirror.pruning import Removal
    from aiomirror.report import Report
    from mirror import Mirror

AT_ONCE = PrunePolicy(enabled=True, grace=0)
AFTER_A_WEEK = PrunePolicy(enabled=True, grace=7 * DAY)
NO_PRUNING = PrunePolicy()


class Told(Silent):
    """Remembers which removals it was told of."""

    def __init__(self) -> None:
        self.removals: list[Removal] = []

    def removed(self, removal: Removal) -> None:
        self.removals.append(removal)


@dataclass
class Library:
    """A mirror that is run by the library's functions; ``now`` is in seconds since 1970."""

    mirror: Mirror
    now: float = 1_700_000_000
    checked: bool = True
    """Whether the tree must be in order after each run."""

    def sync(
        self,
        *specs: str,
        code: int = 0,
        pruning: PrunePolicy = NO_PRUNING,
        withdrawn: Withdrawn | None = None,
        accept_changed: bool = False,
        latest: int | None = 1,
        **settings: Any,  # noqa: ANN401 (Config's own)
    ) -> Report:
        parsed = gather(specs, [], [], _unread, {})
        config = Config(
            index_url=self.mirror.upstream.url,
            dest=self.mirror.dest,
            policy=Policy(latest=latest),
            following=Following(enabled=False),
            fetch=FetchPolicy(accept_changed=accept_changed),
            pruning=pruning,
            withdrawn=withdrawn or Withdrawn(),
            **{"jobs": 4, "retries": 1, "timeout": 5, "keep_going": True, **settings},
        )
        told = Told()
        report = asyncio.run(
            sync(
                config,
                parsed,
                told,
                clock=lambda: self.now,
            )
        )
        return self._checked(report, told, code)

    def prune(self, policy: PrunePolicy = AT_ONCE, *, code: int = 0, dry_run: bool = False) -> Report:
        told = Told()
        report = asyncio.run(
            prune(self.mirror.dest, told, policy=policy, dry_run=dry_run, clock=lambda: self.now)
        )
        return self._checked(report, told, code)

    def _checked(self, report: Report, told: Told, code: int) -> Report:
        assert report.exit_code == code, report.problems
        assert told.removals == report.removals
        if self.checked and not report.dry_run:
            self.mirror.check()
        return report

    def wait(self, days: float) -> None:
        self.now += days * DAY

    def tombstones(self) -> dict[tuple[str, str], str]:
        """Project and file name → why nothing wants it."""
        with self.state() as state:
            return {key: one.why for key, one in state.desired.tombstones().items()}

    def state(self) -> State:
        return State.open(self.mirror.dest / ".aiomirror" / "state.sqlite")


def removed(report: Report) -> list[str]:
    return [removal.filename for removal in report.removals]


def _unread(path: str) -> bytes:
    raise AssertionError(f"no file is asked for, and {path} is read")
