"""The desired state as it was last known: what asks for files, what nothing asks for, and the runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiomirror.plan import Visited
from aiomirror.pruning import WHOLE, Tombstone

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from packaging.utils import NormalizedName

    from aiomirror.pruning import FileKey

    Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]

RUNS = 100
"""How many runs are kept."""
_PAGES = ("index.html", "index.v1_json")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: ``started`` in seconds since 1970, how long it took in seconds, and what came of it.

    A run that is under way, or was killed, has no end.  ``complete``: there was an answer, good or bad, about
    everything that it asked for.
    """

    verb: str
    started: int
    seconds: float | None = None
    exit_code: int | None = None
    complete: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


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
            for table in ("files", "tombstones"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE project = ? AND filename = ?",  # noqa: S608 (constants)
                    names,
                )
            for table in ("files", "settled", "visits", "tombstones"):
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
            count: int = connection.execute(
                "SELECT count(*) FROM files WHERE filename NOT LIKE '%.metadata' AND filename NOT IN (?, ?)",
                _PAGES,
            ).fetchone()[0]
        return count

    # -- runs

    def runs(self) -> list[Run]:
        """The last runs, the newest first."""
        with self._using() as connection:
            rows = connection.execute(
                "SELECT verb, started, seconds, exit_code, complete, counts FROM runs ORDER BY number DESC"
            ).fetchall()
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
