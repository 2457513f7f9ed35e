"""Which versions of a project a target may take, in the order in which an installer would try them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.resolution.library import Unfolding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.view import Offer, View


def matches(view: View, project: NormalizedName, demands: Collection[Dependency]) -> Iterator[Offer]:
    """What all demands and the constraints admit, newest first; the project's page must have been read.

    Pre-releases come in if they are asked for, if a demand mentions one, or if there is nothing else
    (PEP 440).  Yanked files come in if a demand names a single version and there is nothing else (PEP 592).
    What was found to be impossible is there for these two rules, and then left out.
    """
    bounds = (*demands, *view.constraints(project))
    found = False
    for offer in _matches(view, project, bounds, yanked=False):
        found = True
        if offer.release not in view.impossible:
            yield offer
    if not found and any(one.pinned for one in bounds):
        for offer in _matches(view, project, bounds, yanked=True):
            if offer.release not in view.impossible:
                yield offer


def match(view: View, release: Release, demands: Collection[Dependency]) -> Offer | None:
    """What is offered of one version, if it is among the matches of its project."""
    bounds = (*demands, *view.constraints(release.project))
    if not all(one.admits(release) for one in bounds):
        return None
    offer = view.offer(release)
    if offer is None or release.prerelease:  # whether it is a match depends on what else there is
        found = matches(view, release.project, demands)
        return next((one for one in found if one.release is release), None)
    return None if release in view.impossible else offer


def _matches(
    view: View, project: NormalizedName, bounds: Collection[Dependency], *, yanked: bool
) -> Iterator[Offer]:
    admission = view.library.rules.admission_of(project)
    prereleases = admission.prereleases or any(one.prereleases for one in bounds)
    found = False
    held_back: list[Release] = []
    for release in admitted(view, project, bounds):
        if release.prerelease and not prereleases:
            held_back.append(release)
        elif (offer := view.offer(release, yanked=yanked)) is not None:
            found = True
            yield offer
    for release in held_back if not found else ():
        if (offer := view.offer(release, yanked=yanked)) is not None:
            yield offer


def admitted(view: View, project: NormalizedName, bounds: Collection[Dependency]) -> Iterator[Release]:
    """The versions that all specifiers admit, whatever there is of them for the target.

    No target has a say in it, so what one has found out serves all; the same is asked thousands of times.
    """
    known = view.library.admitted
    key = (project, frozenset(bounds))
    releases = known.get(key)
    if releases is None:
        releases = known[key] = Unfolding(_admitted(view, project, bounds))
    return iter(releases)


def _admitted(view: View, project: NormalizedName, bounds: Collection[Dependency]) -> Iterator[Release]:
    for release in view.releases(project).newest_first:
        if bounds:
            if all(one.admits(release) for one in bounds):
                yield release
        elif release.version is not None:
            yield release
