"""One project looked at: pages read, files hashed, all that is wrong with it found; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from aiomirror.errors import DestinationError, PageError
from aiomirror.holdings import OUR_URL, PAGE_CAP, PAGES, lost_status
from aiomirror.plan import NO_STAT, FileJob, HeldFile, ProjectPlan
from aiomirror.simple.filenames import MAX_FILENAME
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.render import render_html
from aiomirror.simple.values import ProjectFile, ProjectStatus
from aiomirror.store import Folder
from aiomirror.verify import compare
from aiomirror.verify.compare import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Collection

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, Remembered
    from aiomirror.progress import Reporter
    from aiomirror.simple.values import ProjectPage
    from aiomirror.store import Hashed, Store
    from aiomirror.verify.hashing import Hasher


class Inspection(msgspec.Struct):
    """A project as it is: what is listed, what of that is right, and what is wrong."""

    known: Remembered
    folder: Folder = msgspec.field(default_factory=Folder)
    pages: dict[str, ProjectPage] = msgspec.field(default_factory=dict)
    """The forms of its page that could be read."""
    listed: dict[str, ProjectFile] = msgspec.field(default_factory=dict)
    held: dict[str, HeldFile] = msgspec.field(default_factory=dict)
    """The listed files that are right."""
    findings: list[Finding] = msgspec.field(default_factory=list)
    unlisted: list[str] = msgspec.field(default_factory=list)
    """Distributions that no page lists."""

    @property
    def project(self) -> NormalizedName:
        """Its name."""
        return self.known.project

    @property
    def status(self) -> ProjectStatus:
        """What a page says of the project."""
        for page in self.pages.values():
            return page.status
        return lost_status(self.project, self.known.records)

    @property
    def published(self) -> bool:
        """Whether there is a page, in whatever state."""
        return any(name in self.folder.stats or name in self.folder.links for name in PAGES)

    @property
    def hidden(self) -> bool:
        """Whether there is no page because none is to be; one that is lost has a record."""
        return not self.published and not self.known.records.keys() & PAGES

    @property
    def lost(self) -> dict[str, ProjectFile]:
        """Files that were right once, and then were not, and that no page lists since then."""
        records = self.known.records
        names = {name for name, one in records.items() if one.stat == NO_STAT and name not in self.listed}
        if not names or self.hidden or self.status.marker == "quarantined":
            return {}
        known = compare.from_records(records, self.project)
        return {name: known[name] for name in names & known.keys()}

    @property
    def doubtful(self) -> bool:
        """Whether upstream knows better what to say of the files: the JSON page is lost or disputed."""
        return next(iter(PAGES)) not in self.pages or (len(self.pages) > 1 and bool(self.of(Kind.PAGE)))

    def add(self, kind: Kind, filename: str, what: str) -> None:
        """One more finding."""
        self.findings.append(Finding(kind, self.project, filename, what))

    def of(self, kind: Kind) -> dict[str, str]:
        """The findings of that kind: file name → what is wrong."""
        return {one.filename: one.what for one in self.findings if one.kind is kind}


class Inspector:
    """Looks at projects; ``quick`` believes the state's records of files whose ``stat`` has not changed."""

    def __init__(self, store: Store, hasher: Hasher, reporter: Reporter, *, quick: bool) -> None:
        self._store, self._hasher, self._reporter, self._quick = store, hasher, reporter, quick

    async def inspect(self, known: Remembered, *, expected: bool) -> Inspection:
        """Everything about a project; ``known`` is what the state has of it.

        ``expected``: the root index lists it, so that it is damage when there is nothing of it.
        """
        found = Inspection(known)
        try:
            found.folder = await self._store.inspect(known.project, PAGES, PAGE_CAP)
        except DestinationError as error:
            found.add(Kind.STRAY, "", f"the folder cannot be read: {error.why}")
            return found
        others = _read_pages(found, expected=expected)
        if not (expected or found.published or found.listed):
            found.findings.clear()  # a folder that is no project of ours
        await self._check(found, others)
        found.findings += compare.strays(found.folder, known.project, {*found.listed, *PAGES})
        found.unlisted = compare.unlisted(found.folder, known.project, found.listed)
        return found

    async def _check(self, found: Inspection, others: dict[str, ProjectFile]) -> None:
        """Tell the files that are right from the others; ``others`` is what the page's second form says."""
        targets = {file.filename: file for listed in found.listed.values() for file in _with_sibling(listed)}
        right: dict[str, FileRecord] = {}
        wrong: dict[str, str] = {}
        wanted: dict[str, frozenset[str]] = {}
        for name, file in targets.items():
            if self._quick and (
                record := compare.by_record(file, found.known.records.get(name), found.folder)
            ):
                right[name] = record
            elif what := compare.before_reading(file, found.folder):
                wrong[name] = what
            else:
                wanted[name] = frozenset({*file.hashes, *(others[name].hashes if name in others else ())})
        for name, one in (await self._hash(found, wanted)).items():
            what = compare.after_reading(targets[name].hashes, one)
            if what and name in others and compare.after_reading(others[name].hashes, one) is None:
                # The forms of the page differ, and the bytes are those of the second: the first is wrong.
                found.listed[name] = structs.replace(found.listed[name], hashes=others[name].hashes)
                what = None
            if what is not None:
                wrong[name] = what
            elif one.record is not None:
                right[name] = one.record
        _settle(found, right, wrong)

    async def _hash(self, found: Inspection, wanted: dict[str, frozenset[str]]) -> dict[str, Hashed]:
        sizes = {name: found.folder.stats[name].size for name in wanted}
        jobs = {
            name: FileJob(found.project, structs.replace(found.listed[name], size=sizes[name]))
            for name in wanted
            if name in found.listed
        }
        plan = ProjectPlan(found.project, found.status, tuple(jobs.values()), wanted=frozenset(found.listed))
        self._reporter.planned(plan)
        return await self._hasher.hash(found.project, wanted.items(), sizes, jobs)


