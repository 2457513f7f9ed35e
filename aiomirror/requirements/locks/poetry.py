"""``poetry.lock``, from version 1.0 of its format to 2.x."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
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
    union,
    version_of,
)
from aiomirror.requirements.values import LineError, excerpt

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.utils import NormalizedName

    from aiomirror.requirements.documents import Table
    from aiomirror.requirements.locks.packages import Elsewhere, Locked
    from aiomirror.requirements.values import Hashes

NEWEST = Version("2.1")

_ELSEWHERE = {"directory": LOCAL_PROJECT, "file": LOCAL_FILE, "git": VERSION_CONTROL, "url": URL}


def open_poetry(document: Table) -> Opened:
    """The packages of the lock; LineError for another version of the format."""
    metadata = document.table("metadata")
    version = _version(metadata)
    if not 1 <= version.major <= NEWEST.major:
        raise LineError(f"version {version} of Poetry's lock files cannot be read, only 1.x and 2.x")
    warnings = (
        [f"version {version} of Poetry's lock files is newer than {NEWEST}"] if version > NEWEST else []
    )
    # Before 1.2 of Poetry the files of all packages stood together, by name.
    together = metadata.table("files")
    by_name = {canonicalize_name(name): together.tables(name) for name in together.values}
    return Opened([partial(_package, table, by_name) for table in document.tables("package")], warnings)


def _version(metadata: Table) -> Version:
    if "lock-version" in metadata.values:
        return version_of(metadata, "lock-version")
    if "files" in metadata.values:
        return Version("1.0")  # which did not say so
    raise metadata.error("lock-version", "it is missing; Poetry 1.0 and later write it, or metadata.files")


def _package(table: Table, by_name: dict[NormalizedName, list[Table]]) -> Locked | Elsewhere:
    kind = table.table("source").get("type", str)
    if kind is not None and kind != "legacy":  # which is any index but the default one
        return elsewhere(table, _why(table, kind), _marker(table))
    if "files" in table.values:
        files = files_of(table.tables("files"), "file")
    else:
        name = canonicalize_name(table.need("name", str))
        files = _of_version(files_of(by_name.get(name, ()), "file"), version_of(table))
    return locked(table, files, _marker(table))


def _why(table: Table, kind: str) -> str:
    if kind not in _ELSEWHERE:
        raise table.table("source").error("type", f"{excerpt(kind)} is no kind of source that is known here")
    return _ELSEWHERE[kind]


def _of_version(files: dict[str, Hashes], version: Version) -> dict[str, Hashes]:
    """The files without those that, by their names, are of another version of the project."""
    return {name: hashes for name, hashes in files.items() if _version_in(name) in {None, version}}


def _version_in(name: str) -> Version | None:
    try:
        return parse_wheel_filename(name)[1] if name.endswith(".whl") else parse_sdist_filename(name)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None


def _marker(table: Table) -> Marker | None:
    """The marker: one for all dependency groups, or one for each, where all have one."""
    if not isinstance(table.values.get("markers"), dict):
        return marker_of(table, "markers")
    markers = table.table("markers")
    found = [marker for group in markers.values if (marker := marker_of(markers, group))]
    return union(found) if set(table.texts("groups")) <= markers.values.keys() else None
