"""The last stage: pages of what is on disk and verified, the root index after them, then the state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiomirror.holdings import PAGES
from aiomirror.plan import Remembered
from aiomirror.simple.render import render_html, render_json, render_root_html, render_root_json
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE, ProjectFile, ProjectPage
from aiomirror.store import PageWrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, HeldFile, Settled
    from aiomirror.simple.values import ProjectStatus
    from aiomirror.state import State
    from aiomirror.store import Store

_RENDER = {JSON_TYPE: render_json, HTML_TYPE: render_html}
_RENDER_ROOT = {JSON_TYPE: render_root_json, HTML_TYPE: render_root_html}


@dataclass(slots=True)
class Publication:
    """A project whose page is to say what ``held`` is: the files on disk, each verified.

    ``facts`` has what an index says of each of them; ``fresh`` are records that the state does not have yet,
    of files that may not have reached the disk yet.
    """

    project: NormalizedName
    status: ProjectStatus
    facts: Mapping[str, ProjectFile]
    held: dict[str, HeldFile]
    fresh: list[FileRecord] = field(default_factory=list)
    damaged: list[FileRecord] = field(default_factory=list)
    """Files that are not listed, since they are not what they once were; their digests stay known."""
    published: bool = False
    """Whether the project has a page already."""
    settled: Settled | None = None
    """What the next run may go by, unless something is left to do."""

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
        records = [*self.damaged, *(held.record for held in self.held.values())]
        records += [held.metadata for held in self.held.values() if held.metadata is not None]
        return Remembered(
            self.project, {record.filename: record for record in (*records, *pages)}, self.settled
        )


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
    """Writes batches of pages in the order of effects: files durable, pages, root index, state."""

    def __init__(self, store: Store, state: State) -> None:
        self._store, self._state = store, state
        self._names: set[NormalizedName] | None = None

    async def publish(self, batch: Sequence[Publication]) -> int:
        """Publish the projects of a batch; how many pages changed.

        Raises:
            DestinationError: the mirror cannot be written.
        """
        if self._names is None:
            self._names = set(await self._store.projects())
        writes = [_project_write(one) for one in batch if one.worth_a_page]
        self._names.update(one.project for one in writes if one.project)
        if self._names:  # a run that found nothing leaves no empty index behind
            writes.append(self._root())
        published = await self._store.publish(writes)
        pages: defaultdict[NormalizedName | None, list[FileRecord]] = defaultdict(list)
        for page in published:
            pages[page.project].append(page.record)
        self._state.save([one.remembered(pages[one.project]) for one in batch])
        return sum(page.written for page in published)

    def _root(self) -> PageWrite:
        names = sorted(self._names or ())
        return PageWrite(None, {name: _RENDER_ROOT[kind](names) for name, kind in PAGES.items()})


def _project_write(one: Publication) -> PageWrite:
    page = one.page()
    pages = {name: _RENDER[kind](page) for name, kind in PAGES.items()}
    return PageWrite(one.project, pages, files=_names(one.fresh))


def _names(records: Iterable[FileRecord]) -> tuple[str, ...]:
    return tuple(record.filename for record in records)
