"""What of a project may go, as it is on disk: nothing that the mirror did not make, and no local file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from aiomirror.holdings import PAGES, is_of_an_index, own_page
from aiomirror.pruning import DELETED, WHOLE, Fate, Removal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, FileStat
    from aiomirror.pruning import FileKey, Tombstone
    from aiomirror.simple.values import ProjectFile, ProjectPage
    from aiomirror.state import State
    from aiomirror.store import Store

METADATA = ".metadata"
PAGES_THAT_SAY_ALL = dict(list(PAGES.items())[:1])
"""The JSON form: a page that is read from HTML has lost sizes and times, and is not written anew."""


class Condemned(msgspec.Struct):
    """What is to go of one project, as it is on disk."""

    project: NormalizedName
    page: ProjectPage | None = None
    """What its page is to say then; None: it stays as it is, or goes as well."""
    settled: bool = True
    """Whether the next run may go by what was settled: all that goes was wanted by nothing."""
    pages: Mapping[str, FileStat] = msgspec.field(default_factory=dict)
    """The pages that go."""
    files: dict[str, FileStat] = msgspec.field(default_factory=dict)
    """Files and siblings."""
    forgotten: list[FileKey] = msgspec.field(default_factory=list)
    """What need not be known any more afterwards."""
    removals: list[Removal] = msgspec.field(default_factory=list)
    unrecorded: int = 0
    """How many of the files the state has no record of."""


class Condemner:
    """Looks at projects that are to go, in whole or in part; changes nothing."""

    def __init__(self, store: Store, state: State, warn: Callable[[str], None]) -> None:
        self._store, self._state, self._warn = store, state, warn

    async def project(self, project: NormalizedName, stones: Sequence[Tombstone]) -> Condemned | None:
        """What of the project is to go; None when nothing can."""
        folder = await _Folder.of(self._store, self._state, project)
        stated = {stone.filename: stone for stone in stones}
        whole = stated.get(WHOLE)
        names = folder.files() if whole else stated.keys() - folder.local
        if not folder.is_ours:
            return None
        if not whole and folder.unreadable:
            self._warn(f"{project}: nothing of it is removed, since its page cannot be read; verify mends it")
            return None
        one = Condemned(project)
        dropped = set()
        for name in sorted(names):
            stone = stated.get(name) or whole
            assert stone is not None
            if name not in folder.stats or await folder.is_made_here(name):
                dropped.add(name)
                await self._file(one, folder, name, stone)
            else:
                self._warn(f"{project}: {name}: not the file that was mirrored; it is left alone")
        gone = names if whole else dropped
        if whole and gone >= folder.listed.keys():
            one.pages = folder.pages
            if dropped >= names:  # what is left alone is still known to be another file than ours
                one.forgotten.append((project, WHOLE))
        elif folder.page is not None and any(file.filename in gone for file in folder.page.files):
            rest = tuple(file for file in folder.page.files if file.filename not in gone)
            one.page = structs.replace(folder.page, files=rest)
            one.settled = whole is None
        return one

    async def _file(self, one: Condemned, folder: _Folder, name: str, stone: Tombstone) -> None:
        sibling = name + METADATA
        one.forgotten += [(one.project, name), (one.project, sibling)]
        if sibling in folder.stats and await folder.is_made_here(sibling):
            one.files[sibling] = folder.stats[sibling]
        if name in folder.stats:
            one.files[name] = folder.stats[name]
            size = folder.stats[name].size
            one.removals.append(Removal(one.project, name, size, stone.since, stone.why, Fate.REMOVED))
            one.unrecorded += name not in folder.records

    async def pages(self, project: NormalizedName) -> Condemned | None:
        """Its pages alone, while the files stay; None where it has none."""
        folder = await _Folder.of(self._store, self._state, project)
        if not folder.pages or not folder.is_ours:
            return None
        one = Condemned(project, pages=folder.pages)
        for name, file in sorted(folder.listed.items()):
            one.removals.append(Removal(project, name, file.size or 0, 0, DELETED, Fate.HIDDEN))
            one.unrecorded += name not in folder.records
        return one


class _Folder(msgspec.Struct, frozen=True):
    """One project's folder, and what vouches for what is in it."""

    store: Store
    project: NormalizedName
    stats: Mapping[str, FileStat]
    records: Mapping[str, FileRecord]
    local: frozenset[str]
    page: ProjectPage | None

    @classmethod
    async def of(cls, store: Store, state: State, project: NormalizedName) -> _Folder:
        stats = await store.survey(project)
        page = await own_page(store, project, PAGES_THAT_SAY_ALL)
        known = state.recall([project])[project]
        return cls(store, project, stats, known.records, known.local, page)

    @property
    def listed(self) -> Mapping[str, ProjectFile]:
        return self.page.named if self.page else {}

    @property
    def pages(self) -> dict[str, FileStat]:
        return {name: stat for name, stat in self.stats.items() if name in PAGES}

    @property
    def is_ours(self) -> bool:
        """Whether aiomirror made the pages that are here; without any, nothing speaks against it."""
        return self.page is not None or not self.pages or any(name in self.records for name in self.pages)

    @property
    def unreadable(self) -> bool:
        """Whether there is a page, and no telling what it lists."""
        return self.page is None and bool(self.pages)

    def files(self) -> set[str]:
        """Every distribution that is known to be the mirror's: no local one."""
        known = {name for name in self.records if name not in PAGES and not name.endswith(METADATA)}
        known |= {name for name, file in self.listed.items() if name not in known and is_of_an_index(file)}
        return known - self.local

    async def is_made_here(self, name: str) -> bool:
        """Whether the bytes are those that a record or our own page vouches for."""
        record = self.records.get(name)
        if record is not None and record.stat == self.stats[name]:
            return True
        digests = {record.sha256} if record is not None else set[str]()
        if (file := self.listed.get(name)) is not None:
            digests.add(file.hashes["sha256"])
        if name.endswith(METADATA) and (file := self.listed.get(name.removesuffix(METADATA))) is not None:
            digests.update((file.core_metadata or {}).values())
        found = await self.store.digest(self.project, name) if digests else None
        return found is not None and found.sha256 in digests