def _read_pages(found: Inspection, *, expected: bool) -> dict[str, ProjectFile]:
    """Read both forms of the page; the files of which the second states other digests than the first."""
    base = f"{OUR_URL}{found.project}/"
    for form, content_type in PAGES.items():
        body = found.folder.pages.get(form)
        if body is None:
            found.add(Kind.PAGE, form, compare.why_no_page(found.folder, form))
            continue
        known = next(iter(found.pages.values()), None)
        if known is not None and _is_rendered(body, known):
            found.pages[form] = known
            continue
        try:
            page = read_page(body, content_type, base, found.project, max_files=None)
        except PageError as error:
            found.add(Kind.PAGE, form, f"cannot be read: {error.why}")
            continue
        found.pages[form] = page
        found.findings += compare.one_page(page, form, base)
    if len(found.pages) == len(PAGES):
        found.findings += compare.two_forms(found.pages)
    listings = [page.named for page in found.pages.values()]
    if not listings:
        if found.hidden and not expected:
            return {}
        listings = [compare.from_records(found.known.records, found.project)]
    first, second = listings[0], listings[-1]
    vouched = {name: file for name, file in first.items() if "sha256" in file.hashes}
    found.listed = dict(sorted({**first, **second, **vouched}.items()))
    return {name: file for name, file in second.items() if _differ(file, found.listed[name])}


def _is_rendered(body: bytes, page: ProjectPage) -> bool:
    """Whether this is the HTML that we make of the page; then it need not be read, which takes far longer."""
    try:
        return body == render_html(page)
    except ValueError:  # what cannot be published is not what we have published
        return False


def _differ(one: ProjectFile, other: ProjectFile) -> bool:
    return one.hashes.get("sha256") != other.hashes.get("sha256")


def _with_sibling(file: ProjectFile) -> Collection[ProjectFile]:
    if file.core_metadata is None:
        return (file,)
    name = file.filename + compare.METADATA
    return file, ProjectFile(filename=name, url=name, hashes=file.core_metadata)


def _settle(found: Inspection, right: dict[str, FileRecord], wrong: dict[str, str]) -> None:
    for name, file in found.listed.items():
        sibling = name + compare.METADATA
        if name in wrong:
            found.add(Kind.FILE, name, wrong[name])
        else:
            hashes = {**file.hashes, "sha256": right[name].sha256}
            found.held[name] = HeldFile(right[name], hashes, right.get(sibling))
        if sibling in wrong:
            found.add(Kind.METADATA, sibling, wrong[sibling])


def read_roots(
    root: Folder, pages: Collection[NormalizedName]
) -> tuple[frozenset[NormalizedName], list[Finding]]:
    """The projects that the root index lists in either form, and what is wrong with it; ``pages`` exist."""
    listed: set[NormalizedName] = set()
    findings: list[Finding] = []
    for form, content_type in PAGES.items():
        body = root.pages.get(form)
        if body is None:
            if pages or PAGES.keys() & root.stats.keys():  # an empty mirror has no pages at all
                findings.append(Finding(Kind.PAGE, "", form, compare.why_no_page(root, form)))
            continue
        try:
            names = tuple(read_root(body, content_type, OUR_URL))
        except PageError as error:
            findings.append(Finding(Kind.PAGE, "", form, f"cannot be read: {error.why}"))
            continue
        findings += compare.root_page(form, body, names, pages)
        listed.update(name for name in names if len(name) <= MAX_FILENAME)
    findings += compare.strays(root, "", {*PAGES, *listed})
    return frozenset(listed), findings
