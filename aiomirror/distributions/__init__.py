"""What a distribution file says about itself: core metadata, and how a source archive is built.

Functions over an open binary file that can seek, and the same sans-IO, for files that are elsewhere.  They
never write, unpack nothing to disk and run nothing; whatever the file holds, they take a bounded part of it
into memory.  Of a file they answer None for what they do not understand, and pass an OSError of the disk
below it on; sans-IO they raise Unreadable, which says why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from aiomirror.distributions.unpacking import COMPRESSIONS
from aiomirror.distributions.values import Absent, Unreadable
from aiomirror.distributions.zips import TAIL, Span, read_zip, zip_member

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

__all__ = [
    "PKG_INFO",
    "PYPROJECT",
    "TAIL",
    "Absent",
    "SourceSearch",
    "Span",
    "Unreadable",
    "core_metadata",
    "read_zipped",
    "requires_python",
    "sdist_metadata",
    "source_member",
    "wheel_metadata",
]

PKG_INFO, PYPROJECT = "PKG-INFO", "pyproject.toml"
"""What is in the top-level folder of a source archive: its core metadata, and how it is built (PEP 517)."""
# PEP 427.  What the version and the tags mean is nothing to the metadata, and takes a fifth of finding them.
_WHEEL = re.compile(r"([^-]+)-[^-]+(?:-[0-9][^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def core_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """:func:`wheel_metadata` or :func:`sdist_metadata`, as the name says."""
    return (wheel_metadata if filename.endswith(".whl") else sdist_metadata)(file, filename)


def wheel_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """The METADATA of a wheel, byte for byte; None when it is absent, ambiguous or cannot be read.

    As for installers, there may be one top-level ``*.dist-info``, and its name must be the wheel's.
    """
    try:
        project = _project(filename)
        return _of_wheel(project, *zip_member(file, ".dist-info/METADATA"))
    except Unreadable:
        return None


def sdist_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """The PKG-INFO in the top-level folder of a source archive; None when there is none to be had.

    ``.zip``, ``.tar`` and the usual compressed forms of it are read.  The folder must be named like the
    archive, spelling aside.
    """
    try:
        return source_member(file, filename, PKG_INFO)
    except Unreadable:
        return None


def source_member(file: BinaryIO, filename: str, member: str) -> bytes:
    """A file in the top-level folder of a source archive, as :func:`sdist_metadata` finds the PKG-INFO.

    Raises:
        Absent: the archive is fine, and has none.
        Unreadable: there is none to be had.
    """
    if filename.endswith(".zip"):
        return _of_source(filename.removesuffix(".zip"), *zip_member(file, f"/{member}"))
    from aiomirror.distributions.tars import tar_member  # noqa: PLC0415 (most metadata are those of wheels)

    suffix = _suffix(filename)
    return _of_source(filename.removesuffix(suffix), *tar_member(file, suffix, f"/{member}"))


def read_zipped(filename: str, length: int, member: str = PKG_INFO) -> Generator[Span, bytes, bytes]:
    """The METADATA of a wheel, or ``member`` of a ``.zip`` source archive, of a file of ``length`` bytes.

    Send it the bytes of each span that it yields.  The first one is the end of the file: the last
    :data:`TAIL` bytes, or all there are.

    Raises:
        Absent: the archive is fine, and has none.
        Unreadable: as where :func:`wheel_metadata` and :func:`sdist_metadata` answer None.
    """
    if not filename.endswith(".whl"):
        folder, content = yield from read_zip(length, f"/{member}")
        return _of_source(filename.removesuffix(".zip"), folder, content)
    project = _project(filename)
    folder, content = yield from read_zip(length, ".dist-info/METADATA")
    return _of_wheel(project, folder, content)


class SourceSearch:
    """Looks for ``member`` of a source archive, other than a ``.zip``, that comes in pieces.

    Raises:
        Unreadable: not named like an archive that is read.
    """

    def __init__(self, filename: str, member: str = PKG_INFO) -> None:
        from aiomirror.distributions.tars import TarSearch  # noqa: PLC0415 (as above)

        suffix = _suffix(filename)
        self._stem = filename.removesuffix(suffix)
        self._search = TarSearch(suffix, f"/{member}")

    def feed(self, data: bytes) -> bytes | None:
        """Take the next bytes of the file; the member once it is complete, and nothing is fed after that.

        Raises:
            Absent: the archive has ended, and did not have it.
            Unreadable: it is not there within the caps, or this is no archive that can be read.
        """
        member = self._search.feed(data)
        return None if member is None else _of_source(self._stem, *member)


def _project(filename: str) -> str:
    if (match := _WHEEL.fullmatch(filename)) is None:
        raise Unreadable("not named like a wheel")
    return canonicalize_name(match[1])


def _suffix(filename: str) -> str:
    suffix = next((suffix for suffix in COMPRESSIONS if filename.endswith(suffix)), None)
    if suffix is None:
        raise Unreadable("not an archive of a kind that is read")
    return suffix


def _of_wheel(project: str, folder: str, metadata: bytes) -> bytes:
    # A dash ends the name, and there may be more of them in either part: old wheels did not escape any.
    if not f"{canonicalize_name(folder)}-".startswith(f"{project}-"):
        raise Unreadable("its dist-info folder is of another project")
    return metadata


def _of_source(stem: str, folder: str, metadata: bytes) -> bytes:
    if canonicalize_name(folder) != canonicalize_name(stem):
        raise Unreadable("its folder is not named like the archive")
    return metadata


def requires_python(metadata: bytes) -> str | None:
    """The text of Requires-Python as written, valid or not; None when it is missing, empty or given twice."""
    from packaging.metadata import parse_email  # noqa: PLC0415 (seldom needed, and it knows every licence)

    # The description is left out: it may be long, and read as mail it may be anything.
    raw, _ = parse_email(_BLANK_LINE.split(metadata, maxsplit=1)[0])
    return "".join(raw.get("requires_python", "").splitlines()).strip() or None
