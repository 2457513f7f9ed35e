"""Compressed data that comes in pieces, unpacked in pieces of a bounded size."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from aiomirror.distributions.values import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 1 << 16
"""Bytes of an unpacked piece at most."""
_STREAMS_CAP = 100_000
"""Compressed streams one after the other in one file; parallel compressors make one of each 64 KiB or so."""
_XZ_MEMORY = 96 << 20
"""Bytes that the decoder may take; the strongest setting of xz takes 65 MiB."""
_GZIP = 16 + zlib.MAX_WBITS


class _Stream(Protocol):
    """What the decoders of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gunzip:
    """zlib's decoder with the interface of the others."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        unpacked = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        # With all input taken, some output may still be inside when this was as much as was allowed.
        self.needs_input = not self._decoder.unconsumed_tail and len(unpacked) < max_length
        return unpacked


class _Copy:
    """No compression."""

    eof, unused_data = False, b""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def needs_input(self) -> bool:
        return not self._rest

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        data = self._rest + data if self._rest else data
        self._rest = data[max_length:]
        return data[:max_length]


def _unxz() -> _Stream:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


COMPRESSIONS: dict[str, Callable[[], _Stream]] = {
    ".tar.gz": _Gunzip,
    ".tgz": _Gunzip,
    ".tar.bz2": bz2.BZ2Decompressor,
    ".tbz": bz2.BZ2Decompressor,
    ".tar.xz": _unxz,
    ".txz": _unxz,
    ".tar": _Copy,
}
"""The endings of tar archives, and what makes tar of them."""


class Unpacker:
    """Unpacks what is compressed as the suffix says: one stream, or several one after the other."""

    def __init__(self, suffix: str) -> None:
        self._new = COMPRESSIONS[suffix]
        self._stream: _Stream | None = self._new()
        self._streams = 1

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """What the next bytes of the file unpack to, in pieces of :data:`BLOCK` bytes at most.

        Raises:
            Unreadable: they are not what the suffix says.
        """
        try:
            yield from self._unpack(packed)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise Unreadable(f"not the compressed data it says it is: {error}") from error

    def _unpack(self, packed: bytes) -> Iterator[bytes]:
        while packed or (self._stream is not None and not self._stream.needs_input):
            if self._stream is None and not (packed := packed.lstrip(b"\0")):  # zeros may fill up a block
                return
            stream = self._stream = self._stream or self._next()
            piece = stream.decompress(packed, BLOCK)
            packed = b""
            if stream.eof:
                packed, self._stream = stream.unused_data, None
            if piece:
                yield piece

    def _next(self) -> _Stream:
        self._streams += 1
        if self._streams > _STREAMS_CAP:
            raise Unreadable("too many compressed streams")
        return self._new()
