"""Shapes that were met in the real index and beside it, in small."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from packaging.version import Version
from synthetic_index import LINUX, MATRIX, Index, resolve
from test_resolution_properties import World, made, open_demands, requirements, worlds


def test_what_was_given_up_for_a_choice_that_was_taken_back_is_tried_again() -> None:
    index = Index().add("a", "1").add("a", "2").add("a", "3", "b").add("b", "1", "a<2")
    assert resolve(index, "a").versions() == {"a": "2"}


@given(worlds, st.lists(requirements, min_size=1, max_size=3))
def test_nothing_could_be_newer_all_else_being_equal(world: World, roots: list[str]) -> None:
    picks = resolve(made(world), *roots).versions()
    for project, version in picks.items():
        for newer in world[project]:
            if Version(newer) > Version(version):
                assert open_demands(world, roots, {**picks, project: newer}, LINUX) != []


def test_what_all_targets_lack_is_asked_for_once_and_in_no_more_rounds_than_for_one() -> None:
    index = Index()
    for number in range(1, 10):
        index.add("sdk", f"{number}", f"core>={number}").add("core", f"{number}")
    index.add("tool", "2", "plumbing").add("plumbing", "2", "core<7").add("plumbing", "1", "core<5")
    one = resolve(index, "tool", "sdk")
    many = resolve(index, "tool", "sdk", targets=MATRIX)
    assert many.asked == one.asked
    assert many.rounds == one.rounds


def test_versions_that_are_impossible_for_the_sake_of_each_other_are_told_of() -> None:
    index = Index().add("a", "1").add("a", "2", "b<=1").add("b", "1", "c==1")
    index.add("c", "1", "d<=1", "b==1").add("c", "2").add("d", "1", "a==2", "c==3").add("d", "2", "a==2")
    assert resolve(index, "d", "a").conflict() == (
        "nothing satisfies d (r.txt:1): d 2 needs a==2, a 2 needs b<=1, b 1 needs c==1, c 1 needs d<=1, "
        "d 1 needs c==3: the newest version is 2"
    )


@pytest.mark.parametrize(
    ("world", "roots", "expected"),
    [
        (  # the last requirement on a project goes away while the resolver goes back
            {
                "a": {"1": ["b==2"]},
                "b": {"1": ["d==2", "a"], "2": ["d==1", "c==1"]},
                "c": {"1": ["b<=1"], "2": []},
                "d": {"1": [], "2": []},
            },
            ["b", "c"],
            None,
        ),
        (  # projects are left behind that only need each other
            {
                "a": {"2": ["c>=3", "d<3"]},
                "b": {"3": ["d"]},
                "c": {"3": ["e<2"]},
                "d": {"1": [], "3": ["a>=2"]},
                "e": {"1": ["a==2"]},
            },
            ["d", "b"],
            {"b": "3", "d": "1"},
        ),
    ],
    ids=["no requirement left", "a ring that nothing needs"],
)
def test_where_the_resolver_has_to_go_back(
    world: World, roots: list[str], expected: dict[str, str] | None
) -> None:
    run = resolve(made(world), *roots)
    assert run.versions() == (expected or {})
    assert bool(run.closure.conflicts) == (expected is None)


def test_what_the_resolver_forgets_is_noticed() -> None:
    world = {
        "a": {"1": ["e<2"], "2": []},
        "b": {"1": ["e"], "2": ["d<=1"]},
        "c": {"1": ["d>=2"], "2": ["b<=1", "d>=2"]},
        "d": {"1": ["e<=1", "c<2"], "2": []},
        "e": {"1": ["d<3"], "2": ["d<=1", "b"], "3": ["d==1"]},
    }
    assert resolve(made(world), "b", "a").versions() == {"a": "2", "b": "1", "d": "2", "e": "1"}
