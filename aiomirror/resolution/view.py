"""One target's view of what was read: which file it would take, and which dependencies hold there.

Every answer that depends on the target comes from here.  The answers given to one resolution are kept as a
``Trace``: a target that would give the same ones need not be resolved again.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.resolution.library import UNKNOWN, StoppedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.library import Facts, Library
    from aiomirror.resolution.releases import Dist, Release, Releases
    from aiomirror.simple.values import ProjectFile
    from aiomirror.targets import Target


NOT_TOLD = "the dependencies of this source archive are told only by building it"

Digests = frozenset[tuple[str, str]]


class Offer(msgspec.Struct, frozen=True, eq=False):
    """A version that the target could install, by the file that it would take."""

    release: Release
    file: ProjectFile
    asked: ProjectFile
    """The file whose metadata tells the dependencies; mostly the same one."""
    facts: Facts | None
    """None: not read yet."""
    note: str = ""
    """What is uncertain about them."""
    yanked: bool = False
    """Whether yanked files counted."""


class Demanded(msgspec.Struct, frozen=True):
    """Roots, constraints and overrides, before any target's markers are asked."""

    roots: tuple[Dependency, ...]
    constraints: tuple[Dependency, ...] = ()
    overrides: tuple[Dependency, ...] = ()

    def without(self, projects: Collection[NormalizedName]) -> Demanded:
        """The same without the roots on these projects."""
        return replace(self, roots=tuple(one for one in self.roots if one.project not in projects))


class Trace(msgspec.Struct):
    """The answers that one resolution rests on."""

    offers: dict[tuple[Release, bool], Facts | bool] = msgspec.field(default_factory=dict)
    """False: nothing is offered; true: something is, but nobody looked at its metadata."""
    dependencies: dict[tuple[Facts, str], tuple[Dependency, ...]] = msgspec.field(default_factory=dict)


