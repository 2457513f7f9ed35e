"""How a run shows itself while it goes on: a protocol, a twin that does nothing, and lines of text or JSON.

The live display of a terminal is in ``aiomirror.display``.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol, TextIO

from aiomirror.pruning import Fate
from aiomirror.report import Status

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.plan import FileJob, ProjectPlan
    from aiomirror.pruning import Removal
    from aiomirror.report import Outcome, Problem, Report


class Reporter(Protocol):
    """Told of each step; never asked anything."""

    def resolving(self, pages: int, metadata: int, asked: int) -> None:
        """So many pages and metadata texts have come of all that were asked for to follow dependencies."""

    def projects(self, count: int) -> None:
        """So many projects will be looked at."""

    def planned(self, plan: ProjectPlan) -> None:
        """A project's page was read; its files are about to be fetched."""

    def unchanged(self, project: NormalizedName) -> None:
        """Nothing has changed of a project, here or upstream."""

    def started(self, job: FileJob) -> None:
        """A worker took the job."""

    def received(self, job: FileJob, count: int) -> None:
        """So many more bytes; negative when an attempt begins anew."""

    def ended(self, job: FileJob, outcome: Outcome | None) -> None:
        """The job is done, or (None) was given up because the run ends."""

    def published(self, project: NormalizedName) -> None:
        """The project's page is on disk and says what the mirror holds."""

    def removed(self, removal: Removal) -> None:
        """Pruning chose a file; what became of it is its fate."""

    def warned(self, text: str) -> None:
        """Something odd that hinders nothing."""

    def failed(self, problem: Problem) -> None:
        """Something that is asked for is not mirrored."""

    def closed(self, report: Report | None) -> None:
        """The run is over; None: an error ended it before there was a report."""


class Silent:
    """Says nothing, and is the base of those that say something."""

    def resolving(self, pages: int, metadata: int, asked: int) -> None:
        """Nothing."""

    def projects(self, count: int) -> None:
        """Nothing."""

    def planned(self, plan: ProjectPlan) -> None:
        """Nothing."""

    def unchanged(self, project: NormalizedName) -> None:
        """Nothing."""

    def started(self, job: FileJob) -> None:
        """Nothing."""

    def received(self, job: FileJob, count: int) -> None:
        """Nothing."""

    def ended(self, job: FileJob, outcome: Outcome | None) -> None:
        """Nothing."""

    def published(self, project: NormalizedName) -> None:
        """Nothing."""

    def removed(self, removal: Removal) -> None:
        """Nothing."""

    def warned(self, text: str) -> None:
        """Nothing."""

    def failed(self, problem: Problem) -> None:
        """Nothing."""

    def closed(self, report: Report | None) -> None:
        """Nothing."""


