"""The whole of ``aiomirror verify``: projects looked at side by side, told in order, mended when asked to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec import structs

from aiomirror.errors import DestinationError
from aiomirror.holdings import PAGE_CAP, PAGES, is_of_an_index
from aiomirror.plan import NO_STAT, Remembered
from aiomirror.report import Problem, Report
from aiomirror.signals import ended_by_signals
from aiomirror.state import State
from aiomirror.store import Store
from aiomirror.verify.compare import Kind
from aiomirror.verify.hashing import Hasher
from aiomirror.verify.inspector import Inspector, read_roots
from aiomirror.verify.telling import Teller, headline

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.config import Config
    from aiomirror.progress import Reporter
    from aiomirror.verify.inspector import Inspection
    from aiomirror.verify.repairs import Repairs

AHEAD = 32
"""Projects that are looked at while the one before them is still hashed; their pages are in memory."""
CHUNK = 256
"""Projects whose records are read, or saved, at once."""


async def verify(config: Config, reporter: Reporter, *, quick: bool = False, repair: bool = False) -> Report:
    """Compare what the mirror's pages list with the disk; everything that is wrong is in the report.

    ``quick`` believes records of files whose ``stat`` has not changed.  Without ``repair`` only the state is
    written: the records of files that proved right; and nothing where the mirror may not be written.

    Raises:
        DestinationError: the folder is not there or no mirror, cannot be used, or is held by another run.
    """
    report = Report(destination=str(config.dest))
    started = time.monotonic()
    await Store.check_is_mirror(config.dest)
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(config.dest, create=False, or_read=not repair))
        state = stack.enter_context(State.open(store.state_path, writable=store.writable))
        teller = Teller(report, reporter)
        for warning in (*store.warnings, *state.warnings):
            teller.warned(warning)
        repairs = None
        if repair:
            from aiomirror.verify.repairs import Repairs  # noqa: PLC0415 (aiohttp takes its time)

            repairs = await stack.enter_async_context(Repairs.opened(config, store, state, teller))
        hasher = Hasher(store, reporter)
        run = _Run(store, state, hasher, teller, quick=quick, repairs=repairs)
        await run.run()
    report.seconds = time.monotonic() - started
    report.headline = headline(report, hasher.bytes)
    return report


class _Run:
    """One run's tasks and what they share."""

    def __init__(
        self,
        store: Store,
        state: State,
        hasher: Hasher,
        teller: Teller,
        *,
        quick: bool,
        repairs: Repairs | None,
    ) -> None:
        self._store, self._state, self._hasher = store, state, hasher
        self._inspector = Inspector(store, hasher, teller.reporter, quick=quick)
        self._teller, self._repairs = teller, repairs
        self._pending: list[Remembered] = []
        self._upstreams: dict[NormalizedName, set[str]] = {}

    async def run(self) -> None:
        """Look at everything, to the end or to the signal that ends it."""
        work = asyncio.create_task(self._work())
        try:
            with ended_by_signals(work, self._note_signal):
                await asyncio.wait([work])
        finally:
            self._hasher.stop()
            work.cancel()
        if not work.cancelled() and (error := work.exception()) is not None:
            self._teller.failed(Problem.of(_destination(error)))
        self._save(0)

    def _note_signal(self, number: int) -> None:
        self._teller.report.signal = number
        self._hasher.stop()

    async def _work(self) -> None:
        root = await self._store.inspect(None, PAGES, PAGE_CAP)
        listed, findings = read_roots(root, await self._store.projects())
        names = sorted({*await self._store.folders(), *listed})
        self._teller.reporter.projects(len(names))
        async with asyncio.TaskGroup() as group:
            if self._repairs:
                self._repairs.start(group)
            await self._look_at(names, listed, group)
            if self._repairs:
                await self._repairs.finish()
        if self._repairs:
            await self._repairs.root(findings)
        else:
            for finding in findings:
                self._teller.left(finding)

    async def _look_at(
        self, names: Sequence[NormalizedName], listed: Collection[NormalizedName], group: asyncio.TaskGroup
    ) -> None:
        ahead: deque[asyncio.Task[Inspection]] = deque()
        done = 0
        try:
            for start in range(0, len(names), CHUNK):
                for known in self._state.recall(names[start : start + CHUNK]).values():
                    look = self._inspector.inspect(known, expected=known.project in listed)
                    ahead.append(group.create_task(look))
                    if len(ahead) > AHEAD:
                        await self._settle(await ahead.popleft(), group)
                        done += 1
            while ahead:
                await self._settle(await ahead.popleft(), group)
                done += 1
        finally:
            self._teller.report.not_started += names[done:]

    async def _settle(self, found: Inspection, group: asyncio.TaskGroup) -> None:
        """Tell of a project, or have it mended; in the order of the names, whichever was hashed first."""
        self._teller.unlisted(found)
        damaged = any(finding.kind is not Kind.STRAY for finding in found.findings)
        if self._repairs and (damaged or found.lost):
            await self._repairs.begin(found, group)
        else:
            self._teller.inspected(found)
            self._remember(found)

    def _remember(self, found: Inspection) -> None:
        """Keep what proved right; of what did not, see to it that the next sync looks at it again."""
        wrong = {finding.filename for finding in found.findings if finding.kind is not Kind.STRAY}
        records = dict(found.known.records)
        for name in wrong & records.keys():
            # The digest is what may have to be repaired from; the stat must not vouch for the file any more.
            records[name] = structs.replace(records[name], stat=NO_STAT)
        for held in found.held.values():
            records[held.record.filename] = held.record
            if held.metadata is not None:
                records[held.metadata.filename] = held.metadata
        now = structs.replace(found.known, records=records, settled=None if wrong else found.known.settled)
        if now != found.known:
            self._pending.append(now)
            self._upstreams[found.project] = {
                name for name, file in found.listed.items() if is_of_an_index(file)
            }
            self._save(CHUNK)

    def _save(self, at_least: int) -> None:
        if self._pending and len(self._pending) >= at_least:
            self._state.save(self._pending, upstreams=self._upstreams)
            self._pending, self._upstreams = [], {}


def _destination(error: BaseException) -> DestinationError:
    """What a task group has wrapped; anything else is a mistake of ours, and raised."""
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    if not isinstance(inner, DestinationError):
        raise error
    return inner
