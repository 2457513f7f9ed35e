"""``pylock.toml``, the lock file that all tools share (PEP 751); ``packaging`` says what a valid one is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from packaging.pylock import Pylock, PylockValidationError
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from aiomirror.digests import DIGEST_LENGTHS
from aiomirror.requirements.documents import Table
from aiomirror.requirements.locks.packages import (
    LOCAL_FILE,
    LOCAL_PROJECT,
    MAX_VERSION,
    URL,
    VERSION_CONTROL,
    Elsewhere,
    Locked,
    Opened,
    bounds_of,
    hashes_of,
    plain_filename,
    version_of,
)
from aiomirror.requirements.values import LineError, brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.pylock import Package, PackageSdist, PackageWheel

    from aiomirror.requirements.values import Hashes

NEWEST = Version("1.0")


def open_pylock(document: Table) -> Opened:
    """The packages of the lock; LineError for what PEP 751 does not allow, or for another major version."""
    version = version_of(document, "lock-version")
    if version.major != NEWEST.major:
        raise LineError(f"version {version} of pylock.toml cannot be read, only {NEWEST.major}.x")
    warnings = [f"version {version} of pylock.toml is newer than {NEWEST}"] if version > NEWEST else []
    for place, table in enumerate(document.tables("packages")):
        if len(table.get("version", str) or "") > MAX_VERSION:
            raise LineError(f"packages[{place}].version: it is no version")
    try:
        # The minor version is dealt with; packaging would speak of it by way of the logging module.
        lock = Pylock.from_dict({**document.values, "lock-version": str(NEWEST)})
    except PylockValidationError as error:
        raise LineError(f"{error.context or 'pylock.toml'}: {_harmless(error.message)}") from None
    return Opened(
        [partial(_package, place, package) for place, package in enumerate(lock.packages)],
        warnings,
        bounds_of(lock.environments or (), lock.requires_python),
    )


def _harmless(message: str) -> str:
    """A message that repeats what is in the file, as one line that a terminal only shows."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in brief(message))


def _package(place: int, package: Package) -> Locked | Elsewhere:
    if package.is_direct:
        text = f"{package.name}=={package.version}" if package.version else package.name
        return Elsewhere(text, _why(package), package.marker)
    files = {file.filename: _hashes(f"packages[{place}].{key}", file) for key, file in _files(package)}
    versions = set(map(_version, files))  # the package need not state one
    if len(versions) > 1:
        raise LineError(f"packages[{place}]: its files are of more than one version")
    return Locked(package.name, package.version or versions.pop(), files, package.marker)


def _why(package: Package) -> str:
    if package.vcs is not None:
        return VERSION_CONTROL
    if package.directory is not None:
        return LOCAL_PROJECT
    return URL if package.archive is not None and package.archive.url else LOCAL_FILE


def _files(package: Package) -> Iterator[tuple[str, PackageSdist | PackageWheel]]:
    """The files, each with its key."""
    if package.sdist is not None:
        yield "sdist", package.sdist
    for place, wheel in enumerate(package.wheels or ()):
        yield f"wheels[{place}]", wheel


def _version(filename: str) -> Version:
    """The version in the name of a file that has been validated."""
    parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
    return parse(filename)[1]


def _hashes(path: str, file: PackageSdist | PackageWheel) -> Hashes:
    """The hashes of a file, without algorithms that are not known here as long as others are."""
    table = Table({"hashes": file.hashes}, path)
    plain_filename(table, "name", file.filename)
    texts = {name.lower(): str(digest) for name, digest in file.hashes.items()}
    known = {name: digest for name, digest in texts.items() if name in DIGEST_LENGTHS}
    return hashes_of(table, "hashes", [f"{name}:{digest}" for name, digest in (known or texts).items()])
