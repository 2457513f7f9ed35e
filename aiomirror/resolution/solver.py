"""The hard way to a solution: resolvelib, over what was read.

resolvelib knows nothing of data that is still to come.  The first missing text ends the attempt, and the
next one starts over, over data that has grown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

import msgspec
from packaging.utils import NormalizedName
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from aiomirror.resolution.matching import matches
from aiomirror.resolution.solution import Solution, prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet

    from resolvelib.structs import RequirementInformation, State

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.scout import Scout
    from aiomirror.resolution.view import Offer, View

    Information = RequirementInformation["Demand", "Pin"]
    Preference = tuple[bool, bool, float, bool, NormalizedName]


MAX_LOOKS = 2_000_000
"""Projects that all steps for one target look at, each step at all that it knows: some ten seconds."""


class MissingDataError(Exception):
    """The attempt cannot go on; what it lacks has become a need."""


class Demand(msgspec.Struct, frozen=True, eq=False):
    """A requirement, and the depth of what it leads to; 0 throughout where depth is not bounded."""

    dependency: Dependency
    depth: int = 0


class Pin(msgspec.Struct, frozen=True, eq=False):
    """A version, with the extras that all demands on it ask for, as deep as the shallowest of them.

    A demand for one more extra makes the resolver replace the pin by one that has it.
    """

    offer: Offer
    extras: tuple[NormalizedName, ...]
    depth: int


class _Solved(Exception):  # noqa: N818 (it ends a search that has brought what it was begun for)
    """The resolver has a version for everything; ``pins`` are what it has."""

    def __init__(self, pins: Mapping[NormalizedName, Pin]) -> None:
        super().__init__()
        self.pins = pins


class Effort(BaseReporter[Demand, Pin, NormalizedName]):
    """Counts the steps of all attempts for one target, and ends those that succeed or take too long."""

    def __init__(self) -> None:
        self.steps = 0
        self._looks = 0

    def starting_round(self, index: int) -> None:  # noqa: ARG002 (resolvelib hands it in)
        """Another step."""
        self.steps += 1

    def ending_round(
        self,
        index: int,  # noqa: ARG002 (as above)
        state: State[Demand, Pin, NormalizedName],
    ) -> None:
        """A step is over; with many projects fewer of them are taken."""
        self._looks += len(state.criteria)
        if self._looks > MAX_LOOKS:
            raise ResolutionTooDeep(self.steps)

    def ending(self, state: State[Demand, Pin, NormalizedName]) -> Never:
        """Leave, before resolvelib draws a graph of the pins.

        It would do that by recursion, without end where projects that nothing needs any more need each other.
        """
        raise _Solved(state.mapping)


def solve(view: View, scout: Scout, roots: Iterable[Dependency], effort: Effort) -> Solution | None:
    """The solution for roots of a target; None if something is missing, which has become a need."""
    barred: set[Release] = set()
    while True:
        found = _attempt(view, scout, roots, effort, barred)
        if found is None or isinstance(found, Solution):
            # Without the barred versions there is no solution; nobody knows about those with them.
            return Solution(gave_up=effort.steps) if found and barred else found
        solution = prove(view, {project: pin.offer for project, pin in found.items()}, roots)
        if solution is not None:
            return solution
        # resolvelib may keep a pin and forget what it requires, where it has become fit again.
        forgotten = {pin.offer.release for pin in found.values() if _forgotten(view, pin, found)}
        if not forgotten - barred:
            return Solution(gave_up=effort.steps)
        barred.add(next(pin.offer.release for pin in found.values() if pin.offer.release in forgotten))


def _attempt(
    view: View, scout: Scout, roots: Iterable[Dependency], effort: Effort, barred: AbstractSet[Release]
) -> Mapping[NormalizedName, Pin] | Solution | None:
    """What the resolver comes to, or why it comes to nothing; None if something is missing."""
    resolver = Resolver(_Provider(view, scout, barred), effort)
    try:
        resolver.resolve(
            [Demand(root) for root in roots], max_rounds=view.library.rules.max_rounds - effort.steps
        )
    except _Solved as solved:
        return solved.pins
    except MissingDataError:
        return None
    except ResolutionImpossible as error:
        return Solution(causes=_causes(error.causes))
    except ResolutionTooDeep:
        return Solution(gave_up=effort.steps)
    raise AssertionError("a resolver ends in one of these ways")


def _forgotten(view: View, pin: Pin, pins: Mapping[NormalizedName, Pin]) -> bool:
    """Whether something that the pin requires is not there."""
    assert pin.offer.facts is not None
    requires = (one for extra in ("", *pin.extras) for one in view.dependencies(pin.offer.facts, extra))
    return any(
        one.project not in pins
        or not one.admits(pins[one.project].offer.release)
        or not set(one.extras).issubset(pins[one.project].extras)
        for one in requires
    )


class _Provider(AbstractProvider[Demand, Pin, NormalizedName]):
    def __init__(self, view: View, scout: Scout, barred: AbstractSet[Release]) -> None:
        self._view = view
        self._barred = barred
        self._scout = scout
        self._limit = view.library.rules.max_depth
        self._pins: dict[tuple[Offer, tuple[NormalizedName, ...], int], Pin] = {}
        self._requires: dict[Pin, tuple[Demand, ...]] = {}
        self._order = {project: place for place, project in enumerate(one.project for one in view.roots)}

    def identify(self, requirement_or_candidate: Demand | Pin) -> NormalizedName:
        if isinstance(requirement_or_candidate, Demand):
            return requirement_or_candidate.dependency.project
        return requirement_or_candidate.offer.release.project

    def find_matches(
        self,
        identifier: NormalizedName,
        requirements: Mapping[NormalizedName, Iterator[Demand]],
        incompatibilities: Mapping[NormalizedName, Iterator[Pin]],
    ) -> Callable[[], Iterator[Pin]]:
        if not self._view.has_page(identifier):
            raise MissingDataError
        demands = list(requirements[identifier])
        banned = set(incompatibilities[identifier])
        # resolvelib asks again after the last demand was taken back, too.
        depth = min((one.depth for one in demands), default=0)
        dependencies = dict.fromkeys(one.dependency for one in demands)
        extras = tuple(sorted({extra for one in dependencies for extra in one.extras}))

        def pins() -> Iterator[Pin]:
            for offer in matches(self._view, identifier, dependencies):
                pin = self._pin(offer, extras, depth)
                if pin not in banned and offer.release not in self._barred:
                    yield pin

        return pins

    def _pin(self, offer: Offer, extras: tuple[NormalizedName, ...], depth: int) -> Pin:
        key = (offer, extras, depth)
        pin = self._pins.get(key)
        if pin is None:
            pin = self._pins[key] = Pin(offer, extras, depth)
        return pin

    def is_satisfied_by(self, requirement: Demand, candidate: Pin) -> bool:
        dependency = requirement.dependency
        return (
            dependency.admits(candidate.offer.release)
            and requirement.depth >= candidate.depth
            and (not dependency.extras or set(dependency.extras).issubset(candidate.extras))
        )

    def get_dependencies(self, candidate: Pin) -> tuple[Demand, ...]:
        known = self._requires.get(candidate)
        if known is None:
            known = self._requires[candidate] = self._demands(candidate)
        return known

    def _demands(self, pin: Pin) -> tuple[Demand, ...]:
        facts = pin.offer.facts
        if facts is None:
            self._scout.ask(pin.offer)
            raise MissingDataError
        if self._limit is not None and pin.depth >= self._limit:
            return ()
        requires = dict.fromkeys(
            one for extra in ("", *pin.extras) for one in self._view.dependencies(facts, extra)
        )
        depth = 0 if self._limit is None else pin.depth + 1
        missing = [one for one in requires if not self._view.has_page(one.project)]
        if missing:  # all pages at once, and what lies behind them
            self._scout.visit(requires, pin.depth + 1, pin.offer.release)
            raise MissingDataError
        return tuple(Demand(one, depth) for one in requires)

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[NormalizedName],
        resolutions: Mapping[NormalizedName, Pin],  # noqa: ARG002 (resolvelib hands it in by name)
        candidates: Mapping[NormalizedName, Iterator[Pin]],  # noqa: ARG002 (as above)
        information: Mapping[NormalizedName, Iterator[Information]],  # noqa: ARG002 (as above)
        backtrack_causes: Sequence[Information],
    ) -> Iterable[NormalizedName]:
        """Those that have just been in conflict, if any: what they settle need not be tried again."""
        involved = {self.identify(cause.requirement) for cause in backtrack_causes}
        involved.update(self.identify(cause.parent) for cause in backtrack_causes if cause.parent)
        return [project for project in identifiers if project in involved] or identifiers

    def get_preference(
        self,
        identifier: NormalizedName,
        resolutions: Mapping[NormalizedName, Pin],  # noqa: ARG002 (as above)
        candidates: Mapping[NormalizedName, Iterator[Pin]],  # noqa: ARG002 (as above)
        information: Mapping[NormalizedName, Iterator[Information]],
        backtrack_causes: Sequence[Information],  # noqa: ARG002 (as above)
    ) -> Preference:
        """As pip does: pins, upper bounds, roots in their order, any bounds, names."""
        dependencies = [one.requirement.dependency for one in information[identifier]]
        return (
            not any(one.pinned for one in dependencies),
            not any(one.bounded_above for one in dependencies),
            self._order.get(identifier, float("inf")),
            not any(one.bounded for one in dependencies),
            identifier,
        )


def _causes(found: Iterable[Information]) -> tuple[tuple[Dependency, Release | None], ...]:
    return tuple(
        dict.fromkeys(
            (requirement.dependency, parent.offer.release if parent else None)
            for requirement, parent in found
        )
    )
