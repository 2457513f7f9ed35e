"""The environments of some targets → markers that are true in some of them, and in no others.

Markers speak of Python, of its implementation, of the operating system and of the machine.  Of the C library,
of its version and of free threading there is no marker: targets that differ in these alone are one
environment here.  Release and version of the operating system are one machine's, and not spoken of.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

    Environment = Mapping[str, str]
    """The variables of environment markers, and their values."""

VARIABLES = (
    "python_version",
    "python_full_version",
    "sys_platform",
    "platform_machine",
    "implementation_name",
)
"""What markers go by; of two that tell the same apart the first."""
_ORDERED = "python_version"

Place = tuple[str, ...]
"""The value of each variable; "" where nothing is said of it."""


class _Term(msgspec.Struct, frozen=True):
    """Conditions that hold together, and where: a bit for each place."""

    conditions: tuple[str, ...]
    places: int

    def text(self, *, alone: bool) -> str:
        joined = " and ".join(self.conditions)
        return joined if alone or len(self.conditions) == 1 else f"({joined})"


@dataclass(frozen=True, slots=True)
class Places:
    """The environments of targets, those that no marker tells apart as one place."""

    of: Mapping[str, int]
    """Name of the target → its place."""
    markers: Sequence[str]
    """Of each place, all that markers say of it."""
    _terms: Sequence[_Term] = field(repr=False)
    _known: dict[int, str | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def marker(self, places: Collection[int]) -> str | None:
        """A short marker that holds in these places, one at least, and in no others; None for all of them."""
        bits = sum(1 << place for place in set(places))
        if bits not in self._known:
            self._known[bits] = self._marker(bits)
        return self._known[bits]

    def _marker(self, bits: int) -> str | None:
        if bits == (1 << len(self.markers)) - 1:
            return None
        terms = _needed(_cover([term for term in self._terms if not term.places & ~bits], bits))
        return " or ".join(term.text(alone=len(terms) == 1) for term in terms)


def distinguish(environments: Mapping[str, Environment], taken: Mapping[str, Hashable]) -> Places:
    """The places of some environments; ``taken`` is what they install, both by name of the target."""
    exact = _exact(environments, taken)
    found = {name: _place(one, exact) for name, one in environments.items()}
    places = list(dict.fromkeys(found.values()))
    number = {place: bit for bit, place in enumerate(places)}
    markers = [
        " and ".join(_is(variable, value) for variable, value in zip(VARIABLES, place, strict=True) if value)
        for place in places
    ]
    return Places({name: number[place] for name, place in found.items()}, markers, _terms(places))


def _exact(environments: Mapping[str, Environment], taken: Mapping[str, Hashable]) -> set[str]:
    """The versions of Python, as in ``3.12``, of which micro versions tell apart what takes different things.

    Of others these are not spoken of: what is made for 3.12.0 is for every 3.12.
    """
    found: defaultdict[Place, dict[str, set[Hashable]]] = defaultdict(dict)
    for name, one in environments.items():
        found[_place(one, ())].setdefault(one["python_full_version"], set()).add(taken[name])
    return {place[0] for place, micros in found.items() if len(set(map(frozenset, micros.values()))) > 1}


def _place(environment: Environment, exact: Collection[str]) -> Place:
    values = {variable: environment[variable] for variable in VARIABLES}
    if values["python_version"] not in exact:
        values["python_full_version"] = ""
    return tuple(values.values())


def _terms(places: Sequence[Place]) -> list[_Term]:
    """All conjunctions, each set of places once, in the shortest way."""
    terms: dict[int, _Term] = {}
    # Backwards, so that what is said first is said of the first variables.
    for backwards in itertools.product(*(_options(places, at) for at in reversed(range(len(VARIABLES))))):
        parts = backwards[::-1]
        bits = (1 << len(places)) - 1
        for part in parts:
            bits &= part.places
        conditions = tuple(condition for part in parts for condition in part.conditions)
        if bits and (bits not in terms or len(conditions) < len(terms[bits].conditions)):
            terms[bits] = _Term(conditions, bits)
    return list(terms.values())


def _options(places: Sequence[Place], at: int) -> list[_Term]:
    """What can be said of one variable: at first nothing, and then what divides the places in another way."""
    everywhere = _Term((), (1 << len(places)) - 1)
    options = {everywhere.places: everywhere}
    for conditions, values in _conditions(VARIABLES[at], {place[at] for place in places} - {""}):
        bits = sum(1 << bit for bit, place in enumerate(places) if place[at] in values)
        options.setdefault(bits, _Term(conditions, bits))
    return list(options.values())


def _conditions(variable: str, values: set[str]) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Conditions on a variable, each with the values for which they hold."""
    if variable == _ORDERED:
        yield from _ranges(variable, sorted(values, key=Version))
    for value in sorted(values):
        yield (_is(variable, value),), {value}
    for value in sorted(values):
        if variable != "python_full_version":  # of which nothing may be known where another one is not so
            yield (_compare(variable, "!=", value),), values - {value}


def _ranges(variable: str, values: Sequence[str]) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """What is older, what is newer, and what is between; the shorter ones first."""
    for end in range(1, len(values)):
        yield (_compare(variable, "<", values[end]),), set(values[:end])
        yield (_compare(variable, ">=", values[end]),), set(values[end:])
    for begin, end in itertools.combinations(range(1, len(values)), 2):
        if end - begin > 1:
            between = _compare(variable, ">=", values[begin]), _compare(variable, "<", values[end])
            yield between, set(values[begin:end])


def _cover(terms: Sequence[_Term], bits: int) -> list[_Term]:
    """Terms that together hold in all of these places: at each step the one that adds most."""
    found = []
    while bits:
        best = max(terms, key=lambda term: ((term.places & bits).bit_count(), -len(term.conditions)))
        found.append(best)
        bits &= ~best.places
    return found


def _needed(terms: list[_Term]) -> list[_Term]:
    """The terms without those that later ones have made superfluous."""
    for term in list(terms):
        others = [one for one in terms if one is not term]
        covered = 0
        for one in others:
            covered |= one.places
        if not term.places & ~covered:
            terms = others
    return terms


def _is(variable: str, value: str) -> str:
    return _compare(variable, "==", value)


def _compare(variable: str, operator: str, value: str) -> str:
    quote = '"' if "'" in value else "'"  # strings of markers have no escapes
    return f"{variable} {operator} {quote}{value}{quote}"
