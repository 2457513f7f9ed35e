"""Which projects demand what of which others, while a search is under way."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.view import Offer

    Demands = dict[NormalizedName, tuple[Dependency, ...]]
    Source = NormalizedName | None


class Node(msgspec.Struct):
    """A project; ``demands`` by the project whose they are, None for the roots."""

    owner: object
    """Stands for the graph that may change it, without keeping that alive."""
    demands: dict[Source, tuple[Dependency, ...]] = msgspec.field(default_factory=dict)
    offer: Offer | None = None
    chosen_at: int = 0
    """A count that tells which of two choices is the later one."""
    children: Demands = msgspec.field(default_factory=dict)
    turns: int = 0

    @property
    def together(self) -> dict[Dependency, None]:
        """All demands, each once, in a fixed order."""
        return dict.fromkeys(one for group in self.demands.values() for one in group)

    @property
    def extras(self) -> list[NormalizedName]:
        """Those that are demanded, sorted."""
        return sorted({extra for group in self.demands.values() for one in group for extra in one.extras})


class Graph:
    """The projects that a search has come upon, and a queue of those whose demands have changed."""

    def __init__(self) -> None:
        self.nodes: dict[NormalizedName, Node] = {}
        self._owner = object()
        self._queue: dict[NormalizedName, None] = {}

    def copy(self) -> Graph:
        """One that can be changed by itself, and shares the nodes that neither has changed since."""
        other = Graph()
        other.nodes = dict(self.nodes)
        return other

    def own(self, project: NormalizedName) -> Node:
        """The node of a project, to be changed; a new one if there is none."""
        node = self.nodes.get(project)
        if node is None:
            node = self.nodes[project] = Node(self._owner)
        elif node.owner is not self._owner:
            node = replace(node, owner=self._owner, demands=dict(node.demands), turns=0)
            self.nodes[project] = node
        return node

    def choice(self, project: NormalizedName) -> Release | None:
        """The version that a project has at the moment."""
        node = self.nodes.get(project)
        return node.offer.release if node and node.offer else None

    def choices(self) -> dict[NormalizedName, Release]:
        """All of them."""
        return {project: node.offer.release for project, node in self.nodes.items() if node.offer}

    def queue(self, projects: Iterable[NormalizedName]) -> None:
        """Have these projects looked at again, if they are still there."""
        self._queue.update((project, None) for project in projects if project in self.nodes)

    def queued(self) -> Iterator[NormalizedName]:
        """Each in its turn, until the queue is empty."""
        while self._queue:
            project = next(iter(self._queue))
            del self._queue[project]
            yield project

    def demand(self, source: Source, before: Demands, after: Demands) -> None:
        """Replace what a project demands of others."""
        for project in before:
            if project not in after:
                del self.own(project).demands[source]
                self._queue[project] = None
        for project, demands in after.items():
            node = self.nodes.get(project)
            if node is None or node.demands.get(source) != demands:
                self.own(project).demands[source] = demands
                self._queue[project] = None

    def drop_unreached(self) -> bool:
        """Take away projects that only demand each other; whether there were any."""
        reached: dict[NormalizedName, None] = {}
        ahead = [project for project, node in self.nodes.items() if None in node.demands]
        while ahead:
            project = ahead.pop()
            if project not in reached:
                reached[project] = None
                ahead.extend(self.nodes[project].children)
        unreached = [project for project in self.nodes if project not in reached]
        for project in unreached:
            self.demand(project, self.nodes[project].children, {})
        for project in unreached:
            del self.nodes[project]
            self._queue.pop(project, None)
        return bool(unreached)

    def roots_of(self, projects: Iterable[NormalizedName]) -> set[Dependency]:
        """The roots through which these projects were demanded."""
        roots: set[Dependency] = set()
        seen: set[NormalizedName] = set()
        ahead = deque(projects)
        while ahead:
            project = ahead.popleft()
            if project in seen or project not in self.nodes:
                continue
            seen.add(project)
            demands = self.nodes[project].demands
            roots.update(demands.get(None, ()))
            ahead.extend(source for source in demands if source is not None)
        return roots
