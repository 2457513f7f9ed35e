"""One damaged project set right: what can be made here is made here, the rest comes from upstream again.

Nothing is invented and nothing removed: a file has the digest that its page stated, or is no longer listed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.describe import described, sibling
from aiomirror.errors import AiomirrorError, ChangedError, DestinationError
from aiomirror.holdings import PAGES
from aiomirror.plan import NO_STAT, FileRecord, HeldFile, Holdings, plan_project
from aiomirror.publish import Publication
from aiomirror.report import Outcome, Status
from aiomirror.verify.compare import METADATA, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiomirror.fetch import Fetched, Fetcher
    from aiomirror.index import Index
    from aiomirror.plan import FileJob, ProjectPlan
    from aiomirror.progress import Reporter
    from aiomirror.simple.values import ProjectFile, ProjectPage
    from aiomirror.store import Store
    from aiomirror.verify.compare import Finding
    from aiomirror.verify.inspector import Inspection

QUEUE_PER_WORKER = 4
"""Jobs that wait for each worker: enough that none idles, few enough that memory stays bounded."""


class Crew:
    """So many workers on one bounded queue; :meth:`work` is the task of each."""

    def __init__(self, fetcher: Fetcher, count: int) -> None:
        self._fetcher, self.count = fetcher, count
        self._jobs: asyncio.Queue[tuple[FileJob, asyncio.Future[Fetched]] | None] = asyncio.Queue(
            count * QUEUE_PER_WORKER
        )

    async def work(self) -> None:
        """Fetch until there is nothing more; DestinationError when nothing can be written."""
        while (item := await self._jobs.get()) is not None:
            job, done = item
            fetched = await self._fetcher.run(job)
            if not done.done():
                done.set_result(fetched)

    async def fetch(self, jobs: Sequence[FileJob]) -> list[Fetched]:
        """All of the jobs done, in their order."""
        waiting: list[asyncio.Future[Fetched]] = []
        for job in jobs:
            waiting.append(asyncio.get_running_loop().create_future())
            await self._jobs.put((job, waiting[-1]))
        return await asyncio.gather(*waiting)

    async def dismiss(self) -> None:
        """No more jobs will come."""
        for _ in range(self.count):
            await self._jobs.put(None)


class Mended(msgspec.Struct):
    """What came of a project: its pages to be, and each finding with what became of it."""

    publication: Publication
    outcomes: list[Outcome] = msgspec.field(default_factory=list)
    repaired: list[tuple[Finding, str]] = msgspec.field(default_factory=list)
    left: list[tuple[Finding, str]] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)


class Mender:
    """Mends projects, any number at once."""

    def __init__(self, store: Store, index: Index, crew: Crew, reporter: Reporter) -> None:
        self._store, self._index, self._crew, self._reporter = store, index, crew, reporter

    async def mend(self, found: Inspection) -> Mended:
        """Do what can be done; nothing is published yet.

        Raises:
            DestinationError: the mirror cannot be written.
        """
        held = dict(found.held)
        lost = await self._take_up(found, held)
        await self._make_siblings(found, held)
        page, why = None, "upstream has no copy of these bytes"
        if _needs_upstream(found, held):
            try:
                page = await self._upstream(found)
            except DestinationError:
                raise
            except AiomirrorError as error:
                why = str(error)
        if page is None:
            mended = Mended(await self._alone(found, held, lost))
            if found.listed and found.doubtful:
                mended.warnings.append(f"{found.project}: its pages are of what is known here: {why}")
            return _concluded(found, mended, dict.fromkeys(found.listed, why))
        if found.doubtful:
            await self._know_digests(found, page, held)
        fresh = tuple(one.record for one in held.values())
        plan = plan_project(page, (), Holdings(found.listed, held, fresh=fresh, published=found.published))
        return await self._by_plan(found, _same_bytes(plan, found), why)

    async def _take_up(self, found: Inspection, held: dict[str, HeldFile]) -> frozenset[str]:
        """Have among the damaged the files that an earlier run could not repair, too; their names."""
        lost = found.lost
        for name, file in lost.items():
            found.listed[name] = file
            found.add(Kind.FILE, name, "was damaged before, and is not listed since then")
            hashed = await self._store.hash_file(found.project, name, file.hashes)
            if hashed is not None and hashed[1] == file.hashes:
                held[name] = HeldFile(*hashed)
        return frozenset(lost)

    async def _make_siblings(self, found: Inspection, held: dict[str, HeldFile]) -> None:
        for name, one in found.held.items():
            announced = found.listed[name].core_metadata
            if announced and one.metadata is None and name.endswith(".whl"):
                made = await self._store.make_metadata(found.project, name, expected=announced)
                held[name] = replace(one, metadata=made)

    async def _upstream(self, found: Inspection) -> ProjectPage:
        read = await self._index.page(found.project)
        assert read is not None  # only a page that is known already is not answered
        return read.page

    async def _know_digests(self, found: Inspection, page: ProjectPage, held: dict[str, HeldFile]) -> None:
        """Have the digests that the lost page stated, of files for which the HTML one has sha256 only.

        Files that no page lists any more are taken up again where upstream vouches for them.
        """
        forgotten = not found.listed
        for file in page.files:
            name = file.filename
            if name in held and file.hashes.keys() <= held[name].hashes.keys():
                continue
            if name not in held and not (forgotten and name in found.folder.stats):
                continue
            hashed = await self._store.hash_file(found.project, name, file.hashes.keys())
            if hashed is None or not file.hashes or not file.hashes.items() <= hashed[1].items():
                continue
            metadata = held[name].metadata if name in held else None
            held[name] = HeldFile(hashed[0], hashed[1], metadata)
            found.listed.setdefault(name, file)

    async def _alone(self, found: Inspection, held: dict[str, HeldFile], lost: frozenset[str]) -> Publication:
        """What can be published without upstream."""
        facts: dict[str, ProjectFile] = {}
        publication = Publication(found.project, found.status, facts, {}, published=found.published)
        for name, one in held.items():
            listed = facts[name] = found.listed[name]
            if not found.pages or name in lost:
                facts[name] = await described(self._store, found.project, name, one.hashes)
            if listed.core_metadata is not None and one.metadata is None:
                one = replace(one, metadata=await sibling(self._store, found.project, name, listed))  # noqa: PLW2901
            publication.add(one)
        return publication

    async def _by_plan(self, found: Inspection, plan: ProjectPlan, why: str) -> Mended:
        publication = Publication(
            plan.project, plan.status, plan.facts, dict(plan.keep), list(plan.fresh), published=plan.published
        )
        mended = Mended(publication)
        reasons = dict.fromkeys(found.listed, why)
        for problem in plan.problems:
            if problem.filename in plan.keep:
                mended.warnings.append(str(problem))
            elif isinstance(problem, ChangedError):
                reasons[problem.filename] = f"upstream now lists {problem.listed}"
        self._reporter.planned(plan)
        for job, fetched in zip(plan.fetch, await self._crew.fetch(plan.fetch), strict=True):
            if fetched.held is not None:
                publication.add(fetched.held)
            if job.held is None:
                mended.outcomes.append(fetched.outcome)
                reasons[job.file.filename] = f"upstream's copy could not be had: {fetched.outcome.why}"
        return _concluded(found, mended, reasons)


def _needs_upstream(found: Inspection, held: dict[str, HeldFile]) -> bool:
    """Whether something is missing that is not here: bytes, or what the project's page is to say."""
    complete = all(
        name in held and (file.core_metadata is None or held[name].metadata is not None)
        for name, file in found.listed.items()
    )
    return not complete or found.doubtful


