"""``uv.lock``, version 1 of its format."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from aiomirror.requirements.locks.edges import read_graph
from aiomirror.requirements.locks.packages import (
    ITSELF,
    LOCAL_FILE,
    LOCAL_PROJECT,
    URL,
    VERSION_CONTROL,
    Opened,
    bounds_of,
    elsewhere,
    files_of,
    locked,
    union,
)
from aiomirror.requirements.values import LineError, excerpt

if TYPE_CHECKING:
    from aiomirror.requirements.documents import Table
    from aiomirror.requirements.locks.packages import Elsewhere, Locked

VERSION = 1
"""A ``revision`` beside it adds only what readers may pass over."""

_ELSEWHERE = {
    "virtual": LOCAL_PROJECT,
    "editable": LOCAL_PROJECT,
    "directory": LOCAL_PROJECT,
    "path": LOCAL_FILE,
    "git": VERSION_CONTROL,
    "url": URL,
}


def open_uv(document: Table) -> Opened:
    """The packages of the lock; LineError for another version of the format."""
    version = document.need("version", int)
    if version != VERSION:
        raise LineError(f"version {version} of uv's lock files cannot be read, only version {VERSION}")
    tables = document.tables("package")
    return Opened(
        [partial(_package, table) for table in tables],
        bounds=bounds_of(_markers(document, "supported-markers"), _requires_python(document)),
        dependencies=lambda: read_graph(document, tables, [_marker(table) for table in tables]).needed,
    )


def _package(table: Table) -> Locked | Elsewhere:
    table.need("source", dict)
    source = table.table("source")
    if source.get("registry", str) is None:
        return elsewhere(table, _why(source), _marker(table))
    sdist = [table.table("sdist")] if "sdist" in table.values else []
    files = files_of([*sdist, *table.tables("wheels")], "filename", "url", "path")
    return locked(table, files, _marker(table))


def _why(source: Table) -> str:
    for key, why in _ELSEWHERE.items():
        place = source.get(key, str)
        if place is not None:
            return ITSELF if place == "." else why
    raise LineError(f"{source.path}: no kind of source that is known here")


def _marker(table: Table) -> Marker | None:
    """Where the package is one of several versions, the environments that it is for."""
    return union(_markers(table, "resolution-markers"))


def _markers(table: Table, key: str) -> list[Marker]:
    """The environment markers of a list."""
    markers = []
    for place, text in enumerate(table.texts(key)):
        try:
            markers.append(Marker(text))
        except (ValueError, RecursionError):
            raise table.error(f"{key}[{place}]", f"{excerpt(text)} is no environment marker") from None
    return markers


def _requires_python(document: Table) -> SpecifierSet | None:
    text = document.get("requires-python", str)
    try:
        return SpecifierSet(text) if text else None
    except ValueError:
        raise document.error("requires-python", f"{excerpt(text or '')} is no version specifier") from None
