"""One member of a tar archive, compressed or not, read forward once under caps."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from typing import TYPE_CHECKING, cast

from aiomirror.distributions.values import MEMBER_CAP, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

_ARCHIVE_CAP = 1 << 30
"""Bytes that are unpacked at most on the way to the member."""
_MEMBERS_CAP = 100_000
_BLOCK = 1 << 16
"""Bytes asked for at once; a header of an archive that is longer than this is hostile."""
_GLOBAL_HEADERS_CAP = 100
_XZ_MEMORY = 96 << 20
"""Bytes that the decoder may take; the strongest setting of xz takes 65 MiB."""


class _Unxz(io.RawIOBase):
    """An .xz file unpacked; the standard library's own sets no limit to the memory that the file asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = b""
        while not data and not self._decoder.eof:
            packed = self._file.read(_BLOCK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError("cut off")
            data = self._decoder.decompress(packed, len(view))
        view[: len(data)] = data
        return len(data)


def _unxz(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Unxz(file), _BLOCK))


def _gunzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))


def _bunzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", bz2.BZ2File(file))


COMPRESSIONS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".tar.gz": _gunzip,
    ".tgz": _gunzip,
    ".tar.bz2": _bunzip,
    ".tbz": _bunzip,
    ".tar.xz": _unxz,
    ".txz": _unxz,
    ".tar": lambda file: file,
}
"""The endings of tar archives, and what makes tar of them."""


class _Metered(io.RawIOBase):
    """A stream that goes forward only, in pieces of a bounded size, to a bounded end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _BLOCK or self._position + count > _ARCHIVE_CAP:
            raise Unreadable("too large")
        data = self._stream.read(count)
        self._position += len(data)
        return data

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or not self._position <= position <= _ARCHIVE_CAP:
            raise Unreadable("not forward, or too far")
        while self._position < position and self.read(min(_BLOCK, position - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position


def tar_member(file: BinaryIO, suffix: str, ending: str) -> tuple[str, bytes]:
    """The first member ``<folder><ending>`` at the top level: its folder and its content.

    Raises:
        Unreadable: there is none within the caps, or this is no archive that can be read.
    """
    file.seek(0)
    try:
        return _member(_Metered(COMPRESSIONS[suffix](file)), ending)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    except OSError as error:
        # The decoders speak of damaged data so too; only the disk's own errors have a number.
        if error.errno is not None:
            raise
        raise Unreadable(str(error)) from error


def _member(stream: _Metered, ending: str) -> tuple[str, bytes]:
    with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:") as archive:
        for member in _members(archive):
            name = member.name.removeprefix("./")
            if name.endswith(ending) and name.count("/") == 1 and member.isreg():
                return name.removesuffix(ending), _content(archive, member)
    raise Unreadable(f"nothing that ends in {ending}")


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for _ in range(_MEMBERS_CAP):
        member = archive.next()
        if member is None or len(archive.pax_headers) > _GLOBAL_HEADERS_CAP:
            return
        archive.members.clear()  # type: ignore[attr-defined]  # Else it keeps them all.
        yield member


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    reader = archive.extractfile(member)
    if reader is None or member.size > MEMBER_CAP:
        raise Unreadable("too large")
    with reader:
        content = b"".join(iter(lambda: reader.read(_BLOCK), b""))
    if len(content) != member.size:
        raise Unreadable("cut off")
    return content
