"""Bytes that follow each other, on their way to the disk: in batches, hashed with that or behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiomirror.store.draft import Draft, Parts
    from aiomirror.store.hops import Hops

BATCH = 512 * 1024
"""Bytes that are written at once.  To a slow disk they go while the next are received: twice this is held."""
STRIDE = 8 * 2**20
"""Bytes per hop of hashing what is written already: of so many, the way there and back is no part.

One core receives and writes a file about as fast as another hashes it.
"""
ALONE = 2**27
"""Bytes of a file that may well be the last one under way, so that there is a processor to hash it."""
LEEWAY = 16 * STRIDE
"""Bytes that may wait to be hashed before receiving waits for it: when a gap is closed, many come at once."""


class Writer:
    """Brings the batches of one file to the draft, and no more than one piece of work at a time to threads.

    Several tasks may use it, each for a stretch of its own.
    """

    def __init__(self, hops: Hops, draft: Draft) -> None:
        self._hops, self._draft = hops, draft
        self._lagging = hops.spare or draft.size >= ALONE
        self._behind: asyncio.Task[None] | None = None
        self._begun = 0

    @property
    def unhashed(self) -> int:
        """Bytes that are written and that no thread is hashing yet."""
        return self._draft.written - self._begun

    async def take(self, stretch: Stretch) -> None:
        """Write what the stretch holds; DestinationError when the disk refuses this or something earlier."""
        if self._hops.prompt and self._lagging:
            await self._follow()
            self.queue(stretch)
            await self._hops.quick(self._draft.write)
        elif self._hops.prompt:
            self.queue(stretch)
            await self._hops.quick(self._draft.drain)
            self._begun = self._draft.written
        else:
            await self.settled()
            self.queue(stretch)
            self._go_on(self._hops.run(self._draft.drain))

    def queue(self, stretch: Stretch) -> None:
        """Leave what the stretch holds to whatever writes next."""
        start, parts = stretch.release()
        if parts:
            self._draft.queue(parts, start)

    async def settled(self) -> None:
        """Wait until no work is under way; DestinationError when it failed."""
        while (task := self._behind) is not None:
            # Not the task itself: whoever is cancelled here would cancel it for the others.
            await asyncio.wait([task])
            if self._behind is task:
                self._behind = None
            task.result()

    def forget(self) -> None:
        """The file begins at its first byte again."""
        self._begun = 0

    async def _follow(self) -> None:
        """Let a thread hash what is written, when it is enough."""
        if self._behind is not None and (self._behind.done() or self.unhashed >= LEEWAY):
            await self.settled()
        if self._behind is None and self.unhashed >= STRIDE:
            self._begun = self._draft.written
            self._go_on(self._hops.busy(self._draft.hash))

    def _go_on(self, work: Coroutine[None, None, None]) -> None:
        self._behind = asyncio.create_task(work)
        self._behind.add_done_callback(_observed)


class Stretch:
    """Bytes of one file from ``start`` on, ``count`` of them where that is known.

    It has the shape of a sink for a download: ``received`` counts the bytes that were taken, so that a broken
    transfer can be resumed there.
    """

    def __init__(self, writer: Writer, start: int, count: int | None = None) -> None:
        self._writer, self._start, self._count = writer, start, count
        self._buffer: list[bytes] = []
        self._buffered = 0
        self.received = 0

    async def write(self, data: bytes) -> None:
        """Take the next bytes; DestinationError when the disk refuses these or earlier ones."""
        self._buffer.append(data)
        self._buffered += len(data)
        self.received += len(data)
        if self._buffered >= BATCH or self.received == self._count:
            await self._writer.take(self)

    def release(self) -> tuple[int, Parts]:
        """What is held, and where in the file it belongs; nothing is held then."""
        start, parts = self._start + self.received - self._buffered, self._buffer
        self._buffer, self._buffered = [], 0
        return start, parts


def _observed(task: asyncio.Task[None]) -> None:
    # The draft remembers a fault and raises it again; nobody need have awaited this task.
    if not task.cancelled():
        task.exception()
