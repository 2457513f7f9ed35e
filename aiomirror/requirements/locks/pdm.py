"""``pdm.lock``, version 4 of its format."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from packaging.version import Version

from aiomirror.requirements.locks.packages import (
    LOCAL_FILE,
    LOCAL_PROJECT,
    URL,
    VERSION_CONTROL,
    Opened,
    elsewhere,
    files_of,
    locked,
    marker_of,
    version_of,
)
from aiomirror.requirements.values import LineError

if TYPE_CHECKING:
    from aiomirror.requirements.documents import Table
    from aiomirror.requirements.locks.packages import Elsewhere, Locked

NEWEST = Version("4.5.0")

_ARCHIVES = (".whl", ".zip", ".gz", ".bz2", ".xz", ".tar", ".tgz")


def open_pdm(document: Table) -> Opened:
    """The packages of the lock; LineError for another version of the format."""
    metadata = document.table("metadata")
    version = version_of(metadata, "lock_version")
    if version.major != NEWEST.major:
        raise LineError(f"version {version} of PDM's lock files cannot be read, only {NEWEST.major}.x")
    warnings = [f"version {version} of PDM's lock files is newer than {NEWEST}"] if version > NEWEST else []
    files = metadata.table("files")
    return Opened([partial(_package, table, files) for table in document.tables("package")], warnings)


def _package(table: Table, together: Table) -> Locked | Elsewhere:
    if why := _why(table):
        return elsewhere(table, why, marker_of(table, "marker"))
    if "files" in table.values:
        listed = table.tables("files")
    else:  # before 4.3 the files of all packages stood together, by name and version
        listed = together.tables(f"{table.need('name', str)} {table.need('version', str)}")
    return locked(table, files_of(listed, "file", "url"), marker_of(table, "marker"))


def _why(table: Table) -> str | None:
    """Why no index offers the package, or None."""
    if any(key in table.values for key in ("git", "hg", "svn", "bzr")):
        return VERSION_CONTROL
    path = table.get("path", str)
    if path is not None:
        return LOCAL_FILE if path.endswith(_ARCHIVES) else LOCAL_PROJECT
    return URL if table.get("url", str) is not None else None
