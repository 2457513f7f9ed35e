"""A helper as this process sees it: it runs jobs as a :class:`Fetcher` does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from aiomirror.errors import DestinationError
from aiomirror.http import connections
from aiomirror.processes.channel import Channel
from aiomirror.processes.messages import Answered, Ask, Broken, Places, Received, Resting, Unusable, Warned

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from aiomirror.fetch import Fetched, Fetcher
    from aiomirror.http import Client
    from aiomirror.plan import FileJob, JobKey
    from aiomirror.processes.messages import Message
    from aiomirror.progress import Reporter
    from aiomirror.store import Store


class _LostError(Exception):
    """The helper has ended before its time."""


class _Asked(Struct):
    """A job that a helper has: where its answer goes, and the bytes that were told of it."""

    job: FileJob
    answer: asyncio.Future[Fetched]
    received: int = 0


class Remote:
    """The helper at the other end of ``connection``, one of so many ``processes``.

    It is lent a place for each job until it has its share of them all; what it is sent beyond that waits
    there, so that it need not wait for the way here and back.  Should it end before its time, its jobs are
    run by ``fetcher``.
    """

    def __init__(
        self,
        connection: socket.socket,
        fetcher: Fetcher,
        *,
        client: Client,
        store: Store,
        reporter: Reporter,
        warn: Callable[[str], None],
        processes: int,
    ) -> None:
        self._connection, self._fetcher = connection, fetcher
        self._client, self._store = client, store
        self._reporter, self._warn = reporter, warn
        self._processes = processes
        self._channel = Channel(self._got, self._gone)
        self._begun = False
        self._asked: dict[JobKey, _Asked] = {}
        self._needed = self._lent = self._most = 0
        self._closed = self._lost = False
        self.requests = 0
        """How many it has sent."""

    async def open(self) -> None:
        """Have it at hand; it begins with its first job."""
        await self._channel.open(self._connection)

    def rest(self, origin: str, until: float) -> None:
        """Tell it that a host wants to be let alone."""
        if self._begun:
            self._channel.send(Resting(origin, until))

    async def run(self, job: FileJob) -> Fetched:
        """As :meth:`Fetcher.run`."""
        if not self._lost:
            with suppress(_LostError):
                return await self._run(job)
        return await self._fetcher.run(job)

    async def _run(self, job: FileJob) -> Fetched:
        self._begin()
        need = 1 if job.held else connections(job.file.size)
        self._needed += need
        try:
            while self._lent < min(self._needed, self._client.places // self._processes):
                await self._lend()
            return await self._answer(job)
        finally:
            self._needed -= need
            # Of what it was lent it uses no more than its jobs need, so these are free.
            while self._lent > self._needed:
                self._take_back()

    def _begin(self) -> None:
        """Have it begin, by the first byte that it gets."""
        if self._begun:
            return
        self._begun = True
        try:
            self._store.share_lock(self._connection)
        except OSError as error:  # which the loop has not told of yet
            raise _LostError from error

    async def _lend(self) -> None:
        self._lent += 1
        try:
            await self._client.lend_place(anew=self._lent > self._most)
        except BaseException:
            self._lent -= 1
            raise
        self._most = max(self._most, self._lent)
        self._channel.send(Places(1))

    def _take_back(self) -> None:
        self._lent -= 1
        self._channel.send(Places(-1))
        self._client.add_place()

    async def _answer(self, job: FileJob) -> Fetched:
        if self._lost:
            raise _LostError
        asked = self._asked[job.key] = _Asked(job, asyncio.get_running_loop().create_future())
        outcome = None
        self._reporter.started(job)
        try:
            self._channel.send(Ask(job))
            fetched = await asked.answer
            outcome = fetched.outcome
        except _LostError:
            self._reporter.received(job, -asked.received)
            raise
        finally:
            del self._asked[job.key]
            self._reporter.ended(job, outcome)
        return fetched

    def _got(self, message: Message) -> None:
        if isinstance(message, Warned):
            self._warn(message.text)
        elif isinstance(message, Resting):
            self._client.rest(message.origin, message.until)
        elif isinstance(message, Received | Answered | Unusable | Broken):
            asked = self._asked.get(message.key)
            if asked is not None and not asked.answer.done():  # nor has its worker been cancelled
                self._heard(message, asked)

    def _heard(self, message: Received | Answered | Unusable | Broken, asked: _Asked) -> None:
        match message:
            case Received():
                self._count(asked, message.count)
            case Answered():
                self._count(asked, message.received)
                self.requests = message.requests
                asked.answer.set_result(message.fetched)
            case Unusable():
                asked.answer.set_exception(DestinationError(message.path, message.why))
            case Broken():
                asked.answer.set_exception(RuntimeError(f"in a helper: {message.traceback}"))

    def _count(self, asked: _Asked, more: int) -> None:
        asked.received += more
        self._reporter.received(asked.job, more)

    def _gone(self) -> None:
        if self._closed:
            return
        self._lost = True
        self._warn("a process that fetched files has ended before its time; the others do its work")
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(_LostError())

    def close(self) -> None:
        """Let it end; what it is doing is given up."""
        self._closed = True
        self._channel.close()
