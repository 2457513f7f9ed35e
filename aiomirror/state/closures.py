"""Closures of earlier runs: what was chosen, and the pages that the choice rests on."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from packaging.utils import NormalizedName

    Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]

KEPT = 16
"""How many closures are kept: one or two for each job that fills the same mirror."""


class PageMark(msgspec.Struct, frozen=True, gc=False):
    """By what a page can be told from a later one."""

    digest: str
    """sha256 of its bytes."""
    etag: str | None = None
    last_modified: str | None = None
    serial: int | None = None


class ClosureRecord(msgspec.Struct, frozen=True):
    """A closure as it was found: ``content`` is its own, in what JSON has."""

    pages: Mapping[NormalizedName, PageMark]
    root: str | None
    """Entity tag of the root index that had the serials of these pages."""
    content: Mapping[str, Any]


class Closures:
    """A part of the state, which lends it its connection; every method may raise DestinationError."""

    def __init__(self, using: Opened, changing: Opened) -> None:
        self._using, self._changing = using, changing

    def recall(self, demand: str) -> ClosureRecord | None:
        """The closure that was found for this demand, a digest of all that it follows from."""
        with self._using() as connection:
            query = "SELECT pages, root, content FROM closures WHERE demand = ?"
            row = connection.execute(query, (demand,)).fetchone()
            if row is None:
                return None
            marks = {
                cast("NormalizedName", name): PageMark(*mark) for name, mark in _unpacked(row[0]).items()
            }
            return ClosureRecord(marks, row[1], _unpacked(row[2]))

    def save(self, demand: str, record: ClosureRecord) -> None:
        """Keep the closure in place of an earlier one of the same demand; the oldest ones are dropped."""
        pages = {
            name: (one.digest, one.etag, one.last_modified, one.serial) for name, one in record.pages.items()
        }
        with self._changing() as connection:
            connection.execute("DELETE FROM closures WHERE demand = ?", (demand,))
            connection.execute(
                "INSERT INTO closures (demand, pages, root, content) VALUES (?, ?, ?, ?)",
                (demand, _packed(pages), record.root, _packed(record.content)),
            )
            connection.execute(
                "DELETE FROM closures WHERE id NOT IN (SELECT id FROM closures ORDER BY id DESC LIMIT ?)",
                (KEPT,),
            )

    def confirm(self, demand: str, root: str) -> None:
        """Note that the root index with this entity tag has the serials of the pages."""
        with self._changing() as connection:
            connection.execute("UPDATE closures SET root = ? WHERE demand = ?", (root, demand))


def _packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def _unpacked(packed: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(zlib.decompress(packed))
    return value
