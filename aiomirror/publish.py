"""The last stage: pages of what is on disk and verified, the root index after them, then the state."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from aiomirror.holdings import PAGES, is_of_an_index
from aiomirror.plan import Remembered
from aiomirror.simple.published import listing
from aiomirror.simple.render import render_html, render_json, render_root_html, render_root_json
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE, ProjectFile, ProjectPage
from aiomirror.store import PageWrite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, HeldFile, Settled, Visited
    from aiomirror.progress import Reporter
    from aiomirror.report import Report
    from aiomirror.simple.values import ProjectStatus
    from aiomirror.state import State
    from aiomirror.store import Store

BATCH_SECONDS = 1.0
"""How long projects gather to be published together; what a kill may leave to be looked at again."""
LEAST, MOST = 32, 512
"""Projects that are worth a batch before that time is over, and the most: their pages take memory."""
SLICE = 16
"""Projects that are rendered before the network has its turn."""
_RENDER = {JSON_TYPE: render_json, HTML_TYPE: render_html}
_RENDER_ROOT = {JSON_TYPE: render_root_json, HTML_TYPE: render_root_html}


class Publication(msgspec.Struct):
    """A project whose page is to say what ``held`` is: the files on disk, each verified.

    ``facts`` has what an index says of each of them; ``fresh`` are records that the state does not have yet,
    of files that may not have reached the disk yet.
    """

    project: NormalizedName
    status: ProjectStatus
    facts: Mapping[str, ProjectFile]
    held: dict[str, HeldFile]
    fresh: list[FileRecord] = msgspec.field(default_factory=list)
    damaged: list[FileRecord] = msgspec.field(default_factory=list)
    """Files that are not listed, since they are not what they once were; their digests stay known."""
    published: bool = False
    """Whether the project has a page already."""
    settled: Settled | None = None
    """What the next run may go by, unless something is left to do."""
    unlisted: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    """Ours, on disk, and on no page; their records are kept, for nobody else knows that they are ours."""
    visited: Visited | None = None
    """What upstream's page was, where one was read."""
    mirrored: set[str] = msgspec.field(default_factory=set)
    """Of the files those that upstream was seen to have, or that came from there."""

    def add(self, held: HeldFile) -> None:
        """A file that this run brought."""
        self.held[held.record.filename] = held
        self.fresh.append(held.record)
        if held.metadata is not None:
            self.fresh.append(held.metadata)

    @property
    def worth_a_page(self) -> bool:
        """A project that has, and had, nothing here gets no page."""
        return bool(self.held) or self.published

    def page(self) -> ProjectPage:
        """The project page; only digests of the bytes on disk, no link that leaves the mirror."""
        files = tuple(_entry(self.facts[name], held) for name, held in self.held.items())
        return ProjectPage(project=self.project, files=files, status=self.status)

    def remembered(self, pages: Iterable[FileRecord]) -> Remembered:
        """What the next run need not find out again: all that is known of the project's files and pages."""
        # What is unlisted beside a file that is here was of other bytes, and is gone.
        beside = {f"{name}.metadata" for name in self.held} if self.unlisted else set()
        records = [one for one in self.unlisted.values() if one.filename not in beside]
        records += [*self.damaged, *(held.record for held in self.held.values())]
        records += [held.metadata for held in self.held.values() if held.metadata is not None]
        return Remembered(
            self.project, {record.filename: record for record in (*records, *pages)}, self.settled
        )

    def upstreams(self) -> set[str]:
        """Of the files those that are known to be upstream's."""
        return {name for name in self.held if name in self.mirrored or is_of_an_index(self.facts[name])}


def _entry(fact: ProjectFile, held: HeldFile) -> ProjectFile:
    return ProjectFile(
        filename=fact.filename,
        url=fact.filename,
        hashes=held.hashes,
        size=held.record.stat.size,
        requires_python=fact.requires_python,
        yanked=fact.yanked,
        upload_time=fact.upload_time,
        core_metadata={"sha256": held.metadata.sha256} if held.metadata else None,
    )


