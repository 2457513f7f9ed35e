"""What is wanted, of a closure that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import SpecifierSet

from aiomirror.desired import Desired, Trouble
from aiomirror.errors import ConflictError, FileError, UpstreamError
from aiomirror.recorded import withdrawn
from aiomirror.requirements.values import Wanted
from aiomirror.selection import demands

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.closure import Closed
    from aiomirror.config import Config
    from aiomirror.requirements.values import Parsed
    from aiomirror.resolution import Choice, Conflict
    from aiomirror.targets import Target

    Version = tuple[NormalizedName, str]


def installed_of_locks(wanted: Iterable[Wanted], targets: Iterable[Target]) -> dict[str, frozenset[Version]]:
    """By name of the target: the versions that lock files have for it, whatever is asked for."""
    locked = [one for one in wanted if one.files]
    if not locked:
        return {target.name: frozenset() for target in targets}
    from aiomirror.requirements.locks import holds_unasked  # noqa: PLC0415 (read already, where there is a lock)

    return {
        target.name: frozenset(
            (one.project, one.pin or "")
            for one in locked
            if (not one.targets or target.name in one.targets)
            and holds_unasked(one.marker, target.environment)
        )
        for target in targets
    }


def without_markers(config: Config, wanted: Iterable[Wanted]) -> Iterator[str]:
    """That the lock file to be written has less than those that were read, where that is so.

    Which of what they list goes where is asked of targets that were named: the default ones need not be the
    machines that a lock is for.
    """
    if config.lock_output and not config.policy.targets and any(one.files for one in wanted):
        yield f"{config.lock_output}: it takes over no markers of lock files, unless targets are named"


class Outcome(msgspec.Struct, frozen=True):
    """What came of following the dependencies, on its way to what is wanted."""

    config: Config
    parsed: Parsed
    closed: Closed
    avoided: Sequence[Conflict]
    present: Collection[NormalizedName]
    targets: Sequence[Target]
    """All that there are, named or not."""

    def desired(self, roots: Sequence[Wanted]) -> Desired:
        """What is wanted."""
        plain = demands(roots, self.parsed.constraints)
        locked = [one for one in self.parsed.wanted if one.files]
        wants = demands(locked, self.parsed.constraints)
        for project, choices in self.closed.closure.chosen.items():
            chosen = tuple(self._want(one, plain.get(project, ())) for one in choices)
            wants[project] = (*wants.get(project, ()), *chosen)
        for project, asked in plain.items():
            if self._is_visited_anyway(project) or self.config.policy_for(project).latest != 1:
                wants[project] = (*wants.get(project, ()), *asked)
        for project in withdrawn(self.closed.pages, self.closed.errors, self.present):
            wants.setdefault(project, plain.get(project) or (Wanted(project, SpecifierSet(), text=project),))
        hindering, passed_over = self.closed.refused(self.avoided)
        refused = (
            (FileError(one.project, one.filename, one.why), one.project, one.filename) for one in hindering
        )
        problems = (*self._conflicts(), *self._unread(), *refused)
        return Desired(
            wants,
            problems,
            (
                *self.closed.closure.warnings,
                *self._left_out(),
                *(f"{one}; passed over" for one in passed_over),
                *without_markers(self.config, locked),
            ),
            complete=not any(isinstance(error, UpstreamError) for error in self.closed.errors.values()),
            unverified=self.closed.unverified,
            installed=self._installed(),
        )

    def _installed(self) -> dict[str, frozenset[Version]]:
        """What is installed on each target on which all goes that is asked for."""
        locked = installed_of_locks(self.parsed.wanted, self.targets)
        if not self.config.policy.targets and any(locked.values()):
            return {}  # a lock is for some machines, and nobody knows which of its packages are for which
        failed = {name for one in (*self.closed.closure.conflicts, *self.avoided) for name in one.targets}
        # Each version once, however many targets have it.
        chosen = [
            ((one.project, one.version), one.targets)
            for choices in self.closed.closure.chosen.values()
            for one in choices
        ]
        return {
            name: versions.union(version for version, targets in chosen if name in targets)
            for name, versions in locked.items()
            if name not in failed
        }

    def _want(self, choice: Choice, roots: Sequence[Wanted]) -> Wanted:
        hashes = [one.hashes for one in roots]
        return Wanted(
            choice.project,
            # By its text: "==1.0" would be 1.0+local, too.
            SpecifierSet(f"==={choice.version}"),
            extras=frozenset(choice.extras),
            hashes=frozenset().union(*hashes) if all(hashes) else frozenset(),
            origin="",  # of which the text tells
            text=choice.chain,
            targets=choice.targets if self.config.policy.targets else (),
        )

    def _is_visited_anyway(self, project: NormalizedName) -> bool:
        """Whether a root has no part in the closure, so that its page has to say what is the matter."""
        if project in self.closed.closure.chosen or self.config.policy.targets:
            return False
        return any(one.alone and project in one.projects for one in self.avoided)

    def _conflicts(self) -> Iterator[Trouble]:
        """The conflicts that cannot be got round: on targets that were named, or on all of them."""
        for one in self.closed.closure.conflicts:
            yield ConflictError(one.why, one.targets), "", ""
        for one in self.avoided:
            if len(one.targets) == len(self.targets) and not one.alone:
                yield ConflictError(one.why, one.targets), "", ""

    def _left_out(self) -> Iterator[str]:
        for one in self.avoided:
            if len(one.targets) < len(self.targets):
                yield f"left out where it does not go: {ConflictError(one.why, one.targets)}"

    def _unread(self) -> Iterator[Trouble]:
        for (project, filename), error in self.closed.errors.items():
            if isinstance(error, UpstreamError):
                yield error, project, filename
