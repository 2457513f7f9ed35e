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
from aiomirror.plan import FileRecord, FileStat, Remembered, Settled
from aiomirror.state import APPLICATION_ID, Root, State

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
        state.save([known(SIX, [record("a"), record("b")], SETTLED), known(IDNA, [record("a")], SETTLED)])
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
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_an_empty_file_is_a_new_state(path: Path) -> None:
    path.touch()
    with State.open(path) as state:
        assert state.warnings == ()
        state.save([known(SIX, [record("a")])])


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
