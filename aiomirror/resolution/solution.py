"""What the resolution of one target came to, and the proof that it is one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from aiomirror.resolution.view import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.view import Offer, View

Cause = tuple["Dependency", "Release | None"]
"""A requirement, and the version whose it is; None: a root."""


class Solution(msgspec.Struct):
    """One version for each project that is reached from the roots, or the causes of there being none."""

    picks: dict[NormalizedName, Offer] = msgspec.field(default_factory=dict)
    extras: dict[NormalizedName, set[str]] = msgspec.field(default_factory=dict)
    """Of the projects of which some are asked for."""
    origins: dict[NormalizedName, Cause] = msgspec.field(default_factory=dict)
    """The requirement by which a project is reached on a shortest way."""
    causes: tuple[Cause, ...] = ()
    gave_up: int | None = None
    """After how many steps the resolver gave up; None: it did not."""
    impossible: dict[Release, Dependency] = msgspec.field(default_factory=dict)
    """Versions that were found to be in no solution, with a dependency of each that nothing satisfies."""
    trace: Trace = msgspec.field(default_factory=Trace)
    """On what it rests."""

    @property
    def solved(self) -> bool:
        """Whether there is a solution at all."""
        return not self.causes and self.gave_up is None


def prove(view: View, picks: Mapping[NormalizedName, Offer], roots: Iterable[Dependency]) -> Solution | None:
    """Walk from the roots through the picked versions; None if a requirement on the way does not hold.

    What is picked but not reached is left out.  Metadata of all that is reached must have been read.
    """
    solution = Solution()
    limit = view.library.rules.max_depth
    queue: deque[tuple[Dependency, int, Release | None]] = deque((root, 0, None) for root in roots)
    seen: set[tuple[NormalizedName, str]] = set()
    while queue:
        dependency, depth, source = queue.popleft()
        project = dependency.project
        offer = picks.get(project)
        if offer is None or offer.facts is None or not _admitted(view, dependency, offer.release):
            return None
        solution.picks[project] = offer
        solution.origins.setdefault(project, (dependency, source))
        for extra in ("", *dependency.extras):
            if (project, extra) in seen:
                continue
            seen.add((project, extra))
            if extra:
                solution.extras.setdefault(project, set()).add(extra)
            if limit is None or depth < limit:
                requires = view.dependencies(offer.facts, extra)
                queue.extend((one, depth + 1, offer.release) for one in requires)
    return solution


def _admitted(view: View, dependency: Dependency, release: Release) -> bool:
    return dependency.admits(release) and all(
        one.admits(release) for one in view.constraints(dependency.project)
    )
