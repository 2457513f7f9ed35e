"""Entry → file, entries → page: the one place where what a page lists becomes values, whatever its format.

The readers of JSON and HTML bring every file into the shape of ``Entry``; what an entry's values may be, and
what is passed over with a warning, is decided here alone (SPEC: C-FILE, C-HASH, C-META, C-PROV, J-…).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from aiomirror.simple.filenames import FileKind, is_safe_filename, parse_filename
from aiomirror.simple.links import DigestError, read_digests, resolve_url
from aiomirror.simple.notes import shown
from aiomirror.simple.values import Listed, ProjectFile, ProjectPage, ProjectStatus

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.simple.filenames import ParsedName
    from aiomirror.simple.notes import Notes
    from aiomirror.simple.values import Digests, Files

MAX_FILES = 100_000
"""Files that a page may list, of whatever kind and whosever they are.

The largest real projects have some 30,000.  A page is read and judged on the event loop, which takes a few
seconds for as many as this, and a signal waits that long.
"""

MAX_SIZE = 2**63 - 1
"""Bytes; a size beyond it is none that any file system, or our database, can hold."""

_OTHER = FileKind.OTHER  # asking the enumeration for it, for every file, takes ten times as long


class Entry(msgspec.Struct, rename="kebab", gc=False):
    """One file as listed: the types are checked, the values are not; None is a key that is absent or null.

    ``url`` is relative to the page; ``hashes`` may hold any algorithm and any text.  A float is admitted for
    ``size`` only so that a page with one need not be read the long way.
    """

    filename: str | None = None
    url: str | None = None
    hashes: dict[str, str | None] | None = None
    size: int | float | None = None
    requires_python: str | None = None
    yanked: bool | str | None = None
    upload_time: datetime | None = None
    core_metadata: bool | dict[str, str | None] | None = None
    dist_info_metadata: bool | dict[str, str | None] | None = None
    provenance: str | None = None


class PageBuilder:
    """Takes a page's entries one by one; ``url`` is what their URLs are relative to."""

    def __init__(self, project: NormalizedName, url: str, notes: Notes) -> None:
        self._project, self._url, self._notes = project, url, notes
        self._files: dict[str, ProjectFile | None] = {}
        self._readings: dict[str, ParsedName] = {}
        self.own = self.strangers = 0
        """Distributions seen, of this project and of others, whether or not they could be used."""

    def add(self, entry: Entry) -> None:
        """Take ``entry``; one that cannot be used is passed over with a warning, if it is a file at all."""
        name = entry.filename
        if not name or not entry.url:
            return self._skip(name or entry.url, "no URL" if name else "no file name")
        parsed = parse_filename(name, self._project)
        if parsed is None or not is_safe_filename(name):
            return self._refuse_name(name, parsed)
        if parsed.kind is _OTHER:
            return None  # a signature, a page, a folder: no distribution, nothing to warn of (C-FILE-3)
        self.own += 1
        self._readings[name] = parsed
        url = resolve_url(self._url, entry.url)
        if url is None:
            return self._skip(name, f"unusable URL {shown(entry.url)}")
        try:
            file = self._file(name, url, read_digests(entry.hashes or {}), entry)
        except DigestError as error:
            self._files.setdefault(name, None)  # the first counts, so no later entry may take its place
            return self._skip(name, str(error))
        if (first := self._files.setdefault(name, file)) is not file and first != file:
            self._skip(name, "listed before, and differently")
        return None

    def page(
        self,
        *,
        versions: tuple[str, ...],
        status: ProjectStatus,
        api_version: str,
        last_serial: int | None = None,
        files: Files | None = None,
    ) -> ProjectPage:
        """Return the page with ``files``, or all that were taken, in the order in which they were listed."""
        if files is None:
            taken = {name: file for name, file in self._files.items() if file is not None}
            files = Listed(taken, [self._readings[name] for name in taken])
        return ProjectPage(
            project=self._project,
            files=files,
            versions=versions,
            status=status,
            api_version=api_version,
            last_serial=last_serial,
            warnings=self._notes.lines(),
        )

    def _skip(self, name: str | None, why: str) -> None:
        self._notes.add(f"{shown(name)} skipped: {why}")

    def _refuse_name(self, name: str, parsed: ParsedName | None) -> None:
        if not is_safe_filename(name):
            if parsed is None or parsed.kind is not _OTHER:
                self._skip(name, "not a plain file name")
        else:
            self.strangers += 1
            self._skip(name, "a file of another project")

    def _file(self, name: str, url: str, hashes: Digests, entry: Entry) -> ProjectFile:
        metadata = entry.core_metadata
        if metadata is None:
            metadata = entry.dist_info_metadata
        return ProjectFile(
            filename=name,
            url=url,
            hashes=hashes,
            size=None if entry.size is None else self._size(name, entry.size),
            requires_python=read_requires_python(entry.requires_python),
            yanked=None if entry.yanked is False else read_yanked(entry.yanked),
            upload_time=None if entry.upload_time is None else self._in_utc(name, entry.upload_time),
            core_metadata=None if metadata is False else read_core_metadata(metadata),
            provenance=None if entry.provenance is None else self._provenance(name, entry.provenance),
        )

    def _size(self, name: str, size: float) -> int | None:
        """Return a number of bytes; a negative one, a fraction or an absurd one is unknown (J-SIZE-1)."""
        if isinstance(size, int) and 0 <= size <= MAX_SIZE:
            return size
        self._ignore(name, "size", size)
        return None

    def _in_utc(self, name: str, moment: datetime) -> datetime | None:
        """Return the same moment in UTC; without an offset it could be any of a day's (J-TIME-1)."""
        if moment.tzinfo is UTC:
            return moment
        try:
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except OverflowError:  # before the year 1 or after 9999 once converted
            pass
        self._ignore(name, "upload-time", moment.isoformat())
        return None

    def _provenance(self, name: str, url: str) -> str | None:
        """Return an absolute https URL; anything else counts as absent (C-PROV-1)."""
        link = resolve_url(url, url)
        if link is not None and link.startswith("https://"):
            return link
        self._ignore(name, "provenance", url)
        return None

    def _ignore(self, name: str, key: str, value: object) -> None:
        self._notes.add(f"{shown(name)}: {key} {shown(value)} ignored")


def read_requires_python(listed: str | None) -> str | None:
    """Return what is required as it is written, valid or not; None when that is nothing (C-RP-1, C-RP-2)."""
    return listed if listed and not listed.isspace() else None


def read_yanked(yanked: bool | str | None) -> str | None:  # noqa: FBT001 (the specification's own type)
    """Return the reason, "" for none given; None when not yanked: also for an empty text (J-YANK-1)."""
    return "" if yanked is True else (yanked or None)


def read_core_metadata(listed: bool | dict[str, str | None] | None) -> Digests | None:  # noqa: FBT001 (as above)
    """Return the digests of the metadata file; None when it is not offered (C-META-1).

    A malformed digest counts as none given: what is fetched is then compared with the file itself.
    """
    if listed is None or listed is False:
        return None
    try:
        return read_digests(listed) if isinstance(listed, dict) else {}
    except DigestError:
        return {}
