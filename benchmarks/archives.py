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
WHEEL = "Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
REQUIRES_PYTHON = ">=3.8"


@dataclass(frozen=True, slots=True)
class About:
    """What the metadata of a version says beside its name."""

    requires_python: str = REQUIRES_PYTHON
    requires_dist: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    described: bool = True
    """With a description of about one kilobyte, as short real ones are; or without any."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: size in bytes, digests in hexadecimal."""

    size: int
    sha256: str
    metadata_sha256: str


PLAIN = About()


def metadata_text(name: str, version: str, about: About) -> bytes:
    """METADATA and PKG-INFO: headers and a description."""
    more = "".join(f"Provides-Extra: {extra}\n" for extra in about.extras)
    more += "".join(f"Requires-Dist: {requirement}\n" for requirement in about.requires_dist)
    head = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Filler of a benchmark\n"
        f"Author: nobody\nLicense: public domain\nRequires-Python: {about.requires_python}\n{more}\n"
    )
    if not about.described:
        return head.encode()
    line = f"{name} {version} does nothing, and does it in every one of these lines.\n"
    return f"{head}# {name}\n\n{line * (1024 // len(line))}".encode()


def write_file(path: Path, name: str, version: str, size: int, about: About = PLAIN) -> Written:
    """Write the wheel or source archive that ``path`` names, of about ``size`` bytes."""
    metadata = metadata_text(name, version, about)
    offset = random.Random(path.name).randrange(len(BLOCK))
    if path.name.endswith(".whl"):
        _write_wheel(path, f"{name.replace('-', '_')}-{version}", metadata, size, offset)
        _write_metadata(path, metadata, about)
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
        archive.writestr(_entry(f"{stem}.dist-info/WHEEL"), _wheel_text(path))
        archive.writestr(_entry(f"{stem}.dist-info/RECORD"), record)


def _wheel_text(path: Path) -> bytes:
    tag = "-".join(path.stem.split("-")[-3:])
    pure = tag.endswith("-none-any")
    # Those of py2 say the same: nobody installs them, and other bytes would be another corpus.
    return WHEEL.format(pure=str(pure).lower(), tag="py3-none-any" if pure else tag).encode()


def _write_metadata(path: Path, metadata: bytes, about: About) -> None:
    """The metadata beside a wheel."""
    sibling = path.with_name(f"{path.name}.metadata")
    if about.described:
        sibling.write_bytes(metadata)
        return
    # The many wheels of a version share one file on the disk: else half of a corpus of tiny files were these.
    shared = path.with_name(f"{path.name.split('-')[0]}-{path.name.split('-')[1]}.core-metadata")
    if not shared.exists():
        shared.write_bytes(metadata)
    sibling.hardlink_to(shared)


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
