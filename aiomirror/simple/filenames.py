"""File names: whether one is safe to use, what kind of file it names, and which version it states.

Names come from an upstream, so nothing here trusts them and nothing here raises.  The rules are those of
PEP 427 and PEP 625 where a name follows them; the rest is what twenty years of older tools left on index
pages.  Reading a name is cheap enough to be done for every file of a page with thousands of them.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import category

import msgspec
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FILENAME = 240
"""Bytes in UTF-8: room for the suffixes of sibling files below the 255 that file systems allow."""

MAX_VERSION = 240
"""Characters; a longer text is no version, whatever it says."""

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, what turns the direction of writing or is not seen at all, lone surrogates, which no
file system can store, and line separators: the categories of Unicode that the store refuses, too."""


class FileKind(Enum):
    """What a file is, judged by how its name ends."""

    WHEEL = "wheel"
    SDIST = "sdist"
    LEGACY = "legacy"
    """Built formats that no installer takes any more: egg, exe, msi, rpm, deb, dmg, "dumb" archives."""
    OTHER = "other"
    """Not a distribution: signatures, metadata, text files, web pages."""


class ParsedName(msgspec.Struct, frozen=True):
    """What a file name says; ``version`` is raw text, None when the name states none that can be read."""

    kind: FileKind
    version: str | None


VersionKey = tuple[bool, Version, str]
Build = tuple[int, str]
NO_BUILD: Build = (-1, "")

# Asking an enumeration for a member takes longer than most of what is asked of a name (CPython 3.11).
_WHEEL, _SDIST, _LEGACY = FileKind.WHEEL, FileKind.SDIST, FileKind.LEGACY
_OTHER = ParsedName(FileKind.OTHER, None)
_ZERO = Version("0")
_SEPARATORS = "-_."
_TAGS = 3
"""At the end of a wheel's name, a dash before each."""

_KEPT = 2_048
"""Names whose reading is remembered: each is read again when files are chosen and when they are published.
The wheels of a version, of which a page may list a hundred, begin alike, and are one of these together."""

