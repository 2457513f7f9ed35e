"""The desired state as it was last known: what asks for files, what nothing asks for, and the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from aiomirror.plan import Visited
from aiomirror.pruning import WHOLE, Tombstone
from aiomirror.state.reasons import NONE, unpacked

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from packaging.utils import NormalizedName

    from aiomirror.pruning import FileKey

    Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]

RUNS = 100
"""How many runs are kept."""
PROBLEMS = 1000
"""How many problems of a run are kept; where an upstream is down, each project has one."""
_PAGES = ("index.html", "index.v1_json")
_METADATA = ".metadata"
_DISTRIBUTIONS = f"FROM files WHERE filename NOT LIKE '%{_METADATA}' AND filename NOT IN (?, ?)"


class Trouble(msgspec.Struct, frozen=True):
    """What failed in the last run of its kind, in one line; ``project`` and ``filename`` are "" for none.

    ``seen``: when that run began, in seconds since 1970.
    """

    project: str
    filename: str
    message: str
    seen: int = 0


class Run(msgspec.Struct, frozen=True):
    """One run: ``started`` in seconds since 1970, how long it took in seconds, and what came of it.

    A run that is under way, or was killed, has no end.  ``complete``: there was an answer, good or bad, about
    everything that it asked for.
    """

    verb: str
    started: int
    seconds: float | None = None
    exit_code: int | None = None
    complete: bool = False
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()
    """Of the last run of each verb; not read back with it."""


class Desired:
    """A part of the state, which lends it its connection; every method may raise DestinationError."""

    def __init__(self, using: Opened, changing: Opened) -> None:
        self._using, self._changing = using, changing

    # -- what asks for files

    def visited(self, project: NormalizedName) -> Visited | None:
        """What the last visit of the project found that was obeyed."""
        with self._using() as connection:
            query = "SELECT seen, listed, wanted FROM visits WHERE project = ?"
            row = connection.execute(query, (project,)).fetchone()
            if row is None:
                return None
            wanted = {name: tuple(texts) for name, texts in json.loads(row[2]).items()}
            return Visited(row[0], row[1], wanted)

    @staticmethod
    def save_visits(connection: sqlite3.Connection, visited: Mapping[NormalizedName, Visited]) -> None:
        """Keep visits, as a part of somebody's transaction."""
        rows = [(name, one.seen, one.listed, json.dumps(one.wanted_by)) for name, one in visited.items()]
        connection.executemany("REPLACE INTO visits VALUES (?, ?, ?, ?)", rows)
        reasons = [(name, one.left_out or NONE) for name, one in visited.items()]
        # Most visits find new files and the same reasons for the old ones, many the same altogether.
        connection.executemany(
            "INSERT INTO reasons VALUES (?, ?) ON CONFLICT (project) DO UPDATE "
            "SET left_out = excluded.left_out WHERE left_out != excluded.left_out",
            reasons,
        )

    def left_out(self, project: NormalizedName) -> dict[str, str] | None:
        """File name → why the last visit that was obeyed left it out; None where none has said."""
        with self._using() as connection:
            row = connection.execute("SELECT left_out FROM reasons WHERE project = ?", (project,)).fetchone()
            return None if row is None else unpacked(row[0])

    def asked(self) -> set[tuple[str, str, str]]:
        """The requirements of the last complete run: project, text, origin."""
        with self._using() as connection:
            return set(connection.execute("SELECT project, text, origin FROM asked"))

    def save_asked(self, asked: Collection[tuple[str, str, str]]) -> None:
        """Keep these in place of all that were asked; nothing is written where they are the same."""
        known, now = self.asked(), set(asked)
        if known == now:
            return
        with self._changing() as connection:
            connection.executemany(
                "DELETE FROM asked WHERE project = ? AND text = ? AND origin = ?", known - now
            )
            connection.executemany("INSERT INTO asked VALUES (?, ?, ?)", now - known)

    # -- what nothing asks for

    def tombstones(self) -> dict[FileKey, Tombstone]:
        """All of them."""
        with self._using() as connection:
            rows = connection.execute("SELECT project, filename, since, why FROM tombstones")
            return {(row[0], row[1]): Tombstone(*row) for row in rows}

    def save_tombstones(
        self, tombstones: Mapping[FileKey, Tombstone], known: Mapping[FileKey, Tombstone]
    ) -> None:
        """Have these in place of the ``known`` ones; nothing is written where they are the same."""
        gone = known.keys() - tombstones.keys()
        changed = [one for key, one in tombstones.items() if known.get(key) != one]
        if not gone and not changed:
            return
        with self._changing() as connection:
            connection.executemany("DELETE FROM tombstones WHERE project = ? AND filename = ?", gone)
            rows = [(one.project, one.filename, one.since, one.why) for one in changed]
            connection.executemany("REPLACE INTO tombstones VALUES (?, ?, ?, ?)", rows)

    def forget(self, keys: Iterable[FileKey]) -> None:
        """Drop what is known of these files, or whole projects."""
        names = list(keys)
        whole = [(project,) for project, name in names if name == WHOLE]
        with self._changing() as connection:
            for table in ("files", "tombstones", "local_files"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE project = ? AND filename = ?",  # noqa: S608 (constants)
                    names,
                )
            for table in ("files", "settled", "visits", "tombstones", "reasons", "local_files"):
                connection.executemany(f"DELETE FROM {table} WHERE project = ?", whole)  # noqa: S608 (as above)

    def unsettle(self, project: NormalizedName, pages: Iterable[str]) -> None:
        """Note that these pages of the project are gone, so that the next run looks at it again."""
        with self._changing() as connection:
            connection.executemany(
                "DELETE FROM files WHERE project = ? AND filename = ?", [(project, name) for name in pages]
            )
            connection.execute("DELETE FROM settled WHERE project = ?", (project,))

    def held(self) -> int:
        """How many distribution files there are records of."""
        with self._using() as connection:
            count: int = connection.execute(f"SELECT count(*) {_DISTRIBUTIONS}", _PAGES).fetchone()[0]
        return count

    def recorded(self) -> tuple[set[NormalizedName], set[NormalizedName]]:
        """The projects with records of files that upstream had, and those with local files only."""
        with self._using() as connection:
            every = {project for (project,) in connection.execute("SELECT DISTINCT project FROM files")}
            local = {project for (project,) in connection.execute("SELECT project FROM local_files")}
            if not local:
                return every, local
            others = f"SELECT project, filename {_DISTRIBUTIONS} EXCEPT SELECT * FROM local_files"  # noqa: S608 (constants)
            mirrored = {project for project, _ in connection.execute(others, _PAGES)}
            return mirrored, local - mirrored

    def projects(self) -> set[NormalizedName]:
        """Every project of which anything is known, be it only that it was asked for in vain.

        But for those that only files are known of: they have folders, and are long to find here.
        """
        tables = ("settled", "visits", "asked", "tombstones", "problems")
        query = " UNION ".join(f"SELECT project FROM {table}" for table in tables)  # noqa: S608 (constants)
        with self._using() as connection:
            return {name for (name,) in connection.execute(query) if name}

    # -- runs

    def troubles(self, project: NormalizedName) -> list[Trouble]:
        """What failed of a project in the last run of each verb."""
        with self._using() as connection:
            rows = connection.execute(
                "SELECT project, filename, message, seen FROM problems WHERE project = ? ORDER BY rowid",
                (project,),
            ).fetchall()
        return [Trouble(*row) for row in rows]

    def runs(self) -> list[Run]:
        """The last runs, the newest first."""
        with self._using() as connection:
            rows = connection.execute(
                "SELECT verb, started, seconds, exit_code, complete, counts FROM runs ORDER BY number DESC"
            )
            return [
                Run(verb, started, seconds, code, bool(complete), json.loads(counts))
                for verb, started, seconds, code, complete, counts in rows
            ]

    def begin_run(self, run: Run) -> int:
        """Note that a run is under way, and forget the oldest; its number."""
        with self._changing() as connection:
            cursor = connection.execute(
                "INSERT INTO runs (verb, started, complete, counts) VALUES (?, ?, 0, '{}')",
                (run.verb, run.started),
            )
            assert cursor.lastrowid is not None
            connection.execute("DELETE FROM runs WHERE number <= ?", (cursor.lastrowid - RUNS,))
        return cursor.lastrowid

    def end_run(self, number: int, run: Run) -> None:
        """Keep what came of the run of this number."""
        row = (run.seconds, run.exit_code, run.complete, json.dumps(dict(run.counts)), number)
        with self._changing() as connection:
            connection.execute(
                "UPDATE runs SET seconds = ?, exit_code = ?, complete = ?, counts = ? WHERE number = ?", row
            )
            connection.execute("DELETE FROM problems WHERE verb = ?", (run.verb,))
            connection.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?)",
                [
                    (run.verb, one.project, one.filename, one.message, run.started)
                    for one in run.troubles[:PROBLEMS]
                ],
            )


def is_distribution(filename: str) -> bool:
    """Whether the record is of a distribution file, and not of a page or of core metadata beside one."""
    return not filename.endswith(_METADATA) and filename not in _PAGES
