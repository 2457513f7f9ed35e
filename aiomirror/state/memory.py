"""What is kept, and how it is asked for."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import msgspec

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord, FileStat, Remembered, Settled
from aiomirror.state.closures import Closures
from aiomirror.state.database import (
    UNREADABLE,
    connect,
    is_damage,
    move_aside,
    transaction,
    translated,
)
from aiomirror.state.desired import Desired, is_distribution

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from packaging.utils import NormalizedName

    from aiomirror.plan import Visited

_OF = "WHERE project IN (SELECT value FROM json_each(?))"
_RECORDS = f"SELECT project, filename, sha256, size, mtime_ns, inode FROM files {_OF}"  # noqa: S608 (constants)
_LOCAL = f"SELECT project, filename FROM local_files {_OF}"  # noqa: S608 (as above)
_SETTLED = (
    "SELECT project, demand, digest, etag, last_modified, serial, root, wanted, left_out "  # noqa: S608 (as above)
    f"FROM settled {_OF}"
)
_NAMES = msgspec.json.Decoder(tuple[str, ...])
_COUNTS = msgspec.json.Decoder(dict[str, int])


class Root(msgspec.Struct, frozen=True):
    """An upstream's root index as it was last seen: its entity tag, and its length in bytes at the least."""

    etag: str | None
    length: int


