"""Every page anew from what is on disk: after the state is lost, or after files were put there by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiomirror.describe import described, sibling, why_silent
from aiomirror.errors import DamagedError, FileError
from aiomirror.holdings import PAGES, lost_status, own_page
from aiomirror.plan import NO_STAT, FileRecord, HeldFile
from aiomirror.progress import counted
from aiomirror.publish import Publication, Publisher
from aiomirror.report import Outcome, Problem, Report, Status
from aiomirror.simple.filenames import FileKind, parse_filename
from aiomirror.state import State
from aiomirror.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName

    from aiomirror.progress import Reporter
    from aiomirror.simple.values import ProjectFile


async def rebuild(dest: Path, reporter: Reporter) -> Report:
    """Rebuild the mirror's pages and its state.

    A file that our own page lists keeps what the page says of it; any other distribution is described from
    its own metadata, with a warning when it has none that can be read.  A file whose bytes are not those that
    its page lists is no longer listed, and reported.  A project that was hidden because upstream has taken it
    back stays hidden, as long as the state knows.

    Raises:
        DestinationError: the folder is no mirror's, or cannot be written.
    """
    report = Report(destination=str(dest))
    started = time.monotonic()
    async with Store(dest, create=False) as store:
        with State.open(store.state_path) as state:
            rebuilder = _Rebuilder(store, state, reporter, report)
            publisher = Publisher(store, state)
            for warning in state.warnings:
                rebuilder.warn(warning)
            folders = await store.folders()
            reporter.projects(len(folders))
            for project in folders:
                if (publication := await rebuilder.project(project)) is None:
                    continue
                report.pages_written += await publisher.publish([publication])
                reporter.published(project)
    report.seconds = time.monotonic() - started
    report.headline = _headline(report)
    return report


def _headline(report: Report) -> str:
    """One line that says what came of it."""
    parts = [
        counted(len(report.projects), "project"),
        f"{counted(report.count(Status.HELD), 'file')} listed",
        f"{counted(report.pages_written, 'page')} written",
    ]
    if report.problems:
        parts.append(counted(len(report.problems), "problem"))
    return f"{', '.join(parts)} in {report.seconds:.1f} s"


class _Rebuilder:
    """Describes each project from its folder."""

    def __init__(self, store: Store, state: State, reporter: Reporter, report: Report) -> None:
        self._store, self._state, self._reporter, self._report = store, state, reporter, report

    async def project(self, project: NormalizedName) -> Publication | None:
        """What the folder holds: every distribution in it that is the project's own, and right.

        None of a project that is hidden.
        """
        page = await own_page(self._store, project)
        listed = page.named if page else {}
        known = self._state.recall([project])[project].records
        status = page.status if page else lost_status(project, known)
        one = Publication(project, status, {}, {}, published=page is not None)
        facts: dict[str, ProjectFile] = {}
        names = await self._store.survey(project)
        if known and not PAGES.keys() & (known.keys() | names.keys()):
            # Pages that were lost have records; these were taken away.
            self.warn(f"{project}: hidden, since upstream has deleted it; no page lists its files")
            return None
        for name in sorted(names):
            if not self._is_its_file(project, name):
                continue
            found = await self._describe(one, name, listed.get(name), known.get(name))
            if found is not None:
                facts[name], held = found
                one.add(held)
                size, sha256 = held.record.stat.size, held.record.sha256
                self._report.add(Outcome(project, name, Status.HELD, size, sha256=sha256))
        one.facts = facts
        for name in sorted(listed.keys() - names.keys()):
            self._fail(DamagedError(project, name, "listed, and not there; it is no longer listed"))
        return one

    def _is_its_file(self, project: NormalizedName, name: str) -> bool:
        parsed = parse_filename(name, project)
        if parsed is None:
            self._fail(FileError(project, name, "named as another project's file; it is not listed"))
        return parsed is not None and parsed.kind is not FileKind.OTHER and parsed.version is not None

    async def _describe(
        self, one: Publication, name: str, listed: ProjectFile | None, known: FileRecord | None
    ) -> tuple[ProjectFile, HeldFile] | None:
        """The file's entry; None, and a problem, when it is not what the page or the state vouches for."""
        hashes = listed.hashes if listed else {"sha256": known.sha256} if known else {}
        hashed = await self._store.hash_file(one.project, name, {"sha256", *hashes})
        if hashed is None:
            return None
        record, found = hashed
        if hashes and hashes != found:
            one.damaged.append(FileRecord(name, hashes["sha256"], NO_STAT))
            why = f"sha256 is {record.sha256}, not {hashes['sha256']}; not listed"
            self._fail(DamagedError(one.project, name, why))
            return None
        metadata = await sibling(self._store, one.project, name, listed)
        fact = listed or await described(self._store, one.project, name, found)
        if listed is None and (why := await why_silent(self._store, one.project, record, metadata)):
            self.warn(f"{one.project}: {name}: {why}; it is listed all the same")
        return fact, HeldFile(record, found, metadata)

    def warn(self, line: str) -> None:
        """A line that is no failure."""
        self._report.warnings.append(line)
        self._reporter.warned(line)

    def _fail(self, error: FileError) -> None:
        problem = Problem.of(error, error.project, error.filename)
        self._report.problems.append(problem)
        self._reporter.failed(problem)
