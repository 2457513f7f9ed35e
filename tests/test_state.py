"""What earlier runs established: kept, replaced, forgotten, and given up when it is damaged."""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord, FileStat, Remembered, Settled, Visited
from aiomirror.pruning import WHOLE, Tombstone
from aiomirror.state import APPLICATION_ID, Root, Run, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packaging.utils import NormalizedName

SIX, IDNA = canonicalize_name("six"), canonicalize_name("idna")
SETTLED = Settled("demand", "digest", '"tag"', "yesterday", 7, '"root"', ("six-1.0.tar.gz",), {"older": 3})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def known(project: NormalizedName, records: list[FileRecord], settled: Settled | None = None) -> Remembered:
    return Remembered(project, {one.filename: one for one in records}, settled)


def records(state: State, project: NormalizedName) -> Mapping[str, FileRecord]:
    return state.recall([project])[project].records


def record(name: str, size: int = 1) -> FileRecord:
    return FileRecord(name, f"{size:064x}", FileStat(size, size * 1000, size * 7))


def test_records_outlive_the_state_that_saved_them(path: Path) -> None:
    with State.open(path) as state:
        assert state.warnings == ()
        assert records(state, SIX) == {}
        state.save([known(SIX, [record("a"), record("b")]), known(IDNA, [record("c")])])
    with State.open(path) as state:
        assert records(state, SIX) == {"a": record("a"), "b": record("b")}
        assert records(state, IDNA) == {"c": record("c")}


def test_what_is_saved_of_a_project_replaces_all_that_was_known_of_it(path: Path) -> None:
    with State.open(path) as state:
        upstreams = {SIX: {"a", "b"}, IDNA: {"a"}}
        both = [known(SIX, [record("a"), record("b")], SETTLED), known(IDNA, [record("a")], SETTLED)]
        state.save(both, upstreams=upstreams)
        state.save([known(SIX, [record("a", 2)])])
        assert state.recall([SIX, IDNA]) == {
            SIX: known(SIX, [record("a", 2)]),
            IDNA: known(IDNA, [record("a")], SETTLED),
        }


def test_a_settled_project_comes_back_whole(path: Path) -> None:
    with State.open(path) as state:
        state.save([known(SIX, [record("a")], SETTLED), known(IDNA, [], Settled("demand", "digest"))])
    with State.open(path) as state:
        assert state.recall([SIX])[SIX].settled == SETTLED
        assert state.recall([IDNA])[IDNA].settled == Settled("demand", "digest")


def test_a_root_index_confirms_the_serials_of_projects(path: Path) -> None:
    with State.open(path) as state:
        state.save([known(SIX, [], SETTLED), known(IDNA, [], SETTLED)])
        state.confirm([SIX], '"new"')
        recalled = state.recall([SIX, IDNA])
        assert [one.settled and one.settled.root for one in recalled.values()] == ['"new"', '"root"']


def test_root_indexes_are_noted_by_their_address(path: Path) -> None:
    url = "https://index.example/simple/"
    with State.open(path) as state:
        assert state.root(url) is None
        state.save_root(url, Root('"1"', 10))
        state.save_root(url, Root(None, 20))
        assert state.root(url) == Root(None, 20)


def test_a_batch_is_saved_whole_or_not_at_all(path: Path) -> None:
    with State.open(path) as state:
        broken = FileRecord("b", None, FileStat(1, 1, 1))  # type: ignore[arg-type]
        with pytest.raises(DestinationError):
            state.save([known(SIX, [record("a"), broken])])
        assert records(state, SIX) == {}
        state.save([known(SIX, [record("a")])])


