"""What a walk gave up too much of: versions that could be newer, all else being equal or newer, too.

A walk rules out a version for the sake of another choice, and does not come back to it when that choice is
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


def raised(view: View, scout: Scout, walk: Walk, solution: Solution) -> Solution | None:
    """The solution of a walk with each project as new as it can be without another being older.

    One project is raised at a time, and what it then needs along with it.  None if something is missing, which
    has become a need.
    """
    lifted = True
    while lifted:  # what was raised may let others go higher
        lifted = False
        for project in tuple(solution.picks):
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
    """A better solution, with a newer version of this project; None if there is none or something is missing."""
    held = {name: offer.release for name, offer in solution.picks.items()}
    for release in islice(walk.newer(project), MAX_TRIALS):
        trial = Walk(view, scout, {**held, project: release})
        found = trial.solve()
        if trial.lacking:
            walk.lacking = True
            return None
        if found is not None and _better(view, found, solution, project):
            return trial, found
    return None


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
