"""The files of a corpus: real wheels and source archives, with filler that costs next to nothing to make."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATE = (2024, 1, 1, 0, 0, 0)
TAR_DATE = 1_704_067_200  # the same moment, in seconds since 1970
BLOCK = random.Random(20240101).randbytes(2**20)
"""Incompressible, as what is in wheels and gzipped archives; every file takes it from another offset."""
WHEEL = b"Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
REQUIRES_PYTHON = ">=3.8"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: size in bytes, digests in hexadecimal."""

    size: int
    sha256: str
    metadata_sha256: str


def metadata_text(name: str, version: str) -> bytes:
    """METADATA and PKG-INFO: headers and a description of about one kilobyte, as short real ones have."""
    head = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Filler of a benchmark\n"
        f"Author: nobody\nLicense: public domain\nRequires-Python: {REQUIRES_PYTHON}\n\n# {name}\n\n"
    )
    line = f"{name} {version} does nothing, and does it in every one of these lines.\n"
    return (head + line * (1024 // len(line))).encode()


def write_file(path: Path, name: str, version: str, size: int) -> Written:
    """Write the wheel or source archive that ``path`` names, of about ``size`` bytes."""
    metadata = metadata_text(name, version)
    offset = random.Random(path.name).randrange(len(BLOCK))
    if path.name.endswith(".whl"):
        _write_wheel(path, f"{name.replace('-', '_')}-{version}", metadata, size, offset)
        path.with_name(f"{path.name}.metadata").write_bytes(metadata)
    else:
        path.write_bytes(_sdist(f"{name.replace('-', '_')}-{version}", metadata, size, offset))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(path.stat().st_size, digest, hashlib.sha256(metadata).hexdigest())


def _filler(size: int, offset: int) -> Iterator[bytes]:
    """``size`` bytes, a block at a time, so that a large file needs no memory."""
    while size > 0:
        piece = BLOCK[offset : offset + size]
        yield piece
        size -= len(piece)
        offset = 0


def _write_wheel(path: Path, stem: str, metadata: bytes, size: int, offset: int) -> None:
    # The record has no digests: nobody installs these, and hashing two gigabytes twice is not free.
    record = f"{stem}/data.bin,,\n{stem}.dist-info/METADATA,,\n{stem}.dist-info/RECORD,,\n".encode()
    overhead = 1100  # bytes: deflated metadata and the archive's own headers
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open(_entry(f"{stem}/data.bin"), "w", force_zip64=size > 2**31 - 2**20) as member:
            for piece in _filler(size - overhead, offset):
                member.write(piece)
        archive.writestr(_entry(f"{stem}.dist-info/METADATA", zipfile.ZIP_DEFLATED), metadata)
        archive.writestr(_entry(f"{stem}.dist-info/WHEEL"), WHEEL)
        archive.writestr(_entry(f"{stem}.dist-info/RECORD"), record)


def _entry(name: str, how: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.compress_type = how
    entry.external_attr = 0o644 << 16
    return entry


def _sdist(stem: str, metadata: bytes, size: int, offset: int) -> bytes:
    buffer = io.BytesIO()
    filler = b"".join(_filler(size - 1000, offset))
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {"PKG-INFO": metadata, "data.bin": filler}.items():
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), TAR_DATE, 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)
