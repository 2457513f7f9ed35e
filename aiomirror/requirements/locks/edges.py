"""From the roots of a ``uv.lock`` along its dependencies to what an environment needs.

The roots are the members of the workspace, with all their extras and dependency groups, and what a workspace
without a project of its own asks for.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

import msgspec
from packaging.utils import canonicalize_name

from aiomirror.requirements.locks.packages import marker_of, name_of, version_of
from aiomirror.requirements.values import LineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from aiomirror.requirements.documents import Table
    from aiomirror.requirements.locks.needs import Holds

PLAIN = ""
"""In the place of an extra: what is needed without any."""

Node = tuple[int, str]
"""The place of a package in the lock, and one of its extras, or ``PLAIN``."""


class Edge(msgspec.Struct, frozen=True):
    """A dependency: the packages that it may mean, which their markers tell apart, and their extras."""

    places: Sequence[int]
    extras: Sequence[str]
    marker: Marker | None

    def nodes(self) -> Iterator[Node]:
        """Where it leads."""
        for place in self.places:
            for extra in (PLAIN, *self.extras):
                yield place, extra


class Graph(msgspec.Struct, frozen=True):
    """The packages of a lock and their dependencies."""

    roots: Sequence[Edge]
    edges: Mapping[Node, Sequence[Edge]]
    markers: Sequence[Marker | None]
    """Of each package: the environments that it is for."""

    def needed(self, holds: Holds) -> set[int]:
        """The places of the packages that are needed in an environment, roots included."""
        seen: set[Node] = set()
        todo = deque(self.roots)
        while todo:
            edge = todo.popleft()
            if not holds(edge.marker):
                continue
            for node in edge.nodes():
                if node not in seen and holds(self.markers[node[0]]):
                    seen.add(node)
                    todo.extend(self.edges.get(node, ()))
        return {place for place, _ in seen}


def read_graph(document: Table, packages: Sequence[Table], markers: Sequence[Marker | None]) -> Graph:
    """The graph of a lock; LineError for an edge that leads nowhere or cannot be read."""
    reader = _Reader(packages)
    manifest = document.table("manifest")
    groups = manifest.table("dependency-groups")
    roots = [
        *map(reader.root, reader.members(manifest)),
        *reader.edges([*manifest.tables("requirements"), *_all(groups)], strict=False),
    ]
    edges = {
        (place, extra): list(reader.edges(tables))
        for place, package in enumerate(packages)
        for extra, tables in _dependencies(package)
    }
    return Graph(roots, edges, markers)


def _dependencies(package: Table) -> Iterator[tuple[str, list[Table]]]:
    """The edges of a package, by extra; those of its groups are among those without."""
    # Groups stand with members of the workspace alone, all of which are roots.
    yield PLAIN, [*package.tables("dependencies"), *_all(package.table("dev-dependencies"))]
    extras = package.table("optional-dependencies")
    for extra in extras.values:
        yield canonicalize_name(extra), extras.tables(extra)


def _all(lists: Table) -> list[Table]:
    return [table for key in lists.values for table in lists.tables(key)]


class _Reader:
    """Finds packages by what is said of them."""

    def __init__(self, packages: Sequence[Table]) -> None:
        self._packages = packages
        self._places: defaultdict[NormalizedName, list[int]] = defaultdict(list)
        for place, package in enumerate(packages):
            self._places[name_of(package)].append(place)

    def members(self, manifest: Table) -> Iterator[int]:
        """The places of the projects that the lock is of; of all packages, if it does not say which."""
        named = {canonicalize_name(name) for name in manifest.texts("members")}
        own = {place for name in named for place in self._places.get(name, ())}
        here = {place for place, one in enumerate(self._packages) if _is_here(one)}
        virtual = "requirements" in manifest.values or "dependency-groups" in manifest.values
        yield from sorted(own or here or (() if virtual else range(len(self._packages))))

    def root(self, place: int) -> Edge:
        """What leads to a package with all its extras."""
        extras = self._packages[place].table("optional-dependencies")
        return Edge([place], [canonicalize_name(extra) for extra in extras.values], None)

    def edges(self, tables: Iterable[Table], *, strict: bool = True) -> Iterator[Edge]:
        """The dependencies of a list; unless ``strict``, they may lead to what is not locked."""
        for table in tables:
            places = self._meant(table)
            if strict and not places:
                raise LineError(f"{table.path}: there is no such package in the lock")
            extras = [canonicalize_name(extra) for key in ("extra", "extras") for extra in table.texts(key)]
            yield Edge(places, extras, marker_of(table, "marker"))

    def _meant(self, table: Table) -> list[int]:
        """The packages of this name; where version and source are stated, those that have them."""
        places = self._places.get(name_of(table), [])
        if "version" in table.values:
            version = version_of(table)
            places = [place for place in places if _version_in(self._packages[place]) == version]
        if "source" in table.values:
            source = table.values["source"]
            places = [place for place in places if self._packages[place].values.get("source") == source]
        return places


def _version_in(package: Table) -> Version | None:
    """The version of a package, if it has one."""
    return version_of(package) if "version" in package.values else None


def _is_here(package: Table) -> bool:
    """Whether it is the project beside which the lock lies."""
    source = package.table("source")
    return "." in {source.get(key, str) for key in ("editable", "virtual", "directory")}