class Publisher:
    """Writes batches of pages in the order of effects: files durable, pages, root index, state.

    ``published`` tells which projects have a page; it is asked once, before the first batch.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        published: Callable[[], Awaitable[Iterable[NormalizedName]]] | None = None,
    ) -> None:
        self._store, self._state = store, state
        self._published = published or store.projects
        self._names: set[NormalizedName] | None = None

    async def publish(self, batch: Sequence[Publication]) -> int:
        """Publish the projects of a batch; how many pages changed.

        Raises:
            DestinationError: the mirror cannot be written.
        """
        if self._names is None:
            self._names = set(await self._published())
        elif not batch:
            return 0  # the root index is as the last batch left it
        worth_a_page = [one for one in batch if one.worth_a_page]
        writes: list[PageWrite] = []
        while len(writes) < len(worth_a_page):
            writes += map(_project_write, worth_a_page[len(writes) :][:SLICE])
            await asyncio.sleep(0)
        self._names.update(one.project for one in writes if one.project)
        if self._names:  # a run that found nothing leaves no empty index behind
            writes.append(self._root())
        published = await self._store.publish(writes)
        pages: defaultdict[NormalizedName | None, list[FileRecord]] = defaultdict(list)
        for page in published:
            pages[page.project].append(page.record)
        visited = {one.project: one.visited for one in batch if one.visited is not None}
        upstreams = {one.project: one.upstreams() for one in batch}
        self._state.save([one.remembered(pages[one.project]) for one in batch], visited, upstreams)
        return sum(page.written for page in published)

    def _root(self) -> PageWrite:
        return PageWrite(None, root_pages(self._names or ()))


class Press:
    """Publishes projects as they become ready; only one batch at a time, since each writes the root's pages.

    ``coming`` tells how many projects are not ready yet.  Without a ``publisher`` (a dry run) nothing comes
    of it.
    """

    def __init__(
        self, publisher: Publisher | None, report: Report, reporter: Reporter, coming: Callable[[], int]
    ) -> None:
        self._publisher, self._report, self._reporter = publisher, report, reporter
        self._coming = coming
        self._ready: asyncio.Queue[Publication | None] = asyncio.Queue()
        self._busy = asyncio.Lock()

    def put(self, one: Publication) -> None:
        """A project that is ready."""
        self._ready.put_nowait(one)

    def close(self) -> None:
        """No more will come."""
        self._ready.put_nowait(None)

    async def run(self) -> None:
        """Publish what is ready, in batches: each waits for the disk as often as a single project would.

        A batch begins when no more than it are still to come, too: then half of the pages are published
        while the other half's files are fetched, of those again half, and only a few when all are here.

        Raises:
            DestinationError: the mirror cannot be written.
        """
        ended = False
        while not ended:
            batch = [await self._ready.get()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BATCH_SECONDS):
                    while batch[-1] is not None and self._goes_on(len(batch)):
                        batch.append(await self._ready.get())
            ended = None in batch
            publications = [one for one in batch if one is not None]
            await self.publish(publications)
            for one in publications:
                self._reporter.published(one.project)

    def _goes_on(self, count: int) -> bool:
        """Whether more is to go into a batch of ``count`` projects: what is ready is, while there is room."""
        enough = count >= max(LEAST, self._coming()) and self._ready.empty()
        return count < MOST and not enough

    async def publish(self, batch: Sequence[Publication]) -> None:
        """Publish these now; DestinationError when the mirror cannot be written."""
        if self._publisher is not None:
            async with self._busy:
                self._report.pages_written += await self._publisher.publish(batch)


def project_pages(page: ProjectPage) -> dict[str, bytes]:
    """A project page in each of its forms, by file name."""
    offered = listing(page)
    return {name: _RENDER[kind](page, offered) for name, kind in PAGES.items()}


def root_pages(names: Iterable[NormalizedName]) -> dict[str, bytes]:
    """The root index of these projects in each of its forms, by file name."""
    ordered = sorted(names)
    return {name: _RENDER_ROOT[kind](ordered) for name, kind in PAGES.items()}


def _project_write(one: Publication) -> PageWrite:
    return PageWrite(one.project, project_pages(one.page()), files=_names(one.fresh))


def _names(records: Iterable[FileRecord]) -> tuple[str, ...]:
    return tuple(record.filename for record in records)
