"""What a run of sync says: the report, the reporter, and the census of what nothing wants, told the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.holdings import PAGES
from aiomirror.plan import NO_STAT
from aiomirror.pruning import QUARANTINED, UNLISTED, Census
from aiomirror.report import Outcome, Status
from aiomirror.requirements.values import brief
from aiomirror.simple.filenames import FileKind, parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, ProjectPlan, Remembered
    from aiomirror.progress import Reporter
    from aiomirror.report import Problem, Report
    from aiomirror.requirements.values import Parsed
    from aiomirror.selection import Selection
    from aiomirror.simple.values import ProjectPage

METADATA = ".metadata"


class Account:
    """Writes the report, tells the reporter the same, and takes the census."""

    def __init__(self, report: Report, reporter: Reporter) -> None:
        self.report, self.reporter = report, reporter
        self.census = Census()

    def began(self, warnings: Iterable[str], parsed: Parsed) -> None:
        """What is odd before anything is asked: ``warnings`` of the state, and the inputs."""
        for warning in (*warnings, *parsed.warnings):
            self.warned(warning)
        for one in parsed.not_mirrored:
            self.warned(f"{one.origin}: {one.text}: not mirrored: {one.why}")
            self.report.not_mirrored.append((one.text, one.origin, one.why))

    def failed(self, problem: Problem) -> None:
        """A line on standard error, and the exit code."""
        self.report.problems.append(problem)
        self.reporter.failed(problem)

    def warned(self, text: str) -> None:
        """A line that is no failure."""
        self.report.warnings.append(text)
        self.reporter.warned(text)

    def unchanged(self, known: Remembered) -> None:
        """A project of which all is as an earlier run left it."""
        assert known.settled is not None
        self.reporter.unchanged(known.project)
        self.report.left_out(known.project, known.settled.left_out)
        for name in known.settled.wanted:
            self.held(known.project, known.records[name])
        wanted = frozenset(known.settled.wanted)
        ours = {*distributions(known.records.values())} - known.local
        self.census.count(known.project, ours, wanted, {})

    def looked_at(self, page: ProjectPage, left_out: Mapping[str, int]) -> None:
        """What is odd about a page, and for each reason how many files of it are not wanted."""
        for warning in page.warnings:
            self.warned(f"{page.project}: {warning}")
        self.report.left_out(page.project, left_out)

    def planned(self, page: ProjectPage, plan: ProjectPlan, selection: Selection) -> None:
        """What is to be done; what nothing of it wants is counted."""
        self.reporter.planned(plan)
        for version, reason in selection.yanked().items():
            said = f"is yanked upstream ({brief(reason)})" if reason else "is yanked upstream"
            self.warned(f"{page.project}: {version} {said}; installers take it for an exact pin only")
        ours = {*plan.keep, *distributions(plan.unlisted.values())} - plan.local
        if not ours:
            return  # as of every project of a first run
        if page.status.marker == "quarantined":
            why = dict.fromkeys(ours, QUARANTINED)
        else:
            why = {name: str(selection.left_out[name]) for name in ours & selection.left_out.keys()}
            why |= dict.fromkeys(ours - page.named.keys(), UNLISTED)
        self.census.count(page.project, ours, plan.wanted, why)

    def withheld(self, project: NormalizedName, on_disk: Iterable[str]) -> None:
        """Name the files that stay on disk while no page lists them, on every run."""
        kinds = {name: parsed.kind for name in on_disk if (parsed := parse_filename(name, project))}
        if files := sorted(name for name, kind in kinds.items() if kind is not FileKind.OTHER):
            self.warned(f"{project}: quarantined upstream; on disk and not listed: {', '.join(files)}")

    def kept(self, plan: ProjectPlan) -> None:
        """The files that are wanted, held, and nothing is to be done about."""
        again = {job.file.filename for job in plan.fetch}
        for name in plan.wanted & plan.keep.keys() - again:
            self.held(plan.project, plan.keep[name].record)

    def foretold(self, plan: ProjectPlan) -> None:
        """What would be done, in a dry run."""
        for name in plan.wanted & plan.keep.keys():
            self.held(plan.project, plan.keep[name].record)
        for job in plan.fetch:
            if job.held is None:
                file = job.file
                sha256 = file.hashes.get("sha256")
                outcome = Outcome(job.project, file.filename, Status.PLANNED, file.size, sha256=sha256)
                self.report.add(outcome)

    def held(self, project: NormalizedName, record: FileRecord) -> None:
        """A wanted file that is there."""
        outcome = Outcome(project, record.filename, Status.HELD, record.stat.size, sha256=record.sha256)
        self.report.add(outcome)


def distributions(records: Iterable[FileRecord]) -> list[str]:
    """The names of those that are distribution files on disk, and not pages or siblings."""
    return [
        one.filename
        for one in records
        if one.filename not in PAGES and not one.filename.endswith(METADATA) and one.stat != NO_STAT
    ]
