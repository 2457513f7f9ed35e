"""The live display of a terminal: how far dependencies are followed, then a bar and the files in flight.

What is not known yet is not shown: no total before there is a file to fetch, no speed before one comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from aiomirror.progress import Lines, printable

if TYPE_CHECKING:
    from typing import TextIO

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileJob, JobKey, ProjectPlan
    from aiomirror.report import Outcome, Report

SHOWN = 8
"""Files in flight that are shown; the overall bar counts them all."""
STYLES = {"error": "bold red", "warning": "yellow"}


class _Received(DownloadColumn):
    """Bytes of those that are to come, once there are any."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class _Speed(TransferSpeedColumn):
    """Bytes per second, once that is known."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total and (task.finished_speed or task.speed) else Text()


class LiveDisplay(Lines):
    """Bars below, problems and warnings as lines above them."""

    def __init__(self, stream: TextIO, verbosity: int = 0) -> None:
        super().__init__(stream, verbosity)
        self._console = Console(file=stream, highlight=False)
        self._resolving = Progress(
            SpinnerColumn("line"),  # the others are not ASCII
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._overall = Progress(
            TextColumn("{task.fields[counts]}", markup=False),
            BarColumn(bar_width=None),
            _Received(table_column=Column(min_width=14, no_wrap=True, justify="right")),
            _Speed(table_column=Column(min_width=10, no_wrap=True, justify="right")),
            TimeRemainingColumn(compact=True),
            console=self._console,
            expand=True,
        )
        self._files = Progress(
            TextColumn(
                "  {task.description}",
                markup=False,  # upstream's words are no commands
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=20, table_column=Column(min_width=20)),
            DownloadColumn(table_column=Column(min_width=14, no_wrap=True, justify="right")),
            console=self._console,
            expand=True,
        )
        self._found = self._resolving.add_task("", total=None, visible=False)
        self._total = self._overall.add_task("", total=None, visible=False, counts="")
        self._tasks: dict[JobKey, TaskID] = {}
        self._in_flight: dict[JobKey, int] = {}
        self._bytes = self._jobs = self._jobs_done = self._projects = self._projects_read = 0
        bars = Group(self._resolving, self._files, self._overall)
        self._live = Live(bars, console=self._console, refresh_per_second=8)
        self._live.start()

    def resolving(self, pages: int, metadata: int, asked: int) -> None:
        """Say how far the dependencies are followed; without a bar, for what is to come grows on the way."""
        counts = f"{pages} projects and {metadata} versions read, {asked - pages - metadata} to come"
        self._resolving.update(self._found, description=f"resolving: {counts}", visible=True)

    def projects(self, count: int) -> None:
        """Count the projects whose pages are to be read; all dependencies are known."""
        self._resolving.update(self._found, visible=False)
        self._projects = count
        self._update()

    def planned(self, plan: ProjectPlan) -> None:
        """Widen the overall bar by the project's files."""
        self._projects_read += 1
        self._jobs += len(plan.fetch)
        self._bytes += plan.size
        self._update()

    def unchanged(self, project: NormalizedName) -> None:
        """Count it as read."""
        del project
        self._projects_read += 1
        self._update()

    def started(self, job: FileJob) -> None:
        """Show the file, while there is room."""
        if job.held is None and len(self._tasks) < SHOWN:
            self._tasks[job.key] = self._files.add_task(job.file.filename, total=job.file.size)
        self._in_flight[job.key] = 0

    def received(self, job: FileJob, count: int) -> None:
        """Move both bars."""
        self._in_flight[job.key] += count
        if job.key in self._tasks:
            self._files.advance(self._tasks[job.key], count)
        if job.file.size is None:
            self._bytes += count  # known only as it comes
        self._widen()
        self._overall.advance(self._total, count)

    def ended(self, job: FileJob, outcome: Outcome | None) -> None:
        """Take the file away; one that failed leaves its bytes out of the total again."""
        del outcome
        if job.key in self._tasks:
            self._files.remove_task(self._tasks.pop(job.key))
        came = self._in_flight.pop(job.key)
        if job.held is None and job.file.size is not None and came != job.file.size:
            self._bytes -= job.file.size - came
        self._jobs_done += 1
        self._update()

    def published(self, project: NormalizedName) -> None:
        """Nothing: the bar is about files."""

    def closed(self, report: Report | None) -> None:
        """Leave the terminal as it was."""
        del report
        self._live.update(Text())
        self._live.stop()

    def _update(self) -> None:
        counts = f"{self._projects_read}/{self._projects} projects"
        if self._jobs:
            counts = f"{counts}  {self._jobs_done}/{self._jobs} files"
        self._widen()
        self._overall.update(self._total, counts=counts, visible=True)

    def _widen(self) -> None:
        """Give the bar its total; to rich none, before there are files, is a bar that moves to and fro."""
        total, task = self._bytes if self._jobs else None, self._overall.tasks[0]
        if task.total != total:
            # Not by `update`, which forgets the speed then.
            task.total, task.finished_time, task.finished_speed = total, None, None

    def _say(self, level: str, text: str, project: str = "", filename: str = "") -> None:
        del project, filename
        if level == "info":
            return  # what the bars show already
        self._console.print(Text.assemble((f"{level}: ", STYLES[level]), printable(text)), soft_wrap=True)
