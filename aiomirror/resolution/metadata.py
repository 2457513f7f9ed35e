"""Core metadata: the few fields that decide a resolution.

As lenient as installers are: fields other than name, version and the requirements may say what they like.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from packaging.utils import NormalizedName, canonicalize_name

from aiomirror.requirements.values import LineError, brief
from aiomirror.simple.filenames import parse_version

if TYPE_CHECKING:
    from aiomirror.resolution.releases import Release

MAX_METADATA = 16 * 1024 * 1024
"""Bytes of one text, its description included."""

MAX_HEADER = 2 * 1024 * 1024
"""Bytes before the description."""

MAX_REQUIREMENTS = 10_000
"""Values of ``Requires-Dist`` in one text."""

KNOWN_MAJOR = 2
"""The specification: a tool must not read metadata of a major version that it does not know."""

# What of it may be computed by a build makes a source archive's statements provisional (PEP 643).
_DECISIVE = frozenset({"requires-dist", "requires-python", "provides-extra"})
_READ = frozenset({"metadata-version", "name", "version", "dynamic", *_DECISIVE})
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


class CoreMetadata(msgspec.Struct, frozen=True):
    """What one text says; equal texts of different wheels make equal values."""

    requires: tuple[str, ...]
    provides: frozenset[NormalizedName]
    """Extras."""
    requires_python: str | None
    static: bool
    """Whether a source archive's text holds for whatever is built from it."""


def read_metadata(text: bytes, release: Release) -> CoreMetadata:
    """Read a METADATA or PKG-INFO text of that release.  LineError says why it cannot be used."""
    head = _BLANK_LINE.split(text, 1)[0]  # descriptions are long, and parsing them takes most of the time
    if len(text) > MAX_METADATA or len(head) > MAX_HEADER:
        raise LineError("its metadata is too large")
    fields = _fields(head.decode("utf-8", "replace"))
    major, minor = _format(_first(fields, "metadata-version"))
    _check_identity(_first(fields, "name"), _first(fields, "version"), release)
    requires = fields["requires-dist"]
    if len(requires) > MAX_REQUIREMENTS:
        raise LineError(f"it has more than {MAX_REQUIREMENTS:,} requirements")
    dynamic = {value.lower() for value in fields["dynamic"]}
    return CoreMetadata(
        tuple(requires),
        frozenset(canonicalize_name(value) for value in fields["provides-extra"]),
        _first(fields, "requires-python") or None,
        (major, minor) >= (2, 2) and not dynamic & _DECISIVE,
    )


def _fields(head: str) -> dict[str, list[str]]:
    """The values of each field that is read here, each on one line; field names are lower case.

    The email module would do the same at ten times the cost, which is felt where thousands are read.
    """
    fields: dict[str, list[list[str]]] = {name: [] for name in _READ}
    words: list[str] = []
    """Of the value that the next line may go on with; joined at the end, for there may be a million lines."""
    for line in _LINE_BREAK.split(head):
        if line[:1] in {" ", "\t"}:  # goes on with the field above
            words += line.split()
            continue
        name, colon, value = line.partition(":")
        if not colon:
            break
        words = value.split()
        fields.get(name.strip().lower(), []).append(words)
    return {name: list(map(" ".join, values)) for name, values in fields.items()}


def _first(fields: dict[str, list[str]], name: str) -> str:
    return next(iter(fields[name]), "")


def _format(stated: str) -> tuple[int, int]:
    """The version of the metadata itself; (1, 0) when it is not told."""
    found = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", stated)
    if found is None:
        return 1, 0
    if int(found[1]) > KNOWN_MAJOR:
        raise LineError(f"its metadata is of version {stated}, which is not known here")
    return int(found[1]), int(found[2])


def _check_identity(name: str, stated: str, release: Release) -> None:
    if canonicalize_name(name) != release.project:
        raise LineError(
            f"its metadata names the project {brief(name)!r}" if name else "its metadata names no project"
        )
    same = stated == release.text if release.version is None else parse_version(stated) == release.version
    if not same:
        raise LineError(
            f"its metadata is of version {brief(stated)!r}" if stated else "its metadata names no version"
        )