class View:
    """What one target makes of the library."""

    def __init__(self, target: Target, library: Library, demanded: Demanded) -> None:
        self.target = target
        self.library = library
        self.trace = Trace()
        self.impossible: dict[Release, Dependency] = {}
        """Versions that are in no solution, with a dependency of each that nothing can satisfy."""
        self._ranks: dict[str, int | None] = {}
        self._pythons: dict[str, bool] = {}
        self._markers: dict[tuple[str, str], bool] = {}
        self._offers: dict[tuple[Release, bool], Offer | None] = {}
        self._dependencies: dict[tuple[Facts, str], tuple[Dependency, ...]] = {}
        self._overridden = {one.project for one in demanded.overrides}
        self._overrides = _grouped(one for one in demanded.overrides if self.holds(one, ""))
        self._constraints = _grouped(one for one in demanded.constraints if self.holds(one, ""))
        self.roots = self._effective(demanded.roots, "")
        self._root_demands = _grouped(iter(self.roots))
        self._digests: dict[NormalizedName, tuple[Digests, ...]] = {}

    # What the person asks for

    def constraints(self, project: NormalizedName) -> tuple[Dependency, ...]:
        """The bounds of a project on this target."""
        return self._constraints.get(project, ())

    def roots_on(self, project: NormalizedName) -> tuple[Dependency, ...]:
        """The roots that are requirements on this project: they hold whatever else is chosen."""
        return self._root_demands.get(project, ())

    def _digests_of(self, project: NormalizedName) -> tuple[Digests, ...]:
        """Sets of digests, of each of which a file of the project must have one."""
        if project not in self._digests:
            asked = (*self.roots_on(project), *self.constraints(project))
            self._digests[project] = tuple(dict.fromkeys(one.hashes for one in asked if one.hashes))
        return self._digests[project]

    # What the target admits

    def holds(self, dependency: Dependency, extra: str) -> bool:
        """Whether the marker does, if this extra is asked for ("": none)."""
        if dependency.marker is None:
            return True
        key = (dependency.marker_text, extra)
        known = self._markers.get(key)
        if known is None:
            known = self._markers[key] = self.target.holds(dependency.marker, extra)
        return known

    def admits_python(self, text: str | None) -> bool:
        """Whether a Requires-Python does; one that cannot be read is ignored, as installers do."""
        if not text:
            return True
        known = self._pythons.get(text)
        if known is None:
            known = self._pythons[text] = self.target.admits(text)
        return known

    def rank(self, tags: str) -> int | None:
        """How well a wheel with this compressed tag set fits, 0 being best; None: not at all."""
        if tags not in self._ranks:
            self._ranks[tags] = self.target.rank_of(tags)
        return self._ranks[tags]

    # What the index offers to it

    def has_page(self, project: NormalizedName) -> bool:
        """Whether the page was read; if not, it is needed."""
        return self.library.has_page(project)

    def releases(self, project: NormalizedName) -> Releases:
        """All versions of a project whose page was read."""
        return self.library.releases(project)

    def offer(self, release: Release, *, yanked: bool = False) -> Offer | None:
        """What the target would take of a version, None for nothing; ``yanked``: also yanked files."""
        if self.library.stopped:  # here, where every way to a solution comes by all the time
            raise StoppedError
        key = (release, yanked)
        offer = self._offers.get(key)
        if key not in self._offers or (offer and offer.facts is None):
            offer = self._offers[key] = self._look(release, yanked=yanked)
        self.trace.offers[key] = offer is not None and (offer.facts or True)
        return offer

    def dependencies(self, facts: Facts, extra: str) -> tuple[Dependency, ...]:
        """What metadata requires on this target: for an extra, or ("") whatever the extras are."""
        key = (facts, extra)
        known = self._dependencies.get(key)
        if known is None:
            known = self._dependencies[key] = self._effective(facts.requires, extra)
        self.trace.dependencies[key] = known
        return known

    def agrees(self, other: View, trace: Trace) -> bool:
        """Whether this target gives the answers that the other one gave to the questions of the trace."""
        return (
            self.roots == other.roots
            and self._constraints == other._constraints
            and all(self._offers_so(key, answer) for key, answer in trace.offers.items())
            and all(self.dependencies(*key) == answer for key, answer in trace.dependencies.items())
        )

    def _offers_so(self, key: tuple[Release, bool], answer: Facts | bool) -> bool:  # noqa: FBT001 (an answer)
        offer = self.offer(key[0], yanked=key[1])
        if offer is None or isinstance(answer, bool):
            return (offer is not None) is answer
        return offer.facts is answer

    def _effective(self, requires: Sequence[Dependency], extra: str) -> tuple[Dependency, ...]:
        """Those that hold, overrides in the place of what they override.

        An override replaces a requirement whatever the requirement's marker says of the environment; only
        what belongs to an extra stays with it.
        """
        result: dict[Dependency, None] = {}
        for one in requires:
            if one.project in self._overridden:
                if "extra" not in one.marker_text or self.holds(one, extra):
                    result.update(dict.fromkeys(self._overrides.get(one.project, ())))
            elif self.holds(one, extra):
                result[one] = None
        return tuple(result)

    def _look(self, release: Release, *, yanked: bool) -> Offer | None:
        for dist in self.usable(release, yanked=yanked):
            if not self.library.has_facts(release, dist.file):
                return Offer(release, dist.file, dist.file, None, yanked=yanked)
            facts = self.library.facts(release, dist.file)
            if facts is None or not self.admits_python(facts.core.requires_python):
                continue
            if dist.tags or facts.core.static:
                return Offer(release, dist.file, dist.file, facts, yanked=yanked)
            return replace(self._spoken_for(release, dist, facts), yanked=yanked)
        return None

    def usable(self, release: Release, *, yanked: bool) -> Iterator[Dist]:
        """The files of a version that fit, best first: wheels, then source archives."""
        ranked = [(rank, dist) for dist in release.wheels if (rank := self.rank(dist.tags)) is not None]
        ranked.sort(key=lambda pair: pair[1].build, reverse=True)
        ranked.sort(key=lambda pair: pair[0])
        for dist in (*(dist for _, dist in ranked), *release.sources):
            if (yanked or dist.file.yanked is None) and self.admits(release.project, dist.file):
                yield dist

    def admits(self, project: NormalizedName, file: ProjectFile) -> bool:
        """Whether Requires-Python and the digests of the page do."""
        return self.admits_python(file.requires_python) and all(
            _has_one(file, digests) for digests in self._digests_of(project)
        )

    def _spoken_for(self, release: Release, source: Dist, own: Facts) -> Offer:
        """A source archive that leaves its dependencies open: a wheel for other targets tells them."""
        for wheel in release.wheels:
            if not self.library.has_facts(release, wheel.file):
                return Offer(release, source.file, wheel.file, None)
            if (facts := self.library.facts(release, wheel.file)) is not None:
                note = f"{NOT_TOLD}; those of {wheel.file.filename} are taken"
                return Offer(release, source.file, wheel.file, facts, note)
        if own.requires:
            return Offer(release, source.file, source.file, own, f"{NOT_TOLD}; those it states are taken")
        return Offer(release, source.file, source.file, UNKNOWN, f"{NOT_TOLD}; none are taken")


def _has_one(file: ProjectFile, digests: Digests) -> bool:
    """Whether the file may have one of them; what upstream does not list shows when it is fetched."""
    listed = [(algorithm, digest) for algorithm, digest in digests if algorithm in file.hashes]
    return not listed or any(file.hashes[algorithm] == digest for algorithm, digest in listed)


def _grouped(dependencies: Iterator[Dependency]) -> dict[NormalizedName, tuple[Dependency, ...]]:
    groups: defaultdict[NormalizedName, list[Dependency]] = defaultdict(list)
    for one in dependencies:
        groups[one.project].append(one)
    return {project: tuple(group) for project, group in groups.items()}
