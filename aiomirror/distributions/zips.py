"""One member of a zip file, found in the central directory without an object for every other member.

The directory is read in one piece, under a cap, and only the names that end as wanted are looked at closer;
for a wheel of 20,000 files that is a matter of milliseconds.  The members of distributions are stored or
deflated, and nothing else is read here.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from aiomirror.distributions.values import MEMBER_CAP, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

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


def zip_member(file: BinaryIO, ending: str) -> tuple[str, bytes]:
    """The only member ``<folder><ending>`` at the top level: its folder and its content.

    Raises:
        Unreadable: there is none, or more than one, or this is no zip file that can be read.
    """
    try:
        return _member(file, ending.encode())
    except (struct.error, zlib.error) as error:
        raise Unreadable(str(error)) from error


def _member(file: BinaryIO, ending: bytes) -> tuple[str, bytes]:
    directory, shift = _directory(file)
    starts = list(_top_level(directory, ending))
    if len(starts) != 1:
        raise Unreadable(f"{len(starts)} members that end in {ending!r}")
    entry = _entry(directory, starts[0], shift)
    try:
        folder = entry.name.removesuffix(ending).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a name that is not UTF-8") from error
    return folder, _content(file, entry)


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    """``count`` bytes from ``offset``; Unreadable when the file does not have them."""
    if not 0 <= offset <= offset + count <= file.seek(0, io.SEEK_END):
        raise Unreadable("it points outside itself")
    file.seek(offset)
    return file.read(count)


def _directory(file: BinaryIO) -> tuple[bytes, int]:
    """The central directory, and how far all lies behind where it says: something may precede a zip."""
    length = file.seek(0, io.SEEK_END)
    tail_at = max(0, length - _END.size - _COMMENT_CAP)
    tail = _at(file, tail_at, length - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise Unreadable("no end of a central directory")
    _, size, offset, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\x06\x07"):
        _, end = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        signature, size, offset = _END_64.unpack(_at(file, end, _END_64.size))
        if signature != b"PK\x06\x06":
            raise Unreadable("no end of a ZIP64 central directory")
    if size > _DIRECTORY_CAP:
        raise Unreadable(f"a central directory of {size} bytes")
    return _at(file, end - size, size), end - size - offset


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


def _content(file: BinaryIO, entry: _Entry) -> bytes:
    if entry.flags & _ENCRYPTED or entry.size > MEMBER_CAP or entry.packed > 2 * MEMBER_CAP:
        raise Unreadable("encrypted or too large")
    signature, name_length, extra_length = _LOCAL.unpack(_at(file, entry.offset, _LOCAL_SIZE))
    name_at = entry.offset + _LOCAL_SIZE
    if signature != b"PK\x03\x04" or _at(file, name_at, name_length) != entry.name:
        raise Unreadable("the member is not where the central directory says")
    packed = _at(file, name_at + name_length + extra_length, entry.packed)
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
