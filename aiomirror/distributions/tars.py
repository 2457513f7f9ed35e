"""One member of a tar archive, compressed or not, found while the archive comes in, under caps.

Sans-IO: the archive is fed in pieces, from a disk or a network, and can be left as soon as the member is
there.  Of the formats that tar has had, ustar, pax and GNU's long names are read; sparse files are not.
"""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

from aiomirror.distributions.unpacking import BLOCK, Unpacker
from aiomirror.distributions.values import MEMBER_CAP, Absent, Unreadable

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

    Reading = Generator[int, bytes, "Member"]
    """Yields how many bytes it needs next, at most BLOCK."""

Member = tuple[str, bytes]
"""The folder that it is in, and its content."""

_ARCHIVE_CAP = 1 << 30
"""Bytes on the way to the member, as they come and unpacked."""
_MEMBERS_CAP = 100_000
_HEADERS_CAP = 100
"""Headers of one member that only say more of it."""
_END = bytes(tarfile.BLOCKSIZE)
_EXTENDED = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_PASSED_OVER = {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK}
_RECORD = re.compile(rb"([0-9]{1,9}) ([^=]+)=")


class TarSearch:
    """Looks for the first member ``<folder><ending>`` at the top level of an archive that comes in pieces."""

    def __init__(self, suffix: str, ending: str) -> None:
        self._unpacker = Unpacker(suffix)
        self._reading = _search(ending)
        self._wanted = next(self._reading)
        self._waiting = bytearray()
        self._room = self._packed_room = _ARCHIVE_CAP

    def feed(self, packed: bytes) -> Member | None:
        """Take the next bytes of the file; the member once it is complete, and nothing is fed after that.

        Raises:
            Absent: the archive has ended, and did not have it.
            Unreadable: it is not there within the caps, or this is no archive that can be read.
        """
        self._packed_room -= len(packed)  # which may unpack to nothing for ever
        if self._packed_room < 0:
            raise Unreadable("too large")
        try:
            for piece in self._unpacker.unpack(packed):
                self._room -= len(piece)
                if self._room < 0:
                    raise Unreadable("too large")
                if (member := self._advance(piece)) is not None:
                    return member
        except (tarfile.TarError, ValueError) as error:
            raise Unreadable(str(error)) from error
        return None

    def _advance(self, piece: bytes) -> Member | None:
        self._waiting += piece
        while len(self._waiting) >= self._wanted:
            data = bytes(self._waiting[: self._wanted])
            del self._waiting[: self._wanted]
            try:
                self._wanted = self._reading.send(data)
            except StopIteration as end:
                member: Member = end.value
                return member
        return None


def tar_member(file: BinaryIO, suffix: str, ending: str) -> Member:
    """The first member ``<folder><ending>`` at the top level of an open file.

    Raises:
        Unreadable: there is none within the caps, or this is no archive that can be read.
    """
    search = TarSearch(suffix, ending)
    file.seek(0)
    while packed := file.read(BLOCK):
        if (member := search.feed(packed)) is not None:
            return member
    raise Unreadable("cut off")


def _search(ending: str) -> Reading:
    for _ in range(_MEMBERS_CAP):
        header = yield from _header()
        name = header.name.removeprefix("./")
        if name.endswith(ending) and name.count("/") == 1 and header.isreg():
            if header.size > MEMBER_CAP:
                raise Unreadable("too large")
            return name.removesuffix(ending), (yield from _content(header.size))
        # Nothing but files has content, whatever size the header of a folder or a link states.
        if header.isreg() or header.type not in tarfile.SUPPORTED_TYPES:
            yield from _skip(_padded(header.size))
    raise Unreadable("too many members")


def _header() -> Generator[int, bytes, tarfile.TarInfo]:
    """The next member's header, with what the headers before it say of it."""
    name, size = None, None
    for _ in range(_HEADERS_CAP):
        block = yield tarfile.BLOCKSIZE
        if block == _END:
            raise Absent("no such member")
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type in _EXTENDED:
            stated = _records((yield from _extension(header)))
            name, size = stated.get("path", name), stated.get("size", size)
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            name = (yield from _extension(header)).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        elif header.type in _PASSED_OVER:
            yield from _extension(header)
        else:
            header.name = header.name if name is None else name
            header.size = header.size if size is None else int(size)
            if header.type == tarfile.GNUTYPE_SPARSE or header.size < 0:
                raise Unreadable("a sparse file, or one of negative size")
            return header
    raise Unreadable("headers without end")


def _extension(header: tarfile.TarInfo) -> Generator[int, bytes, bytes]:
    if not 0 <= header.size <= BLOCK:
        raise Unreadable("a header that is too large")
    content = yield from _content(_padded(header.size))
    return content[: header.size]


def _records(content: bytes) -> dict[str, str]:
    """Those of a pax header: length, key and value each."""
    records, at = {}, 0
    while (record := _RECORD.match(content, at)) is not None:
        end = at + int(record[1])
        if not record.end() < end <= len(content):
            raise Unreadable("a damaged header")
        value = content[record.end() : end - 1]
        records[record[2].decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        at = end
    return records


def _padded(size: int) -> int:
    """With what fills the last block up."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _content(count: int) -> Generator[int, bytes, bytes]:
    parts = []
    while count:
        parts.append((yield min(count, BLOCK)))
        count -= len(parts[-1])
    return b"".join(parts)


def _skip(count: int) -> Generator[int, bytes, None]:
    while count:
        count -= len((yield min(count, BLOCK)))
