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
                better = _lifted(walk, project)
                if better is None:
                    break
                walk, solution = better
                lifted = True
            if walk.lacking:
                return None
    return solution


def _lifted(walk: Walk, project: NormalizedName) -> tuple[Walk, Solution] | None:
    """A better solution, with a newer version of this project, if there is one and nothing is missing."""
    for release in islice(walk.newer(project), MAX_TRIALS):
        trial = walk.lifted(project, release)
        found = trial.solve()
        if trial.lacking:
            walk.lacking = True
            return None
        if found is not None and project in found.picks:
            return trial, found
    return None


def _versions(solution: Solution) -> dict[NormalizedName, Release]:
    return {project: offer.release for project, offer in solution.picks.items()}