class State:
    """An open state; a context manager that closes it.

    ``warnings`` are what was wrong with the file, a line each.  Every method may raise DestinationError, and
    may be called from any thread; one process writes at a time, the one that holds the mirror.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, warnings: tuple[str, ...] = (), *, writable: bool
    ) -> None:
        self.path, self.warnings = path, warnings
        self._connection, self._writable = connection, writable
        self._lock = threading.Lock()
        self.desired = Desired(self._using, self._changing)
        """What was asked for, what nothing asks for any more, and the runs that found it out."""
        self.closures = Closures(self._using, self._changing)
        """What was chosen when dependencies were followed."""

    @classmethod
    def open(cls, path: Path, *, writable: bool = True) -> Self:
        """Open the state, make it where there is none, and bring its schema up to date.

        Without ``writable`` nothing on disk is changed, and what is saved is forgotten.

        Raises:
            DestinationError: a newer aiomirror wrote it, or the disk refuses.
        """
        return cls(path, *connect(path, writable=writable), writable=writable)

    def recall(self, projects: Sequence[NormalizedName]) -> dict[NormalizedName, Remembered]:
        """What is known of each of these projects; nothing, for one that is not known."""
        names = json.dumps(projects)
        records: defaultdict[str, dict[str, FileRecord]] = defaultdict(dict)
        with self._using() as connection:
            for project, filename, sha256, size, mtime_ns, inode in connection.execute(_RECORDS, (names,)):
                stat = FileStat(size, mtime_ns, inode % 2**64)  # without the sign that SQLite has it with
                records[project][filename] = FileRecord(filename, sha256, stat)
            settled = {row[0]: _settled(*row[1:]) for row in connection.execute(_SETTLED, (names,))}
            local: defaultdict[str, set[str]] = defaultdict(set)
            for project, filename in connection.execute(_LOCAL, (names,)):
                local[project].add(filename)
        return {
            name: Remembered(name, records.get(name, {}), settled.get(name), frozenset(local.get(name, ())))
            for name in projects
        }

    def save(
        self,
        batch: Collection[Remembered],
        visited: Mapping[NormalizedName, Visited] | None = None,
        upstreams: Mapping[NormalizedName, Collection[str]] | None = None,
    ) -> None:
        """Keep this of each project in place of all that was known of it; all of the batch or nothing.

        ``visited`` are the visits that were obeyed; of other projects what the last one found is kept.
        ``upstreams`` are the files that are known to be upstream's: new ones that are not are local, and
        local ones stay so.
        """
        names = json.dumps([one.project for one in batch])
        files = [_row(one.project, record) for one in batch for record in one.records.values()]
        settled = [_settled_row(one.project, one.settled) for one in batch if one.settled is not None]
        doubtful = [
            (one.project, name)
            for one in batch
            for name in one.records
            if name not in (upstreams or {}).get(one.project, ()) and is_distribution(name)
        ]
        with self._changing() as connection:
            local = _local(connection, doubtful, names) if doubtful else ()
            connection.execute(f"DELETE FROM files {_OF}", (names,))  # noqa: S608 (constants)
            connection.execute(f"DELETE FROM settled {_OF}", (names,))  # noqa: S608 (as above)
            connection.execute(f"DELETE FROM local_files {_OF}", (names,))  # noqa: S608 (as above)
            connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", files)
            connection.executemany("INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", settled)
            connection.executemany("INSERT INTO local_files VALUES (?, ?)", local)
            self.desired.save_visits(connection, visited or {})

    def confirm(self, projects: Sequence[NormalizedName], root: str) -> None:
        """Note that the root index with this entity tag has the serials that are kept of these projects."""
        with self._changing() as connection:
            connection.execute(f"UPDATE settled SET root = ? {_OF}", (root, json.dumps(projects)))  # noqa: S608 (as above)

    def serials(self) -> int:
        """Of how many settled projects a serial is known."""
        with self._using() as connection:
            count: int = connection.execute("SELECT count(serial) FROM settled").fetchone()[0]
        return count

    def root(self, url: str) -> Root | None:
        """What was seen of the root index at ``url``."""
        with self._using() as connection:
            row = connection.execute("SELECT etag, length FROM roots WHERE url = ?", (url,)).fetchone()
        return None if row is None else Root(*row)

    def save_root(self, url: str, root: Root) -> None:
        """Keep what was seen of the root index at ``url``."""
        with self._changing() as connection:
            connection.execute("REPLACE INTO roots VALUES (?, ?, ?)", (url, root.etag, root.length))

    def close(self) -> None:
        """Close it; everything that was saved stays."""
        with self._lock, suppress(DestinationError), translated(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            yield self._connection

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """For what is read; all that is made of it belongs within."""
        with self._opened() as connection:
            try:
                yield connection
            except (sqlite3.DatabaseError, *UNREADABLE) as error:
                if not is_damage(error):
                    raise
                raise self._given_up(error) from error

    def _given_up(self, error: Exception) -> DestinationError:
        """Where a part of it turns out to be damaged, move it aside: the next run begins it anew."""
        why = f"damaged: {str(error)[:80]}"
        if self._writable:
            self._connection.close()
            why += f"; moved to {move_aside(self.path).name}, and begun anew by the next run"
        return DestinationError(str(self.path), why)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as connection, transaction(connection):
            yield connection


def _local(
    connection: sqlite3.Connection, files: Sequence[tuple[str, str]], names: str
) -> list[tuple[str, str]]:
    """Those of the files, each with its project, that are local, or that nothing is known of yet."""
    marked = set(connection.execute(_LOCAL, (names,)))
    known = set(connection.execute(f"SELECT project, filename FROM files {_OF}", (names,)))  # noqa: S608 (as above)
    return [one for one in files if one in marked or one not in known]


def _settled(  # noqa: PLR0917 (a row)
    demand: str,
    digest: str,
    etag: str | None,
    last_modified: str | None,
    serial: int | None,
    root: str | None,
    wanted: str,
    left_out: str,
) -> Settled:
    names, counts = _NAMES.decode(wanted), _COUNTS.decode(left_out)
    return Settled(demand, digest, etag, last_modified, serial, root, names, counts)


def _settled_row(project: NormalizedName, one: Settled) -> tuple[object, ...]:
    return (
        project,
        one.demand,
        one.digest,
        one.etag,
        one.last_modified,
        one.serial,
        one.root,
        msgspec.json.encode(one.wanted).decode(),
        msgspec.json.encode(dict(one.left_out)).decode(),
    )


def _row(project: NormalizedName, record: FileRecord) -> tuple[str, str, str, int, int, int]:
    name, stat = record.filename, record.stat
    return project, name, record.sha256, stat.size, _signed(stat.mtime_ns), _signed(stat.inode)


def _signed(number: int) -> int:
    """The number in 64 bits with a sign, as SQLite has them; some file systems use all 64 for inodes."""
    return (number + 2**63) % 2**64 - 2**63
