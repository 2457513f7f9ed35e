"""Why files are left out, and what failed: kept small, replaced, forgotten, and added to earlier states."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from packaging.utils import canonicalize_name

from aiomirror.plan import Remembered, Settled, Visited
from aiomirror.pruning import WHOLE, Tombstone
from aiomirror.selection import LeftOut
from aiomirror.state import APPLICATION_ID, Run, State, Trouble
from aiomirror.state.database import _MIGRATIONS
from aiomirror.state.desired import PROBLEMS
from aiomirror.state.reasons import MAX_NAMES, packed, unpacked

if TYPE_CHECKING:
    from pathlib import Path

SIX, IDNA = canonicalize_name("six"), canonicalize_name("idna")
REASONS = {
    "six-1.tar.gz": LeftOut.OLDER,
    "six-2.tar.gz": LeftOut.OLDER,
    "six-3rc1.tar.gz": LeftOut.PRE_RELEASE,
}
TOLD = {name: str(reason) for name, reason in REASONS.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


# Packed


@given(st.dictionaries(st.text(), st.sampled_from(LeftOut)))
def test_every_name_comes_back_with_its_reason(reasons: dict[str, LeftOut]) -> None:
    assert unpacked(packed(reasons)) == {name: str(reason) for name, reason in reasons.items()}


def test_the_order_of_names_makes_no_difference() -> None:
    assert packed(REASONS) == packed(dict(reversed(REASONS.items())))


def test_so_many_names_and_no_more() -> None:
    names = [f"six-{number:05}.tar.gz" for number in range(MAX_NAMES + 7)]
    content = packed(dict.fromkeys(names, LeftOut.OLDER))
    assert list(unpacked(content)) == names[:MAX_NAMES]
    assert len(content) < 5 * MAX_NAMES, "bytes for each name"


# In the state


def test_the_reasons_are_those_of_the_last_visit(path: Path) -> None:
    with State.open(path) as state:
        assert state.desired.left_out(SIX) is None
        state.save([], {SIX: Visited(1, 9, {}, packed(REASONS))})
        state.save([Remembered(SIX, {})])
        assert state.desired.left_out(SIX) == TOLD
    with State.open(path) as state:
        assert state.desired.left_out(SIX) == TOLD
        state.save([], {SIX: Visited(2, 9)})
        assert state.desired.left_out(SIX) == {}


def test_the_same_reasons_are_not_written_again(path: Path) -> None:
    with State.open(path) as state:
        state.save([], {SIX: Visited(1, 9, {}, packed(REASONS))})
        before = state._connection.total_changes
        state.save([], {SIX: Visited(2, 9, {}, packed(dict(reversed(REASONS.items()))))})
        assert state._connection.total_changes == before + 1, "the visit itself"


def test_a_project_that_is_forgotten_has_no_reasons(path: Path) -> None:
    with State.open(path) as state:
        visited = Visited(1, 9, {}, packed(REASONS))
        state.save([], {SIX: visited, IDNA: visited})
        state.desired.forget([(SIX, WHOLE), (IDNA, "six-1.tar.gz")])
        assert (state.desired.left_out(SIX), state.desired.left_out(IDNA)) == (None, TOLD)


def ended(state: State, verb: str, started: int, *troubles: Trouble) -> None:
    number = state.desired.begin_run(Run(verb, started))
    state.desired.end_run(number, Run(verb, started, 1.0, 3, troubles=troubles))


def test_what_failed_is_kept_of_the_last_run_of_each_verb(path: Path) -> None:
    gone, slow, other = (
        Trouble(SIX, "", "gone"),
        Trouble(SIX, "six-1.tar.gz", "slow"),
        Trouble(IDNA, "", "gone"),
    )
    with State.open(path) as state:
        ended(state, "sync", 1, gone, other)
        ended(state, "prune", 2, Trouble(SIX, "", "too much"))
        assert state.desired.troubles(SIX) == [Trouble(SIX, "", "gone", 1), Trouble(SIX, "", "too much", 2)]
        ended(state, "sync", 3, slow, gone)
        ended(state, "prune", 4)
        assert state.desired.troubles(SIX) == [
            Trouble(SIX, "six-1.tar.gz", "slow", 3),
            Trouble(SIX, "", "gone", 3),
        ]
        assert state.desired.troubles(IDNA) == []


def test_of_a_run_that_failed_at_everything_the_first_problems_are_kept(path: Path) -> None:
    troubles = [Trouble(SIX, "", str(number)) for number in range(PROBLEMS + 1)]
    with State.open(path) as state:
        ended(state, "sync", 1, *troubles)
        assert [one.message for one in state.desired.troubles(SIX)] == [one.message for one in troubles[:-1]]


def test_every_project_that_anything_is_known_of(path: Path) -> None:
    names = [canonicalize_name(name) for name in ("settled", "visited", "asked", "buried", "failed")]
    settled, visited, asked, buried, failed = names
    with State.open(path) as state:
        assert state.desired.projects() == set()
        state.save([Remembered(settled, {}, Settled("demand", "digest"))], {visited: Visited(1, 1)})
        state.desired.save_asked([(asked, "asked>1", "a.txt:1")])
        state.desired.save_tombstones({(buried, "a"): Tombstone(buried, "a", 1, "why")}, {})
        ended(state, "sync", 1, Trouble(failed, "", "gone"), Trouble("", "", "no disk"))
        assert state.desired.projects() == set(names)


# The second schema


@pytest.mark.parametrize("writable", [True, False])
def test_a_state_of_the_second_schema_is_brought_up_to_date(path: Path, *, writable: bool) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(";".join(_MIGRATIONS[:2]))
        connection.execute("INSERT INTO visits VALUES ('six', 7, 3, '{\"six-1.tar.gz\": [\"six\"]}')")
        connection.execute("INSERT INTO asked VALUES ('six', 'six', 'a.txt:1')")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with State.open(path, writable=writable) as state:
        assert state.warnings == ()
        assert state.desired.visited(SIX) == Visited(7, 3, {"six-1.tar.gz": ("six",)})
        assert state.desired.asked() == {("six", "six", "a.txt:1")}
        assert (state.desired.left_out(SIX), state.desired.troubles(SIX)) == (None, [])
        state.save([], {SIX: Visited(8, 3, {}, packed(REASONS))})
        assert state.desired.left_out(SIX) == TOLD
    assert (path.read_bytes() == before) is not writable
