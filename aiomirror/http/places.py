"""A place for each request: no more of them are on their way, in all and to one host, than was agreed."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomirror.http.hosts import Host
    from aiomirror.http.watch import Guard, Watch

HEARD = 8
"""Answers that are waited for before the round trip is believed to be known."""
WORK = 0.0005
"""Seconds of processor time that a small file takes here: so many are read while an answer is on its way."""


class Places:
    """Gives out the places of one session, and with each the guard of whoever has it.

    There are ``least`` of them until the round trip is known.  Then there are as many more as can be served
    during one, so that a far upstream keeps a processor as busy as a near one, and ``most`` at the most.
    """

    def __init__(self, least: int, most: int, watch: Watch) -> None:
        self._count, self._most = min(least, most), most
        self._free, self._watch = asyncio.Semaphore(self._count), watch
        self._heard, self._round_trip = 0, math.inf

    async def take(self, host: Host) -> Place:
        """A place for one request to this host; to be left."""
        if host.free is None:
            await self._free.acquire()
        else:
            await host.free.acquire()
            try:
                await self._free.acquire()
            except BaseException:
                host.free.release()
                raise
        return Place(self._free, host, self._watch.guard())

    @property
    def count(self) -> int:
        """How many there are, those among them that another session was lent."""
        return self._count

    async def less(self) -> None:
        """Take one away, when it is free: another session has it."""
        await self._free.acquire()

    def more(self) -> None:
        """Add one: that of another session, or one that came back from it."""
        self._free.release()

    def answered(self, seconds: float) -> None:
        """Learn that an answer began so long after its request, on a connection that was there already."""
        if self._heard == HEARD:
            return
        self._heard += 1
        # The shortest: the others waited for something else, too.
        self._round_trip = min(self._round_trip, seconds)
        if self._heard == HEARD:
            more = min(int(self._round_trip / WORK), self._most - self._count)
            self._count += more
            for _ in range(more):
                self._free.release()


class Place:
    """One place, from before the request to the end of its answer."""

    __slots__ = ("_free", "guard", "host")

    def __init__(self, free: asyncio.Semaphore, host: Host, guard: Guard) -> None:
        self._free, self.host, self.guard = free, host, guard

    def leave(self) -> None:
        """Make room for the next."""
        self.guard.close()
        self._free.release()
        if self.host.free is not None:
            self.host.free.release()
