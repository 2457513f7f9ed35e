"""Why there is no solution, as a person would tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.resolution.matching import admitted, matches
from aiomirror.resolution.values import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Dist, Release
    from aiomirror.resolution.solution import Cause, Solution
    from aiomirror.resolution.view import View

MAX_TOLD = 12
"""Requirements that one conflict names; the rest is counted."""
WAY_OUT = ", but --closure all-matching takes what each asks for, and so do lock files of their own"
"""For those who merge what several people have pinned."""


def conflict(view: View, solution: Solution) -> Conflict:
    """The conflict of one target, in one sentence for each project that it is about."""
    if solution.gave_up is not None:
        why = f"no solution was found in {solution.gave_up:,} steps, and whether there is one is not known"
        return Conflict((view.target.name,), (), why)
    groups: dict[NormalizedName, list[Cause]] = {}
    for dependency, parent in solution.causes:
        groups.setdefault(dependency.project, []).append((dependency, parent))
    why = "; ".join(_sentence(view, project, causes) for project, causes in groups.items())
    alone = all(parent is None and _is_alone(view, one) for one, parent in solution.causes)
    return Conflict((view.target.name,), tuple(groups), why, alone)


def together(conflicts: Iterable[Conflict]) -> tuple[Conflict, ...]:
    """The same told of several targets is told once."""
    targets: dict[Conflict, list[str]] = {}
    for one in conflicts:
        targets.setdefault(replace(one, targets=()), []).extend(one.targets)
    return tuple(replace(one, targets=tuple(names)) for one, names in targets.items())


def dead_end(view: View, dependency: Dependency, parent: Release | None) -> str:
    """A requirement that nothing satisfies by itself."""
    return f"nothing satisfies {_demand(dependency, parent)}: {why_nothing(view, dependency)}"


def _sentence(view: View, project: NormalizedName, causes: Sequence[Cause]) -> str:
    alone = [cause for cause in causes if _is_hopeless(view, cause[0])]
    if alone:
        return dead_end(view, *alone[0])
    if len(causes) == 1:
        dependency, parent = causes[0]
        return f"no version of {project} that {_demand(dependency, parent)} admits goes with the rest"
    told = [f"{_demand(*cause)} (would take {_newest(view, cause[0])})" for cause in causes[:MAX_TOLD]]
    if len(causes) > MAX_TOLD:
        told.append(f"{len(causes) - MAX_TOLD} more")
    way_out = "" if any(parent for _, parent in causes) else WAY_OUT
    return f"no version of {project} satisfies {' and '.join(told)}{way_out}"


def _is_hopeless(view: View, dependency: Dependency) -> bool:
    return next(matches(view, dependency.project, [dependency]), None) is None


def _is_alone(view: View, root: Dependency) -> bool:
    """Whether it is without hope whatever else is asked for."""
    bounds = (root, *view.constraints(root.project))
    return _is_hopeless(view, root) and not any(
        release in view.impossible for release in admitted(view, root.project, bounds)
    )


def _newest(view: View, dependency: Dependency) -> str:
    offer = next(matches(view, dependency.project, [dependency]), None)
    return offer.release.text if offer else "nothing"


def _demand(dependency: Dependency, parent: Release | None) -> str:
    """``werkzeug>=3.0 of flask 3.0.3`` or ``werkzeug<3 (req.txt:7)``."""
    return f"{dependency} of {parent}" if parent else str(dependency)


def why_nothing(view: View, dependency: Dependency) -> str:
    """Why no version is left for a requirement that cannot be satisfied by itself."""
    releases = view.releases(dependency.project)
    if releases.absent:
        return releases.absent
    if not releases.newest_first:
        return "the index has no file of it that may be used"
    newest = f"the newest version is {releases.newest_first[0].text}"
    fitting = next(admitted(view, dependency.project, [dependency]), None)
    if fitting is None:
        return newest
    bounds = view.constraints(dependency.project)
    bounded = next(admitted(view, dependency.project, [dependency, *bounds]), None)
    if bounded is None:
        first, *others = [str(one) for one in bounds if not one.admits(fitting)]
        return ", and so does ".join([f"the constraint {first} excludes {fitting.text}", *others])
    if bounded in view.impossible:
        return _impossible(view, bounded)
    return f"{bounded.text} {why_not(view, bounded)}"


def _impossible(view: View, release: Release) -> str:
    """``a 2.0 needs b>=3, b 3.1 needs c: …``, as far down as it goes, and why nothing satisfies the last."""
    steps: list[str] = []
    while True:
        dependency = view.impossible[release]
        steps.append(f"{release} needs {dependency}")
        bounds = (dependency, *view.constraints(dependency.project))
        below = next(admitted(view, dependency.project, bounds), None)
        if below not in view.impossible:
            break
        if len(steps) == MAX_TOLD:
            return f"{', '.join(steps)}, and so on"
        release = below
    needs, rivals = ", ".join(steps), view.roots_on(dependency.project)
    if not rivals or _is_hopeless(view, dependency):
        return f"{needs}: {why_nothing(view, dependency)}"
    asked = f"{' and '.join(map(str, rivals))} {'are' if len(rivals) > 1 else 'is'}"
    return f"{needs}; {asked} asked for as well"


def why_not(view: View, release: Release) -> str:
    """Why a target can use no file of a version, in words for its most promising file."""
    reasons = {
        reason: None
        for dist in (*release.wheels, *release.sources)
        for reason in _reasons(view, release, dist)
    }
    closest = max(reasons, key=lambda reason: (reason[0], reason[1]))
    return closest[1]


def _reasons(view: View, release: Release, dist: Dist) -> Iterator[tuple[int, str]]:
    """The first rule that a file fails; later rules count higher."""
    file = dist.file
    if dist.tags and view.rank(dist.tags) is None:
        yield 1, "has no file that fits"
    elif not view.admits_python(file.requires_python):
        yield 2, f"needs Python {file.requires_python}"
    elif not view.admits(release.project, file):
        yield 3, "has no file with one of the digests that are listed"
    elif file.yanked is not None:
        yield 4, "is yanked"
    elif not view.library.has_facts(release, file):
        yield 5, "is not the only one in question"
    elif (facts := view.library.facts(release, file)) is not None:
        yield 6, f"needs Python {facts.core.requires_python}"
    else:
        yield 7, f"has metadata that is refused: {view.library.refused[release.project, file.filename].why}"