# Longer endings first where one ends with another.
_ENDINGS = (
    *(
        (ending, _SDIST)
        for ending in (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.z", ".tbz", ".tar")
    ),
    *((ending, _LEGACY) for ending in (".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg")),
)

# "1.0.win32-py2.7", "1.0-py3.6-linux-x86_64", "1.0.macosx-10.9-x86_64": the version ends where these begin.
_BUILT = re.compile(
    r"(.+?)[.-](?:py\d|win32|win-|linux|macosx|darwin|cygwin|mingw|freebsd|openbsd|netbsd|solaris|sunos|aix|"
    r"noarch|any\b)",
    re.DOTALL,
)
_RPM = re.compile(r"(.+)-[^-]+\.[^-.]+", re.DOTALL)  # version-release.architecture
_DEB = re.compile(r"(.+?)(?:-[^-_]+)?(?:_[^_]+)?", re.DOTALL)  # version-revision_architecture
_BUILD = re.compile(r"([0-9]{1,18})(.*)", re.DOTALL)
_PLAIN = re.compile(r"v?[0-9]+\.|[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")  # "1.0-final-2", "2013-10-26"


def is_safe_filename(name: str) -> bool:
    """Whether ``name`` is one plain path component that may be written to disk as it stands (C-SAFE-1)."""
    if not name or name[0] in ".-~":
        return False
    if "/" in name or "\\" in name or len(name) > MAX_FILENAME:
        return False
    if name.isascii():  # nearly all are, and for them this takes a third of the time
        return name.isprintable()
    if any(category(character) in _UNPRINTABLE for character in name):
        return False
    return len(name.encode()) <= MAX_FILENAME


def parse_filename(filename: str, project: NormalizedName) -> ParsedName | None:
    """Read the name of a file that ``project``'s page lists; None when it is another project's.

    A source archive may have dashes in name and version both.  The name ends where it normalises to
    ``project``, unless what follows is no version (PEP 440) while a longer name would leave one: on the
    page of foo-bar, ``foo-bar-2-1.0.tar.gz`` belongs to a project foo-bar-2, and ``foo-bar-2-1.tar.gz`` is
    version 2-1 (2.post1) of foo-bar.  What begins like a dotted version, or is a date, is never part of a
    longer name, so ``foo-1.0-final-2.zip`` stays version 1.0-final-2 of foo.  A name too long to be safe is
    nobody's.
    """
    if len(filename) > MAX_FILENAME:
        return None
    if filename.endswith(".whl"):
        return _wheel(filename[:-4].rsplit("-", _TAGS)[0], project)
    return _no_wheel(filename, project)


def parse_filenames(filenames: Iterable[str], project: NormalizedName) -> list[ParsedName | None]:
    """As :func:`parse_filename`, for the names of a page: one value for all wheels that begin alike."""
    heads: dict[str, ParsedName | None] = {}
    readings = []
    for name in filenames:
        parts = name.rsplit("-", _TAGS)
        if len(parts) <= _TAGS or not name.endswith(".whl") or len(name) > MAX_FILENAME:
            readings.append(parse_filename(name, project))
            continue
        head = parts[0]
        if (reading := heads.get(head)) is None:
            reading = heads[head] = _read_wheel(head, project)
        readings.append(reading)
    return readings


def build_number(filename: str) -> Build:
    """A wheel's build number as it is ordered (PEP 427): of wheels that fit alike the highest is taken."""
    parts = filename.removesuffix(".whl").split("-")
    built = len(parts) == _TAGS + 3 and filename.endswith(".whl")
    found = _BUILD.fullmatch(parts[2]) if built else None
    return (int(found[1]), found[2]) if found else NO_BUILD


def version_key(text: str) -> VersionKey:
    """Sort key of a version's text: PEP 440 versions in their order, below them all others by text."""
    version = parse_version(text)
    return (False, _ZERO, text) if version is None else (True, version, "")


def parse_version(text: str) -> Version | None:
    """Return the version that ``text`` states, None when it is not valid by PEP 440."""
    return _parse_version(text) if len(text) <= MAX_VERSION else None


@lru_cache(maxsize=4_096)
def _parse_version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # InvalidVersion is one; so is int() of thousands of digits
        return None


_normal = lru_cache(maxsize=1_024)(canonicalize_name)


def _read_wheel(head: str, project: NormalizedName) -> ParsedName | None:
    """What precedes the three tags.  Wheel names are escaped: the first dash ends the project's."""
    name, *rest = head.split("-")
    if _normal(name) != project:
        return None
    if len(rest) == 1 or (len(rest) == 2 and rest[1][:1].isdigit()):  # noqa: PLR2004 (a build number, PEP 427)
        return ParsedName(_WHEEL, rest[0] or None)
    return ParsedName(_WHEEL, None)


_wheel = lru_cache(maxsize=_KEPT)(_read_wheel)


@lru_cache(maxsize=_KEPT)
def _no_wheel(filename: str, project: NormalizedName) -> ParsedName | None:
    lower = filename.lower()
    for ending, kind in _ENDINGS:
        if lower.endswith(ending):
            return _archive(filename[: -len(ending)], ending, kind, project)
    return _OTHER


def _archive(stem: str, ending: str, kind: FileKind, project: NormalizedName) -> ParsedName | None:
    if ending == ".deb":  # name_version-revision_architecture
        stem = stem.replace("_", "-", 1)
    rest = _behind_name(stem, project)
    if rest is None:
        return None
    if not rest:
        return ParsedName(kind, None)
    if kind is _SDIST and parse_version(rest) is not None:
        return ParsedName(kind, rest)
    if kind is _SDIST and (built := _BUILT.match(rest)):
        kind, version = _LEGACY, str(built[1])  # a "dumb" archive: foo-1.0.linux-x86_64.tar.gz
    else:
        version = rest if kind is _SDIST else _built_version(rest, ending)
    if parse_version(version) is None and _is_of_longer_name(version):
        return None
    return ParsedName(kind, version)


def _behind_name(stem: str, project: NormalizedName) -> str | None:
    """What is behind the project's name, in whatever spelling, and a dash; None where neither is.

    A regular expression for each project would take longer to make than all of its names to be looked at.
    """
    at = 0
    for part in project.split("-"):
        start = len(stem) - len(stem[at:].lstrip(_SEPARATORS)) if at else 0
        end = start + len(part)
        written = stem[start:end]
        # Lower case alone would take the Kelvin sign for a k.
        if written.lower() != part or not written.isascii() or (at and start == at):
            return None
        at = end
    if at == len(stem):
        return ""
    return stem[at + 1 :] if stem[at] == "-" else None


def _built_version(rest: str, ending: str) -> str:
    pattern = {".rpm": _RPM, ".deb": _DEB}.get(ending)
    match = pattern.fullmatch(rest) if pattern else _BUILT.match(rest)
    return match[1] if match else rest


def _is_of_longer_name(text: str) -> bool:
    """Whether ``text``, which is no version, is the end of a longer project name and a version."""
    if _PLAIN.match(text):
        return False
    dashes = (i for i, letter in enumerate(text) if letter == "-" and i)
    return any(parse_version(text[i + 1 :]) is not None for i in dashes)
