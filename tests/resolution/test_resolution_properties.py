"""Over random small indexes: what is found is a solution, and one is found wherever there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from synthetic_index import LINUX, WINDOWS, Index, resolve

from aiomirror.resolution import Rules

if TYPE_CHECKING:
    from aiomirror.targets import Target

NAMES = "abcdef"
SPECIFIERS = ("", "", "<2", "<3", ">=2", ">=3", "==1", "==2", "!=2", "~=2.0")
MARKERS = ("", "", "", "; sys_platform == 'win32'", "; sys_platform != 'win32'", "; extra == 'x'")
EXTRAS = ("", "", "", "[x]")

requirements = st.builds(
    "{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(EXTRAS), st.sampled_from(SPECIFIERS)
)
dependencies = st.lists(st.builds("{}{}".format, requirements, st.sampled_from(MARKERS)), max_size=3)
versions = st.dictionaries(st.sampled_from("123"), dependencies, max_size=3)
worlds = st.fixed_dictionaries(dict.fromkeys(NAMES[:-1], versions))
World = dict[str, dict[str, list[str]]]


@dataclass
class Given:
    """A requirement as the brute force sees it."""

    text: str
    extra: str = ""

    def holds(self, target: Target) -> bool:
        marker = Requirement(self.text).marker
        return marker is None or marker.evaluate({**target.environment, "extra": self.extra})


def made(world: World) -> Index:
    index = Index()
    for name, releases in world.items():
        for version, requires in releases.items():
            index.add(name, version, *requires, extra="Provides-Extra: x\n")
    return index


def open_demands(
    world: World, roots: list[str], picks: dict[str, str], target: Target
) -> list[Requirement] | None:
    """Requirements on projects that are not picked; None if one on a picked project does not hold."""
    still_open: list[Requirement] = []
    seen: set[tuple[str, str]] = set()
    ahead = [Given(root) for root in roots]
    while ahead:
        demand = ahead.pop()
        if not demand.holds(target):
            continue
        one = Requirement(demand.text)
        if one.name not in picks:
            still_open.append(one)
        elif not one.specifier.contains(picks[one.name]):
            return None
        else:
            for extra in {"", *one.extras} - {done for name, done in seen if name == one.name}:
                seen.add((one.name, extra))
                ahead += [Given(text, extra) for text in world[one.name][picks[one.name]]]
    return still_open


def has_solution(world: World, roots: list[str], picks: dict[str, str], target: Target) -> bool:
    demands = open_demands(world, roots, picks, target)
    if not demands:
        return demands is not None
    name = demands[0].name
    return any(
        has_solution(world, roots, {**picks, name: version}, target) for version in world.get(name, ())
    )


@given(worlds, st.lists(requirements, min_size=1, max_size=4))
def test_a_solution_is_found_wherever_there_is_one(world: World, roots: list[str]) -> None:
    run = resolve(made(world), *roots, targets=[LINUX, WINDOWS])
    for target in (LINUX, WINDOWS):
        found = run.versions(target)
        conflicts = [one for one in run.closure.conflicts if target.name in one.targets]
        if conflicts:
            assert not found
            assert not has_solution(world, roots, {}, target)
        else:
            assert open_demands(world, roots, found, target) == []


@given(worlds, st.lists(requirements, min_size=1, max_size=4), st.integers())
def test_the_order_of_feeding_is_not_seen_in_the_result(world: World, roots: list[str], seed: int) -> None:
    index = made(world)
    for rules in (Rules(), Rules(all_matching=True), Rules(max_depth=2)):
        one = resolve(index, *roots, targets=[LINUX, WINDOWS], rules=rules)
        other = resolve(index, *roots, targets=[LINUX, WINDOWS], rules=rules, shuffle=seed)
        assert one.closure.chosen == other.closure.chosen
        assert one.closure.conflicts == other.closure.conflicts
        assert one.closure.warnings == other.closure.warnings


@given(worlds, st.lists(requirements, min_size=1, max_size=4))
def test_targets_are_solved_as_if_each_were_alone(world: World, roots: list[str]) -> None:
    index = made(world)
    together = resolve(index, *roots, targets=[LINUX, WINDOWS])
    for target in (LINUX, WINDOWS):
        assert together.versions(target) == resolve(index, *roots, targets=[target]).versions(target)


@given(worlds, st.lists(requirements, min_size=1, max_size=3))
def test_a_bound_that_is_deep_enough_changes_nothing_that_could_be_solved(
    world: World, roots: list[str]
) -> None:
    index = made(world)
    run = resolve(index, *roots, rules=Rules(max_depth=50))
    assert bool(run.closure.conflicts) == (not has_solution(world, roots, {}, LINUX))
    assert run.closure.conflicts or open_demands(world, roots, run.versions(), LINUX) == []


@given(worlds, st.lists(requirements, min_size=1, max_size=3))
def test_all_matching_holds_whatever_a_solution_holds(world: World, roots: list[str]) -> None:
    index = made(world)
    single = resolve(index, *roots)
    every = resolve(index, *roots, rules=Rules(all_matching=True))
    for name, version in single.versions().items():
        assert version in [one.version for one in every.closure.chosen[canonicalize_name(name)]]
