"""What the bytes of a file must be, and what they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from aiomirror.digests import DIGEST_LENGTHS
from aiomirror.errors import DigestMismatchError, SizeMismatchError

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Protocol

    from aiomirror.simple.values import Digests

    class _Hash(Protocol):
        def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
        def hexdigest(self) -> str: ...


class Digester:
    """Several digests of one stream of bytes; sha256 is always among them.

    An algorithm that hashlib does not have is left out: what was to be checked with it then fails the check.
    """

    def __init__(self, algorithms: Collection[str] = ()) -> None:
        self._hashes: dict[str, _Hash] = {"sha256": hashlib.sha256(usedforsecurity=False)}
        for algorithm in algorithms:
            if algorithm not in self._hashes and algorithm in DIGEST_LENGTHS:
                self._hashes[algorithm] = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        for one in self._hashes.values():
            one.update(data)

    def digests(self) -> dict[str, str]:
        """Algorithm → lower-case hexadecimal digest of what was taken so far."""
        return {algorithm: one.hexdigest() for algorithm, one in self._hashes.items()}


class Expectation(msgspec.Struct, frozen=True):
    """What a file must be: every one of ``hashes``, ``size`` in bytes, and one of ``accepted``.

    ``accepted`` are ``(algorithm, digest)`` pairs; none: any file.
    """

    hashes: Digests
    size: int | None = None
    accepted: frozenset[tuple[str, str]] = frozenset()

    @property
    def algorithms(self) -> Collection[str]:
        """Those of which :meth:`check` asks for the digests."""
        if not self.accepted:
            return self.hashes.keys()
        return {*self.hashes, *(algorithm for algorithm, _ in self.accepted)}

    def digester(self) -> Digester:
        """A digester of all the algorithms that :meth:`check` will ask for."""
        return Digester(self.algorithms)

    def check(self, project: str, filename: str, size: int, digests: Digests) -> None:
        """SizeMismatchError or DigestMismatchError unless the file is what it must be."""
        if self.size is not None and size != self.size:
            raise SizeMismatchError(project, filename, self.size, size)
        for algorithm, expected in self.hashes.items():
            actual = digests.get(algorithm, "unknown")
            if actual != expected:
                raise DigestMismatchError(project, filename, algorithm, expected, actual)
        if self.accepted and not any(digests.get(name) == digest for name, digest in self.accepted):
            algorithm, _ = min(self.accepted)
            admitted = sorted(digest for name, digest in self.accepted if name == algorithm)
            actual = digests.get(algorithm, "unknown")
            raise DigestMismatchError(project, filename, algorithm, " or ".join(admitted), actual)
