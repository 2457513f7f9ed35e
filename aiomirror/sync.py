"""The whole run: pages read, files fetched and pages published side by side, through one bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from aiomirror.account import Account
from aiomirror.desired import Desired
from aiomirror.errors import (
    AiomirrorError,
    DestinationError,
    FileError,
    ShrunkPageError,
    UnknownProjectError,
    first_of,
)
from aiomirror.fetch import Fetcher
from aiomirror.http import Client, HttpSettings, masked
from aiomirror.index import Index
from aiomirror.jobs import Jobs
from aiomirror.lookout import Lookout
from aiomirror.processes import Crew
from aiomirror.prune import Asked, Pruner, conclude, run_of
from aiomirror.publish import Press, Publisher
from aiomirror.report import Problem, Report
from aiomirror.selection import demands
from aiomirror.signals import caught_signals
from aiomirror.state import Run, State
from aiomirror.store import Store
from aiomirror.underway import UnderWay
from aiomirror.visit import Agenda, Demand, Visitor
from aiomirror.withdrawal import Withdrawals

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.config import Config
    from aiomirror.fetch import Fetched
    from aiomirror.plan import FileJob, HeldFile, ProjectPlan, Remembered, Settled, Visited
    from aiomirror.progress import Reporter
    from aiomirror.requirements.values import Parsed
    from aiomirror.simple.values import ProjectPage

WORKERS_PER_JOB = 2
"""Workers for each transfer that may be under way: while a file is hashed to its end, its worker has no
connection, and another one's file can come; and a helper need not wait for its next job.
"""
JOBS_PER_LONG = 3
"""Of so many transfers that may be under way one is of a long file, while short ones wait, too: a few fill
the line, and the round trips of the others, which are many, want connections.
"""
QUEUE_PER_WORKER = 16
"""Jobs that wait for each worker: many, for the largest of them go first and a large file that is found late
is alone at the end; few enough that reading pages stays bounded.
"""


async def sync(
    config: Config,
    parsed: Parsed,
    reporter: Reporter,
    *,
    helpers: Sequence[socket.socket] = (),
    clock: Callable[[], float] = time.time,
) -> Report:
    """Mirror what the requirements ask for; expected failures are in the report.

    What nothing asks for any more is noted, and removed where pruning is enabled.  ``helpers`` are
    connections to processes that fetch, too; ``clock`` gives seconds since 1970.

    Raises:
        DestinationError: the mirror cannot be opened, or is held by another run.
    """
    report = Report(index=masked(config.index_url), destination=str(config.dest), dry_run=config.dry_run)
    began, now = time.monotonic(), int(clock())
    settings = HttpSettings.of(config)
    holding = Store(config.dest, writable=not config.dry_run, processes=1 + len(helpers))
    async with holding as store, Client(settings) as client:
        with State.open(store.state_path, writable=not config.dry_run) as state:
            number = 0
            with contextlib.suppress(DestinationError):  # whose time comes when there is something to keep
                number = state.desired.begin_run(Run("sync", now))
            run = _Run(
                config,
                parsed,
                client=client,
                store=store,
                state=state,
                account=Account(report, reporter),
                helpers=helpers,
                now=now,
            )
            await run.run()
            report.seconds = time.monotonic() - began
            with contextlib.suppress(DestinationError):  # said already, if it hindered anything
                state.desired.end_run(number, run_of("sync", now, report))
    return report


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
        account: Account,
        helpers: Sequence[socket.socket],
        now: int,
    ) -> None:
        self._config, self._parsed = config, parsed
        self._client, self._store, self._state = client, store, state
        self._account, self._report, self._reporter = account, account.report, account.reporter
        self._now = now
        self._withdrawals = Withdrawals(config.withdrawn, account, store, masked(config.index_url))
        self._index = Index(client, config.index_url)
        accept_changed = config.fetch.accept_changed
        self._lookout = Lookout(self._index, state)
        self._visitor = Visitor(
            self._index, self._lookout, store, state, now=now, accept_changed=accept_changed
        )
        fetcher = Fetcher(client, store, config.fetch, self._reporter, account.warned)
        self._crew = Crew(
            fetcher, helpers, client=client, store=store, reporter=self._reporter, warn=account.warned
        )
        publisher = None if config.dry_run else Publisher(store, state, self._visitor.published)
        self._press = Press(publisher, self._report, self._reporter, self._coming)
        self._workers = config.jobs * WORKERS_PER_JOB
        self._begin_long = max(1, config.jobs // JOBS_PER_LONG)
        self._jobs = Jobs(self._workers * QUEUE_PER_WORKER)
        self._agenda: Agenda | None = None
        self._open: dict[NormalizedName, UnderWay] = {}
        self._same: list[NormalizedName] = []
        self._desired = Desired()
        self._stopping = False
        self._work_to_end: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run to the end, or to the signal or failure that ends it; publish what is complete either way."""
        self._account.began(self._state.warnings, self._parsed)
        try:
            with caught_signals(self._end):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._press.run())
                    await self._until_signal(group.create_task(self._mirror()))
                    for project in self._open.values():
                        await project.recover(self._store)
                        self._press.put(project.publication)
                    self._press.close()
                async with asyncio.TaskGroup() as group:
                    await self._until_signal(group.create_task(self._conclude()))
        except* DestinationError as failures:
            self._fail(Problem.of(first_of(failures)))
            self._account.census.complete = False
        self._report.complete = self._account.census.complete
        self._report.requests = self._crew.requests

    async def _until_signal(self, work: asyncio.Task[None]) -> None:
        self._work_to_end = work
        await asyncio.wait([work])
        self._work_to_end = None

    def _end(self, number: int) -> None:
        """End what is under way; what is complete is published, whatever else comes."""
        self._report.signal = number
        self._stopping = True
        self._account.census.complete = False
        if self._work_to_end is not None:
            self._work_to_end.cancel()

    async def _mirror(self) -> None:
        """Find out what is wanted, dependencies included, and get it."""
        await self._visitor.look_around()
        self._desired = desired = await self._find_out()
        self._report.installed = desired.installed
        for warning in desired.warnings:
            self._account.warned(warning)
        for error, project, filename in desired.problems:
            self._fail(Problem.of(error, project, filename))
        # What a conflict kept out of the closure is not therefore wanted by nothing.
        self._account.census.complete = desired.complete and not desired.problems
        self._reporter.projects(len(desired.wants))
        asked = Demand.of(self._index.shown, self._config.policy_for, desired.wants)
        self._agenda = Agenda(asked, self._visitor, self._state, self._unchanged)
        await self._transfer(self._agenda, len(asked))
        self._withdrawals.conclude()

    async def _find_out(self) -> Desired:
        """What is wanted of each project."""
        config, parsed = self._config, self._parsed
        if not config.follows:
            return Desired(demands(parsed.wanted, parsed.constraints))
        from aiomirror.dependencies import Dependencies, Upstream  # noqa: PLC0415 (takes its time, and is not always needed)
        from aiomirror.metadata import Metadata  # noqa: PLC0415 (as above)

        upstream = Upstream(self._index, self._lookout, Metadata(self._client, self._store))
        following = Dependencies(config, upstream, self._state.closures, self._reporter)
        return await following.desired(parsed, self._visitor.present)

    async def _conclude(self) -> None:
        """Note what nothing wants, and remove it where that is asked for; nothing of what had a problem."""
        failed = {problem.project for problem in self._report.problems}
        census = self._account.census
        census.complete = census.complete and not self._report.not_started
        wants = self._desired.wants
        census.doubtful.update(name for name in wants if name in failed)
        requirements = {(one.project, one.text, one.origin) for asked in wants.values() for one in asked}
        pruner = Pruner(self._store, self._state, self._report, self._reporter)
        asked = Asked(requirements, self._visitor.others(wants))
        await conclude(pruner, asked, census, self._config.pruning, self._now)

    async def _transfer(self, agenda: Agenda, projects: int) -> None:
        """Read pages and fetch files until all is done; a destination that fails ends it early."""
        try:
            async with self._crew, asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(long=number < self._begin_long))
                async with asyncio.TaskGroup() as looks:
                    looks.create_task(self._lookout.look(projects))
                    looks.create_task(agenda.look())  # what is here, until upstream has answered
                readers = [group.create_task(self._read(agenda)) for _ in range(self._config.jobs)]
                await asyncio.gather(*readers)
                self._jobs.end(self._workers)
            self._lookout.confirm(self._same)
        except* DestinationError as failures:
            self._fail(Problem.of(first_of(failures)))
            self._account.census.complete = False
        finally:
            self._report.not_started += agenda.rest()

    def _coming(self) -> int:
        """How many projects are still to be published, if they have to be; nearly."""
        return len(self._open) + (len(self._agenda) if self._agenda is not None else 0)

    async def _read(self, agenda: Agenda) -> None:
        while not self._stopping and (item := await agenda.next()) is not None:
            demand, known = item
            try:
                await self._start(demand, known)
            except DestinationError:
                raise
            except UnknownProjectError as error:
                self._miss(error, demand.project)
            except ShrunkPageError as error:
                await self._set_aside(error)
                self._fail(Problem.of(error, demand.project))
            except AiomirrorError as error:
                self._fail(Problem.of(error, demand.project))
                self._account.census.complete = False

    async def _start(self, demand: Demand, known: Remembered | None) -> None:
        """Look at one project, and queue what there is to do."""
        visit = await self._visitor.visit(demand, known)
        if visit is None:
            assert known is not None
            self._unchanged(known)
            return
        self._withdrawals.believed = True
        page, plan = visit.page, visit.plan
        self._account.looked_at(page, visit.settled.left_out)
        for error in visit.selection.unsatisfied:
            self._fail(Problem.of(error, page.project), stops=not self._is_withdrawn(page))
        if self._is_withdrawn(page) and await self._withdrawals.quarantined(page.project):
            return
        for problem in plan.problems:
            self._fail(Problem.of(problem, page.project, problem.filename))
        self._account.planned(page, plan, visit.selection)
        if self._config.dry_run:
            self._account.foretold(plan)
        else:
            clean = not visit.selection.unsatisfied and not plan.problems
            await self._queue(plan, visit.settled if clean else None, visit.visited)

    def _unchanged(self, known: Remembered) -> None:
        self._withdrawals.believed = True
        self._same.append(known.project)
        self._account.unchanged(known)

    def _is_withdrawn(self, page: ProjectPage) -> bool:
        return page.status.marker == "quarantined" and self._visitor.is_present(page.project)

    def _miss(self, error: UnknownProjectError, project: NormalizedName) -> None:
        """Tell of a project that upstream does not have; one that is mirrored need not stop the others."""
        mirrored = self._visitor.is_present(project)
        self._fail(Problem.of(error, project), stops=not mirrored)
        if mirrored:
            self._withdrawals.missing(project)

    async def _set_aside(self, error: ShrunkPageError) -> None:
        """Keep a page that is not believed, for a person to look at."""
        if not self._config.dry_run:
            form = "json" if "json" in (error.content_type or "") else "html"
            where = await self._store.set_aside(f"{error.project}.{form}", error.body)
            self._account.warned(f"{error.project}: the page that is not believed is in {where}")

    async def _queue(self, plan: ProjectPlan, settled: Settled | None, visited: Visited | None) -> None:
        self._account.kept(plan)
        project = UnderWay(plan, settled, visited)
        if not plan.fetch:
            self._press.put(project.publication)
            return
        if (publication := project.without_replaced()) is not None:
            await self._press.publish([publication])
        self._open[plan.project] = project
        for job in plan.fetch:
            await self._jobs.put(job)

    async def _work(self, *, long: bool) -> None:
        while (job := await self._jobs.get(long=long)) is not None:
            self._take(job, await self._crew.run(job))

    def _take(self, job: FileJob, fetched: Fetched) -> None:
        project = self._open[job.project]
        if project.take(job, fetched):
            self._report.add(fetched.outcome)
        if fetched.problem is not None:
            self._fail(fetched.problem)
        if fetched.held is None:
            self._account.census.doubtful.add(job.project)
        elif (problem := self._contradiction(job, fetched.held)) is not None:
            self._fail(problem)
        if not project.pending:
            self._press.put(self._open.pop(job.project).publication)

    def _contradiction(self, job: FileJob, held: HeldFile) -> Problem | None:
        """That a file says of its dependencies something else than was read of it before it was here."""
        name = job.file.filename
        expected = self._desired.unverified.get((job.project, name))
        if expected is None or held.metadata is None or held.metadata.sha256 == expected:
            return None
        why = "its metadata is not what was read of it in parts, so its dependencies may be missing"
        return Problem.of(FileError(job.project, name, why), job.project, name)

    def _fail(self, problem: Problem, *, stops: bool = True) -> None:
        self._account.failed(problem)
        self._stopping = self._stopping or (stops and not self._config.keep_going)
