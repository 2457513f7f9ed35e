"""A file that is being received, as the tasks see it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError
from aiomirror.store import siblings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from aiomirror.plan import FileRecord
    from aiomirror.simple.values import Digests
    from aiomirror.store.draft import Draft, Parts
    from aiomirror.store.hops import Hops, T

QUICK = 256 * 1024
"""Bytes that are hashed and written in next to no time, while the processor's caches still have them."""
BATCH = 512 * 1024
"""Bytes per hop to a slow disk.  One batch is written while the next is received, so twice this is held."""
STRIDE = 8 * 2**20
"""Bytes per hop of hashing what is written already: of so many, the way there and back is no part.

One core receives and writes a file about as fast as another hashes it.
"""


class Partial:
    """The bytes of one file, in memory up to :data:`QUICK` or :data:`BATCH`, beyond it in a nameless file.

    It has the shape of a sink for a download: ``received`` counts the bytes that were taken, so that a broken
    transfer can be resumed there.  As an async context manager it discards itself unless it was committed.
    """

    def __init__(self, hops: Hops, draft: Draft) -> None:
        self._hops, self._draft = hops, draft
        self._buffer: list[bytes] = []
        self._buffered = self._unhashed = 0
        self._behind: asyncio.Task[None] | None = None
        self.received = 0

    async def write(self, data: bytes) -> None:
        """Take the next bytes; DestinationError when the disk refuses these or earlier ones."""
        self._buffer.append(data)
        self._buffered += len(data)
        self.received += len(data)
        if self._hops.prompt:
            if self._buffered >= QUICK:
                await self._write()
        elif self._buffered >= BATCH:
            await self._caught_up()
            self._hand_over()
            self._go_on(self._hops.run(self._draft.drain))

    async def _write(self) -> None:
        """Write what is buffered, on the loop, and let a thread hash it when it is enough."""
        if self._unhashed >= STRIDE:
            await self._caught_up()
            self._unhashed = 0
            self._go_on(self._hops.busy(self._draft.hash))
        self._unhashed += self._buffered
        self._hand_over()
        await self._hops.quick(self._draft.write)

    def _hand_over(self) -> None:
        self._draft.queue(self._buffer)
        self._buffer, self._buffered = [], 0

    def _go_on(self, work: Coroutine[None, None, None]) -> None:
        self._behind = asyncio.create_task(work)
        self._behind.add_done_callback(_observed)

    async def restart(self) -> None:
        """Forget every byte; the next attempt begins at the first."""
        with suppress(DestinationError):
            await self._caught_up()
        self._forget()
        if not self._draft.pristine:
            await self._hops.run(self._draft.reset)

    async def commit(self) -> FileRecord:
        """Check size and digests and give the file its name, in one hop.

        SizeMismatchError or DigestMismatchError: it is empty again and may be written anew.
        """
        return await self._finish(self._draft.commit)

    async def commit_with_metadata(self, expected: Digests) -> tuple[FileRecord, FileRecord | None]:
        """As :meth:`commit`, and in the same hop the core metadata of a wheel is put beside it.

        ``expected`` are digests of it; the second record is None when the wheel has none, or not that one.
        """
        return await self._finish(lambda rest: siblings.commit_with_metadata(self._draft, rest, expected))

    async def _finish(self, commit: Callable[[Parts], T]) -> T:
        await self._caught_up()
        rest, work = self._buffer, self._buffered + self._unhashed
        self._forget()
        hop = self._hops.busy if work > QUICK and self._hops.prompt else self._hops.quick
        return await hop(commit, rest)

    async def discard(self) -> None:
        """Remove what is on disk of it; nothing after a commit, and it may be called again."""
        await self.restart()

    async def _caught_up(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            await behind

    def _forget(self) -> None:
        self._buffer = []
        self._buffered = self._unhashed = 0
        self.received = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.discard()


def _observed(task: asyncio.Task[None]) -> None:
    # The draft remembers a fault and raises it again; nobody need have awaited this task.
    if not task.cancelled():
        task.exception()
