"""A client under test: what it is asked with, and where its bytes go."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiomirror.http import Client, HttpSettings, sections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


NAME = "a-1.0.tar.gz"
PATH = f"/files/a/{NAME}"
PAGE = "/simple/a/"
CONTENT = bytes(range(256)) * 40
EMPTY_BLOCKS = bytes.fromhex("1f8b08000000000000ff") + b"\0\0\0\xff\xff" * 201
"""Compressed data that unpacks to nothing, and goes on."""
SHORT = HttpSettings(timeout=0.25)


class Memory:
    """A sink that keeps everything."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)
        self.restarts = 0
        self.written = asyncio.Event()

    @property
    def data(self) -> bytes:
        return bytes(self._data)

    @property
    def received(self) -> int:
        return len(self._data)

    async def write(self, data: bytes) -> None:
        self._data += data
        self.written.set()

    async def restart(self) -> None:
        self.restarts += 1
        self._data.clear()


def split(monkeypatch: pytest.MonkeyPatch, section: int) -> None:
    """Have files of five sections and more come in sections, and no connection fast enough to be alone."""
    monkeypatch.setattr(sections, "SPLIT", 5 * section)
    monkeypatch.setattr(sections, "SECTION", section)
    monkeypatch.setattr(sections, "TRIAL", 0)
    monkeypatch.setattr(sections, "FAST", math.inf)


class Pieces(Memory):
    """A sink that keeps everything, wherever it belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Piece] = []

    def section(self, start: int, count: int) -> Piece:
        self.sections.append(Piece(start, count))
        return self.sections[-1]

    async def restart(self) -> None:
        await super().restart()
        self.sections.clear()

    @property
    def all(self) -> bytes:
        """What would be verified."""
        assert not (self.data and any(piece.received for piece in self.sections))
        for piece in self.sections:
            assert piece.received <= piece.count
        return self.data or b"".join(piece.data for piece in self.sections)


class Piece(Memory):
    def __init__(self, start: int, count: int) -> None:
        super().__init__()
        self.start, self.count = start, count


class Naps(list[float]):
    """A sleep that only takes notes, and a clock that goes by them."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> float:
        return time.monotonic() + sum(self)


@asynccontextmanager
async def running(settings: HttpSettings | None = None, naps: Naps | None = None) -> AsyncIterator[Client]:
    naps = Naps() if naps is None else naps
    async with Client(settings, clock=naps.clock, sleep=naps, random=lambda: 1.0) as client:
        yield client


async def fetched(client: Client, url: str, *, cap: int = 1 << 30) -> Memory:
    """The file, over as many attempts as the client allows."""
    sink = Memory()
    await client.retrying(client.transfer(url, sink, cap=cap).attempt)
    return sink
