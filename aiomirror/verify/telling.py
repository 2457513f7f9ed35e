"""What a run of verify says: findings as problems, repairs as warnings, files as counts."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from aiomirror.errors import DamagedError
from aiomirror.progress import counted, size
from aiomirror.report import Outcome, Problem, ProjectReport, Status
from aiomirror.verify.compare import Kind, several

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomirror.plan import FileRecord
    from aiomirror.progress import Reporter
    from aiomirror.report import Report
    from aiomirror.verify.compare import Finding
    from aiomirror.verify.inspector import Inspection
    from aiomirror.verify.mender import Mended


class Teller:
    """Writes the report, and tells the reporter the same."""

    def __init__(self, report: Report, reporter: Reporter) -> None:
        self.report, self.reporter = report, reporter

    def inspected(self, found: Inspection) -> None:
        """A project as it is, which it stays."""
        self._count(found, (held.record for held in found.held.values()))
        for name, what in found.of(Kind.FILE).items():
            outcome = Outcome(found.project, name, Status.FAILED, found.listed[name].size, why=what)
            self.report.add(outcome)
        for finding in found.findings:
            self.left(finding)

    def mended(self, found: Inspection, mended: Mended) -> None:
        """A project as it has become."""
        held = mended.publication.held.values()
        fetched = {outcome.filename for outcome in mended.outcomes}
        self._count(found, (one.record for one in held if one.record.filename not in fetched))
        for outcome in mended.outcomes:
            self.report.add(outcome)
        for finding, how in mended.repaired:
            self.warned(f"{finding}; {how}")
        for finding, how in mended.left:
            self.left(finding, how)
        for warning in mended.warnings:
            self.warned(warning)

    def unlisted(self, found: Inspection) -> None:
        """What lies in a folder and is on no page: told, and no damage."""
        if found.unlisted:
            self.warned(f"{found.project}: on disk, and no page lists it: {several(found.unlisted)}")

    def left(self, finding: Finding, how: str = "") -> None:
        """A damage that stays."""
        line = "; ".join(filter(None, (str(finding), how)))
        self.failed(Problem(line, DamagedError.exit_code, finding.project, finding.filename))

    def failed(self, problem: Problem) -> None:
        """A line on standard error, and the exit code."""
        self.report.problems.append(problem)
        self.reporter.failed(problem)

    def warned(self, text: str) -> None:
        """A line that is no failure."""
        self.report.warnings.append(text)
        self.reporter.warned(text)

    def _count(self, found: Inspection, records: Iterable[FileRecord]) -> None:
        """Files that are right are counted and not named: a report of a million of them is none."""
        if found.listed or found.published:
            row = self.report.projects.setdefault(found.project, ProjectReport())
            for record in records:
                row.files[Status.HELD] += 1
                row.size += record.stat.size


def headline(report: Report, hashed: int) -> str:
    """One line that says what came of the run; ``hashed`` in bytes."""
    right, repaired = report.count(Status.HELD), report.count(Status.FETCHED)
    parts = [f"{counted(right, 'file')} right in {counted(len(report.projects), 'project')}"]
    if report.index:
        parts.append(f"{repaired:,} fetched anew ({size(report.received)})")
    if damaged := report.count(Status.FAILED):
        parts.append(f"{damaged:,} damaged")
    if report.problems:
        parts.append(counted(len(report.problems), "problem"))
    if report.signal:
        parts.append(f"ended by {signal.Signals(report.signal).name}")
    parts.append(f"{size(hashed)} hashed in {report.seconds:.1f} s")
    rate = f" ({size(hashed / report.seconds)}/s)" if hashed and report.seconds else ""
    return f"{', '.join(parts)}{rate}"
