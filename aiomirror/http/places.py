"""A place for each request: no more of them are on their way, in all and to one host, than was agreed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomirror.http.hosts import Host
    from aiomirror.http.watch import Guard, Watch


class Places:
    """Gives out the places of one session, and with each the guard of whoever has it."""

    def __init__(self, connections: int, watch: Watch) -> None:
        self._free, self._watch = asyncio.Semaphore(connections), watch

    async def take(self, host: Host) -> Place:
        """A place for one request to this host; to be left."""
        await host.free.acquire()
        try:
            await self._free.acquire()
        except BaseException:
            host.free.release()
            raise
        return Place(self._free, host, self._watch.guard())


class Place:
    """One place, from before the request to the end of its answer."""

    __slots__ = ("_free", "guard", "host")

    def __init__(self, free: asyncio.Semaphore, host: Host, guard: Guard) -> None:
        self._free, self.host, self.guard = free, host, guard

    def leave(self, *, kept: bool) -> None:
        """Make room for the next; ``kept``: its connection can serve again."""
        self.guard.close()
        if kept:
            self.host.idle += 1
        self._free.release()
        self.host.free.release()
