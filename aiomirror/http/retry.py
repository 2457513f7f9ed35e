"""Another attempt, when one may help; how often, and after how long.

With the defaults an operation is tried 6 times and waits between 30.6 and 61.3 s in all, so that an upstream
that is away for half a minute is waited for; an upstream that has not answered once is given up after three
retries and at most 5.3 s, for its address is more likely wrong.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_exponential

from aiomirror.errors import AiomirrorError, StatusError, UnreachableError, UpstreamError
from aiomirror.http.problems import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiomirror.http.session import Session
    from aiomirror.http.values import HttpSettings

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_WAIT = 0.25  # seconds, the upper end
GROWTH = 4.0  # 0.25, 1, 4, 16, 40, 40, …
LARGEST_WAIT = 40.0  # seconds, the upper end
UNKNOWN_RETRIES = 3  # for an origin that has not answered once

_ceiling = wait_exponential(multiplier=FIRST_WAIT, exp_base=GROWTH, max=LARGEST_WAIT)


class Retries:
    """What one operation may still spend.

    Each failed attempt counts, also one that brought bytes: those are kept, and an upstream that never gets
    to the end cannot hold a run for ever.  Only waiting is held against ``retry_seconds``; the hours that a
    large file takes are not.
    """

    def __init__(self, settings: HttpSettings, random: Callable[[], float], session: Session) -> None:
        self._settings, self._random, self._session = settings, random, session
        self._failures: Counter[type[AiomirrorError]] = Counter()
        self._waited = 0.0

    def worth(self, error: BaseException) -> bool:
        """Whether another attempt may help; asked once for each failure."""
        if not isinstance(error, AiomirrorError) or not error.transient:
            return False
        if isinstance(error, StatusError) and (error.retry_after or 0.0) > LONGEST_WAIT:
            return False
        if isinstance(error, UpstreamError) and self._session.given_up(error.url):
            return False
        self._failures[type(error)] += 1
        return self._failures[type(error)] <= self._allowed(error)

    def _allowed(self, error: AiomirrorError) -> int:
        allowed = self._settings.retries if error.retries is None else error.retries
        if isinstance(error, UnreachableError) and not self._session.answered(error.url):
            return min(allowed, UNKNOWN_RETRIES)
        return allowed

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt.

        Half of it is chance, enough to spread what failed together; if all of it were, six attempts could be
        over in a second.
        """
        seconds = _ceiling(state) * (0.5 + 0.5 * self._random())
        error = _error(state)
        if isinstance(error, StatusError) and error.retry_after is not None:
            return error.retry_after + min(seconds, 1.0)
        return seconds

    def spent(self, state: RetryCallState) -> bool:
        """Whether the wait that is due, or the attempt after it, is one too many."""
        self._waited += state.upcoming_sleep
        too_many = state.attempt_number > self._settings.retries
        if too_many or self._waited > self._settings.retry_seconds:
            return True
        log.info("%s; trying again in %.1f s", _error(state), state.upcoming_sleep)
        return False


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


async def retried(
    attempt: Callable[[], Awaitable[T]],
    first: AiomirrorError,
    retries: Retries,
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """The result of an attempt that failed once already, with ``first``."""
    failed = [first]

    async def following() -> T:
        if failed:
            raise failed.pop()
        return await attempt()

    retrying = AsyncRetrying(
        sleep=sleep,
        retry=retry_if_exception(retries.worth),
        wait=retries.wait,
        stop=retries.spent,
        reraise=True,
    )
    return await retrying(following)
