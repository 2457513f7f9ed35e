"""Versions that a search has ruled out, for good or while the choices stand for whose sake it was."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.resolution.graph import Graph
    from aiomirror.resolution.releases import Release

    Choices = Mapping[NormalizedName, Release]

NOBODY: Choices = {}


class Bans:
    """What was ruled out for the sake of choices in a graph; ``lasting``: whatever becomes of these."""

    def __init__(self, graph: Graph, *, lasting: bool) -> None:
        self.count = 0
        """How often something was ruled out."""
        self._graph = graph
        self._lasting = lasting
        self._reasons: dict[NormalizedName, dict[Release, Choices]] = {}
        self._resting: defaultdict[NormalizedName, dict[NormalizedName, None]] = defaultdict(dict)

    def add(self, project: NormalizedName, release: Release, reason: Choices) -> None:
        """Rule out a version, for the sake of these choices together."""
        self.count += 1
        kept = {} if self._lasting else dict(reason)
        self._reasons.setdefault(project, {})[release] = kept
        for name in kept:
            self._resting[name][project] = None

    def clear(self) -> None:
        """Rule out nothing any more."""
        self._reasons.clear()
        self._resting.clear()

    def on(self, project: NormalizedName, assumed: Choices = NOBODY) -> Collection[Release]:
        """The versions of a project that are ruled out, were these choices made as well."""
        reasons = self._reasons.get(project)
        if not reasons:  # as of nearly all projects
            return ()
        return {release for release, reason in reasons.items() if self._stands(reason, assumed)}

    def reasons(self, project: NormalizedName, open_for: NormalizedName) -> dict[NormalizedName, Release]:
        """All choices for whose sake versions of a project are ruled out, whatever ``open_for`` takes."""
        found: dict[NormalizedName, Release] = {}
        for reason in self._reasons.get(project, {}).values():
            others = {name: release for name, release in reason.items() if name != open_for}
            if self._stands(others, NOBODY):
                found |= others
        return found

    def freed_by(self, project: NormalizedName) -> Collection[NormalizedName]:
        """The projects of which versions may come in again when this one changes."""
        return self._resting.get(project, ())

    def _stands(self, reason: Choices, assumed: Choices) -> bool:
        return all(
            (assumed.get(name) or self._graph.choice(name)) is release for name, release in reason.items()
        )
