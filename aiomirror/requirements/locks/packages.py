"""What the formats of lock files have in common: packages, their files, and what is locked from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import msgspec
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from aiomirror.requirements.locks.needs import Holds
from aiomirror.requirements.options import WEAK, parse_hash
from aiomirror.requirements.values import Hashes, LineError, Wanted, excerpt, project_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.requirements.documents import Table

ITSELF = "it is the project itself"
LOCAL_PROJECT = "it is a local project, not one of the index"
LOCAL_FILE = "it is a local file, not a project of the index"
VERSION_CONTROL = "it comes from version control, not from the index"
URL = "it comes from a URL, not from the index"

MAX_VERSION = 240
"""Characters; a longer text is no version, whatever it says."""


class Locked(msgspec.Struct, frozen=True):
    """A package that an index offers: the one version, and by name the files that the lock lists."""

    project: NormalizedName
    version: Version
    files: Mapping[str, Hashes]
    marker: Marker | None = None

    def wanted(self, origin: str, targets: tuple[str, ...] = ()) -> Wanted:
        """The requirement that asks for these files and no others, for these targets; none: for all."""
        return Wanted(
            project=self.project,
            specifier=SpecifierSet(f"=={self.version}"),
            marker=self.marker,
            origin=origin,
            text=f"{self.project}=={self.version}",
            files=self.files,
            targets=targets,
        )


class Elsewhere(msgspec.Struct, frozen=True):
    """A package that is locked, and that no index offers; ``text`` is its name and version."""

    text: str
    why: str
    marker: Marker | None = None


Read = Callable[[], Locked | Elsewhere]
"""Reads one package; LineError for one that is wrong."""


Needed = Callable[[Holds], set[int]]
"""The places, from 0, of the packages that one environment needs."""


class Opened(NamedTuple):
    """A lock file of a version that is known, with its packages yet to be read."""

    packages: Sequence[Read]
    warnings: Sequence[str] = ()
    bounds: Sequence[Marker] = ()
    """All of them hold where the lock is for."""
    dependencies: Callable[[], Needed] | None = None
    """Reads what the packages need, LineError for what is wrong with it; None: their markers say it all."""


def locked(table: Table, files: Mapping[str, Hashes], marker: Marker | None = None) -> Locked:
    """The package of a table that has its ``name`` and ``version``."""
    if not files:
        raise LineError(f"{table.path}: no file of it is locked")
    return Locked(name_of(table), version_of(table), files, marker)


def elsewhere(table: Table, why: str, marker: Marker | None = None) -> Elsewhere:
    """As ``locked``, for a package of which the index has no file.  It need not have a version."""
    name = name_of(table)
    return Elsewhere(f"{name}=={version_of(table)}" if "version" in table.values else name, why, marker)


def name_of(table: Table) -> NormalizedName:
    """The project's name."""
    try:
        return project_name(table.need("name", str))
    except LineError as error:
        raise (
            error if str(error).startswith(table.where("name")) else table.error("name", str(error))
        ) from None


def version_of(table: Table, key: str = "version") -> Version:
    """The version that a key states; LineError for a text that PEP 440 does not know."""
    text = table.need(key, str)
    try:
        if len(text) <= MAX_VERSION:
            return Version(text)
    except ValueError:
        pass
    raise table.error(key, f"{excerpt(text)} is no version")


def marker_of(table: Table, key: str) -> Marker | None:
    """The environment marker of a key, if there is one."""
    text = table.get(key, str)
    try:
        return Marker(text) if text else None
    except (ValueError, RecursionError):
        raise table.error(key, f"{excerpt(text or '')} is no environment marker") from None


def union(markers: Iterable[Marker]) -> Marker | None:
    """The marker that holds where one of these does; None, which always holds, if there is none."""
    # As text, for "|" nests one level for each marker, and lock files may have many.
    text = " or ".join(f"({marker})" for marker in markers)
    return Marker(text) if text else None


def bounds_of(environments: Iterable[Marker], requires_python: SpecifierSet | None) -> list[Marker]:
    """The markers that hold where one of the environments does, and where Python is such a one."""
    # "===" compares any text, which need not be fit for a marker.
    ordered = [one for one in requires_python or () if one.operator != "==="]
    pythons = [f'python_full_version {one.operator} "{one.version}"' for one in ordered]
    return [marker for marker in (union(environments), *map(Marker, pythons)) if marker is not None]


def files_of(tables: Iterable[Table], *names: str) -> dict[str, Hashes]:
    """The files of a list, with their hashes; ``names`` are the keys that a name can be read from."""
    files: dict[str, Hashes] = {}
    for table in tables:
        name = filename_of(table, *names)
        text = table.get("hash", str)
        files[name] = files.get(name, frozenset()) | (
            hashes_of(table, "hash", [text]) if text else frozenset()
        )
    return files


def filename_of(table: Table, *names: str) -> str:
    """The name of a file: what the first of the keys that is there says, or ends in."""
    for key in names:
        text = table.get(key, str)
        if text is not None:
            return plain_filename(table, key, basename(text) if key in {"url", "path"} else text)
    raise table.error(names[0], "it is missing")


def basename(address: str) -> str:
    """The last part of a path or a URL, without query and fragment."""
    if "://" in address:
        return unquote(re.split(r"[?#]", address)[0].rpartition("/")[2])
    return re.split(r"[/\\]", address)[-1]


def plain_filename(table: Table, key: str, name: str) -> str:
    """The name, if a page of an index can list it; LineError else."""
    if not name or not name.isprintable() or re.search(r"[/\\]", name):
        raise table.error(key, f"{excerpt(name)} is no file name")
    return name


def hashes_of(table: Table, key: str, texts: Iterable[str]) -> Hashes:
    """The hashes of one file, ``algorithm:hex`` each.

    All of them are of the same bytes, so those that can be forged add nothing to the others.
    """
    try:
        hashes = frozenset(map(parse_hash, texts))
    except LineError as error:
        raise table.error(key, str(error).replace("--hash", "it")) from None
    return frozenset(one for one in hashes if one[0] not in WEAK) or hashes
