"""What the mirror has of a project: our own page, and the files behind it, known to be right.

A file is right when its ``stat`` is that of a record, else when hashing it says so; nothing is hashed again
without cause.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import structs

from aiomirror.errors import PageError
from aiomirror.plan import NO_STAT, FileRecord, HeldFile, Holdings
from aiomirror.simple.read import read_page
from aiomirror.simple.render import render_html, render_json
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE, ProjectPage, ProjectStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileStat
    from aiomirror.simple.values import Digests, ProjectFile
    from aiomirror.state import State
    from aiomirror.store import Store

PAGES = {"index.v1_json": JSON_TYPE, "index.html": HTML_TYPE}
"""Our own pages by file name, the one that says more first."""
PAGE_CAP = 256 * 2**20
"""Bytes of one of our own pages; what is longer was not written by us."""

OUR_URL = "http://mirror.invalid/"
"""What the relative links of our own pages are read against; nobody asks there."""


async def own_page(
    store: Store, project: NormalizedName, forms: Mapping[str, str] = PAGES
) -> ProjectPage | None:
    """The page that the mirror publishes of the project, from whichever of its forms can be read."""
    for name, content_type in forms.items():
        body = await store.read(project, name, PAGE_CAP)
        if body is None:
            continue
        try:
            return read_page(body, content_type, f"{OUR_URL}{project}/", project, max_files=None)
        except PageError:
            continue  # damaged: the other form, or the files themselves, still know
    return None


def is_of_an_index(listed: ProjectFile | None) -> bool:
    """Whether our page has its words from an upstream: none of a file itself says when it was uploaded."""
    return listed is not None and listed.upload_time is not None


def lost_status(project: NormalizedName, records: Mapping[str, FileRecord]) -> ProjectStatus:
    """What our page said of the project before it was lost, as far as the digests of its record tell.

    Only of the page of a project under quarantine, for which no reason was given, is the digest known.
    """
    quarantined = ProjectStatus("quarantined")
    page = ProjectPage(project=project, files=(), status=quarantined)
    for name, render in {"index.v1_json": render_json, "index.html": render_html}.items():
        record = records.get(name)
        if record is not None and record.sha256 == hashlib.sha256(render(page)).hexdigest():
            return quarantined
    return ProjectStatus()


class _Folder:
    """Looks at one project's folder; remembers which records are new."""

    def __init__(
        self,
        store: Store,
        project: NormalizedName,
        stats: Mapping[str, FileStat],
        records: Mapping[str, FileRecord],
    ) -> None:
        self._store, self._project = store, project
        self._stats, self._records = stats, records
        self.fresh: list[FileRecord] = []

    async def held(self, listed: ProjectFile | None, upstream: ProjectFile | None) -> HeldFile | None:
        """The file on disk with its digests; None when it is not there, or nothing vouches for its bytes."""
        name = (listed or upstream or _never()).filename
        found = await self._identify(name, listed, upstream.hashes if upstream else {})
        if found is None:
            return None
        record, hashes = found
        return HeldFile(record, hashes, await self._sibling(name, listed, upstream))

    async def _identify(
        self, name: str, listed: ProjectFile | None, expected: Digests
    ) -> tuple[FileRecord, Digests] | None:
        record = self._recorded(name)
        if record is not None:
            known = {"sha256": record.sha256}
            if listed is not None and listed.hashes.get("sha256") == record.sha256:
                known = {**listed.hashes}
            if not expected or expected.keys() & known.keys():
                return record, known
        hashed = await self._hash(name, expected.keys())
        if hashed is None:
            return None
        vouched = listed is not None or record is not None
        # Neither our page nor a record knows this file: a run was killed before its page was written, or
        # somebody put it here.  It is ours if it is what upstream lists.
        if not vouched and not _same(hashed[1], expected):
            return None
        self.fresh.append(hashed[0])
        return hashed

    def is_stray(self, upstream: ProjectFile) -> bool:
        """Whether a file that is not what upstream lists is somebody's own, and not what a run left.

        What earlier runs verified has a record, and a power failure leaves a new file empty; where upstream
        lists no digest, nothing tells a whole file from another.
        """
        name = upstream.filename
        return name not in self._records and self._stats[name].size > 0 and bool(upstream.hashes)

    async def _sibling(
        self, name: str, listed: ProjectFile | None, upstream: ProjectFile | None
    ) -> FileRecord | None:
        """The ``.metadata`` of these bytes: a file that got other ones may still have that of the old."""
        sibling = f"{name}.metadata"
        record = self._recorded(sibling)
        if record is not None and listed is None and self._recorded(name) is not None:
            return record  # our page is lost, and both were verified together
        stated = [file.core_metadata for file in (listed, upstream) if file and file.core_metadata]
        if record is None and stated and (hashed := await self._hash(sibling, ())) is not None:
            record = hashed[0]
        if record is None or not any(_same({"sha256": record.sha256}, digests) for digests in stated):
            return None
        if record != self._records.get(sibling):
            self.fresh.append(record)
        return record

    async def unlisted(self, names: Collection[str]) -> dict[str, FileRecord]:
        """The records of what earlier runs made of these, as it is on disk now."""
        found = {}
        for name in names & self._records.keys() & self._stats.keys():
            record = self._recorded(name)
            if record is None and (hashed := await self._hash(name, ())) is not None:
                # A copy of the mirror has other inodes and times, and the same bytes.
                record = hashed[0] if hashed[0].sha256 == self._records[name].sha256 else None
            if record is not None:
                found[name] = record
        return found

    def _recorded(self, name: str) -> FileRecord | None:
        record = self._records.get(name)
        return record if record is not None and record.stat == self._stats.get(name) else None

    async def _hash(self, name: str, algorithms: Collection[str]) -> tuple[FileRecord, Digests] | None:
        if name not in self._stats:
            return None
        return await self._store.hash_file(self._project, name, {"sha256", *algorithms})


def _never() -> ProjectFile:
    raise AssertionError("a file is listed by us or by upstream")


def _same(known: Digests, expected: Digests) -> bool:
    common = known.keys() & expected.keys()
    return bool(common) and all(known[algorithm] == expected[algorithm] for algorithm in common)


async def holdings(
    store: Store, state: State, project: NormalizedName, upstream: Mapping[str, ProjectFile]
) -> Holdings:
    """What the mirror has of the project, of what our page or upstream's lists."""
    stats = await store.survey(project)
    if not stats:
        return Holdings()
    page = await own_page(store, project)
    listed = page.named if page else {}
    remembered = state.recall([project])[project]
    folder = _Folder(store, project, stats, remembered.records)
    files: dict[str, HeldFile] = {}
    for name in stats.keys() & (listed.keys() | upstream.keys()):
        if (held := await folder.held(listed.get(name), upstream.get(name))) is not None:
            files[name] = held
    others = stats.keys() & upstream.keys() - files.keys()
    strays = frozenset(name for name in others if folder.is_stray(upstream[name]))
    known = {*files, *(f"{name}.metadata" for name in files), *listed, *upstream, *PAGES}
    unlisted = await folder.unlisted(stats.keys() - known)
    wrong = {
        name: structs.replace(remembered.records[name], stat=NO_STAT)
        for name in others & remembered.records.keys()
    }
    return Holdings(
        listed,
        files,
        strays,
        fresh=tuple(folder.fresh),
        published=page is not None,
        unlisted=unlisted,
        wrong=wrong,
        local=remembered.local
        | {name for name in files.keys() - remembered.records.keys() if not is_of_an_index(listed.get(name))},
    )