def _same_bytes(plan: ProjectPlan, found: Inspection) -> ProjectPlan:
    """The plan with jobs that take nothing but what our page states."""
    jobs = tuple(
        replace(job, accepted=frozenset({("sha256", found.listed[job.file.filename].hashes["sha256"])}))
        if job.held is None
        else job
        for job in plan.fetch
    )
    return replace(plan, fetch=jobs)


def _concluded(found: Inspection, mended: Mended, reasons: dict[str, str]) -> Mended:
    """Say of each finding what became of it, and keep what is known of files that no page lists."""
    _keep_records(found, mended.publication)
    held, attempted = mended.publication.held, {one.filename for one in mended.outcomes}
    for finding in found.findings:
        name = finding.filename
        if finding.kind is Kind.STRAY:
            mended.left.append((finding, "left as it is"))
        elif not mended.publication.worth_a_page:
            mended.left.append((finding, "nothing is left of the project, and it is no longer listed"))
        elif finding.kind is Kind.PAGE:
            mended.repaired.append((finding, "written anew"))
        elif finding.kind is Kind.METADATA:
            file = held.get(name.removesuffix(METADATA))
            kept = file is not None and file.metadata is not None
            mended.repaired.append((finding, "made anew" if kept else "no longer announced"))
        elif name in held:
            mended.repaired.append((finding, "fetched anew" if name in attempted else "listed again"))
        else:
            mended.left.append((finding, f"no longer listed: {reasons[name]}"))
    mended.outcomes += _not_attempted(found, mended, attempted)
    return mended


def _keep_records(found: Inspection, publication: Publication) -> None:
    """What is hidden stays known as the mirror's, and a digest stays known until its file is right again."""
    judged = {*PAGES, *found.listed, *(name + METADATA for name in found.listed)}
    publication.unlisted = {name: one for name, one in found.known.records.items() if name not in judged}
    publication.damaged += [
        FileRecord(name, file.hashes["sha256"], NO_STAT)
        for name, file in found.listed.items()
        if name not in publication.held and "sha256" in file.hashes
    ]


def _not_attempted(found: Inspection, mended: Mended, attempted: set[str]) -> Iterator[Outcome]:
    for finding, how in mended.left:
        if finding.kind is Kind.FILE and finding.filename not in attempted:
            file = found.listed[finding.filename]
            yield Outcome(
                found.project, finding.filename, Status.FAILED, file.size, why=f"{finding.what}; {how}"
            )
