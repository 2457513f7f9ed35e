"""The repairing half of a run: projects mended side by side, each published as soon as it is right."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiomirror.fetch import Fetcher
from aiomirror.http import Client, HttpSettings, masked
from aiomirror.index import Index
from aiomirror.publish import Publisher
from aiomirror.verify.compare import Kind
from aiomirror.verify.mender import Crew, Mender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from aiomirror.config import Config
    from aiomirror.state import State
    from aiomirror.store import Store
    from aiomirror.verify.compare import Finding
    from aiomirror.verify.inspector import Inspection
    from aiomirror.verify.telling import Teller


class Repairs:
    """Mends what it is given; as many projects at once, and as many transfers, as the run has jobs."""

    def __init__(self, config: Config, client: Client, store: Store, state: State, teller: Teller) -> None:
        self._teller, self._reporter = teller, teller.reporter
        self._crew = Crew(
            Fetcher(client, store, config.fetch, self._reporter, teller.warned), count=config.jobs
        )
        self._mender = Mender(store, Index(client, config.index_url), self._crew, self._reporter)
        self._publisher = Publisher(store, state)
        self._publishing = asyncio.Lock()
        self._slots = asyncio.Semaphore(config.jobs)
        self._under_way: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, config: Config, store: Store, state: State, teller: Teller
    ) -> AsyncIterator[Repairs]:
        """With a client of their own, whose requests are in the report."""
        teller.report.index = masked(config.index_url)
        async with Client(HttpSettings.of(config)) as client:
            yield cls(config, client, store, state, teller)
            teller.report.requests = client.requests

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin to wait for jobs."""
        for _ in range(self._crew.count):
            group.create_task(self._crew.work())

    async def begin(self, found: Inspection, group: asyncio.TaskGroup) -> None:
        """Have a project mended; returns when its turn has come."""
        await self._slots.acquire()
        task = group.create_task(self._mend(found))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait for all of them."""
        await asyncio.gather(*self._under_way)
        await self._crew.dismiss()

    async def root(self, findings: Iterable[Finding]) -> None:
        """Write the root index anew, where something is wrong with it."""
        wrong = list(findings)
        if any(finding.kind is Kind.PAGE for finding in wrong):
            self._teller.report.pages_written += await self._publisher.publish([])
        for finding in wrong:
            if finding.kind is Kind.PAGE:
                self._teller.warned(f"{finding}; written anew")
            else:
                self._teller.left(finding, "left as it is")

    async def _mend(self, found: Inspection) -> None:
        try:
            mended = await self._mender.mend(found)
            # The pages of the root are written with each project's: one publication at a time.
            async with self._publishing:
                written = await self._publisher.publish([mended.publication])
        finally:
            self._slots.release()
        self._teller.report.pages_written += written
        self._reporter.published(found.project)
        self._teller.mended(found, mended)
