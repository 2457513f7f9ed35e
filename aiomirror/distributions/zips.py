"""One member of a zip file, found in the central directory without an object for every other member.

Sans-IO: a generator says which bytes of the file it needs, be it on a disk or behind a network, and is sent
them.  The directory is read in one piece, under a cap, and only the names that end as wanted are looked at
closer; for a wheel of 20,000 files that is a matter of milliseconds.  The members of distributions are stored
or deflated, and nothing else is read here.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from aiomirror.distributions.values import MEMBER_CAP, Absent, Unreadable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import BinaryIO

TAIL = 32 << 10
"""Bytes at the end of the file that are needed first; most wheels have directory and METADATA there."""
_DIRECTORY_CAP = 32 << 20
"""Bytes of a central directory; the largest wheels have about 4 MiB."""
_COMMENT_CAP = 0xFFFF

# Signature, and of what follows it only what is used here (APPNOTE.TXT 4.3).
_END = struct.Struct("<4s8xLLH")
_LOCATOR = struct.Struct("<4s4xQ4x")
_END_64 = struct.Struct("<4s36xQQ")
_ENTRY = struct.Struct("<4s4xHH4xLLLHHH8xL")
_LENGTHS = struct.Struct("<28xHHH")
_LOCAL = struct.Struct("<4s22xHH")
_LOCAL_SIZE = 30
_LOCAL_EXTRA = 256
"""Bytes of the extra field before a member that are asked for with it; it is longer in odd archives only."""
_ENTRY_SIZE = 46
_EXTRA = struct.Struct("<HH")
_ZIP64 = 0x0001
_IN_EXTRA = 0xFFFFFFFF
"""A 32-bit field with this value has its value in the extra field."""
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8


class _Entry(NamedTuple):
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    """From the start of the file."""


class Span(NamedTuple):
    """A part of the file, within its length."""

    offset: int
    """From the start of the file."""
    size: int
    """In bytes."""


Member = tuple[str, bytes]
"""The folder that it is in, and its content."""


def zip_member(file: BinaryIO, ending: str) -> Member:
    """The only member ``<folder><ending>`` at the top level of an open file.

    Raises:
        Unreadable: there is none, or more than one, or this is no zip file that can be read.
    """
    reading = read_zip(file.seek(0, io.SEEK_END), ending)
    span = next(reading)
    while True:
        file.seek(span.offset)
        try:
            span = reading.send(file.read(span.size))
        except StopIteration as end:
            member: Member = end.value
            return member


def read_zip(length: int, ending: str) -> Generator[Span, bytes, Member]:
    """As :func:`zip_member`, for a file of ``length`` bytes: send it the bytes of each span that it yields.

    The first span is the end of the file, :data:`TAIL` bytes or all there are.
    """
    try:
        return (yield from _member(length, ending.encode()))
    except (struct.error, zlib.error) as error:
        raise Unreadable(str(error)) from error


def _member(length: int, ending: bytes) -> Generator[Span, bytes, Member]:
    directory, shift = yield from _directory(length)
    starts = list(_top_level(directory, ending))
    if len(starts) != 1:
        raise (Unreadable if starts else Absent)(f"{len(starts)} members that end in {ending.decode()}")
    entry = _entry(directory, starts[0], shift)
    try:
        folder = entry.name.removesuffix(ending).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a name that is not UTF-8") from error
    return folder, (yield from _content(length, entry))


def _at(length: int, offset: int, count: int) -> Generator[Span, bytes, bytes]:
    """``count`` bytes from ``offset``; Unreadable when the file does not have them."""
    if not 0 <= offset <= offset + count <= length:
        raise Unreadable("it points outside itself")
    data = (yield Span(offset, count)) if count else b""
    if len(data) != count:
        raise Unreadable("cut off")
    return data


def _end(length: int) -> Generator[Span, bytes, tuple[bytes, int, int]]:
    """The end of the file, where in it the last record starts, and where in the file it starts itself."""
    for most in (TAIL, _LOCATOR.size + _END.size + _COMMENT_CAP):
        start = max(0, length - most)
        tail = yield from _at(length, start, length - start)
        at = tail.rfind(b"PK\x05\x06")
        # Only a comment puts more behind it, or so little before it.
        if at >= _LOCATOR.size or (at >= 0 and start == 0):
            return tail, at, start
    raise Unreadable("no end of a central directory")


def _directory(length: int) -> Generator[Span, bytes, tuple[bytes, int]]:
    """The central directory, and how far all lies behind where it says: something may precede a zip."""
    tail, at, start = yield from _end(length)
    _, size, offset, _ = _END.unpack_from(tail, at)
    end = start + at
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\x06\x07"):
        _, end = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        signature, size, offset = _END_64.unpack((yield from _at(length, end, _END_64.size)))
        if signature != b"PK\x06\x06":
            raise Unreadable("no end of a ZIP64 central directory")
    if size > _DIRECTORY_CAP:
        raise Unreadable(f"a central directory of {size} bytes")
    return (yield from _at(length, end - size, size)), end - size - offset


def _top_level(directory: bytes, ending: bytes) -> Iterator[int]:
    """Where in the directory the entries ``<folder><ending>`` start."""
    start = 0
    while start < len(directory):
        name_length, extra_length, comment_length = _LENGTHS.unpack_from(directory, start)
        name_end = start + _ENTRY_SIZE + name_length
        if name_end > len(directory):
            raise Unreadable("a name that goes on behind the central directory")
        name_start = start + _ENTRY_SIZE
        wanted = directory.endswith(ending, name_start, name_end)
        if wanted and directory.count(b"/", name_start, name_end) == 1:
            yield start
        start = name_end + extra_length + comment_length


def _entry(directory: bytes, start: int, shift: int) -> _Entry:
    signature, flags, method, crc, packed, size, name_length, extra_length, _, offset = _ENTRY.unpack_from(
        directory, start
    )
    if signature != b"PK\x01\x02":
        raise Unreadable("no entry of a central directory")
    name_end = start + _ENTRY_SIZE + name_length
    extra = directory[name_end : name_end + extra_length]
    size, packed, offset = _widened(extra, size, packed, offset)
    return _Entry(directory[start + _ENTRY_SIZE : name_end], flags, method, crc, packed, size, offset + shift)


def _widened(extra: bytes, *fields: int) -> list[int]:
    """The fields with those that did not fit replaced by what the ZIP64 extra field says, in its order."""
    wide = iter(_wide_values(extra))
    return [next(wide, field) if field == _IN_EXTRA else field for field in fields]


def _wide_values(extra: bytes) -> list[int]:
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _ZIP64:
            return [value for (value,) in struct.iter_unpack("<Q", extra[at : at + length // 8 * 8])]
        at += length
    return []


def _content(length: int, entry: _Entry) -> Generator[Span, bytes, bytes]:
    if entry.flags & _ENCRYPTED or entry.size > MEMBER_CAP or entry.packed > 2 * MEMBER_CAP:
        raise Unreadable("encrypted or too large")
    # All of it at once, in most cases: behind a network each span is another request.
    most = _LOCAL_SIZE + len(entry.name) + _LOCAL_EXTRA + entry.packed
    found = yield from _at(length, entry.offset, min(most, max(0, length - entry.offset)))
    signature, name_length, extra_length = _LOCAL.unpack_from(found)
    name_end = _LOCAL_SIZE + name_length
    if signature != b"PK\x03\x04" or found[_LOCAL_SIZE:name_end] != entry.name:
        raise Unreadable("the member is not where the central directory says")
    start = name_end + extra_length
    packed = found[start : start + entry.packed]
    if len(packed) < entry.packed:
        packed = yield from _at(length, entry.offset + start, entry.packed)
    content = _unpacked(packed, entry)
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise Unreadable("the member is damaged")
    return content


def _unpacked(packed: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        return packed
    if entry.method == _DEFLATED:
        # One byte more than announced is enough to see that there is more.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.size + 1)
    raise Unreadable(f"compression method {entry.method}")
