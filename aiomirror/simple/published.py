"""What of a page is published, whatever its form: which files, in which order, and what is said of them.

A page is a pure function of its value, whatever order its files come in: equal values, equal bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from aiomirror.digests import DIGEST_LENGTHS
from aiomirror.simple.filenames import parse_filename, parse_version, version_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from aiomirror.simple.filenames import VersionKey
    from aiomirror.simple.values import Digests, ProjectFile, ProjectPage, ProjectStatus

STATUS_MARKERS = frozenset({"active", "archived", "quarantined", "deprecated"})
"""PEP 792 lets a producer publish these and no others."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NORMAL = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*")  # PEP 440: written in no other way
_USUAL = {"sha256"}  # all that most files have
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # RFC 3986; most names are nothing else

# ASCII, as URLs are; without userinfo, since whatever a page of ours says is public.
_HTTPS_URL = re.compile(r"https://[a-z0-9.\-\[\]:]+(?:[/?#][!-~]*)?", re.IGNORECASE | re.ASCII)


class Listing(NamedTuple):
    """The files that a page offers, sorted, and exactly their versions, in order and in normal form."""

    files: Sequence[ProjectFile]
    versions: Sequence[str]


def listing(page: ProjectPage) -> Listing:
    """What the page offers: files by version and name, those without a version last.

    Raises ValueError if a file has no sha256 or no size, or is there twice: mistakes of the caller.
    """
    if page.status.marker == "quarantined":
        # PEP 792: such a page MUST NOT offer files, and installers do not look at the marker themselves.
        return Listing((), ())
    if len(set(map(_filename, page.files))) < len(page.files):
        raise ValueError(f"{page.project}: a file is listed twice")
    by_version: defaultdict[str | None, list[ProjectFile]] = defaultdict(list)
    for file in sorted(page.files, key=_filename):
        _check(file, page.project)
        by_version[_version(file, page.project)].append(file)
    # Each version is looked at once: a page has many files of each.
    ordered = [version for version in by_version if version is not None]
    if len(ordered) > 1:
        ordered.sort(key=_place)
    files = [file for version in (*ordered, None) for file in by_version[version]]
    return Listing(files, tuple(dict.fromkeys(map(_normal_form, ordered))))


def link(filename: str) -> str:
    """The file's relative URL, which ends with its name as clients read it."""
    # Everything but letters, digits and "_.-~" is encoded: object stores read a plain "+" as a space, and a
    # ":" would make a scheme of what precedes it.
    return filename if _UNRESERVED.fullmatch(filename) else quote(filename, safe="")


def digests(known: Digests) -> dict[str, str]:
    """Those that clients can use, in a fixed order."""
    if known.keys() == _USUAL:
        return {**known}
    return {name: known[name] for name in sorted(known) if name in DIGEST_LENGTHS}


def status(known: ProjectStatus) -> tuple[str, str] | None:
    """The marker and the reason ("" for none); None for what goes without saying."""
    # What PEP 792 does not know must not be published.
    marker = known.marker if known.marker in STATUS_MARKERS else "active"
    reason = known.reason or ""
    return (marker, reason) if marker != "active" or reason else None


def provenance(file: ProjectFile) -> str | None:
    """The URL of the provenance object, if it is one that may be published: https and absolute."""
    return file.provenance if file.provenance and _HTTPS_URL.fullmatch(file.provenance) else None


def _filename(file: ProjectFile) -> str:
    return file.filename


def _version(file: ProjectFile, project: NormalizedName) -> str | None:
    parsed = parse_filename(file.filename, project)
    return parsed.version if parsed else None


def _place(version: str) -> tuple[VersionKey, str]:
    return version_key(version), version  # of two spellings of one version, always the same is first


def _normal_form(text: str) -> str:
    if _NORMAL.fullmatch(text):
        return text
    version = parse_version(text)
    return text if version is None else str(version)


def _check(file: ProjectFile, project: str) -> None:
    if not _SHA256.fullmatch(file.hashes.get("sha256", "")):
        raise ValueError(f"{project}: {file.filename}: no sha256 to publish")
    if file.size is None or file.size < 0:
        raise ValueError(f"{project}: {file.filename}: no size to publish")
