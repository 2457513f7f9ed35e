"""Files hashed on as many threads as there are cores, with word to the reporter on the way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from aiomirror.report import Outcome, Status
from aiomirror.store import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileJob
    from aiomirror.progress import Reporter
    from aiomirror.store import Hashed, Store

    Wanted = tuple[str, frozenset[str]]
    """A file, and the algorithms beside sha256."""

BATCH = 4 * 2**20
"""Bytes of small files that are hashed in one hop; a larger file has a hop of its own."""
BATCH_FILES = 64
TOLD = 16 * 2**20
"""Bytes of a large file between two words to the reporter."""


class _StoppedError(Exception):
    """The run ends, and what a thread reads with it; told to nobody."""


class Hasher:
    """Hashes files of any number of projects, in :func:`cores` threads at most."""

    def __init__(self, store: Store, reporter: Reporter) -> None:
        self._store, self._reporter = store, reporter
        self._slots = asyncio.Semaphore(cores())
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self.bytes = 0
        """That were read and hashed."""

    def stop(self) -> None:
        """Let the threads end at the next block."""
        self._stopped.set()

    async def hash(
        self,
        project: NormalizedName,
        wanted: Iterable[Wanted],
        sizes: Mapping[str, int],
        jobs: Mapping[str, FileJob],
    ) -> dict[str, Hashed]:
        """Each of the files ``wanted``; ``sizes`` in bytes, ``jobs`` are those that the reporter hears of."""
        batches = [self._batch(project, batch, jobs) for batch in _batches(wanted, sizes)]
        return {name: one for some in await asyncio.gather(*batches) for name, one in some.items()}

    async def _batch(
        self, project: NormalizedName, batch: Sequence[Wanted], jobs: Mapping[str, FileJob]
    ) -> dict[str, Hashed]:
        async with self._slots:
            watched = {name: 0 for name, _ in batch if name in jobs}
            for name in watched:
                self._reporter.started(jobs[name])
            hashed: dict[str, Hashed] = {}
            try:
                hashed = await self._store.hash_files(project, batch, self._tally(watched, jobs))
            finally:
                for name, told in tuple(watched.items()):
                    self._end(jobs[name], hashed.get(name), told)
                watched.clear()  # what a thread still says comes too late
            self.bytes += sum(one.record.stat.size for one in hashed.values() if one.record)
            return hashed

    def _tally(self, watched: dict[str, int], jobs: Mapping[str, FileJob]) -> _Tally:
        def tell(name: str, count: int) -> None:
            if name in watched:
                watched[name] += count
                self._reporter.received(jobs[name], count)

        return _Tally(self._stopped, lambda *said: self._loop.call_soon_threadsafe(tell, *said))

    def _end(self, job: FileJob, hashed: Hashed | None, told: int) -> None:
        record = hashed.record if hashed else None
        if record is None:
            self._reporter.ended(job, None)
            return
        size = record.stat.size
        self._reporter.received(job, size - told)
        outcome = Outcome(job.project, job.file.filename, Status.HELD, size, sha256=record.sha256)
        self._reporter.ended(job, outcome)


class _Tally:
    """Called for each block, in the thread: a loop that was woken for each would do nothing else."""

    def __init__(self, stopped: threading.Event, tell: Callable[[str, int], object]) -> None:
        self._stopped, self._tell = stopped, tell
        self._name, self._count = "", 0

    def __call__(self, name: str, count: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        if name != self._name:
            self._name, self._count = name, 0
        self._count += count
        if self._count >= TOLD:
            self._tell(name, self._count)
            self._count = 0


def _batches(wanted: Iterable[Wanted], sizes: Mapping[str, int]) -> Iterator[list[Wanted]]:
    """Small files together, since a hop costs as much as some of them; large ones alone."""
    batch: list[Wanted] = []
    size = 0
    for one in wanted:
        if batch and (size + sizes[one[0]] > BATCH or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += sizes[one[0]]
    if batch:
        yield batch
