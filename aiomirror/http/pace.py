"""How fast bytes are taken in, all transfers together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Pace:
    """At most ``rate`` bytes a second on the average; what was not used is not saved up."""

    def __init__(
        self, rate: int, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._free = 0.0

    async def take(self, count: int) -> None:
        """Wait until ``count`` bytes that came are paid for; the peer is held up by its full buffers."""
        now = self._clock()
        self._free = max(now, self._free) + count / self._rate
        await self._sleep(self._free - now)
