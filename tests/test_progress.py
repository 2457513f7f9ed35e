"""How a run shows itself: plain lines, JSON lines, and the live display of a terminal."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.display import SHOWN, LiveDisplay
from aiomirror.plan import FileJob, FileRecord, FileStat, HeldFile, ProjectPlan
from aiomirror.progress import JsonLines, Lines, Silent, counted, printable, size, summary
from aiomirror.pruning import Fate, Removal
from aiomirror.report import Outcome, Problem, Report, Status
from aiomirror.simple.values import ProjectFile, ProjectStatus

if TYPE_CHECKING:
    from aiomirror.progress import Reporter

FOO = canonicalize_name("foo")


def job(name: str = "foo-1.tar.gz", length: int | None = 1000, *, held: bool = False) -> FileJob:
    file = ProjectFile(filename=name, url=f"https://files.example/{name}", hashes={}, size=length)
    record = FileRecord(name, "a" * 64, FileStat(1, 1, 1))
    return FileJob(FOO, file, held=HeldFile(record, {"sha256": "a" * 64}) if held else None)


def plan(*jobs: FileJob) -> ProjectPlan:
    return ProjectPlan(FOO, ProjectStatus(), jobs, wanted=frozenset(one.file.filename for one in jobs))


def tell(reporter: Reporter) -> None:
    """A whole run, with one file that comes, one that fails, one that is held and one that is given up."""
    good, bad, ours, never = job(), job("foo-2.tar.gz"), job("foo-3.whl", held=True), job("foo-4.zip", None)
    reporter.projects(1)
    reporter.planned(plan(good, bad, ours, never))
    for one in (good, bad, ours, never):
        reporter.started(one)
    reporter.received(good, 600)
    reporter.received(good, -600)
    reporter.received(good, 1000)
    reporter.received(bad, 10)
    reporter.received(never, 50)
    reporter.ended(good, Outcome(FOO, "foo-1.tar.gz", Status.FETCHED, 1000, 1600))
    reporter.warned("odd \x1b[31m thing")
    reporter.failed(Problem("foo: foo-2.tar.gz: gone", 1, "foo", "foo-2.tar.gz"))
    reporter.ended(bad, Outcome(FOO, "foo-2.tar.gz", Status.FAILED, 1000, 10))
    reporter.ended(ours, Outcome(FOO, "foo-3.whl", Status.HELD, 1000))
    reporter.ended(never, None)
    reporter.published(FOO)
    reporter.closed(Report())


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        (-1, ["error: foo: foo-2.tar.gz: gone"]),
        (
            0,
            [
                "warning: odd \\x1b[31m thing",
                "error: foo: foo-2.tar.gz: gone",
                "foo: 1 file fetched (1.0 kB)",
            ],
        ),
        (
            1,
            [
                "foo: 4 wanted, 4 to do",
                "fetched foo-1.tar.gz (1.0 kB)",
                "warning: odd \\x1b[31m thing",
                "error: foo: foo-2.tar.gz: gone",
                "foo: 1 file fetched (1.0 kB)",
            ],
        ),
    ],
)
def test_plain_lines(verbosity: int, expected: list[str]) -> None:
    stream = io.StringIO()
    tell(Lines(stream, verbosity))
    assert stream.getvalue().splitlines() == expected


def test_json_lines() -> None:
    stream = io.StringIO()
    tell(JsonLines(stream, 1))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[:-1] == [
        {"level": "info", "message": "foo: 4 wanted, 4 to do", "project": "foo"},
        {"level": "info", "message": "fetched foo-1.tar.gz (1.0 kB)", "project": "foo"},
        {"level": "warning", "message": "odd \x1b[31m thing"},
        {"level": "error", "message": "foo: foo-2.tar.gz: gone", "project": "foo", "file": "foo-2.tar.gz"},
        {"level": "info", "message": "foo: 1 file fetched (1.0 kB)", "project": "foo"},
    ]
    assert lines[-1]["level"] == "info"
    assert stream.getvalue().isascii()


def test_json_lines_when_quiet() -> None:
    stream = io.StringIO()
    tell(JsonLines(stream, -1))
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["level"] == "error"


def test_silence() -> None:
    tell(Silent())


class Gone(io.StringIO):
    """A stream whose reader has gone away."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("kind", [Lines, JsonLines])
