"""What nothing wants goes: from the pages first, then from the disk, from the records last.

The root index drops projects before their pages go, and a page drops files before they do, and each step has
reached the disk before the next begins.  So at every instant each link leads to its file; a kill leaves files
that no page lists, whose records and tombstones still say that they are the mirror's and may go.  What the
mirror did not make is never touched, whatever its name.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.condemn import Condemner
from aiomirror.errors import PruneRefusedError, PruneUnsafeError
from aiomirror.holdings import is_of_an_index, own_page
from aiomirror.progress import counted, pruned
from aiomirror.pruning import (
    UNASKED,
    WHOLE,
    Fate,
    PrunePolicy,
    buried,
    check_limit,
    due,
)
from aiomirror.publish import project_pages, root_pages
from aiomirror.report import Problem, Report
from aiomirror.signals import ended_by_signals
from aiomirror.state import Run, State, Trouble
from aiomirror.store import PageWrite, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from aiomirror.condemn import Condemned
    from aiomirror.plan import FileRecord
    from aiomirror.progress import Reporter
    from aiomirror.pruning import Census, FileKey, Removal, Tombstone

BATCH = 64
"""Projects whose pages are written before their files go."""


async def prune(
    dest: Path,
    reporter: Reporter,
    *,
    policy: PrunePolicy | None = None,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
) -> Report:
    """Remove what the last complete sync found that nothing wants, once its grace is over.

    Upstream is not asked: what is wanted is what the state knows of that sync, and since when.  In a dry run
    nothing is changed, and the report has what would go.  ``clock`` gives seconds since 1970.

    Raises:
        PruneUnsafeError: the last sync could not read everything, so nobody knows what is wanted.
        DestinationError: the folder is not there or no mirror, cannot be used, or is held by another run.
    """
    policy = policy or PrunePolicy()
    report = Report(destination=str(dest), dry_run=dry_run)
    began, now = time.monotonic(), int(clock())
    await Store.check_is_mirror(dest)
    async with Store(dest, create=False, writable=not dry_run) as store:
        with State.open(store.state_path, writable=not dry_run) as state:
            pruner = Pruner(store, state, report, reporter)
            for warning in state.warnings:
                pruner.warn(warning)
            last = next((run for run in state.desired.runs() if run.verb == "sync"), None)
            if last is not None and not last.complete:
                raise PruneUnsafeError
            number = state.desired.begin_run(Run("prune", now))
            chosen = due(state.desired.tombstones().values(), now, policy.grace)
            await _until_signal(pruner.prune(chosen, policy), report)
            report.unwanted, report.complete = len(state.desired.tombstones()), not report.signal
            report.seconds = time.monotonic() - began
            state.desired.end_run(number, run_of("prune", now, report))
    report.headline = _headline(report)
    return report


async def _until_signal(work: Coroutine[None, None, None], report: Report) -> None:
    """Do the work to its end, or until a signal comes: what was begun with a project is found by the next."""
    task = asyncio.ensure_future(work)

    def note(number: int) -> None:
        report.signal = number

    try:
        with ended_by_signals(task, note):
            await asyncio.wait([task])
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()


def run_of(verb: str, started: int, report: Report) -> Run:
    """What is remembered of a run; ``started`` in seconds since 1970."""
    troubles = tuple(Trouble(one.project, one.filename, one.message) for one in report.problems)
    return Run(verb, started, report.seconds, report.exit_code, report.complete, report.totals(), troubles)


def _headline(report: Report) -> str:
    """One line that says what came of it."""
    parts = [pruned(report, fate) for fate in Fate if report.pruned(fate)] or ["nothing to remove"]
    parts.append(f"{report.unwanted:,} unwanted")
    if report.problems:
        parts.append(counted(len(report.problems), "problem"))
    return f"{', '.join(parts)} in {report.seconds:.1f} s"


async def conclude(pruner: Pruner, asked: Asked, census: Census, policy: PrunePolicy, now: int) -> None:
    """Bury what a run of sync found that nothing wants, and, where asked for, remove it.

    Nothing follows from a run that had no answer about some project.  ``now`` is in seconds since 1970.

    Raises:
        DestinationError: the mirror cannot be changed.
    """
    state = pruner.state
    known = state.desired.tombstones()
    if not census.complete:
        pruner.report.unwanted = len(known)
        if policy.enabled or census.hidden:
            pruner.warn("nothing is removed: not everything that was asked for could be read this time")
        return
    for project in await pruner.unasked(asked.others, known):
        census.whole(project, UNASKED)
    tombstones = buried(census, known, now)
    state.desired.save_tombstones(tombstones, known)
    state.desired.save_asked(asked.requirements)
    chosen = due(tombstones.values(), now, policy.grace) if policy.enabled else {}
    if chosen or census.hidden:
        await pruner.prune(chosen, policy, census.hidden)
        tombstones = state.desired.tombstones()
    pruner.report.unwanted = len(tombstones)


class Asked(msgspec.Struct, frozen=True):
    """What a run of sync was about: its requirements as project, text and origin, and the projects that it
    was not about, though they have a folder.
    """

    requirements: Collection[tuple[str, str, str]]
    others: Collection[NormalizedName]


class Pruner:
    """Finds out what is to go, and removes it."""

    def __init__(self, store: Store, state: State, report: Report, reporter: Reporter) -> None:
        self._store, self.state = store, state
        self.report, self._reporter = report, reporter

    def warn(self, text: str) -> None:
        """A line that is no failure."""
        self.report.warnings.append(text)
        self._reporter.warned(text)

    async def prune(
        self,
        chosen: Mapping[NormalizedName, Sequence[Tombstone]],
        policy: PrunePolicy,
        hidden: Collection[NormalizedName] = (),
    ) -> None:
        """Remove the files of these tombstones, and all pages of the ``hidden`` projects.

        More than the policy allows is refused as a whole: a problem in the report, and nothing is changed.

        Raises:
            DestinationError: the mirror cannot be changed.
        """
        look = Condemner(self._store, self.state, self.warn)
        condemned = [one for name, stones in chosen.items() if (one := await look.project(name, stones))]
        condemned += [one for name in sorted(hidden) if (one := await look.pages(name))]
        removals = [removal for one in condemned for removal in one.removals]
        held = self.state.desired.held() + sum(one.unrecorded for one in condemned)
        try:
            check_limit(removals, held, policy)
        except PruneRefusedError as error:
            problem = Problem.of(error)
            self.report.problems.append(problem)
            self._reporter.failed(problem)
            self._tell(replace(removal, fate=Fate.REFUSED) for removal in removals)
            return
        if self.report.dry_run:
            self._tell(replace(removal, fate=Fate.PLANNED) for removal in removals)
        else:
            await self._carry_out(condemned)

    def _tell(self, removals: Iterable[Removal]) -> None:
        for removal in removals:
            self.report.removals.append(removal)
            self._reporter.removed(removal)

    async def unasked(
        self, others: Collection[NormalizedName], known: Mapping[FileKey, Tombstone]
    ) -> list[NormalizedName]:
        """Those of the ``others`` that are mirrored: with a page, or left by a prune that was killed.

        Projects of local files alone are not.
        """
        if not others:
            return []
        mirrored, local = self.state.desired.recorded()
        published = set(await self._store.projects())
        # Of what the state does not know, it may be lost, the page tells whether an index ever had it.
        unknown = [name for name in others if name in published and name not in mirrored | local]
        mirrored |= {name for name in unknown if await self._is_of_an_index(name)}
        begun = {project for project, name in known if name == WHOLE} - local
        return [name for name in others if name in (published & mirrored) or name in begun]

    async def _is_of_an_index(self, project: NormalizedName) -> bool:
        page = await own_page(self._store, project)
        return page is None or any(map(is_of_an_index, page.files))

    # -- doing it

    async def _carry_out(self, condemned: Sequence[Condemned]) -> None:
        gone = {one.project for one in condemned if one.pages}
        if gone:
            names = set(await self._store.projects()) - gone
            await self._write([PageWrite(None, root_pages(names))])
        for start in range(0, len(condemned), BATCH):
            batch = condemned[start : start + BATCH]
            await self._unlist(batch)
            for one in batch:
                await self._remove(one)

    async def _unlist(self, batch: Sequence[Condemned]) -> None:
        """Have no page name what goes, and the state know of it."""
        pages = {one.project: one.page for one in batch if one.page is not None}
        settled = {one.project for one in batch if one.settled}
        known = self.state.recall(list(pages))
        written = await self._write(
            [PageWrite(project, project_pages(page)) for project, page in pages.items()]
        )
        self.state.save(
            [
                replace(
                    one,
                    records={**one.records, **written[project]},
                    settled=one.settled if project in settled else None,
                )
                for project, one in known.items()
            ]
        )
        for one in batch:
            if one.pages:
                await self._store.remove(one.project, one.pages)
                self.state.desired.unsettle(one.project, one.pages)

    async def _remove(self, one: Condemned) -> None:
        removed = set(await self._store.remove(one.project, one.files))
        if one.pages or (one.project, WHOLE) in one.forgotten:
            await self._store.remove_folder(one.project)
        self.state.desired.forget(one.forgotten)
        self._tell(
            removal for removal in one.removals if removal.fate is Fate.HIDDEN or removal.filename in removed
        )

    async def _write(self, writes: Sequence[PageWrite]) -> dict[NormalizedName | None, dict[str, FileRecord]]:
        """Publish pages; the records of each project's."""
        found: dict[NormalizedName | None, dict[str, FileRecord]] = {write.project: {} for write in writes}
        for page in await self._store.publish(writes):
            found[page.project][page.record.filename] = page.record
            self.report.pages_written += page.written
        return found