class Lines(Silent):
    """Plain lines on a stream: problems always, a project's files in sum unless quiet, each when verbose."""

    def __init__(self, stream: TextIO, verbosity: int = 0) -> None:
        self._stream, self._verbosity = stream, verbosity
        self._fetched: defaultdict[str, list[int]] = defaultdict(list)

    def planned(self, plan: ProjectPlan) -> None:
        """A line for each project, when verbose."""
        if self._verbosity > 0:
            self._say(
                "info", f"{plan.project}: {len(plan.wanted)} wanted, {len(plan.fetch)} to do", plan.project
            )

    def unchanged(self, project: NormalizedName) -> None:
        """A line for each project, when verbose."""
        if self._verbosity > 0:
            self._say("info", f"{project}: unchanged", project)

    def ended(self, job: FileJob, outcome: Outcome | None) -> None:
        """A line for each file that was fetched, when verbose; the ones that failed come as problems."""
        if outcome is None or outcome.status is not Status.FETCHED:
            return
        self._fetched[job.project].append(outcome.size or 0)
        if self._verbosity > 0:
            self._say("info", f"fetched {outcome.filename} ({size(outcome.size or 0)})", job.project)

    def published(self, project: NormalizedName) -> None:
        """A line for each project of which something was fetched, unless quiet."""
        sizes = self._fetched.pop(project, [])
        if sizes and self._verbosity >= 0:
            self._say(
                "info", f"{project}: {counted(len(sizes), 'file')} fetched ({size(sum(sizes))})", project
            )

    def removed(self, removal: Removal) -> None:
        """A line for each file, when verbose; in a dry run, which is made to see them, unless quiet."""
        if self._verbosity > 0 or (self._verbosity == 0 and removal.fate is Fate.PLANNED):
            said = {Fate.REFUSED: "would be removed", Fate.PLANNED: "to be removed"}
            fate = said.get(removal.fate, removal.fate.value)
            text = f"{removal.project}: {removal.filename}: {fate} ({size(removal.size)}): {removal.why}"
            self._say("info", text, removal.project, removal.filename)

    def warned(self, text: str) -> None:
        """A line, unless quiet."""
        if self._verbosity >= 0:
            self._say("warning", text)

    def failed(self, problem: Problem) -> None:
        """A line, always."""
        self._say("error", problem.message, problem.project, problem.filename)

    def _say(self, level: str, text: str, project: str = "", filename: str = "") -> None:
        del project, filename  # they stand in the text
        prefix = "" if level == "info" else f"{level}: "
        self._print(f"{prefix}{printable(text)}")

    def _print(self, line: str) -> None:
        # Who reads the lines may have gone away (a pipe into head); the mirror is right all the same.
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)


class JsonLines(Lines):
    """The same as JSON objects, one a line: ``level``, ``message`` and, if any, ``project`` and ``file``."""

    def _say(self, level: str, text: str, project: str = "", filename: str = "") -> None:
        entry = {"level": level, "message": text, "project": project, "file": filename}
        self._print(json.dumps({key: value for key, value in entry.items() if value}))

    def closed(self, report: Report | None) -> None:
        """The summary as one more object, unless quiet."""
        if report is not None and self._verbosity >= 0:
            self._say("info", summary(report))


def printable(text: str) -> str:
    """The text on one line, without what a terminal would obey: upstream's words reach it through here."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def size(count: float) -> str:
    """Bytes as a person reads them: "12 B", "3.4 MB", powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000 or unit == "GB":  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("the last unit has no upper bound")


def summary(report: Report) -> str:
    """One line that says what came of the run."""
    if report.headline:
        return report.headline
    counts = report.counts()
    parts = [counted(len(report.projects), "project")]
    if report.dry_run:
        fetch = sum(project.to_fetch for project in report.projects.values())
        parts.append(f"{counted(counts[Status.PLANNED], 'file')} to fetch ({size(fetch)})")
    else:
        parts.append(f"{counted(counts[Status.FETCHED], 'file')} fetched ({size(report.received)})")
    parts.append(f"{counts[Status.HELD]:,} already held")
    parts += [f"{counts[status]:,} {status}" for status in (Status.SKIPPED, Status.FAILED) if counts[status]]
    parts += [pruned(report, fate) for fate in Fate if report.pruned(fate)]
    if report.not_mirrored:
        parts.append(f"{counted(len(report.not_mirrored), 'requirement')} not mirrored")
    if report.not_started:
        parts.append(f"{counted(len(report.not_started), 'project')} not started")
    if report.problems:
        parts.append(counted(len(report.problems), "problem"))
    if report.signal:
        parts.append(f"ended by {signal.Signals(report.signal).name}")
    return f"{', '.join(parts)} in {report.seconds:.1f} s"


def pruned(report: Report, fate: Fate) -> str:
    """What pruning did: "3 files removed (1.2 MB)"."""
    chosen = [removal for removal in report.removals if removal.fate is fate]
    said = {Fate.PLANNED: "to remove", Fate.REFUSED: "not removed"}.get(fate, fate.value)
    return f"{counted(len(chosen), 'file')} {said} ({size(sum(one.size for one in chosen))})"


def counted(count: int, what: str) -> str:
    """A number of things: "1 file", "2 files"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
