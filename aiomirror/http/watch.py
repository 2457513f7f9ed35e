"""Deadlines that cost next to nothing to set: all of them are looked at together, a few times in each.

``asyncio.timeout`` makes a timer for every wait, and a small file is three of them; here a wait writes down
one number.  What is late is noticed up to a quarter of the time-out later.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

LOOKS = 4  # in each time-out


class Watch:
    """The deadlines of one session; ``timeout`` in seconds is the shortest of them."""

    def __init__(self, timeout: float) -> None:
        self._grain = timeout / LOOKS
        self._guards: set[Guard] = set()
        self._timer: asyncio.TimerHandle | None = None

    def guard(self) -> Guard:
        """A guard of the current task; to be closed."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        guard = Guard(self._guards, loop, task)
        self._guards.add(guard)
        if self._timer is None:
            self._timer = loop.call_later(self._grain, self._look)
        return guard

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for guard in tuple(self._guards):
            guard.look(now)
        self._timer = loop.call_later(self._grain, self._look) if self._guards else None

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Guard:
    """Cancels the waits of its task that last too long; ``with guard.within(seconds):`` raises TimeoutError.

    The waits come one after another, not one within another.
    """

    __slots__ = ("_cancelling", "_due", "_expired", "_guards", "_loop", "_task")

    def __init__(
        self, guards: set[Guard], loop: asyncio.AbstractEventLoop, task: asyncio.Task[object]
    ) -> None:
        self._guards, self._loop, self._task = guards, loop, task
        self._due, self._expired, self._cancelling = math.inf, False, 0

    def within(self, seconds: float) -> Self:
        """A context that lasts so long at the most."""
        self._due = self._loop.time() + seconds
        return self

    def look(self, now: float) -> None:
        """Cancel the wait if it is late."""
        if now >= self._due:
            self._due, self._expired = math.inf, True
            self._task.cancel()

    def close(self) -> None:
        """Nothing is waited for any more."""
        self._guards.discard(self)

    def __enter__(self) -> None:
        self._cancelling = self._task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._due = math.inf
        if self._expired:
            self._expired = False
            # As asyncio.timeout does it: a cancellation from elsewhere, too, goes on as one.
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error
