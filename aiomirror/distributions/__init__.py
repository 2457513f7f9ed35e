"""What a distribution file says about itself: the core metadata inside wheels and source archives.

Functions over an open binary file that can seek.  They never write, unpack nothing to disk and run nothing;
whatever the file holds, they take a bounded part of it into memory, and answer None for what they do not
understand.  An OSError of the disk below the file is passed on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from aiomirror.distributions.tars import COMPRESSIONS, tar_member
from aiomirror.distributions.values import Unreadable
from aiomirror.distributions.zips import zip_member

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["core_metadata", "requires_python", "sdist_metadata", "wheel_metadata"]

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def core_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """:func:`wheel_metadata` or :func:`sdist_metadata`, as the name says."""
    return (wheel_metadata if filename.endswith(".whl") else sdist_metadata)(file, filename)


def wheel_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """The METADATA of a wheel, byte for byte; None when it is absent, ambiguous or cannot be read.

    As for installers, there may be one top-level ``*.dist-info``, and its name must be the wheel's.
    """
    try:
        project, *_ = parse_wheel_filename(filename)
        folder, metadata = zip_member(file, ".dist-info/METADATA")
    except (InvalidWheelFilename, Unreadable):
        return None
    # A dash ends the name, and there may be more of them in either part: old wheels did not escape any.
    return metadata if f"{canonicalize_name(folder)}-".startswith(f"{project}-") else None


def sdist_metadata(file: BinaryIO, filename: str) -> bytes | None:
    """The PKG-INFO in the top-level folder of a source archive; None when there is none to be had.

    ``.zip``, ``.tar`` and the usual compressed forms of it are read.  The folder must be named like the
    archive, spelling aside.
    """
    suffix = next((suffix for suffix in (".zip", *COMPRESSIONS) if filename.endswith(suffix)), None)
    if suffix is None:
        return None
    try:
        if suffix == ".zip":
            folder, metadata = zip_member(file, "/PKG-INFO")
        else:
            folder, metadata = tar_member(file, suffix, "/PKG-INFO")
    except Unreadable:
        return None
    stem = filename.removesuffix(suffix)
    return metadata if canonicalize_name(folder) == canonicalize_name(stem) else None


def requires_python(metadata: bytes) -> str | None:
    """The text of Requires-Python as written, valid or not; None when it is missing, empty or given twice."""
    # The description is left out: it may be long, and read as mail it may be anything.
    raw, _ = parse_email(_BLANK_LINE.split(metadata, maxsplit=1)[0])
    return "".join(raw.get("requires_python", "").splitlines()).strip() or None
