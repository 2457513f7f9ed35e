"""File jobs on their way from those who read pages to those who fetch: bounded, and large files first."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomirror.plan import FileJob

LARGE = 2**16
"""Bytes from which on a file goes before others: begun last, it alone would be under way at the end.

It is also more than a new connection carries at once: begun first, it opens the window for what comes after.
"""


class Jobs:
    """Up to ``most`` jobs that wait, of long files and of short ones.

    Of either, files from ``LARGE`` on go first, the largest of them before the others, then the rest as they
    came.  Were all long files to go before all short ones, the line would be full at first, and at the end
    nearly empty, while round trips are waited for; so some workers begin with these, some with those.
    """

    def __init__(self, most: int) -> None:
        self._room, self._waiting = asyncio.Semaphore(most), asyncio.Semaphore(0)
        self._long: list[tuple[int, int, FileJob]] = []
        self._short: list[tuple[int, int, FileJob]] = []
        self._count = 0  # keeps the order of what came, and jobs from being compared

    async def put(self, job: FileJob) -> None:
        """Add a job, when there is room."""
        await self._room.acquire()
        self._count += 1
        kind = self._long if job.is_long else self._short
        heappush(kind, (-job.size if job.size >= LARGE else 0, self._count, job))
        self._waiting.release()

    async def get(self, *, long: bool) -> FileJob | None:
        """The next job, of a long file or a short one while there is such; None: no job comes any more."""
        await self._waiting.acquire()
        kind = (self._long or self._short) if long else (self._short or self._long)
        if not kind:
            return None
        self._room.release()
        return heappop(kind)[-1]

    def end(self, workers: int) -> None:
        """Let so many workers know, each once, that no job comes after those that wait."""
        for _ in range(workers):
            self._waiting.release()
