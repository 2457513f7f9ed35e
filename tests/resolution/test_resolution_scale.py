"""Thousands of projects: every target has the best versions, as they are known from how the index was made.

What is expected is worked out anew with packaging's requirements, markers and tags, naively and without any
help of the engine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name
from synthetic_index import LINUX, Index, resolve

from aiomirror.requirements.values import FormatControl
from aiomirror.resolution import Rules
from aiomirror.targets import parse_targets
from benchmarks import matrix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from packaging.tags import Tag

    from aiomirror.targets import Target

WHEELS = Rules(formats=FormatControl(only_binary=frozenset({":all:"})))
TARGETS = {parse_targets([python], [platform])[0]: platform for python, platform in matrix.TARGETS}
APART = tuple(TARGETS)[4::8]
"""Windows with the oldest Python, and two that have neither in common with it or with each other."""

Picks = dict[str, str]
"""Project → version, for one target."""


@dataclass
class World:
    """An index as a person would read it: versions oldest first, requirements and wheel tags by version."""

    index: Index = field(default_factory=Index)
    requires: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    tags: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    pythons: dict[tuple[str, str], str] = field(default_factory=dict)

    def fitting(self, project: str, target: Target) -> Iterator[str]:
        """The versions that a target could install, newest first."""
        for version in reversed(self.requires[project]):
            if admits(self.pythons[project, version], target.python_full_version) and any(
                not parsed(tag).isdisjoint(tags_of(target)) for tag in self.tags[project, version]
            ):
                yield version

    def reached(self, roots: Iterable[str], picks: Picks, target: Target) -> dict[str, list[Requirement]]:
        """The requirements on each project that is reached through what is picked."""
        found: dict[str, list[Requirement]] = {}
        seen: set[tuple[str, str]] = set()
        ahead = [(root, "") for root in roots]
        while ahead:
            text, extra = ahead.pop()
            if not holds(text, extra, target):
                continue
            one = read(text)
            found.setdefault(one.name, []).append(one)
            for wanted in {"", *one.extras} if one.name in picks else ():
                if (one.name, wanted) not in seen:
                    seen.add((one.name, wanted))
                    ahead += [(line, wanted) for line in self.requires[one.name][picks[one.name]]]
        return found

    def check(self, roots: Iterable[str], picks: Picks, target: Target) -> None:
        """Everything that is required is there, in a version that fits, and nothing else."""
        for project, version in picks.items():
            assert version in self.fitting(project, target), project
        reached = self.reached(roots, picks, target)
        assert reached.keys() == picks.keys()
        for project, requirements in reached.items():
            assert all(admits(str(one.specifier), picks[project]) for one in requirements), project

    def newest(self, roots: Collection[str], target: Target, limits: Mapping[str, Collection[str]]) -> Picks:
        """The newest versions that go together; ``limits`` has all that can be of projects that give way.

        To be asked only of an index whose requirements leave no choice otherwise.
        """
        picks: Picks = {}
        while True:
            reached = self.reached(roots, picks, target)
            better = {
                project: next(
                    version
                    for version in self.fitting(project, target)
                    if all(admits(str(one.specifier), version) for one in requirements)
                    and version in limits.get(project, [version])
                )
                for project, requirements in reached.items()
            }
            if better == picks:
                return picks
            picks = better


@cache
def read(text: str) -> Requirement:
    return Requirement(text)


@cache
def parsed(tag: str) -> frozenset[Tag]:
    return parse_tag(tag)


@cache
def tags_of(target: Target) -> frozenset[Tag]:
    return frozenset(target.tags)


@cache
def admits(specifier: str, version: str) -> bool:
    return SpecifierSet(specifier).contains(version)


@cache
def holds(text: str, extra: str, target: Target) -> bool:
    marker = read(text).marker
    return marker is None or marker.evaluate({**target.environment, "extra": extra})


def matrix_world(scale: float, first: int) -> World:
    world = World()
    for one in matrix.planned(scale, first):
        if not one.filename.endswith(".whl"):
            continue
        key = one.project, one.version
        tag = "-".join(one.filename.removesuffix(".whl").split("-")[2:])
        world.index.add(
            *key,
            *one.about.requires_dist,
            tags=[tag],
            python=one.about.requires_python,
            extra="".join(f"Provides-Extra: {extra}\n" for extra in one.about.extras),
        )
        world.requires.setdefault(one.project, {})[one.version] = one.about.requires_dist
        world.tags.setdefault(key, []).append(tag)
        world.pythons[key] = one.about.requires_python
    return world


def limits(projects: Collection[matrix.Project], platform: str) -> dict[str, set[str]]:
    """The versions of the movers where their traps are closed."""
    movers = (one for one in projects if one.name.endswith("-mover"))
    return {
        mover.name: {mover.version(1), mover.version(2)}
        for number, mover in enumerate(movers)
        if matrix.closed(number, platform)
    }


def check_matrix(scale: float, first: int, targets: Collection[Target]) -> None:
    projects, world = matrix.projects(scale, first), matrix_world(scale, first)
    roots = matrix.requirements(project.name for project in projects)
    run = resolve(world.index, *roots, targets=tuple(targets), rules=WHEELS)
    assert not run.closure.conflicts
    for target in targets:
        picks = run.versions(target)
        world.check(roots, picks, target)
        assert picks == world.newest(roots, target, limits(projects, TARGETS[target]))


def test_every_target_has_the_best_versions_out_of_two_thousand_projects() -> None:
    check_matrix(1.0, 0, APART)


@pytest.mark.slow
@pytest.mark.parametrize("first", [10_000, 20_000, 30_000, 40_000])
def test_every_target_has_the_best_versions_of_other_corpora(first: int) -> None:
    check_matrix(1.0, first, tuple(TARGETS))


def hidden_world(seed: int, size: int, most: int) -> tuple[World, list[str], Picks]:
    """Random requirements, up to so many of each version, that one hidden choice of versions satisfies.

    A third of the requirements keep newer versions out, and what is not chosen may ask for anything: a search
    runs into thousands of dead ends.
    """
    chance = random.Random(seed)
    world = World()
    versions = {f"p{i}": chance.randint(2, 6) for i in range(size)}
    hidden = {name: str(chance.randint(1, count)) for name, count in versions.items()}

    def ask(name: str, *, satisfied: bool) -> str:
        count = versions[name]
        while True:
            bounds = [f">={chance.randint(1, count)}"] * 4
            bounds += [f"<{chance.randint(2, count + 1)}", f"=={chance.randint(1, count)}"]
            bound = chance.choice(bounds)
            if not satisfied or admits(bound, hidden[name]):
                return f"{name}{bound}"

    names = list(versions)
    for place, name in enumerate(names):
        near = names[place + 1 : place + 200] or names[:1]
        for version in map(str, range(1, versions[name] + 1)):
            wide = chance.random() < 0.1  # then there are cycles
            asked = {chance.choice(names if wide else near) for _ in range(chance.randint(0, most))}
            lines = tuple(ask(one, satisfied=version == hidden[name]) for one in sorted(asked - {name}))
            world.index.add(name, version, *lines)
            world.requires.setdefault(name, {})[version] = lines
            world.tags[name, version] = ["py3-none-any"]
            world.pythons[name, version] = ""
    return world, [ask(name, satisfied=True) for name in names[: size // 40]], hidden


def check_hidden(seed: int, size: int, most: int) -> None:
    world, roots, hidden = hidden_world(seed, size, most)
    assert world.reached(roots, hidden, LINUX)
    run = resolve(world.index, *roots)
    assert not run.closure.conflicts  # for there is a solution
    picks = run.versions()
    world.check(roots, picks, LINUX)
    reached = world.reached(roots, picks, LINUX)
    for project, version in picks.items():
        for newer in takewhile(lambda one, than=version: one != than, world.fitting(project, LINUX)):  # type: ignore[misc]
            asks = [*reached[project], *map(read, world.requires[project][newer])]
            having = {**picks, project: newer}
            assert not all(
                one.name in having and admits(str(one.specifier), having[one.name]) for one in asks
            )


@pytest.mark.parametrize("seed", range(2))
def test_what_was_hidden_is_found_or_something_as_good(seed: int) -> None:
    check_hidden(seed, 1_000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_what_was_hidden_is_found_in_larger_worlds(seed: int) -> None:
    check_hidden(seed, 4_000, 3)


def test_the_checker_sees_what_is_missing_wrong_or_too_much() -> None:
    world, roots, _ = hidden_world(0, 200, 2)
    picks = resolve(world.index, *roots).versions()
    world.check(roots, picks, LINUX)
    project = canonicalize_name(roots[0].partition(">")[0].partition("<")[0].partition("=")[0])
    others = {name: version for name, version in picks.items() if name != project}
    more = next(name for name in world.requires if name not in picks)
    for wrong in (others, {**others, project: "99"}, {**picks, more: "1"}):
        with pytest.raises(AssertionError):
            world.check(roots, wrong, LINUX)
