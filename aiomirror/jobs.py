"""File jobs on their way from those who read pages to those who fetch: bounded, and large files first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomirror.plan import FileJob

LARGE = 2**16
"""Bytes from which on a file goes before others: begun last, it alone would be under way at the end.

It is also more than a new connection carries at once: begun first, it opens the window for what comes after.
"""


class Jobs:
    """Up to ``most`` jobs that wait: of large files the largest first, then the others as they came."""

    def __init__(self, most: int) -> None:
        self._queue: asyncio.PriorityQueue[tuple[int, int, FileJob | None]] = asyncio.PriorityQueue(most)
        self._count = 0  # keeps the order of what came, and jobs from being compared

    async def put(self, job: FileJob) -> None:
        """Add a job, when there is room."""
        size = 0 if job.held is not None else job.file.size or 0
        await self._put(-size if size >= LARGE else 0, job)

    async def get(self) -> FileJob | None:
        """The next job; None when there will be none any more."""
        return (await self._queue.get())[-1]

    async def end(self, workers: int) -> None:
        """Let so many workers know, each once, that no job comes after those that wait."""
        for _ in range(workers):
            await self._put(1, None)

    async def _put(self, rank: int, job: FileJob | None) -> None:
        self._count += 1
        await self._queue.put((rank, self._count, job))
