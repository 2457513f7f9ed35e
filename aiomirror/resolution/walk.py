"""The quick way to a solution: give every project its newest version, and take back what does not hold.

A resolver looks at all projects again for each one that it adds, and forgets what it did since a choice that
it takes back.  This looks only at projects whose requirements have changed, and keeps the rest.  What it
comes to is a solution, proven as such; it is the one that installers find, wherever they need not search for
long.  When it finds none there may still be one, and the resolver is asked.

The versions that have to give way are ruled out, for good or, in a second attempt that takes longer and finds
more, for as long as the choices stand for whose sake it is (dynamic backtracking; Ginsberg, 1993).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from aiomirror.resolution.bans import Bans
from aiomirror.resolution.graph import Graph
from aiomirror.resolution.matching import match, matches
from aiomirror.resolution.solution import prove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.graph import Demands, Node
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.scout import Scout
    from aiomirror.resolution.solution import Solution
    from aiomirror.resolution.view import Offer, View

EAGER_TURNS = 8
"""Times that a project is looked at and given its newest version; then it keeps what it has while it can."""

MAX_TURNS = 200
"""Times that one project is looked at before the walk is taken to go in circles."""

MAX_BANS = 1_000
"""Versions that are ruled out on the way before it is taken to lead nowhere."""

PATIENCE = 10
"""Times as many of both for a walk that lets versions in again: some solutions take thousands of bans."""


class _LostError(Exception):
    """The walk leads nowhere; ``projects`` are those that it was stopped by."""

    def __init__(self, projects: Iterable[NormalizedName] = ()) -> None:
        super().__init__()
        self.projects = tuple(projects)


class Walk:
    """One attempt for one target, from the start; ``scout`` looks behind the versions that are chosen.

    ``held`` are versions that come before newer ones, where they will do; with them the walk is over as soon
    as a choice would have to be taken back.  ``lasting``: what is ruled out stays so, which comes to an end
    soon; otherwise it comes in again when a choice for whose sake it was is taken back.  ``graph`` is where
    to go on from.
    """

    def __init__(
        self,
        view: View,
        scout: Scout,
        held: Mapping[NormalizedName, Release] | None = None,
        *,
        lasting: bool = True,
        graph: Graph | None = None,
    ) -> None:
        self.lacking = False
        """Whether something was missing on the way, which has become a need."""
        self.core: tuple[Dependency, ...] = ()
        """If the walk leads nowhere: roots that probably have no solution by themselves."""
        self._view = view
        self._scout = scout
        self._graph = graph or Graph()
        self._held = held
        self._bans = Bans(self._graph, lasting=lasting)
        self._patience = 1 if lasting else PATIENCE
        self._count = 0
        self._only_up = False

    def solve(self) -> Solution | None:
        """The solution; None if the walk leads nowhere or lacks something."""
        roots = sorted(
            self._view.roots, key=lambda one: not one.pinned
        )  # pins first, for they cannot give way
        self._graph.demand(None, {}, _by_project(roots))
        try:
            self._settle_reached()
        except _LostError as error:
            lost = self._graph.roots_of(error.projects)
            self.core = tuple(root for root in self._view.roots if root in lost)
            return None
        if self.lacking:
            return None
        return prove(
            self._view,
            {name: node.offer for name, node in self._graph.nodes.items() if node.offer},
            self._view.roots,
        )

    def lifted(self, project: NormalizedName, release: Release) -> Walk:
        """After a solution: a walk that goes on from there, with a newer version of this project.

        The others keep theirs or take newer ones; it is over as soon as one would have to take an older one.
        """
        held = {**self._graph.choices(), project: release}
        other = Walk(self._view, self._scout, held, graph=self._graph.copy())
        other._graph.queue([project])
        other._count = self._count
        other._only_up = True
        return other

    def behind(self, project: NormalizedName) -> int:
        """After a solution: how many better versions the requirements on a project admit."""
        node = self._graph.nodes[project]
        found = matches(self._view, project, node.together)
        return sum(1 for _ in takewhile(lambda offer: offer is not node.offer, found))

    def newer(self, project: NormalizedName) -> Iterator[Release]:
        """After a solution: those of them that would leave each other project one, the best first.

        What was ruled out on the way is not any more.
        """
        self._bans.clear()
        node = self._graph.nodes[project]
        for offer in matches(self._view, project, node.together):
            if offer is node.offer:
                return
            if offer.facts is None:
                self.lacking = True
                self._scout.ask(offer)
                return
            if self._obstacle(project, offer.release, self._requires(offer, node.extras)) is None:
                yield offer.release

    def _settle_reached(self) -> None:
        self._settle()
        while self._graph.drop_unreached():
            self._settle()

    def _settle(self) -> None:
        """Look at each project whose requirements have changed, until there is none."""
        for project in self._graph.queued():
            node = self._graph.own(project)
            node.turns += 1
            if node.turns > MAX_TURNS * self._patience:
                raise _LostError
            before, node.children = node.children, {}
            if node.demands:
                node.children = self._look(project, node)
            else:
                self._choose(project, None)
            self._graph.demand(project, before, node.children)

    def _look(self, project: NormalizedName, node: Node) -> Demands:
        """Choose a version; return what it demands of others."""
        if not self._view.has_page(project):
            self.lacking = True
            return {}
        demands, extras = node.together, node.extras
        blocked: dict[NormalizedName, None] = {}
        for offer in self._candidates(project, node, demands):
            if offer.facts is None:
                self.lacking = True
                # A walk that is long anyway is not to be begun anew for every single text.
                self._scout.ask(offer, wide=self._patience > 1)
                self._choose(project, offer)
                return {}
            children = self._requires(offer, extras)
            stop = self._obstacle(project, offer.release, children)
            if stop is None:
                self._choose(project, offer)
                return children
            self._judge(offer, children[stop])
            blocked[stop] = None
        self._choose(project, None)
        if not self.lacking:
            self._give_way(project, blocked)
        return {}

    def _candidates(
        self, project: NormalizedName, node: Node, demands: dict[Dependency, None]
    ) -> Iterator[Offer]:
        banned = self._bans.on(project)
        found = (offer for offer in matches(self._view, project, demands) if offer.release not in banned)
        held = kept = self._held.get(project) if self._held else None
        if node.turns > EAGER_TURNS and node.offer is not None:
            kept = node.offer.release
        if kept is not None and (offer := match(self._view, kept, demands)) and kept not in banned:
            yield offer
        if held is not None and self._only_up:
            newer = set(takewhile(lambda one: one is not held, self._view.releases(project).newest_first))
            found = (offer for offer in found if offer.release in newer)
        yield from found

    def _choose(self, project: NormalizedName, offer: Offer | None) -> None:
        node = self._graph.own(project)
        if node.offer is not offer:
            self._count += 1
            node.offer, node.chosen_at = offer, self._count
            self._graph.queue(self._bans.freed_by(project))

    def _requires(self, offer: Offer, extras: list[NormalizedName]) -> Demands:
        assert offer.facts is not None
        if self._view.library.rules.max_depth == 0:
            return {}
        self._scout.expand(offer, extras, 0)
        return _by_project(
            dict.fromkeys(
                one for extra in ("", *extras) for one in self._view.dependencies(offer.facts, extra)
            )
        )

    def _obstacle(
        self, project: NormalizedName, release: Release, children: Demands
    ) -> NormalizedName | None:
        """A project of which no version would be left if this one were chosen."""
        for child, demands in children.items():
            if child == project:
                if not all(one.admits(release) for one in demands):
                    return child
            elif not self._view.has_page(child):
                self.lacking = True
            elif not self._leaves_some(project, release, child, demands):
                return child
        return None

    def _leaves_some(
        self,
        source: NormalizedName,
        release: Release,
        child: NormalizedName,
        demands: tuple[Dependency, ...],
    ) -> bool:
        node = self._graph.nodes.get(child)
        others = node.demands.items() if node else ()
        together = dict.fromkeys(one for other, group in others if other != source for one in group)
        together.update(dict.fromkeys(demands))
        banned = self._bans.on(child, {source: release})
        held = node and node.offer and node.offer.release
        if held and held not in banned and match(self._view, held, together):
            return True  # mostly there is no need to look for another one
        return any(offer.release not in banned for offer in matches(self._view, child, together))

    def _judge(self, offer: Offer, demands: Iterable[Dependency]) -> bool:
        """Whether the version is impossible, because something that it always demands can never be had."""
        assert offer.facts is not None
        always = self._view.dependencies(offer.facts, "")
        for one in demands:
            if one in always and self._never(one):
                # The first reason stays: it rests on earlier ones, and a later one may rest on this.
                self._view.impossible.setdefault(offer.release, one)
                return True
        return False

    def _never(self, dependency: Dependency) -> bool:
        """Whether nothing satisfies a requirement together with the roots, whatever else is chosen."""
        project = dependency.project
        together = dict.fromkeys((dependency, *self._view.roots_on(project)))
        return next(matches(self._view, project, together), None) is None

    def _give_way(self, project: NormalizedName, blocked: Iterable[NormalizedName]) -> None:
        """Rule out the latest of the choices that leave a project without a version, and look again."""
        involved = dict.fromkeys((project, *blocked))
        if self._held is not None:
            raise _LostError(involved)
        sources = {
            source: self._graph.nodes[source]
            for name in involved
            if name in self._graph.nodes
            for source in self._graph.nodes[name].demands
            if source is not None and source != project and self._graph.nodes[source].offer is not None
        }
        impossible = [
            name
            for name, node in sources.items()
            if node.offer and self._judge(node.offer, self._graph.nodes[project].demands.get(name, ()))
        ]
        if impossible:
            self._graph.queue((*impossible, project))
            return
        choices = {name: node.offer.release for name, node in sources.items() if node.offer}
        for name in involved:
            choices |= self._bans.reasons(name, project)  # without these there were another version
        if not choices or self._bans.count >= MAX_BANS * self._patience:
            raise _LostError(involved)
        latest = max(choices, key=lambda name: self._graph.nodes[name].chosen_at)
        self._bans.add(latest, choices.pop(latest), choices)
        self._graph.queue((latest, project))


def _by_project(dependencies: Iterable[Dependency]) -> Demands:
    groups: dict[NormalizedName, list[Dependency]] = {}
    for one in dependencies:
        groups.setdefault(one.project, []).append(one)
    return {project: tuple(group) for project, group in groups.items()}
