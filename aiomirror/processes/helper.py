"""A helper: it runs the jobs that it is asked to, and gives back what became of each."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.errors import DestinationError
from aiomirror.fetch import Fetcher
from aiomirror.http import Client, HttpSettings
from aiomirror.processes.channel import Channel
from aiomirror.processes.messages import Answered, Ask, Broken, Places, Received, Resting, Unusable, Warned
from aiomirror.progress import Silent
from aiomirror.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiomirror.config import Config
    from aiomirror.plan import FileJob, JobKey
    from aiomirror.processes.messages import Message

LINGER = 0.002
"""Seconds that an outcome waits for others: jobs enough are here until the next ones come for them."""
TOLD = 0.1
"""Seconds between two messages about bytes that came."""


def serve(
    connection: socket.socket,
    config: Config,
    processes: int,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> None:
    """Be a helper, one of so many processes, until the other end is gone; at once if it asks for nothing.

    The first byte comes with the lock of the mirror, which is thereby held as long as anybody writes to it.
    """
    with connection:
        _, descriptors, *_ = socket.recv_fds(connection, 1, 1)
        if descriptors:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(_serve(connection, config, descriptors[0], processes))


async def _serve(connection: socket.socket, config: Config, lock: int, processes: int) -> None:
    # It has no place for a request until it is lent one.
    settings = replace(HttpSettings.of(config), connections=0, at_first=None)
    async with Store.joined(config.dest, lock, processes=processes) as store, Client(settings) as client:
        helper = _Helper(client)
        helper.fetcher = Fetcher(client, store, config.fetch, helper, helper.warned)
        await helper.channel.open(connection)
        await helper.end()


class _Helper(Silent):
    """The jobs under way here, and what the reporter at the other end is told of them."""

    fetcher: Fetcher

    def __init__(self, client: Client) -> None:
        self._lost = asyncio.Event()
        self.channel = Channel(self._got, self._lost.set, linger=LINGER)
        self._client = client
        client.tell_rests(lambda origin, until: self.channel.send(Resting(origin, until)))
        self._tasks: set[asyncio.Task[None]] = set()
        self._came: defaultdict[JobKey, int] = defaultdict(int)
        self._telling: asyncio.TimerHandle | None = None

    def _got(self, message: Message) -> None:
        if isinstance(message, Ask):
            self._start(self._run(message.job))
        elif isinstance(message, Resting):
            self._client.rest(message.origin, message.until)
        elif isinstance(message, Places) and message.more > 0:
            self._client.add_place()
        elif isinstance(message, Places):  # one that is free: it is waited for no longer than a turn
            self._start(self._client.lend_place(anew=False))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Wait until the other end is gone, and give up what is under way."""
        await self._lost.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._telling is not None:
            self._telling.cancel()

    async def _run(self, job: FileJob) -> None:
        try:
            fetched = await self.fetcher.run(job)
        except DestinationError as error:
            self.channel.send(Unusable(job.key, _sendable(error.path), _sendable(error.why)))
        except Exception:  # noqa: BLE001 (raised at the other end)
            self.channel.send(Broken(job.key, _sendable(traceback.format_exc())))
        else:
            received = self._came.get(job.key, 0)
            self.channel.send(Answered(job.key, fetched, received, self._client.requests))
        finally:
            self._came.pop(job.key, None)

    def received(self, job: FileJob, count: int) -> None:
        """Told further from time to time, or a large file would be thousands of messages."""
        self._came[job.key] += count
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD, self._tell_all)

    def warned(self, text: str) -> None:
        """Told further."""
        self.channel.send(Warned(text))

    def _tell_all(self) -> None:
        self._telling = None
        for key, count in self._came.items():
            self.channel.send(Received(key, count))
        self._came.clear()


def _sendable(text: str) -> str:
    """Paths may have bytes that are no text."""
    return text.encode(errors="backslashreplace").decode()
