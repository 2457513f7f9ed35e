"""What earlier runs established, in SQLite: records of files, and the runs themselves.

Losing it costs time, never correctness: a file without a record is hashed again.  So what is no database of
ours, or a damaged one, is moved aside and begun anew.  One process writes it at a time (whoever holds the
mirror); its methods may be called from any thread.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord, FileStat

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from packaging.utils import NormalizedName

APPLICATION_ID = 0x61696F6D
"""Marks the file as ours: "aiom"."""

_MIGRATIONS = (
    """
    CREATE TABLE files (
        project  TEXT NOT NULL,
        filename TEXT NOT NULL,
        sha256   TEXT NOT NULL,
        size     INTEGER NOT NULL,  -- bytes
        mtime_ns INTEGER NOT NULL,
        inode    INTEGER NOT NULL,
        PRIMARY KEY (project, filename)
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        id        INTEGER PRIMARY KEY,
        started   TEXT NOT NULL,    -- ISO 8601, with offset
        ended     TEXT,             -- NULL: under way, or killed
        exit_code INTEGER,
        counts    TEXT              -- JSON object
    );
    """,
)
"""The schema's versions, each from the one before; how many there are is PRAGMA user_version."""

_TABLES = {"files", "runs"}

_BUSY = 5.0
"""Seconds to wait for a reader outside this program."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as it was noted; what it ended with is None while it goes on, or when it was killed."""

    started: str
    ended: str | None
    exit_code: int | None
    counts: Mapping[str, int] | None


class _Unusable(Exception):  # noqa: N818 (told to nobody: the file is moved aside)
    """The file is damaged, or no database of ours."""


