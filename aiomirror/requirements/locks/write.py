"""The files of a mirror → the text of a ``pylock.toml`` (PEP 751) that installs them and nothing else.

Files are named by ``path``, relative to where the lock file lies: the address that a mirror will be served
at is not known when it is made.  The same packages give the same bytes.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from packaging.utils import NormalizedName

CREATED_BY = "aiomirror"
LOCK_VERSION = "1.0"


class LockFile(msgspec.Struct, frozen=True):
    """One file of a package; at least one hash, ``size`` in bytes, the time in UTC where it has no zone."""

    filename: str
    hashes: Mapping[str, str]
    size: int | None = None
    upload_time: datetime | None = None


class LockPackage(msgspec.Struct, frozen=True):
    """One version of a project, with its files."""

    project: NormalizedName
    version: str
    files: Sequence[LockFile]
    requires_python: str | None = None
    marker: str | None = None
    """Where it is to be installed; None: everywhere."""


def write_pylock(
    packages: Iterable[LockPackage],
    folder: str = ".",
    *,
    environments: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> str:
    """The text of the lock file.

    ``folder`` is the way from the lock file to the folder that has a folder for each project.  Files that
    PEP 751 has no room for are left out, see ``unlockable``, and with them packages that have no others.  A
    project may come in several versions; installers want markers to choose by then, and refuse without.
    They refuse the whole lock where none of the markers in ``environments`` holds, if there are any.
    ``groups`` are the dependency groups of which markers speak; none is installed unless it is asked for.
    """
    tables = [_package(package, folder) for package in sorted(packages, key=_order) if _lockable(package)]
    head = [f"lock-version = {_text(LOCK_VERSION)}"]
    if environments:
        head += ["environments = [", *(f"    {_text(marker)}," for marker in environments), "]"]
    if groups:
        head.append(f"dependency-groups = [{', '.join(map(_text, groups))}]")
    head.append(f"created-by = {_text(CREATED_BY)}")
    return "\n".join([*head, *([] if tables else ["packages = []"]), "", "\n".join(tables)]).rstrip() + "\n"


def unlockable(package: LockPackage) -> list[str]:
    """The names of the files that a lock has no room for, sorted.

    These are the ones that are neither wheels nor source archives as the specifications name them, and
    source archives beside another one, of which there can be one only: ``.tar.gz`` before ``.zip``.
    """
    kept = {file.filename for file in _lockable(package)}
    return sorted(file.filename for file in package.files if file.filename not in kept)


def _order(package: LockPackage) -> tuple[str, bool, Version, str, str]:
    version = _version(package.version)
    return (
        package.project,
        version is not None,
        version or Version("0"),
        package.version,
        package.marker or "",
    )


def _lockable(package: LockPackage) -> list[LockFile]:
    """The wheels, and behind them at most one source archive.

    Of wheels for the same machine installers take the first, so a higher build goes before others (PEP 427).
    """
    named = {file.filename: file for file in package.files if _is_of(file.filename, package)}
    names = sorted(sorted(named), key=_build, reverse=True)  # stable
    sdists = [name for name in names if not name.endswith(".whl")]
    sdists.sort(key=lambda name: not name.endswith(".tar.gz"))  # stable
    return [named[name] for name in names if name.endswith(".whl")] + [named[name] for name in sdists[:1]]


def _is_of(filename: str, package: LockPackage) -> bool:
    """Whether the name is that of a wheel or source archive of this version, by the strict rules."""
    try:
        name, version = (
            parse_wheel_filename(filename)[:2]
            if filename.endswith(".whl")
            else parse_sdist_filename(filename)
        )
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False
    return name == package.project and version == _version(package.version)


def _build(filename: str) -> tuple[int, str]:
    """A wheel's build as it is ordered; below all of them where there is none."""
    build = parse_wheel_filename(filename)[2] if filename.endswith(".whl") else ()
    return build or (-1, "")


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _package(package: LockPackage, folder: str) -> str:
    *wheels, last = _lockable(package)
    sdist = None if last.filename.endswith(".whl") else last
    wheels += [] if sdist else [last]
    lines = [
        "[[packages]]",
        f"name = {_text(package.project)}",
        f"version = {_text(str(Version(package.version)))}",
    ]
    if package.marker is not None:
        lines.append(f"marker = {_text(package.marker)}")
    if package.requires_python and _is_specifier(package.requires_python):
        lines.append(f"requires-python = {_text(package.requires_python)}")
    if sdist:
        lines.append(f"sdist = {_file(package, sdist, folder)}")
    if wheels:
        lines += ["wheels = [", *(f"    {_file(package, wheel, folder)}," for wheel in wheels), "]"]
    return "\n".join([*lines, ""])


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def _file(package: LockPackage, file: LockFile, folder: str) -> str:
    return f"{{ {', '.join(f'{key} = {value}' for key, value in _keys(package, file, folder))} }}"


def _keys(package: LockPackage, file: LockFile, folder: str) -> Iterator[tuple[str, str]]:
    yield "name", _text(file.filename)
    if file.upload_time is not None:
        yield "upload-time", _time(file.upload_time)
    yield "path", _text(f"{folder}/{package.project}/{file.filename}")
    if file.size is not None:
        yield "size", str(file.size)
    hashes = (f"{key} = {_text(value)}" for key, value in sorted(file.hashes.items()))
    yield "hashes", f"{{ {', '.join(hashes)} }}"


def _time(time: datetime) -> str:
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def _text(text: str) -> str:
    """A basic string of TOML: one of JSON, but that DEL has to be escaped, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