@given(
    size=st.integers(0, 2**63 - 1),
    mtime=st.integers(-(2**63), 2**63 - 1),
    inode=st.integers(0, 2**64 - 1),
    name=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_every_stat_and_name_comes_back(size: int, mtime: int, inode: int, name: str) -> None:
    one = FileRecord(name, "00", FileStat(size, mtime, inode))
    with State.open(Path("/nowhere/state.sqlite"), writable=False) as state:
        state.save([known(SIX, [one])])
        assert records(state, SIX) == {name: one}


def test_threads_share_a_state(path: Path) -> None:
    with State.open(path) as state:
        names = [canonicalize_name(f"project-{number}") for number in range(160)]

        def work(number: int) -> None:
            for index in range(20):
                state.save([known(names[number * 20 + index], [record(f"{number}-{index}")])])
                records(state, SIX)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(len(one.records) for one in state.recall(names).values()) == 160


def test_the_file_is_private_and_in_wal_mode(path: Path) -> None:
    before = os.umask(0)
    try:
        with State.open(path):
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.with_name("state.sqlite-wal").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (5,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_an_empty_file_is_a_new_state(path: Path) -> None:
    path.touch()
    with State.open(path) as state:
        assert state.warnings == ()
        state.save([known(SIX, [record("a")])])


# What asks for files, and what nothing asks for


def run(number: int, *, complete: bool = True) -> Run:
    return Run("sync", number, 1.5, 0, complete, {"fetched": number})


def test_what_a_visit_found_outlives_what_is_saved_without_one(path: Path) -> None:
    visited = Visited(7, 3, {"a": ("six<2", "six")})
    with State.open(path) as state:
        assert state.desired.visited(SIX) is None
        state.save([known(SIX, [record("a")])], {SIX: visited})
        state.save([known(SIX, [record("b")])])
        assert state.desired.visited(SIX) == visited
        state.save([known(SIX, [])], {SIX: Visited(8, 0)})
        assert state.desired.visited(SIX) == Visited(8, 0)


def test_what_was_asked_is_what_was_asked_last(path: Path) -> None:
    with State.open(path) as state:
        state.desired.save_asked([("six", "six", "a.txt:1"), ("six", "six<2", "a.txt:2")])
        state.desired.save_asked([("six", "six", "a.txt:1"), ("idna", "idna", "a.txt:2")])
        assert state.desired.asked() == {("six", "six", "a.txt:1"), ("idna", "idna", "a.txt:2")}


def test_tombstones_are_what_was_saved_last(path: Path) -> None:
    one, other, third = (
        Tombstone(SIX, "a", 1, "x"),
        Tombstone(SIX, "b", 2, "y"),
        Tombstone(IDNA, WHOLE, 3, "z"),
    )
    with State.open(path) as state:
        state.desired.save_tombstones({stone.key: stone for stone in (one, other)}, {})
        other = Tombstone(SIX, "b", 2, "another reason")
        state.desired.save_tombstones(
            {stone.key: stone for stone in (other, third)}, state.desired.tombstones()
        )
        assert state.desired.tombstones() == {stone.key: stone for stone in (other, third)}


def test_what_does_not_change_is_not_written(path: Path) -> None:
    stone = Tombstone(SIX, "a", 1, "x")
    with State.open(path) as state:
        changes = []
        for _ in range(2):
            state.desired.save_tombstones({stone.key: stone}, state.desired.tombstones())
            state.desired.save_asked([("six", "six", "a.txt:1")])
            changes.append(state._connection.total_changes)
        assert changes[0] == changes[1] > 0


def test_files_and_whole_projects_are_forgotten(path: Path) -> None:
    stones = [Tombstone(SIX, "a", 1, "x"), Tombstone(SIX, "b", 1, "x"), Tombstone(IDNA, WHOLE, 1, "x")]
    with State.open(path) as state:
        files = [record("a"), record("b"), record("index.html"), record("b.metadata")]
        upstreams = {SIX: {"a", "b"}, IDNA: {"a", "b"}}
        state.save(
            [known(SIX, files, SETTLED), known(IDNA, files, SETTLED)], {IDNA: Visited(1, 1)}, upstreams
        )
        state.desired.save_tombstones({stone.key: stone for stone in stones}, {})
        assert state.desired.held() == 4
        state.desired.forget([(SIX, "a"), (IDNA, WHOLE)])
        assert state.recall([SIX, IDNA]) == {SIX: known(SIX, files[1:], SETTLED), IDNA: known(IDNA, [])}
        assert state.desired.visited(IDNA) is None
        assert list(state.desired.tombstones()) == [(SIX, "b")]
        state.desired.unsettle(SIX, ["index.html"])
        assert state.recall([SIX])[SIX] == known(SIX, [record("b"), record("b.metadata")])


def test_what_nobody_has_seen_to_be_upstreams_is_local(path: Path) -> None:
    """Whoever saves a project and knows nothing of that leaves it as it is."""
    names = ["a", "b", "index.html", "a.metadata"]
    with State.open(path) as state:
        state.save([known(SIX, [*map(record, names)])], upstreams={SIX: {"b"}})
        assert state.recall([SIX])[SIX].local == {"a"}
        state.save([known(SIX, [*map(record, [*names, "c"])])])
        assert state.recall([SIX])[SIX].local == {"a", "c"}
        assert state.desired.recorded() == ({SIX}, set())
        state.save([known(SIX, [record("a"), record("c")])], upstreams={SIX: {"c"}})
        assert state.recall([SIX])[SIX].local == {"a"}
        state.save([known(SIX, [record("a")])])
        assert state.desired.recorded() == (set(), {SIX})
        state.save([known(SIX, [record("a")])], upstreams={SIX: {"a"}})
        assert state.recall([SIX])[SIX].local == frozenset()


def test_the_last_hundred_runs_are_kept(path: Path) -> None:
    with State.open(path) as state:
        for number in range(103):
            at = state.desired.begin_run(Run("sync", number))
            state.desired.end_run(at, run(number, complete=number % 2 == 0))
        state.desired.begin_run(Run("prune", 200))
        runs = state.desired.runs()
    assert runs[0] == Run("prune", 200), "it has no end: it is under way, or was killed"
    assert (len(runs), runs[1], runs[2].complete, runs[-1].started) == (100, run(102), False, 4)


# Earlier schemas


@pytest.fixture
def first_schema(path: Path) -> Path:
    """A state as the first version of the schema had it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            """
            CREATE TABLE files (
                project TEXT NOT NULL, filename TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY (project, filename)
            ) WITHOUT ROWID;
            CREATE TABLE settled (
                project TEXT PRIMARY KEY, demand TEXT NOT NULL, digest TEXT NOT NULL, etag TEXT,
                last_modified TEXT, serial INTEGER, root TEXT, wanted TEXT NOT NULL, left_out TEXT NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE roots (url TEXT PRIMARY KEY, etag TEXT, length INTEGER NOT NULL) WITHOUT ROWID;
            """
        )
        one = record("six-1.0.tar.gz")
        stat = one.stat
        row = ("six", one.filename, one.sha256, stat.size, stat.mtime_ns, stat.inode)
        connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)
        settled = (
            "six",
            "demand",
            "digest",
            '"tag"',
            "yesterday",
            7,
            '"root"',
            '["six-1.0.tar.gz"]',
            '{"older": 3}',
        )
        connection.execute("INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", settled)
        connection.execute("INSERT INTO roots VALUES ('https://index.example/', '\"1\"', 10)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("writable", [True, False])
def test_a_state_of_the_first_schema_is_brought_up_to_date(first_schema: Path, *, writable: bool) -> None:
    before = first_schema.read_bytes()
    for _ in range(2):
        with State.open(first_schema, writable=writable) as state:
            assert state.warnings == ()
            assert state.recall([SIX])[SIX] == known(SIX, [record("six-1.0.tar.gz")], SETTLED)
            assert state.root("https://index.example/") == Root('"1"', 10)
            assert state.desired.tombstones() == {}
            assert state.desired.runs() == []
            assert state.desired.visited(SIX) is None
            assert state.desired.held() == 1
    assert (first_schema.read_bytes() == before) is not writable


def test_a_migration_that_breaks_off_leaves_the_first_schema(first_schema: Path) -> None:
    with closing(sqlite3.connect(first_schema)) as connection:
        connection.execute("CREATE TABLE runs (mine TEXT)")
    with pytest.raises(DestinationError):
        State.open(first_schema)
    with closing(sqlite3.connect(first_schema)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert tables == {"files", "settled", "roots", "runs"}


# Given up


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def cut(path: Path) -> None:
    filled(path)
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)


def without_tables(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE files")


def text(path: Path) -> None:
    path.write_text("this is no database, and longer than the header of one would be" * 10)


def link(path: Path) -> None:
    path.with_name("elsewhere").touch()
    path.symlink_to("elsewhere")


def filled(path: Path) -> None:
    with State.open(path) as state:
        state.save([known(SIX, [record(f"file-{number}") for number in range(1000)])])


@pytest.mark.parametrize("damage", [foreign, cut, overwritten, without_tables, text, link])
def test_what_cannot_be_used_is_moved_aside_and_begun_anew(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    before = path.read_bytes()
    with State.open(path) as state:
        (warning,) = state.warnings
        assert warning.startswith(f"{path}: ")
        assert warning.endswith("; moved to state.sqlite.damaged-1 and begun anew")
        assert records(state, SIX) == {}
        state.save([known(SIX, [record("a")])])
    assert path.with_name("state.sqlite.damaged-1").read_bytes() == before
    with State.open(path) as state:
        assert state.warnings == ()
        assert records(state, SIX) == {"a": record("a")}


def test_a_link_is_not_followed(path: Path) -> None:
    link(path)
    with State.open(path):
        assert path.with_name("elsewhere").read_bytes() == b""


def test_earlier_damaged_files_are_kept(path: Path) -> None:
    for number in (1, 2, 3):
        text(path)
        with State.open(path) as state:
            assert f"damaged-{number} " in state.warnings[0]


def test_the_journal_of_what_is_moved_aside_goes_with_it(path: Path) -> None:
    link(path)
    path.with_name("state.sqlite-wal").write_text("journal")
    with State.open(path):
        pass
    assert path.with_name("state.sqlite.damaged-1-wal").read_text() == "journal"


def test_what_a_newer_version_wrote_is_left_alone(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for writable in (True, False):
        with pytest.raises(DestinationError, match="written by a newer aiomirror"):
            State.open(path, writable=writable)
    assert path.read_bytes() == before


# The disk refuses


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DestinationError) as caught:
        State.open(path)
    assert caught.value.path == str(path)


def test_a_missing_folder(path: Path) -> None:
    with pytest.raises(DestinationError):
        State.open(path / "below")


def test_g8_a_full_disk_keeps_what_was_saved(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with State.open(path) as state:
        state.save([known(SIX, [record("a")])])
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
        try:
            with pytest.raises(DestinationError):
                state.save([known(SIX, [record(f"file-{number}") for number in range(10_000)])])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert records(state, SIX) == {"a": record("a")}
        state.save([known(SIX, [record("b")])])
    with State.open(path) as state:
        assert list(records(state, SIX)) == ["b"]


# Read only


def test_read_only_reads_and_changes_nothing(path: Path) -> None:
    with State.open(path) as state:
        state.save([known(SIX, [record("a")])])
    before = {entry.name: entry.stat() for entry in path.parent.iterdir()}
    with State.open(path, writable=False) as state:
        assert records(state, SIX) == {"a": record("a")}
        state.save([known(SIX, [record("b")])])
        assert {entry.name: entry.stat() for entry in path.parent.iterdir()} == before
    with State.open(path, writable=False) as state:
        assert records(state, SIX) == {"a": record("a")}


def test_read_only_sees_what_a_run_under_way_has_saved(path: Path) -> None:
    with State.open(path) as state:
        state.save([known(SIX, [record("a")])])
        with State.open(path, writable=False) as copy:
            assert records(copy, SIX) == {"a": record("a")}
        state.save([known(SIX, [record("b")])])


def test_read_only_makes_no_file(path: Path) -> None:
    with State.open(path, writable=False) as state:
        assert (records(state, SIX), state.warnings) == ({}, ())
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("damage", [foreign, cut, overwritten, text])
def test_read_only_does_without_what_is_damaged(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    with State.open(path, writable=False) as state:
        assert records(state, SIX) == {}
        assert len(state.warnings) == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE settled SET wanted = 'no JSON'",
        "UPDATE settled SET wanted = CAST(x'5b22ff225d' AS TEXT)",
        "UPDATE settled SET left_out = '[]'",
        "UPDATE files SET inode = 'many'",
    ],
)
@pytest.mark.parametrize("writable", [True, False])
def test_a_damaged_part_costs_one_run(tmp_path: Path, damage: str, *, writable: bool) -> None:
    """What the database itself takes for whole: the next run does without it, or begins it anew."""
    path = tmp_path / "state.sqlite"
    known = Remembered(SIX, {"six-1.0.tar.gz": record("six-1.0.tar.gz")}, Settled("demand", "digest"))
    with State.open(path) as state:
        state.save([known])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    with State.open(path, writable=writable) as state:
        assert not state.warnings
        with pytest.raises(DestinationError, match="damaged"):
            state.recall([SIX])
    assert path.exists() is not writable
    if writable:
        assert path.with_name("state.sqlite.damaged-1").exists()
        with State.open(path) as state:
            assert state.recall([SIX]) == {SIX: Remembered(SIX)}