def test_a_reader_that_has_gone_away_stops_nothing(kind: type[Lines]) -> None:
    tell(kind(Gone(), 1))
    closed = io.StringIO()
    closed.close()
    tell(kind(closed, 1))


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def shown(terminal: Terminal) -> str:
    """What was written, without the sequences that a terminal obeys."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_the_display_shows_problems_above_the_bars_and_leaves_the_terminal_as_it_was(
    terminal: Terminal,
) -> None:
    tell(LiveDisplay(terminal))
    assert "warning: odd \\x1b[31m thing" in shown(terminal)
    assert "error: foo: foo-2.tar.gz: gone" in shown(terminal)
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h") == 1


def test_the_display_counts(terminal: Terminal) -> None:
    display = LiveDisplay(terminal)
    jobs = [job(f"foo-{number}.zip") for number in range(SHOWN + 2)]
    display.projects(3)
    display.planned(plan(*jobs))
    for one in jobs:
        display.started(one)
        display.received(one, 500)
    display._live.refresh()
    text = shown(terminal)
    assert f"1/3 projects  0/{len(jobs)} files" in text
    assert "5.0/10.0 kB" in text
    assert f"foo-{SHOWN - 1}.zip" in text
    assert f"foo-{SHOWN}.zip" not in text  # in flight, counted, and not shown
    for one in jobs:
        display.received(one, 500)
        display.ended(one, Outcome(FOO, one.file.filename, Status.FETCHED, 1000, 1000))
    display._live.refresh()
    assert f"{len(jobs)}/{len(jobs)} files" in shown(terminal)
    assert "10.0/10.0 kB" in shown(terminal)
    display.closed(None)


@pytest.mark.parametrize(
    "name", ["foo-1.0[bold red]evil[not bold].tar.gz", "foo-1.0[/bold].tar.gz", "foo-1.0:bug:.tar.gz"]
)
def test_the_display_shows_names_as_they_are(terminal: Terminal, name: str) -> None:
    display = LiveDisplay(terminal)
    display.projects(1)
    display.planned(plan(job(name)))
    display.started(job(name))
    display._live.refresh()
    display.failed(Problem(f"foo: {name}: gone", 1, "foo", name))
    display.closed(None)
    assert f"  {name} " in shown(terminal)
    assert f"error: foo: {name}: gone" in shown(terminal)


def test_the_display_shows_no_total_before_there_is_one(terminal: Terminal) -> None:
    display = LiveDisplay(terminal)
    display.resolving(36, 2, 69)
    display._live.refresh()
    assert re.search(r"resolving: 36 projects and 2 versions read, 31 to come 0:00:0\d", shown(terminal))
    assert "byte" not in shown(terminal)
    assert "file" not in shown(terminal)
    display.projects(2)
    display.unchanged(FOO)
    terminal.truncate(0)
    display._live.refresh()
    text = shown(terminal)
    assert "1/2 projects" in text
    assert not re.search("resolving|file|byte|[?]", text)
    display.planned(plan(job()))
    display._live.refresh()
    assert re.search("2/2 projects  0/1 files .* 0.0/1.0 kB", shown(terminal))
    display.closed(None)


def test_the_speed_is_known_while_the_total_grows(terminal: Terminal) -> None:
    display = LiveDisplay(terminal)
    one, other = job("foo-1.zip"), job("foo-2.zip")
    display.projects(2)
    display.planned(plan(one))
    display.started(one)
    for _ in range(4):
        display.received(one, 250)
    display.planned(plan(other))
    terminal.truncate(0)
    display._live.refresh()
    assert re.search(r"1.0/2.0 kB +[0-9.,]+ .?B/s \d\d:\d\d", shown(terminal))
    display.closed(None)


@pytest.mark.parametrize("failed_first", [True, False])
def test_what_fails_is_taken_out_of_the_total(terminal: Terminal, failed_first: bool) -> None:  # noqa: FBT001
    display = LiveDisplay(terminal)
    good, bad = job("foo-1.zip"), job("foo-2.zip")
    display.projects(1)
    display.planned(plan(good, bad))
    for one in (bad, good) if failed_first else (good, bad):
        display.started(one)
        came = 1000 if one is good else 0
        display.received(one, came)
        display.ended(
            one, Outcome(FOO, one.file.filename, Status.FETCHED if came else Status.FAILED, 1000, came)
        )
    display._live.refresh()
    assert "1.0/1.0 kB" in shown(terminal)
    display.closed(None)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_nothing_printable_is_changed_and_nothing_else_is_left() -> None:
    assert printable("caf\u00e9 \u4e2d") == "caf\u00e9 \u4e2d"
    assert printable("a\nb\x1b[0m\u202e\x7f") == "a\\x0ab\\x1b[0m\\x202e\\x7f"


@pytest.mark.parametrize(("count", "text"), [(0, "0 files"), (1, "1 file"), (12_345, "12,345 files")])
def test_counts(count: int, text: str) -> None:
    assert counted(count, "file") == text


def test_the_summary_of_everything() -> None:
    report = Report(
        index="https://index.example/",
        seconds=12.34,
        signal=2,
        not_started=[FOO],
        not_mirrored=[("x", "y", "z")] * 2,
    )
    report.add(Outcome(FOO, "a", Status.FETCHED, 10, 10))
    report.add(Outcome(FOO, "b", Status.SKIPPED))
    report.problems += [Problem("x", 1)] * 2
    assert summary(report) == (
        "1 project, 1 file fetched (10 B), 0 already held, 1 skipped, 2 requirements not mirrored, "
        "1 project not started, 2 problems, ended by SIGINT in 12.3 s"
    )


@pytest.mark.parametrize(
    ("verbosity", "fate", "line"),
    [
        (0, Fate.REMOVED, ""),
        (1, Fate.REMOVED, "foo: foo-1.zip: removed (2.0 kB): no longer listed\n"),
        (1, Fate.HIDDEN, "foo: foo-1.zip: hidden (2.0 kB): no longer listed\n"),
        (1, Fate.REFUSED, "foo: foo-1.zip: would be removed (2.0 kB): no longer listed\n"),
        (0, Fate.PLANNED, "foo: foo-1.zip: to be removed (2.0 kB): no longer listed\n"),
        (-1, Fate.PLANNED, ""),
    ],
)
def test_removals(verbosity: int, fate: Fate, line: str) -> None:
    stream = io.StringIO()
    Lines(stream, verbosity).removed(Removal(FOO, "foo-1.zip", 2000, 0, "no longer listed", fate))
    assert stream.getvalue() == line


def test_the_summary_of_removals() -> None:
    report = Report()
    assert "removed" not in summary(report)
    for fate in (Fate.REMOVED, Fate.REMOVED, Fate.PLANNED):
        report.removals.append(Removal(FOO, "foo-1.zip", 2000, 0, "", fate))
    assert "2 files removed (4.0 kB), 1 file to remove (2.0 kB)" in summary(report)
