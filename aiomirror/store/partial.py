"""A file that is being received, as the tasks see it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError
from aiomirror.store import siblings

if TYPE_CHECKING:
    from types import TracebackType

    from aiomirror.plan import FileRecord
    from aiomirror.simple.values import Digests
    from aiomirror.store.draft import Draft
    from aiomirror.store.hops import Hops

QUICK = 256 * 1024
"""Bytes that are hashed and written in next to no time, while the processor's caches still have them."""
BATCH = 512 * 1024
"""Bytes per hop to a slow disk.  One batch is written while the next is received, so twice this is held."""


class Partial:
    """The bytes of one file, in memory up to :data:`QUICK` or :data:`BATCH`, beyond it in a nameless file.

    It has the shape of a sink for a download: ``received`` counts the bytes that were taken, so that a broken
    transfer can be resumed there.  As an async context manager it discards itself unless it was committed.
    """

    def __init__(self, hops: Hops, draft: Draft) -> None:
        self._hops, self._draft = hops, draft
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._behind: asyncio.Task[None] | None = None
        self.received = 0

    async def write(self, data: bytes) -> None:
        """Take the next bytes; DestinationError when the disk refuses these or earlier ones."""
        self._buffer.append(data)
        self._buffered += len(data)
        self.received += len(data)
        if self._buffered >= (QUICK if self._hops.prompt else BATCH):
            await self._written_behind()
            self._draft.queue(self._buffer)
            self._buffer, self._buffered = [], 0
            if self._hops.prompt:
                await self._hops.quick(self._draft.drain)
            else:
                self._behind = asyncio.create_task(self._hops.run(self._draft.drain))
                self._behind.add_done_callback(_observed)

    async def restart(self) -> None:
        """Forget every byte; the next attempt begins at the first."""
        with suppress(DestinationError):
            await self._written_behind()
        self._forget()
        if not self._draft.pristine:
            await self._hops.run(self._draft.reset)

    async def commit(self) -> FileRecord:
        """Check size and digests and give the file its name, in one hop.

        SizeMismatchError or DigestMismatchError: it is empty again and may be written anew.
        """
        await self._written_behind()
        rest = self._buffer
        hop = self._hops.quick if self._buffered <= QUICK else self._hops.run
        self._forget()
        return await hop(self._draft.commit, rest)

    async def commit_with_metadata(self, expected: Digests) -> tuple[FileRecord, FileRecord | None]:
        """As :meth:`commit`, and in the same hop the core metadata of a wheel is put beside it.

        ``expected`` are digests of it; the second record is None when the wheel has none, or not that one.
        """
        await self._written_behind()
        rest = self._buffer
        hop = self._hops.quick if self._buffered <= QUICK else self._hops.run
        self._forget()
        return await hop(siblings.commit_with_metadata, self._draft, rest, expected)

    async def discard(self) -> None:
        """Remove what is on disk of it; nothing after a commit, and it may be called again."""
        await self.restart()

    async def _written_behind(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            await behind

    def _forget(self) -> None:
        self._buffer, self._buffered = [], 0
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
