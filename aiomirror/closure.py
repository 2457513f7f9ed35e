"""The stage that feeds a resolution until it needs nothing more: pages and metadata, each once.

What upstream does not give is handed in as missing, with the reason, and the error is kept: a closure beside
errors is one of what could be read.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import DestinationError, UnknownProjectError, UpstreamError, first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.errors import AiomirrorError
    from aiomirror.index import Index, PageRead
    from aiomirror.metadata import Metadata
    from aiomirror.resolution import Closure, Conflict, MetadataNeed, Needs, Refusal
    from aiomirror.resolution.engine import Resolution

    Feed = Callable[[], None]
    """Hands in one thing that has come."""

Key = tuple[str, str]
"""Project and file name; with "" for the file name, the page of the project."""


class Closed(msgspec.Struct, frozen=True):
    """The closure, and what was read for it."""

    closure: Closure
    pages: Mapping[NormalizedName, PageRead]
    errors: Mapping[Key, AiomirrorError]
    """UnknownProjectError where there is no such project; UpstreamError where nobody knows."""
    unverified: Mapping[Key, str]
    """sha256 of the metadata that no digest vouches for; the file's own has to have it once it is here."""

    def refused(self, avoided: Collection[Conflict]) -> tuple[list[Refusal], list[Refusal]]:
        """The files whose metadata is refused: those that hinder, and those that others stand in for.

        Installers pass such a file over, and where all that is asked for goes without it nothing is lost.
        What could not be read at all is among the errors.  ``avoided`` are conflicts that were got round.
        """
        found = [one for one in self.closure.refused if (one.project, one.filename) not in self.errors]
        if not self.closure.conflicts and not avoided:
            return [], found
        chosen = self.closure.chosen
        return (
            [one for one in found if one.project not in chosen],
            [one for one in found if one.project in chosen],
        )


def _untold(_pages: int, _metadata: int, _asked: int) -> None:
    """The ear of those who do not listen."""


async def close(
    resolution: Resolution,
    index: Index,
    metadata: Metadata,
    *,
    jobs: int,
    told: Callable[[int, int, int], None] = _untold,
) -> Closed:
    """Resolve, with ``jobs`` requests at a time.

    ``told`` hears now and then how many pages and metadata texts have come, and how many of both are asked
    for so far.

    Raises:
        DestinationError: the mirror, which may hold metadata, cannot be read.
    """
    feeder = _Feeder(resolution, index, metadata, told)
    try:
        await feeder.run(jobs)
        closure = await asyncio.to_thread(resolution.closure)
    except BaseException:
        resolution.stop()  # a thread cannot be cancelled, and the program would wait for it
        raise
    return Closed(closure, feeder.pages, feeder.errors, feeder.unverified)


class _Feeder(msgspec.Struct):
    """What one resolution has asked for, and what has come."""

    resolution: Resolution
    index: Index
    metadata: Metadata
    told: Callable[[int, int, int], None]
    pages: dict[NormalizedName, PageRead] = msgspec.field(default_factory=dict)
    errors: dict[Key, AiomirrorError] = msgspec.field(default_factory=dict)
    unverified: dict[Key, str] = msgspec.field(default_factory=dict)
    _asked: set[Key] = msgspec.field(default_factory=set)
    _texts: int = 0
    _todo: asyncio.Queue[NormalizedName | MetadataNeed] = msgspec.field(default_factory=asyncio.Queue)
    _come: asyncio.Queue[Feed] = msgspec.field(default_factory=asyncio.Queue)

    async def run(self, jobs: int) -> None:
        """Get all that is needed, ``jobs`` things at a time."""
        failure = None
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self.work()) for _ in range(jobs)]
                await self.drive()
                for worker in workers:
                    worker.cancel()
        except* DestinationError as failures:
            failure = first_of(failures)
        if failure is not None:
            raise failure

    async def drive(self) -> None:
        """Go on as soon as something has come, with all that has come, until nothing is needed."""
        come: list[Feed] = []
        # In a thread: reading a page of thousands of files takes a while, and finding a solution may.
        while needs := await asyncio.to_thread(self._advance, come):
            self._ask(needs)
            self.told(len(self.pages), self._texts, len(self._asked))
            come = [await self._come.get()]
            while not self._come.empty():
                come.append(self._come.get_nowait())

    async def work(self) -> None:
        """Get one thing after the other; cancelled when all are there."""
        while True:
            need = await self._todo.get()
            get = self._page(need) if isinstance(need, str) else self._text(need)
            self._come.put_nowait(await get)

    def _advance(self, come: Iterable[Feed]) -> Needs:
        for feed in come:
            feed()
        return self.resolution.advance()

    def _ask(self, needs: Needs) -> None:
        """Queue what is new among the needs; pages first, for more follows from each of them."""
        for project in needs.pages:
            if (project, "") not in self._asked:
                self._asked.add((project, ""))
                self._todo.put_nowait(project)
        for need in needs.metadata:
            if (key := (need.project, need.file.filename)) not in self._asked:
                self._asked.add(key)
                self._todo.put_nowait(need)

    async def _page(self, project: NormalizedName) -> Feed:
        try:
            read = await self.index.page(project)
        except UnknownProjectError as error:
            self.errors[project, ""] = error
            return partial(self.resolution.page, project, None)
        except UpstreamError as error:
            self.errors[project, ""] = error
            return partial(self.resolution.page, project, None, str(error))
        assert read is not None, "nothing was known of it before"
        self.pages[project] = read
        return partial(self.resolution.page, project, read.page)

    async def _text(self, need: MetadataNeed) -> Feed:
        project, filename = key = need.project, need.file.filename
        put = partial(self.resolution.metadata, project, filename)
        try:
            found = await self.metadata.core_metadata(project, need.file)
        except UpstreamError as error:
            self.errors[key] = error
            return partial(put, None, str(error))
        self._texts += 1
        if found.text is None:
            return partial(put, None, found.why)
        if not found.verified and found.sha256 is not None:
            self.unverified[key] = found.sha256
        return partial(put, found.text)
