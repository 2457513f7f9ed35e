"""The quick way to a solution: give every project its newest version, and take back what does not hold.

A resolver looks at all projects again for each one that it adds, and forgets what it did since a choice that
it takes back.  This looks only at projects whose requirements have changed, and keeps the rest.  What it
comes to is a solution, proven as such; it is the one that installers find, wherever they need not search for
long.  When it finds none there may still be one, and the resolver is asked.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from aiomirror.resolution.matching import match, matches
from aiomirror.resolution.solution import prove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.scout import Scout
    from aiomirror.resolution.solution import Solution
    from aiomirror.resolution.view import Offer, View

    Demands = dict[NormalizedName, tuple[Dependency, ...]]
    Source = NormalizedName | None

EAGER_TURNS = 8
"""Times that a project is looked at and given its newest version; then it keeps what it has while it can."""

MAX_TURNS = 200
"""Times that one project is looked at before the walk is taken to go in circles."""

MAX_BANS = 1_000
"""Versions that are ruled out on the way before the resolver is asked instead."""


class _LostError(Exception):
    """The walk leads nowhere; ``projects`` are those that it was stopped by."""

    def __init__(self, projects: Iterable[NormalizedName] = ()) -> None:
        super().__init__()
        self.projects = tuple(projects)


@dataclass(slots=True)
class _Node:
    """A project; ``demands`` by the project whose they are, None for the roots."""

    demands: dict[Source, tuple[Dependency, ...]] = field(default_factory=dict)
    offer: Offer | None = None
    chosen_at: int = 0
    """A count that tells which of two choices is the later one."""
    children: Demands = field(default_factory=dict)
    turns: int = 0

    @property
    def together(self) -> dict[Dependency, None]:
        """All demands, each once, in a fixed order."""
        return dict.fromkeys(one for group in self.demands.values() for one in group)

    @property
    def extras(self) -> list[NormalizedName]:
        """Those that are demanded, sorted."""
        return sorted({extra for group in self.demands.values() for one in group for extra in one.extras})


class Walk:
    """One attempt for one target, from the start; ``scout`` looks behind the versions that are chosen.

    ``held`` are versions that come before newer ones, where they will do; with them the walk is over as soon
    as a choice would have to be taken back.
    """

    def __init__(
        self,
        view: View,
        scout: Scout,
        held: Mapping[NormalizedName, Release] | None = None,
    ) -> None:
        self.lacking = False
        """Whether something was missing on the way, which has become a need."""
        self.core: tuple[Dependency, ...] = ()
        """If the walk leads nowhere: roots that probably have no solution by themselves."""
        self._view = view
        self._scout = scout
        self._nodes: dict[NormalizedName, _Node] = {}
        self._queue: dict[NormalizedName, None] = {}
        self._held = held
        self._bans: defaultdict[NormalizedName, set[Release]] = defaultdict(set)
        self._count = 0

    def solve(self) -> Solution | None:
        """The solution; None if the walk leads nowhere or lacks something."""
        roots = sorted(
            self._view.roots, key=lambda one: not one.pinned
        )  # pins first, for they cannot give way
        self._demand(None, {}, _by_project(roots))
        try:
            self._settle_reached()
        except _LostError as error:
            self.core = self._roots_of(error.projects)
            return None
        if self.lacking:
            return None
        return prove(
            self._view,
            {name: node.offer for name, node in self._nodes.items() if node.offer},
            self._view.roots,
        )

    def behind(self, project: NormalizedName) -> int:
        """After a solution: how many better versions the requirements on a project admit."""
        node = self._nodes[project]
        found = matches(self._view, project, node.together)
        return sum(1 for _ in takewhile(lambda offer: offer is not node.offer, found))

    def newer(self, project: NormalizedName) -> Iterator[Release]:
        """After a solution: those of them that would leave each other project one, the best first.

        What was ruled out on the way is not any more.
        """
        self._bans.clear()
        node = self._nodes[project]
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
        while self._drop_unreached():
            self._settle()

    def _settle(self) -> None:
        """Look at each project whose requirements have changed, until there is none."""
        while self._queue:
            project = next(iter(self._queue))
            del self._queue[project]
            node = self._nodes[project]
            node.turns += 1
            if node.turns > MAX_TURNS:
                raise _LostError
            before, node.children = node.children, {}
            if node.demands:
                node.children = self._look(project, node)
            else:
                node.offer = None
            self._demand(project, before, node.children)

    def _look(self, project: NormalizedName, node: _Node) -> Demands:
        """Choose a version; return what it demands of others."""
        if not self._view.has_page(project):
            self.lacking = True
            return {}
        demands, extras = node.together, node.extras
        blocked: dict[NormalizedName, None] = {}
        for offer in self._candidates(project, node, demands):
            if offer.facts is None:
                self.lacking = True
                self._scout.ask(offer)
                self._choose(node, offer)
                return {}
            children = self._requires(offer, extras)
            stop = self._obstacle(project, offer.release, children)
            if stop is None:
                self._choose(node, offer)
                return children
            self._judge(offer, children[stop])
            blocked[stop] = None
        node.offer = None
        if not self.lacking:
            self._give_way(project, blocked)
        return {}

    def _candidates(
        self, project: NormalizedName, node: _Node, demands: dict[Dependency, None]
    ) -> Iterator[Offer]:
        banned = self._bans.get(project, ())
        found = (offer for offer in matches(self._view, project, demands) if offer.release not in banned)
        kept = self._held.get(project) if self._held else None
        if node.turns > EAGER_TURNS and node.offer is not None:
            kept = node.offer.release
        if kept is not None and (offer := match(self._view, kept, demands)) and kept not in banned:
            yield offer
        yield from found

    def _choose(self, node: _Node, offer: Offer) -> None:
        if node.offer is not offer:
            self._count += 1
            node.offer, node.chosen_at = offer, self._count

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
            elif not self._leaves_some(project, child, demands):
                return child
        return None

    def _leaves_some(
        self, source: NormalizedName, child: NormalizedName, demands: tuple[Dependency, ...]
    ) -> bool:
        node = self._nodes.get(child)
        others = node.demands.items() if node else ()
        together = dict.fromkeys(one for other, group in others if other != source for one in group)
        together.update(dict.fromkeys(demands))
        banned = self._bans.get(child, ())
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
            source: self._nodes[source]
            for name in involved
            if name in self._nodes
            for source in self._nodes[name].demands
            if source is not None and source != project and self._nodes[source].offer is not None
        }
        impossible = [
            name
            for name, node in sources.items()
            if node.offer and self._judge(node.offer, self._nodes[project].demands.get(name, ()))
        ]
        if impossible:
            self._queue.update(dict.fromkeys((*impossible, project)))
            return
        if not sources or sum(map(len, self._bans.values())) >= MAX_BANS:
            raise _LostError(involved)
        latest = max(sources, key=lambda source: sources[source].chosen_at)
        offer = sources[latest].offer
        assert offer is not None
        self._bans[latest].add(offer.release)
        self._queue[latest] = None
        self._queue[project] = None

    def _demand(self, source: Source, before: Demands, after: Demands) -> None:
        """Replace what a project demands of others."""
        for project in before:
            if project not in after:
                del self._nodes[project].demands[source]
                self._queue[project] = None
        for project, demands in after.items():
            node = self._nodes.setdefault(project, _Node())
            if node.demands.get(source) != demands:
                node.demands[source] = demands
                self._queue[project] = None

    def _drop_unreached(self) -> bool:
        """Take away projects that only demand each other; whether there were any."""
        reached: dict[NormalizedName, None] = {}
        ahead = [project for project, node in self._nodes.items() if None in node.demands]
        while ahead:
            project = ahead.pop()
            if project not in reached:
                reached[project] = None
                ahead.extend(self._nodes[project].children)
        unreached = [project for project in self._nodes if project not in reached]
        for project in unreached:
            self._demand(project, self._nodes[project].children, {})
        for project in unreached:
            del self._nodes[project]
            self._queue.pop(project, None)
        return bool(unreached)

    def _roots_of(self, projects: Iterable[NormalizedName]) -> tuple[Dependency, ...]:
        """The roots through which these projects were demanded."""
        roots: dict[Dependency, None] = {}
        seen: set[NormalizedName] = set()
        ahead = deque(projects)
        while ahead:
            project = ahead.popleft()
            if project in seen or project not in self._nodes:
                continue
            seen.add(project)
            demands = self._nodes[project].demands
            roots.update(dict.fromkeys(demands.get(None, ())))
            ahead.extend(source for source in demands if source is not None)
        return tuple(root for root in self._view.roots if root in roots)


def _by_project(dependencies: Iterable[Dependency]) -> Demands:
    groups: dict[NormalizedName, list[Dependency]] = {}
    for one in dependencies:
        groups.setdefault(one.project, []).append(one)
    return {project: tuple(group) for project, group in groups.items()}