class State:
    """An open state; a context manager that closes it.

    ``warnings`` are what was wrong with the file, a line each.  Every method may raise DestinationError.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, warnings: tuple[str, ...] = ()) -> None:
        self.path, self.warnings = path, warnings
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, writable: bool = True) -> Self:
        """Open the state, make it where there is none, and bring its schema up to date.

        What cannot be used is moved aside to ``<path>.damaged-<n>``.  Without ``writable`` it is copied into
        memory, or begun there: nothing on disk is changed, and what is saved is forgotten.

        Raises:
            DestinationError: a newer aiomirror wrote it, or the disk refuses.
        """
        with _translated(path):
            if not writable:
                return cls(path, *_copy(path))
            try:
                return cls(path, _ready(path))
            except _Unusable as why:
                aside = _move_aside(path)
                warning = f"{path}: {why}; moved to {aside.name} and begun anew"
                return cls(path, _ready(path), (warning,))

    def records(self, project: NormalizedName) -> dict[str, FileRecord]:
        """The records of a project's files, by file name."""
        query = "SELECT filename, sha256, size, mtime_ns, inode FROM files WHERE project = ?"
        with self._using() as connection:
            rows = connection.execute(query, (project,)).fetchall()
        return {
            filename: FileRecord(filename, sha256, FileStat(size, mtime_ns, _unsigned(inode)))
            for filename, sha256, size, mtime_ns, inode in rows
        }

    def save(self, records: Mapping[NormalizedName, Collection[FileRecord]]) -> None:
        """Keep these records, in place of older ones of the same files; all of them or none."""
        rows = [_row(project, record) for project, many in records.items() for record in many]
        with self._changing() as connection:
            connection.executemany("REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, project: NormalizedName, filenames: Collection[str]) -> None:
        """Drop the records of these files, where there are any."""
        rows = [(project, filename) for filename in filenames]
        with self._changing() as connection:
            connection.executemany("DELETE FROM files WHERE project = ? AND filename = ?", rows)

    def begin_run(self, started: datetime) -> int:
        """Note that a run began; its number."""
        with self._changing() as connection:
            cursor = connection.execute("INSERT INTO runs (started) VALUES (?)", (started.isoformat(),))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_run(self, run: int, ended: datetime, exit_code: int, counts: Mapping[str, int]) -> None:
        """Note how the run went."""
        row = (ended.isoformat(), exit_code, json.dumps(counts), run)
        with self._changing() as connection:
            connection.execute("UPDATE runs SET ended = ?, exit_code = ?, counts = ? WHERE id = ?", row)

    def last_run(self) -> Run | None:
        """The run that was begun last."""
        query = "SELECT started, ended, exit_code, counts FROM runs ORDER BY id DESC LIMIT 1"
        with self._using() as connection:
            row = connection.execute(query).fetchone()
        if row is None:
            return None
        started, ended, exit_code, counts = row
        return Run(started, ended, exit_code, json.loads(counts) if counts else None)

    def close(self) -> None:
        """Close it; everything that was saved stays."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            yield self._connection

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._using() as connection, _transaction(connection):
            yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into DestinationError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DestinationError(str(path), str(error)) from error
    except OSError as error:
        raise DestinationError(str(path), error.strerror or str(error)) from error


def _connect(database: str) -> sqlite3.Connection:
    # Transactions are begun and ended here, not by the module's guess; the lock of the State serves threads.
    return sqlite3.connect(database, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False)


def _ready(path: Path) -> sqlite3.Connection:
    """A connection to a database of the newest schema; _Unusable when the file cannot become one."""
    if path.is_symlink():
        raise _Unusable("a symbolic link")
    _make_private(path)
    connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
    try:
        _prepare(path, connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
            raise _Unusable("not a usable database") from error
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file with mode 0600; SQLite would let the umask decide."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # The extended code has the primary one in its lowest byte.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    version = _checked_version(path, connection)
    connection.execute("PRAGMA journal_mode = WAL")
    # A crash of the machine may cost the last transactions, which costs time only.
    connection.execute("PRAGMA synchronous = NORMAL")
    for number in range(version, len(_MIGRATIONS)):
        with _transaction(connection):
            for statement in _MIGRATIONS[number].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not found >= _TABLES:
        raise _Unusable("not our tables")


def _checked_version(path: Path, connection: sqlite3.Connection) -> int:
    """The version of the schema, 0 for an empty file; _Unusable for what is not ours or damaged."""
    version = _pragma(connection, "user_version")
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if version or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise _Unusable("another program's database")
        return 0
    assert isinstance(version, int)
    if version > len(_MIGRATIONS):
        raise DestinationError(str(path), f"written by a newer aiomirror (schema {version})")
    if _pragma(connection, "quick_check") != "ok":
        raise _Unusable("damaged")
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int | str:
    value: int | str = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _move_aside(path: Path) -> Path:
    """Give the file, and what SQLite keeps beside it, another name; the new name of the file."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _copy(path: Path) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """The state copied into memory, or an empty one there, and what was wrong with it."""
    if not path.exists():
        return _in_memory(path, None), ()
    # While nobody has it open there is no -wal; "immutable" then keeps SQLite from making one.
    unused = not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if unused else ''}"
    try:
        with closing(_connect(uri)) as source:
            _checked_version(path, source)
            return _in_memory(path, source), ()
    except (sqlite3.DatabaseError, _Unusable) as why:
        return _in_memory(path, None), (f"{path}: cannot be read ({why}); every file is looked at anew",)


def _in_memory(path: Path, source: sqlite3.Connection | None) -> sqlite3.Connection:
    memory = _connect("file::memory:")
    try:
        if source is not None:
            source.backup(memory)
        _prepare(path, memory)
    except BaseException:
        memory.close()
        raise
    return memory


def _row(project: NormalizedName, record: FileRecord) -> tuple[str, str, str, int, int, int]:
    name, stat = record.filename, record.stat
    return project, name, record.sha256, stat.size, _signed(stat.mtime_ns), _signed(stat.inode)


def _signed(number: int) -> int:
    """The number in 64 bits with a sign, as SQLite has them; some file systems use all 64 for inodes."""
    return (number + 2**63) % 2**64 - 2**63


def _unsigned(number: int) -> int:
    return number % 2**64
