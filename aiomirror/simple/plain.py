"""Long pages: judged as a whole, and made into files one by one, when they are asked for.

A page may list ten thousand files, of which a run wants two.  Where each entry is of the usual shape, a few
searches through all of their texts at once say so, and what is read of them can be believed as it stands.
What is odd about any other page is found by going through its entries (``build``), which says the same of a
plain one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from string import ascii_letters, digits, hexdigits
from typing import TYPE_CHECKING, Annotated, overload

import msgspec
from msgspec import Meta

from aiomirror.simple.build import MAX_SIZE, read_core_metadata, read_requires_python, read_yanked
from aiomirror.simple.filenames import MAX_FILENAME, FileKind, parse_filenames
from aiomirror.simple.links import are_plain, is_made_of, is_plain_folder, resolve_url
from aiomirror.simple.values import Files, ProjectFile

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.simple.filenames import ParsedName
    from aiomirror.simple.values import Candidate, Digests

LONG = 2**15
"""Bytes of a page from which on looking at all entries at once takes less time than at each."""

_OTHER = FileKind.OTHER
_STARTS = frozenset(ascii_letters + digits)
_IN_NAMES = f"{ascii_letters}{digits}._+!-"
_DIGEST_LENGTH = 64


# What the types say is seen to while the page is decoded, which takes no time of its own.


class _Digest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    sha256: Annotated[str, Meta(min_length=_DIGEST_LENGTH, max_length=_DIGEST_LENGTH)]


class PlainEntry(msgspec.Struct, rename="kebab", gc=False):
    """One file as a plain page lists it: a candidate, and what is needed to make the file of it."""

    filename: Annotated[str, Meta(min_length=1, max_length=MAX_FILENAME)]
    url: str
    digest: _Digest = msgspec.field(name="hashes")
    size: Annotated[int, Meta(ge=0, le=MAX_SIZE)] | None = None
    listed_python: str | None = msgspec.field(default=None, name="requires-python")
    listed_yanked: bool | str | None = msgspec.field(default=None, name="yanked")
    upload_time: datetime | None = None
    core_metadata: bool | dict[str, str | None] | None = None
    dist_info_metadata: bool | dict[str, str | None] | None = None
    provenance: str | None = None

    @property
    def hashes(self) -> Digests:
        """As :class:`ProjectFile` has them."""
        return {"sha256": self.digest.sha256}

    @property
    def requires_python(self) -> str | None:
        """As :class:`ProjectFile` has it."""
        return read_requires_python(self.listed_python)

    @property
    def yanked(self) -> str | None:
        """As :class:`ProjectFile` has it."""
        return read_yanked(self.listed_yanked) if self.listed_yanked else None


def plain_files(entries: Sequence[PlainEntry], url: str, project: NormalizedName) -> Files | None:
    """The files of a page at ``url``; None where an entry is not plain: then each has to be looked at."""
    names = [entry.filename for entry in entries]
    urls = [entry.url for entry in entries]
    if not (names and _are_plain_names(names) and _are_plain(entries)):
        return None
    if not (_share_folder(url, urls, names) or are_plain(url, urls)):
        return None
    readings = parse_filenames(names, project)
    if None in readings:
        return None  # another project's
    # A signature, a page, a folder: no distribution, and nothing to warn of (C-FILE-3).
    own = [number for number, one in enumerate(readings) if one is not None and one.kind is not _OTHER]
    if len(own) < len(entries):
        names, entries = [names[number] for number in own], [entries[number] for number in own]
        readings = [readings[number] for number in own]
    named = dict(zip(names, entries, strict=True))
    return _PlainFiles(named, readings, url) if len(named) == len(entries) else None


def _are_plain(entries: Sequence[PlainEntry]) -> bool:
    moments = [entry.upload_time for entry in entries if entry.upload_time is not None]
    links = [entry.provenance for entry in entries if entry.provenance is not None]
    return (
        is_made_of("".join([entry.digest.sha256 for entry in entries]), hexdigits.lower())
        and {moment.tzinfo for moment in moments} <= {UTC}
        and all(link.startswith("https://") and resolve_url(link, link) == link for link in links)
    )


def _are_plain_names(names: Sequence[str]) -> bool:
    """Whether they are surely safe."""
    return {name[0] for name in names} <= _STARTS and is_made_of("".join(names), _IN_NAMES)


def _share_folder(base: str, urls: Sequence[str], names: Sequence[str]) -> bool:
    """Whether all URLs are in one plain folder under the files' own, plain names."""
    folder = urls[0].removesuffix(names[0])
    return is_plain_folder(base, folder) and urls == [folder + name for name in names]


class _PlainFiles(Files):
    """Files of plain entries; each is made once."""

    def __init__(
        self, entries: Mapping[str, PlainEntry], readings: Sequence[ParsedName | None], url: str
    ) -> None:
        self._by_name, self._readings, self._url = entries, readings, url
        self._entries = list(entries.values())
        self._made: dict[str, ProjectFile] = {}

    @property
    def candidates(self) -> Sequence[Candidate]:
        return self._entries

    @property
    def readings(self) -> Sequence[ParsedName | None]:
        return self._readings

    @property
    def named(self) -> Mapping[str, ProjectFile]:
        # Not kept: a circle would have a long page wait for the collector.
        return _ByName(self, self._by_name)

    def made(self, entry: PlainEntry) -> ProjectFile:
        """The file of this entry."""
        if (known := self._made.get(entry.filename)) is not None:
            return known
        url = resolve_url(self._url, entry.url)
        assert url is not None, "a link that was found to be plain"
        metadata = entry.dist_info_metadata if entry.core_metadata is None else entry.core_metadata
        file = self._made[entry.filename] = ProjectFile(
            filename=entry.filename,
            url=url,
            hashes=entry.hashes,
            size=entry.size,
            requires_python=entry.requires_python,
            yanked=entry.yanked,
            upload_time=entry.upload_time,
            core_metadata=read_core_metadata(metadata),
            provenance=entry.provenance,
        )
        return file

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> ProjectFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ProjectFile]: ...
    def __getitem__(self, index: int | slice) -> ProjectFile | Sequence[ProjectFile]:
        if isinstance(index, slice):
            return tuple(map(self.made, self._entries[index]))
        return self.made(self._entries[index])


class _ByName(Mapping[str, ProjectFile]):
    def __init__(self, files: _PlainFiles, entries: Mapping[str, PlainEntry]) -> None:
        self._files, self._entries = files, entries

    def __getitem__(self, name: str) -> ProjectFile:
        return self._files.made(self._entries[name])

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
