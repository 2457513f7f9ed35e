"""The database file: opened, migrated, or moved aside and begun anew."""

from __future__ import annotations

import itertools
import os
import sqlite3
import zlib
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import DestinationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    CREATE TABLE settled (
        project       TEXT PRIMARY KEY,
        demand        TEXT NOT NULL,  -- digest of what was asked of it
        digest        TEXT NOT NULL,  -- sha256 of upstream's page
        etag          TEXT,
        last_modified TEXT,
        serial        INTEGER,
        root          TEXT,           -- entity tag of the root index that had this serial
        wanted        TEXT NOT NULL,  -- JSON array of file names
        left_out      TEXT NOT NULL   -- JSON object, reason to number of files
    ) WITHOUT ROWID;
    CREATE TABLE roots (
        url    TEXT PRIMARY KEY,
        etag   TEXT,
        length INTEGER NOT NULL       -- bytes, or the cap that it exceeded
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE visits (
        project TEXT PRIMARY KEY,
        seen    INTEGER NOT NULL,  -- seconds since 1970
        listed  INTEGER NOT NULL,  -- how many files upstream's page had
        wanted  TEXT NOT NULL      -- JSON object, file name to the texts of the requirements that chose it
    ) WITHOUT ROWID;
    CREATE TABLE asked (
        project TEXT NOT NULL,
        text    TEXT NOT NULL,     -- the requirement as written
        origin  TEXT NOT NULL,     -- file and line, or the command line
        PRIMARY KEY (project, text, origin)
    ) WITHOUT ROWID;
    CREATE TABLE tombstones (
        project  TEXT NOT NULL,
        filename TEXT NOT NULL,    -- empty for everything of the project
        since    INTEGER NOT NULL, -- seconds since 1970
        why      TEXT NOT NULL,
        PRIMARY KEY (project, filename)
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        number    INTEGER PRIMARY KEY,
        verb      TEXT NOT NULL,
        started   INTEGER NOT NULL, -- seconds since 1970
        seconds   REAL,
        exit_code INTEGER,          -- as the last, NULL while it is under way, or when it was killed
        complete  INTEGER NOT NULL, -- whether there was an answer about everything that it asked
        counts    TEXT NOT NULL     -- JSON object, as the totals of its report
    );
    """,
    """
    CREATE TABLE reasons (
        project  TEXT PRIMARY KEY,
        left_out BLOB NOT NULL     -- zlib of a JSON object, reason to file names
    ) WITHOUT ROWID;
    CREATE TABLE problems (
        verb     TEXT NOT NULL,    -- of the last run of each verb
        project  TEXT NOT NULL,    -- empty where it is about none
        filename TEXT NOT NULL,    -- likewise
        message  TEXT NOT NULL,
        seen     INTEGER NOT NULL  -- seconds since 1970
    );
    """,
    """
    CREATE TABLE closures (
        id      INTEGER PRIMARY KEY,
        demand  TEXT NOT NULL UNIQUE,  -- digest of what the closure follows from
        pages   BLOB NOT NULL,         -- zlib of a JSON object, project to digest, validators and serial
        root    TEXT,                  -- entity tag of the root index that had these serials
        content BLOB NOT NULL          -- zlib of a JSON object, the closure itself
    );
    """,
    """
    CREATE TABLE local_files (         -- of those in files: no run fetched them or saw upstream list them
        project  TEXT NOT NULL,
        filename TEXT NOT NULL,
        PRIMARY KEY (project, filename)
    ) WITHOUT ROWID;
    """,
)
"""The schema's versions, each from the one before; how many there are is PRAGMA user_version."""

_TABLES = {
    "files",
    "settled",
    "roots",
    "visits",
    "asked",
    "tombstones",
    "runs",
    "reasons",
    "problems",
    "closures",
    "local_files",
}

_PAGE_SIZE = 2048
"""Bytes: most tables have a few short rows, and the smallest mirror should not be mostly state."""
_BUSY = 5.0
"""Seconds to wait for a reader outside this program."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
UNREADABLE = (ValueError, TypeError, AttributeError, zlib.error, msgspec.MsgspecError)
"""What comes of bytes that SQLite returns and that nobody has written."""


class _Unusable(Exception):  # noqa: N818 (told to nobody: the file is moved aside)
    """The file is damaged, or no database of ours."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done within, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into DestinationError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DestinationError(str(path), str(error)) from error
    except OSError as error:
        raise DestinationError(str(path), error.strerror or str(error)) from error


def connect(path: Path, *, writable: bool) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """A connection to the state of the newest schema, and what was wrong with the file, a line each.

    What cannot be used is moved aside to ``<path>.damaged-<n>``.  Without ``writable`` it is copied into
    memory, or begun there: nothing on disk is changed.

    Raises:
        DestinationError: a newer aiomirror wrote it, or the disk refuses.
    """
    with translated(path):
        if not writable:
            return _copy(path)
        try:
            return _ready(path), ()
        except _Unusable as why:
            aside = move_aside(path)
            return _ready(path), (f"{path}: {why}; moved to {aside.name} and begun anew",)


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
        if isinstance(error, Exception) and is_damage(error):
            raise _Unusable("not a usable database") from error
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file with mode 0600; SQLite would let the umask decide."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def is_damage(error: Exception) -> bool:
    """Whether what was read is no database, or not what was written: text and JSON that are none."""
    if not isinstance(error, sqlite3.DatabaseError):
        return isinstance(error, UNREADABLE)
    # The extended code has the primary one in its lowest byte; of text the module itself complains.
    code = getattr(error, "sqlite_errorcode", None)
    return "decode" in str(error) if code is None else code & 0xFF in _DAMAGED


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    version = _checked_version(path, connection)
    # A crash of the machine may cost the last transactions, which costs time only.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")  # heard by a new file only
    if version < len(_MIGRATIONS):
        # All at once, so that there is no state between two schemas.  A new file has no log yet, which would
        # hold for a while all that is in the file as well.
        with transaction(connection):
            for statement in ";".join(_MIGRATIONS[version:]).split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("PRAGMA journal_mode = WAL")
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


def move_aside(path: Path) -> Path:
    """Give the file, and what SQLite keeps beside it, another name; the new name of the file."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _copy(path: Path) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """The state copied into memory, or an empty one there, and what was wrong with it."""
    try:
        if not _is_there(path):
            return _in_memory(path, None), ()
        # While nobody has it open there is no -wal; "immutable" then keeps SQLite from making one.
        unused = not _is_there(path.with_name(f"{path.name}-wal"))
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if unused else ''}"
        with closing(_connect(uri)) as source:
            _checked_version(path, source)
            return _in_memory(path, source), ()
    except (sqlite3.DatabaseError, UnicodeDecodeError, _Unusable, PermissionError) as error:
        # The folder is closed to all but the user of the runs.
        why = "permission denied" if isinstance(error, PermissionError) else error
        return _in_memory(path, None), (f"{path}: cannot be read ({why}); every file is looked at anew",)


def _is_there(path: Path) -> bool:
    """Unlike ``exists``, of which some versions of Python take a folder that is closed for an empty one."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


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
