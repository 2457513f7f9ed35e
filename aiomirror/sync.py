"""The whole run: pages read, files fetched and pages published side by side, through one bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from aiomirror.errors import AiomirrorError, DestinationError
from aiomirror.fetch import Fetcher
from aiomirror.http import Client, HttpSettings, masked
from aiomirror.index import Index
from aiomirror.publish import Publication, Publisher
from aiomirror.report import Outcome, Problem, Report, Status
from aiomirror.selection import demands
from aiomirror.signals import ended_by_signals
from aiomirror.simple.filenames import FileKind, parse_filename
from aiomirror.state import State
from aiomirror.store import Store
from aiomirror.visit import Agenda, Demand, Visitor

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.config import Config
    from aiomirror.fetch import Fetched
    from aiomirror.plan import FileJob, FileRecord, ProjectPlan, Remembered, Settled
    from aiomirror.progress import Reporter
    from aiomirror.requirements.values import Parsed
    from aiomirror.selection import Selection
    from aiomirror.simple.values import ProjectPage

QUEUE_PER_WORKER = 4
"""Jobs that wait for each worker: enough that none idles, few enough that reading pages stays bounded."""
BATCH_SECONDS = 1.0
"""How long projects gather to be published together; what a kill may leave to be looked at again."""


async def sync(config: Config, parsed: Parsed, reporter: Reporter) -> Report:
    """Mirror what the requirements ask for; expected failures are in the report.

    Raises:
        DestinationError: the mirror cannot be opened, or is held by another run.
    """
    report = Report(index=masked(config.index_url), destination=str(config.dest), dry_run=config.dry_run)
    started = time.monotonic()
    settings = HttpSettings(
        connections=config.jobs, timeout=config.timeout, min_rate=config.min_rate, retries=config.retries
    )
    async with Store(config.dest, writable=not config.dry_run) as store, Client(settings) as client:
        with State.open(store.state_path, writable=not config.dry_run) as state:
            run = _Run(
                config, parsed, client=client, store=store, state=state, reporter=reporter, report=report
            )
            await run.run()
    report.requests = client.requests
    report.seconds = time.monotonic() - started
    return report


class _Project:
    """A project on its way: how many of its jobs are still out."""

    def __init__(self, plan: ProjectPlan, settled: Settled | None) -> None:
        self.pending, self.wanted = len(plan.fetch), plan.wanted
        self.publication = Publication(
            project=plan.project,
            status=plan.status,
            facts=plan.facts,
            held=dict(plan.keep),
            fresh=list(plan.fresh),
            damaged=list(plan.damaged),
            published=plan.published,
            settled=settled,
        )


class _Run:
    """One run's tasks and what they share; the queue is the only way from the readers to the workers."""

    def __init__(
        self,
        config: Config,
        parsed: Parsed,
        *,
        client: Client,
        store: Store,
        state: State,
        reporter: Reporter,
        report: Report,
    ) -> None:
        self._config, self._parsed = config, parsed
        self._store, self._state = store, state
        self._reporter, self._report = reporter, report
        self._index = Index(client, config.index_url)
        self._visitor = Visitor(self._index, store, state, config.policy)
        self._fetcher = Fetcher(client, store, config.fetch, reporter, self._warn)
        self._publisher = Publisher(store, state)
        self._jobs: asyncio.Queue[FileJob | None] = asyncio.Queue(config.jobs * QUEUE_PER_WORKER)
        self._ready: asyncio.Queue[Publication | None] = asyncio.Queue()
        self._open: dict[NormalizedName, _Project] = {}
        self._unchanged: list[NormalizedName] = []
        self._stopping = False

    async def run(self) -> None:
        """Run to the end, or to the signal or failure that ends it; publish what is complete either way."""
        self._tell_inputs()
        config, parsed = self._config, self._parsed
        wants = demands(parsed.wanted, parsed.constraints)
        self._reporter.projects(len(wants))
        agenda = Agenda(Demand.of(self._index.shown, config.policy, wants), self._store, self._state)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publish())
                transfer = group.create_task(self._transfer(agenda, len(wants)))
                with ended_by_signals(transfer, self._end):
                    await asyncio.wait([transfer])
                for project in self._open.values():
                    project.publication.settled = None
                    self._ready.put_nowait(project.publication)
                self._ready.put_nowait(None)
        except* DestinationError as failures:
            self._fail(Problem.of(_first(failures)))

    def _tell_inputs(self) -> None:
        for warning in (*self._state.warnings, *self._parsed.warnings):
            self._warn(warning)
        for one in self._parsed.not_mirrored:
            self._warn(f"{one.origin}: {one.text}: not mirrored: {one.why}")
            self._report.not_mirrored.append((one.text, one.origin, one.why))

    def _end(self, number: int) -> None:
        self._report.signal = number
        self._stopping = True

    async def _transfer(self, agenda: Agenda, projects: int) -> None:
        """Read pages and fetch files until all is done; a destination that fails ends it early."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._config.jobs):
                    group.create_task(self._work())
                await self._visitor.look_out(projects)
                readers = [group.create_task(self._read(agenda)) for _ in range(self._config.jobs)]
                await asyncio.gather(*readers)
                for _ in range(self._config.jobs):
                    await self._jobs.put(None)
            self._visitor.confirm(self._unchanged)
        except* DestinationError as failures:
            self._fail(Problem.of(_first(failures)))
        finally:
            self._report.not_started += agenda.rest()

    async def _read(self, agenda: Agenda) -> None:
        while not self._stopping and (item := await agenda.next()) is not None:
            demand, known = item
            try:
                await self._start(demand, known)
            except DestinationError:
                raise
            except AiomirrorError as error:
                self._fail(Problem.of(error, demand.project))

    async def _start(self, demand: Demand, known: Remembered | None) -> None:
        """Look at one project, and queue what there is to do."""
        visit = await self._visitor.visit(demand, known)
        if visit is None:
            assert known is not None
            self._tell_unchanged(known)
            return
        page, plan = visit.page, visit.plan
        for warning in page.warnings:
            self._warn(f"{page.project}: {warning}")
        self._tell_selection(page, visit.selection)
        if page.status.marker == "quarantined":
            await self._tell_withheld(page.project)
        for problem in plan.problems:
            self._fail(Problem.of(problem, page.project, problem.filename))
        self._reporter.planned(plan)
        if self._config.dry_run:
            self._tell_plan(plan)
        else:
            clean = not visit.selection.unsatisfied and not plan.problems
            await self._queue(plan, visit.settled if clean else None)

    def _tell_unchanged(self, known: Remembered) -> None:
        assert known.settled is not None
        self._unchanged.append(known.project)
        self._reporter.unchanged(known.project)
        self._report.left_out(known.project, known.settled.left_out)
        for name in known.settled.wanted:
            self._report.add(_held(known.project, known.records[name]))

    def _tell_selection(self, page: ProjectPage, selection: Selection) -> None:
        self._report.left_out(page.project, Counter(str(reason) for reason in selection.left_out.values()))
        for error in selection.unsatisfied:
            self._fail(Problem.of(error, page.project))

    async def _tell_withheld(self, project: NormalizedName) -> None:
        """Name the files that stay on disk while no page lists them, on every run."""
        names = await self._store.survey(project)
        kinds = {name: parsed.kind for name in names if (parsed := parse_filename(name, project))}
        if files := sorted(name for name, kind in kinds.items() if kind is not FileKind.OTHER):
            self._warn(f"{project}: quarantined upstream; on disk and not listed: {', '.join(files)}")

    def _tell_plan(self, plan: ProjectPlan) -> None:
        for name in plan.wanted & plan.keep.keys():
            self._report.add(_held(plan.project, plan.keep[name].record))
        for job in plan.fetch:
            if job.held is None:
                file = job.file
                self._report.add(
                    Outcome(
                        job.project,
                        file.filename,
                        Status.PLANNED,
                        file.size,
                        sha256=file.hashes.get("sha256"),
                    )
                )

    async def _queue(self, plan: ProjectPlan, settled: Settled | None) -> None:
        again = {job.file.filename for job in plan.fetch}
        for name in plan.wanted & plan.keep.keys() - again:
            self._report.add(_held(plan.project, plan.keep[name].record))
        project = _Project(plan, settled)
        if not plan.fetch:
            self._ready.put_nowait(project.publication)
            return
        self._open[plan.project] = project
        for job in plan.fetch:
            await self._jobs.put(job)

    async def _work(self) -> None:
        while (job := await self._jobs.get()) is not None:
            self._take(job, await self._fetcher.run(job))

    def _take(self, job: FileJob, fetched: Fetched) -> None:
        project = self._open[job.project]
        if job.held is None or job.file.filename in project.wanted:
            self._report.add(fetched.outcome)
        if fetched.problem is not None:
            self._fail(fetched.problem)
        if fetched.held is not None:
            project.publication.add(fetched.held)
        if fetched.held is None or fetched.unsettled:
            project.publication.settled = None  # the next run has to look again
        project.pending -= 1
        if not project.pending:
            self._ready.put_nowait(self._open.pop(job.project).publication)

    async def _publish(self) -> None:
        """Publish what is ready, in batches: each waits for the disk as often as a single project would."""
        ended = False
        while not ended:
            batch = [await self._ready.get()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BATCH_SECONDS):
                    while batch[-1] is not None:
                        batch.append(await self._ready.get())
            ended = None in batch
            if self._config.dry_run:
                continue
            publications = [one for one in batch if one is not None]
            self._report.pages_written += await self._publisher.publish(publications)
            for one in publications:
                self._reporter.published(one.project)

    def _fail(self, problem: Problem) -> None:
        self._report.problems.append(problem)
        self._reporter.failed(problem)
        self._stopping = self._stopping or not self._config.keep_going

    def _warn(self, text: str) -> None:
        self._report.warnings.append(text)
        self._reporter.warned(text)


def _held(project: NormalizedName, record: FileRecord) -> Outcome:
    return Outcome(project, record.filename, Status.HELD, record.stat.size, sha256=record.sha256)


def _first(failures: BaseExceptionGroup[DestinationError]) -> DestinationError:
    """One of the failures: when a disk is full, every worker says the same."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DestinationError)
    return error
