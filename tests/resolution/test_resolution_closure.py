"""Extras, cycles, bounds, overrides, depth, all versions, conflicts and the order of feeding."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name
from synthetic_index import LINUX, MATRIX, SDIST, WINDOWS, Index, resolve

from aiomirror.requirements.values import FormatControl
from aiomirror.resolution import Rules, solver
from aiomirror.resolution.engine import Resolution

if TYPE_CHECKING:
    from synthetic_index import Run

CHAIN = [f"p{number}" for number in range(12)]


def chain_index() -> Index:
    index = Index().add(CHAIN[-1], "1")
    for name, below in pairwise(CHAIN):
        index.add(name, "1", below)
    return index


def chosen(run: Run) -> list[str]:
    return list(run.closure.chosen)


def test_extras_bring_their_dependencies_and_no_others() -> None:
    index = Index().add("a", "1", "b; extra == 'X_y'", "c; extra == 'z'", "d", extra="Provides-Extra: x-y\n")
    for name in "bcd":
        index.add(name, "1")
    run = resolve(index, "a[x.Y]")
    assert chosen(run) == ["a", "b", "d"]
    assert run.closure.chosen[canonicalize_name("a")][0].extras == ("x-y",)
    assert not run.closure.warnings


def test_extras_of_extras_are_followed() -> None:
    index = Index().add(
        "a", "2", "a[b,c]; extra == 'all'", "b; extra == 'b'", "a[d]; extra == 'c'", "d; extra=='d'"
    )
    assert chosen(resolve(index.add("b", "1").add("d", "1"), "a[all]")) == ["a", "b", "d"]


def test_an_extra_that_comes_late_still_counts() -> None:
    index = Index().add("a", "1", "c; extra == 'x'").add("b", "1", "a[x]").add("c", "1")
    assert chosen(resolve(index, "a", "b")) == ["a", "b", "c"]


def test_an_unknown_extra_is_a_warning() -> None:
    run = resolve(Index().add("a", "1"), "a[nope]")
    assert run.closure.warnings == ("a 1 has no extra 'nope'",)
    assert not run.closure.conflicts


def test_an_extra_that_cannot_be_had_makes_an_older_version_come_in() -> None:
    index = Index().add("a", "2", "gone; extra == 'x'").add("a", "1", "b; extra == 'x'").add("b", "1")
    assert resolve(index, "a[x]").versions() == {"a": "1", "b": "1"}
    assert resolve(index, "a").versions() == {"a": "2"}


def test_cycles_come_to_rest() -> None:
    index = Index().add("a", "1", "b").add("b", "1", "c").add("c", "1", "a", "c")
    assert chosen(resolve(index, "a")) == ["a", "b", "c"]


def test_projects_that_only_demand_each_other_go_when_the_last_demand_from_outside_goes() -> None:
    index = Index().add("a", "2", "x").add("a", "1").add("x", "1", "y").add("y", "1", "x").add("b", "1", "c")
    assert chosen(resolve(index.add("c", "1", "a<2"), "a", "b")) == ["a", "b", "c"]


def test_newest_versions_that_exclude_each_other() -> None:
    index = Index().add("a", "2", "b<2").add("a", "1").add("b", "2", "a<2").add("b", "1", "a<2")
    run = resolve(index, "a", "b")
    assert not run.closure.conflicts
    assert run.versions()["a"] == "1"


def test_constraints_bound_what_enters_and_bring_nothing_in() -> None:
    index = Index().add("a", "1", "b").add("b", "2").add("b", "1").add("c", "1")
    assert resolve(index, "a", constraints=["b<2", "c==1"]).versions() == {"a": "1", "b": "1"}
    assert resolve(index, "a", constraints=["b<2; sys_platform == 'win32'"]).versions()["b"] == "2"


def test_overrides_replace_all_that_is_required() -> None:
    index = Index().add("a", "1", "b<2").add("b", "3").add("b", "1").add("c", "1", "b[x]==1")
    assert resolve(index, "a", "b<3", "c", overrides=["b>=3"]).versions() == {"a": "1", "b": "3", "c": "1"}
    never = ["b; sys_platform == 'nowhere'"]
    assert resolve(index, "a", overrides=never).versions() == {"a": "1"}
    assert resolve(Index().add("a", "1"), "a", overrides=["b==9"]).versions() == {"a": "1"}


@pytest.mark.parametrize("depth", [0, 1, 2, 11])
def test_depth_is_bounded(depth: int) -> None:
    run = resolve(chain_index(), "p0", rules=Rules(max_depth=depth))
    assert len(run.closure.chosen) == depth + 1
    shallow = resolve(chain_index().add("z", "1", "p1"), "p1", "p0", rules=Rules(max_depth=depth))
    assert len(shallow.closure.chosen) == min(depth + 2, 12)


def test_all_matching_takes_every_version_with_its_own_dependencies() -> None:
    index = Index().add("a", "3", "b>=2").add("a", "2", "c").add("a", "1", "x").add("a", "3.1rc1", "x")
    index.add("b", "1").add("b", "2").add("b", "3").add("c", "1")
    run = resolve(index, "a>=2", rules=Rules(all_matching=True))
    versions = {name: [one.version for one in choices] for name, choices in run.closure.chosen.items()}
    assert versions == {"a": ["3", "2"], "b": ["3", "2"], "c": ["1"]}
    assert run.closure.chosen[canonicalize_name("c")][0].chain == "a>=2 (r.txt:1) → a 2 → c"
    bounded = resolve(index, "a", rules=Rules(all_matching=True, max_depth=0), constraints=["a<3"])
    assert [one.version for one in bounded.closure.chosen[canonicalize_name("a")]] == ["2", "1"]


def test_all_matching_reports_roots_and_warns_of_the_rest() -> None:
    index = Index().add("a", "2", "gone").add("a", "1")
    run = resolve(index, "a", "b", rules=Rules(all_matching=True), targets=[LINUX, WINDOWS])
    assert chosen(run) == ["a"]
    (conflict,) = run.closure.conflicts
    assert conflict.targets == (LINUX.name, WINDOWS.name)
    assert conflict.why == "nothing satisfies b (r.txt:2): the index has no such project"
    assert run.closure.warnings == ("nothing satisfies gone of a 2: the index has no such project",)


# Conflicts


def test_a_conflict_names_both_sides_and_what_each_would_take() -> None:
    index = Index().add("a", "3", "b>=2").add("b", "2").add("b", "1")
    run = resolve(index, "b<2", "a", targets=[LINUX, WINDOWS])
    (conflict,) = run.closure.conflicts
    assert not run.closure.chosen
    assert conflict.targets == (LINUX.name, WINDOWS.name)
    assert "b<2 (r.txt:1)" in conflict.why
    assert "a 3 needs b>=2" in conflict.why


def test_a_conflict_of_two_branches_names_the_projects_between() -> None:
    index = Index().add("a", "1", "c<2").add("b", "1", "c>=2").add("c", "1").add("c", "2")
    why = resolve(index, "a", "b").conflict()
    assert why == ("no version of c satisfies c<2 of a 1 (would take 1) and c>=2 of b 1 (would take 2)")


def test_all_hopeless_roots_are_told_at_once() -> None:
    index = (
        Index()
        .add("a", "1")
        .add("b", "1", page_python=">=3.99")
        .add("c", "1", tags=["cp312-cp312-win_amd64"])
    )
    why = resolve(index, "a>1", "b", "c", "d").conflict()
    assert why == (
        "nothing satisfies a>1 (r.txt:1): the newest version is 1; "
        "nothing satisfies b (r.txt:2): 1 needs Python >=3.99; "
        "nothing satisfies c (r.txt:3): 1 has no file that fits; "
        "nothing satisfies d (r.txt:4): the index has no such project"
    )


def test_a_project_that_upstream_lacks_is_named_from_the_root_down() -> None:
    why = resolve(Index().add("a", "1", "b").add("b", "1", "c"), "a").conflict()
    assert why == "nothing satisfies a (r.txt:1): a 1 needs b, b 1 needs c: the index has no such project"


def test_a_missing_project_on_a_branch_makes_an_older_version_come_in() -> None:
    index = Index().add("a", "2", "gone").add("a", "1", "b").add("b", "1")
    assert resolve(index, "a").versions() == {"a": "1", "b": "1"}


def test_other_targets_are_solved_beside_a_conflict() -> None:
    index = Index().add("a", "1", "gone; sys_platform == 'win32'")
    run = resolve(index, "a", targets=[LINUX, WINDOWS])
    assert run.versions(LINUX) == {"a": "1"}
    assert [one.targets for one in run.closure.conflicts] == [(WINDOWS.name,)]


def test_an_excluding_constraint_is_named() -> None:
    why = resolve(Index().add("a", "1"), "a", constraints=["a>1"]).conflict()
    assert why == "nothing satisfies a (r.txt:1): the constraint a>1 (c.txt:1) excludes 1"
    why = resolve(Index().add("a", "1"), "a", constraints=["a>0", "a>1", "a>2"]).conflict()
    assert why.endswith(": the constraint a>1 (c.txt:2) excludes 1, and so does a>2 (c.txt:3)")


def test_roots_on_the_same_project_are_told_a_way_out() -> None:
    index = Index().add("a", "2").add("a", "1").add("b", "1", "a<2")
    assert resolve(index, "a==1", "a==2").conflict() == (
        "no version of a satisfies a==1 (r.txt:1) (would take 1) and a==2 (r.txt:2) (would take 2), "
        "but --closure all-matching takes what each asks for, and so do lock files of their own"
    )
    assert "all-matching" not in resolve(index, "b", "a==2").conflict()
    assert "all-matching" not in resolve(index, "a==1", "a==3").conflict()


@pytest.mark.parametrize(
    ("also", "says"),
    [
        (["c<8"], "b 3 needs c>=9; c<8 (r.txt:2) is asked for as well"),
        (["c<8", "c>1"], "b 3 needs c>=9; c<8 (r.txt:2) and c>1 (r.txt:3) are asked for as well"),
    ],
)
def test_what_else_is_asked_for_is_named(also: list[str], says: str) -> None:
    index = Index().add("a", "1", "b").add("b", "3", "c>=9").add("c", "9").add("c", "7")
    assert resolve(index, "a", *also).conflict() == f"nothing satisfies a (r.txt:1): a 1 needs b, {says}"


def test_what_else_is_asked_for_is_not_to_blame_for_what_is_not_there() -> None:
    index = Index().add("a", "1", "c>=9").add("c", "7")
    why = resolve(index, "a", "c<8").conflict()
    assert why == "nothing satisfies a (r.txt:1): a 1 needs c>=9: the newest version is 7"


def test_formats_may_leave_nothing() -> None:
    rules = Rules(formats=FormatControl(only_binary=frozenset({":all:"})))
    why = resolve(Index().add("a", "1", tags=[SDIST]), "a", rules=rules).conflict()
    assert why == "nothing satisfies a (r.txt:1): the index has no file of it that may be used"


# What is asked for


def test_the_number_of_rounds_is_that_of_the_depth_not_of_the_projects() -> None:
    index = Index()
    names = [f"n{number}" for number in range(100)]
    for place, name in enumerate(names):
        index.add(
            name,
            "1",
            *(names[below] for below in (3 * place + 1, 3 * place + 2, 3 * place + 3) if below < 100),
        )
    run = resolve(index, "n0", targets=MATRIX)
    assert len(run.closure.chosen) == 100
    assert run.rounds == 2 * 5  # a page and a text for each of the five levels


def test_nothing_is_asked_for_twice() -> None:
    run = resolve(chain_index(), "p0", "p3", targets=MATRIX)
    assert len(run.asked) == len(set(run.asked)) == 2 * len(CHAIN)


def test_no_roots_need_nothing() -> None:
    resolution = Resolution((), MATRIX, Rules())
    assert not resolution.advance()
    assert not resolution.closure().chosen


def hard_index() -> Index:
    """Six projects that need different versions of one, of which there are five."""
    index = Index()
    for name in "abcdef":
        for version in range(1, 6):
            others = [other for other in "abcdef" if other > name]
            index.add(name, str(version), *(f"{other}!={version}" for other in others))
    return index


def test_a_search_that_takes_too_long_is_given_up_with_the_limit_named() -> None:
    run = resolve(hard_index(), *"abcdef", rules=Rules(max_rounds=20))
    assert run.conflict() == "no solution was found in 20 steps, and whether there is one is not known"


def test_of_many_projects_fewer_steps_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MAX_LOOKS", 60)  # of six projects
    assert resolve(hard_index(), *"abcdef").conflict().startswith("no solution was found in 11 steps")


def test_a_search_that_has_to_try_everything_comes_to_its_end() -> None:
    assert "would take" in resolve(hard_index(), *"abcdef").conflict()
