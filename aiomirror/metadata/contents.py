"""Bytes that are here: whether they are the expected ones, and the core metadata in them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from aiomirror.distributions import (
    PKG_INFO,
    SourceSearch,
    Unreadable,
    core_metadata,
    read_zipped,
)
from aiomirror.errors import DigestMismatchError
from aiomirror.store.digests import Digester, Expectation

if TYPE_CHECKING:
    from aiomirror.simple.values import Digests, ProjectFile


def is_zipped(filename: str) -> bool:
    """Whether the metadata is found from the end of the file; else it is on the way through it."""
    return filename.endswith((".whl", ".zip"))


def read_whole(filename: str, content: bytes, member: str = PKG_INFO) -> bytes:
    """The METADATA of a wheel, or ``member`` of a source archive, that is here as a whole.

    Raises:
        Absent: the archive is fine, and has none.
        Unreadable: there is none to be had.
    """
    if not is_zipped(filename):
        if (text := SourceSearch(filename, member).feed(content)) is None:
            raise Unreadable(f"it ends before a {member}")
        return text
    reading = read_zipped(filename, len(content), member)
    span = next(reading)
    while True:
        try:
            span = reading.send(content[span.offset : span.offset + span.size])
        except StopIteration as end:
            found: bytes = end.value
            return found


def metadata_of_held(content: bytes, listed: ProjectFile) -> bytes | None:
    """That of a file of the mirror's own; None when it is not the one that is listed, or has none."""
    return core_metadata(io.BytesIO(content), listed.filename) if fits(content, listed.hashes) else None


def fits(content: bytes, digests: Digests | None) -> bool:
    """Whether the content has all of these digests, and there is one at least."""
    try:
        check("", "", content, digests or {})
    except DigestMismatchError:
        return False
    return bool(digests)


def check(project: str, filename: str, content: bytes, digests: Digests) -> None:
    """DigestMismatchError unless the content has all of these."""
    expected = Expectation(digests)
    digester = expected.digester()
    digester.update(content)
    expected.check(project, filename, len(content), digester.digests())


def sha256(text: bytes) -> str:
    """In hexadecimal."""
    digester = Digester()
    digester.update(text)
    return digester.digests()["sha256"]


def is_same_file(held: Digests, upstream: Digests) -> bool:
    """Whether what the mirror lists is what upstream lists; of a file without digests nobody can tell."""
    common = held.keys() & upstream.keys()
    return not upstream or (bool(common) and all(held[name] == upstream[name] for name in common))
