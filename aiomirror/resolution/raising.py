"""What a search gave up too much of: versions that could be newer, all else being equal or newer, too.

A search rules out a version for the sake of another choice, and does not come back to it when that choice is
itself taken back later.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from aiomirror.resolution.walk import Walk

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.scout import Scout
    from aiomirror.resolution.solution import Solution
    from aiomirror.resolution.view import View

MAX_TRIALS = 8
"""Newer versions of one project that are tried."""


def raised(view: View, scout: Scout, solution: Solution, walk: Walk | None = None) -> Solution | None:
    """A solution, the walk's if there is one, with its projects as new as they can be, and none older.

    One project is raised at a time, and what it then needs along with it; those first that are furthest
    behind, for one may be raised at the cost of another.  None if something is missing, which has become a
    need.
    """
    if walk is None:  # the resolver's
        walk = Walk(view, scout, _versions(solution))
        if walk.solve() is None:
            return None if walk.lacking else solution
    lifted = True
    while lifted:  # what was raised may let others go higher
        lifted = False
        behind = {project: walk.behind(project) for project in solution.picks}
        for project in sorted(filter(behind.get, behind), key=behind.__getitem__, reverse=True):
            while project in solution.picks:
                better = _lifted(view, scout, walk, solution, project)
                if better is None:
                    break
                walk, solution = better
                lifted = True
            if walk.lacking:
                return None
    return solution


def _lifted(
    view: View, scout: Scout, walk: Walk, solution: Solution, project: NormalizedName
) -> tuple[Walk, Solution] | None:
    """A better solution, with a newer version of this project, if there is one and nothing is missing."""
    held = _versions(solution)
    for release in islice(walk.newer(project), MAX_TRIALS):
        trial = Walk(view, scout, {**held, project: release})
        found = trial.solve()
        if trial.lacking:
            walk.lacking = True
            return None
        if found is not None and _better(view, found, solution, project):
            return trial, found
    return None


def _versions(solution: Solution) -> dict[NormalizedName, Release]:
    return {project: offer.release for project, offer in solution.picks.items()}


def _better(view: View, found: Solution, than: Solution, project: NormalizedName) -> bool:
    """Whether this project is newer, and no other older."""
    if project not in found.picks:
        return False
    pairs = (
        (offer.release, than.picks[name].release)
        for name, offer in found.picks.items()
        if name in than.picks and offer.release is not than.picks[name].release
    )
    return found.picks[project].release is not than.picks[project].release and all(
        _newer(view, release, other) for release, other in pairs
    )


def _newer(view: View, release: Release, other: Release) -> bool:
    if release is other:
        return False
    newest_first = view.releases(release.project).newest_first
    return newest_first.index(release) < newest_first.index(other)
