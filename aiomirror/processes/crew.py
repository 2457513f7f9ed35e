"""All that run the jobs of a run: this process, and its helpers once it has no time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from aiomirror.processes.remote import Remote

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from aiomirror.fetch import Fetched, Fetcher
    from aiomirror.http import Client
    from aiomirror.plan import FileJob
    from aiomirror.progress import Reporter
    from aiomirror.store import Store

WINDOW = 0.05
"""Seconds over which it is told how busy this process is."""
BUSY = 0.95
"""Share of them from which on it has no time left."""


class _Runner(Protocol):
    """What runs jobs; a :class:`Fetcher` does."""

    async def run(self, job: FileJob, /) -> Fetched: ...


class _Member(msgspec.Struct):
    """One that runs jobs, and how many it has under way."""

    runner: _Runner
    files: int = 0


class Crew:
    """Runs jobs as a :class:`Fetcher` does; an async context manager, at whose end the helpers end.

    Long files go to whoever has the fewest files under way, since it costs nothing beside them to have
    another process fetch one.  For short ones this one has time enough where upstream is far or slow; where
    it has none left, they are spread, too.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        helpers: Sequence[socket.socket],
        *,
        client: Client,
        store: Store,
        reporter: Reporter,
        warn: Callable[[str], None],
    ) -> None:
        self._client = client
        self._load, self._joined = Load(), False
        processes = 1 + len(helpers)
        self._remotes = [
            Remote(
                helper,
                fetcher,
                client=client,
                store=store,
                reporter=reporter,
                warn=warn,
                processes=processes,
            )
            for helper in helpers
        ]
        self._members = [_Member(fetcher), *map(_Member, self._remotes)]

    @property
    def requests(self) -> int:
        """How many requests were sent by all of them."""
        return self._client.requests + sum(remote.requests for remote in self._remotes)

    async def run(self, job: FileJob) -> Fetched:
        """The outcome; DestinationError: nothing can be written any more."""
        member = self._member(long=job.is_long)
        member.files += 1
        try:
            return await member.runner.run(job)
        finally:
            member.files -= 1

    def _member(self, *, long: bool) -> _Member:
        """Who is to have a job next, of a long file or of a short one."""
        self._joined = self._joined or (not long and self._load.is_full())
        spread = long or self._joined
        return min(self._members, key=lambda member: member.files) if spread else self._members[0]

    def _tell(self, origin: str, until: float) -> None:
        """What a host asks of one request is meant for those of all: they go to the same machine."""
        for remote in self._remotes:
            remote.rest(origin, until)

    async def __aenter__(self) -> Self:
        for remote in self._remotes:
            await remote.open()
        self._client.tell_rests(self._tell)
        return self

    async def __aexit__(self, *_: object) -> None:
        for remote in self._remotes:
            remote.close()


class Load:
    """How busy the thread is that asks; the clocks give seconds: those that pass, those that it works."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, working: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock, self._working = clock, working
        self._since, self._worked = clock(), working()

    def is_full(self) -> bool:
        """Whether it had no time left in the last window that is over; False until then."""
        passed = self._clock() - self._since
        if passed < WINDOW:
            return False
        worked = self._working()
        full = worked - self._worked >= BUSY * passed
        self._since, self._worked = self._since + passed, worked
        return full
