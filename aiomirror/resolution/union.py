"""The union of what was found for each target, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiomirror.resolution.telling import conflict, dead_end, together
from aiomirror.resolution.values import Choice, Closure, Conflict
from aiomirror.simple.filenames import version_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from packaging.utils import NormalizedName

    from aiomirror.resolution.library import Library
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.scout import Scout
    from aiomirror.resolution.solution import Cause, Solution
    from aiomirror.resolution.view import Offer, View


class _Draft(msgspec.Struct):
    """A choice while targets are added to it."""

    chain: str
    targets: dict[str, None] = msgspec.field(default_factory=dict)
    extras: set[str] = msgspec.field(default_factory=set)
    files: dict[str, None] = msgspec.field(default_factory=dict)


class _Union:
    """Collects choices and warnings, each of which is told once."""

    def __init__(self) -> None:
        self.conflicts: list[Conflict] = []
        self.warnings: dict[str, None] = {}
        self._drafts: dict[NormalizedName, dict[Release, _Draft]] = {}

    def add(self, view: View, offer: Offer, extras: Iterable[str], chain: Callable[[], str]) -> None:
        """One version on one target."""
        release = offer.release
        drafts = self._drafts.setdefault(release.project, {})
        draft = drafts.get(release)
        if draft is None:
            draft = drafts[release] = _Draft(chain())
        draft.targets[view.target.name] = None
        draft.extras.update(filter(None, extras))
        draft.files[offer.file.filename] = None
        self.warnings.update(dict.fromkeys(_warnings(view, offer, extras)))

    def closure(self, library: Library) -> Closure:
        chosen = {
            project: tuple(
                Choice(
                    project,
                    release.text,
                    tuple(draft.targets),
                    tuple(sorted(draft.extras)),
                    tuple(draft.files),
                    draft.chain,
                )
                for release, draft in sorted(
                    drafts.items(), key=lambda pair: version_key(pair[0].text), reverse=True
                )
            )
            for project, drafts in sorted(self._drafts.items())
        }
        refused = tuple(refusal for _, refusal in sorted(library.refused.items()))
        return Closure(chosen, together(self.conflicts), tuple(sorted(self.warnings)), refused)


def union_of_solutions(library: Library, solved: Iterable[tuple[View, Solution]]) -> Closure:
    """One version of each project for each target."""
    union = _Union()
    for view, solution in solved:
        if not solution.solved:
            union.conflicts.append(conflict(view, solution))
        for project, pick in solution.picks.items():
            offer = view.offer(pick.release, yanked=pick.yanked)  # another target may have found the solution
            assert offer is not None
            union.add(
                view,
                offer,
                ("", *solution.extras.get(project, ())),
                lambda project=project, solution=solution: _chain(  # type: ignore[misc]
                    solution.origins[project], lambda release: solution.origins[release.project]
                ),
            )
    return union.closure(library)


def union_of_all(library: Library, walked: Iterable[tuple[View, Scout]]) -> Closure:
    """Every version that a requirement admits, for each target."""
    union = _Union()
    for view, scout in walked:
        for release, offer in scout.reached.items():
            union.add(
                view,
                offer,
                scout.extras[release],
                lambda release=release, scout=scout: _chain(  # type: ignore[misc]
                    scout.origins[release], scout.origins.__getitem__
                ),
            )
        for dependency, parent in scout.dead_ends.items():
            told = dead_end(view, dependency, parent)
            if parent is None:
                union.conflicts.append(Conflict((view.target.name,), (dependency.project,), told, alone=True))
            else:  # the dependencies of some old version, most likely
                union.warnings[told] = None
    return union.closure(library)


def _chain(cause: Cause, origin: Callable[[Release], Cause]) -> str:
    parts: list[str] = []
    dependency, parent = cause
    parts.append(str(dependency))
    while parent is not None:
        parts.append(str(parent))
        dependency, parent = origin(parent)
        parts.append(str(dependency))
    return " → ".join(reversed(parts))


def _warnings(view: View, offer: Offer, extras: Iterable[str]) -> Iterable[str]:
    """What a person should know of a version that was chosen."""
    facts, release = offer.facts, offer.release
    assert facts is not None
    if offer.note:
        yield f"{release.project}: {offer.file.filename}: {offer.note}"
    for extra in extras:
        requires = view.dependencies(facts, extra)
        if extra and extra not in facts.core.provides and requires == view.dependencies(facts, ""):
            yield f"{release} has no extra {extra!r}"
        for dependency in requires:
            if dependency.url:
                yield (
                    f"{release} requires {dependency.text!r}: what is at an address is not mirrored; "
                    f"{dependency.project} of the index is taken instead"
                )
