"""What a person sees: lines, tables, reports, exit codes, and how a run ends that is interrupted."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiomirror import __version__
from faults import Drip, Stall, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirror import Mirror

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
README = Path(__file__).parent.parent / "README.md"
NOWHERE = "http://127.0.0.1:1/simple/"


@pytest.fixture(autouse=True)
def projects(mirror: Mirror) -> None:
    """Two projects, the one with two files."""
    mirror.upstream.add_file("foo", WHEEL, content=b"w" * 1500)
    mirror.upstream.add_file("foo", SDIST, content=b"s" * 500)
    mirror.upstream.add_file("bar", "bar-1.tar.gz", content=b"b" * 2_000_000)


def command(mirror: Mirror, *args: str) -> list[str]:
    """A run in a process of its own."""
    where = ["-i", mirror.upstream.url, "-d", str(mirror.dest)]
    return [sys.executable, "-m", "aiomirror", *args, "--no-deps", *where]


# -- lines


def test_the_summary(mirror: Mirror) -> None:
    out = mirror.sync("foo").out
    assert re.fullmatch(r"1 project, 2 files fetched \(2\.0 kB\), 0 already held in \d+\.\d s\n", out)
    out = mirror.sync("foo", "bar").out
    assert re.fullmatch(r"2 projects, 1 file fetched \(2\.0 MB\), 2 already held in \d+\.\d s\n", out)


def test_the_summary_of_failures(mirror: Mirror) -> None:
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404))
    out = mirror.sync(
        "foo", "nope", "-r", str(write(mirror, "git+https://code.example/x")), "--keep-going", code=1
    ).out
    assert "1 file fetched" in out
    assert ", 1 failed, 1 requirement not mirrored, 2 problems in " in out


def write(mirror: Mirror, text: str) -> Path:
    path = mirror.folder / "req.txt"
    path.write_text(text)
    return path


def test_a_line_for_each_project_and_each_failure(mirror: Mirror) -> None:
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404, None))
    ran = mirror.sync("foo", code=1)
    url = mirror.upstream.file_url("foo", SDIST)
    assert sorted(ran.err.splitlines()) == [
        f"error: foo: {SDIST}: HTTP 404 Not Found ({url})",
        "foo: 1 file fetched (1.5 kB)",
    ]


def test_quiet_says_problems_only(mirror: Mirror) -> None:
    path = write(mirror, "foo\n--find-links x\n")
    ran = mirror.sync("-r", str(path), "-q")
    assert (ran.out, ran.err) == ("", "")
    ran = mirror.sync("nope", "-q", code=3)
    assert ran.out == ""
    assert ran.err == "error: nope: the index has no such project\n"
    assert mirror.sync("nope", "--quiet", "--log-format", "json", code=3).err.count("\n") == 1
    assert mirror.sync("foo", "--dry-run", "-q").out == ""


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose_says_more(mirror: Mirror, option: str) -> None:
    said = mirror.sync("bar", option).err
    assert "bar: 1 wanted, 1 to do\nfetched bar-" in said
    assert mirror.sync("bar", option).err == "bar: unchanged\n"


def test_lines_are_the_same_on_every_run_but_for_the_time(mirror: Mirror) -> None:
    """Stable for cron: nothing that changes by itself, no colours, no carriage returns."""
    mirror.sync("foo")
    said = [mirror.sync("foo", "nope", code=3) for _ in range(2)]
    assert said[0].err == said[1].err
    assert not re.search(r"[^\n\x20-\x7e]", said[0].err + said[0].out)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["foo"], 0),
        (["foo", "-v"], 0),
        (["nope", "foo", "--keep-going"], 3),
        (["foo", "-i", NOWHERE, "--retries", "0"], 4),
        (["foo", "-j", "0", "--latest", "-1"], 2),
        (["foo==", "bar=>1"], 2),
    ],
)
def test_each_line_of_the_json_log_parses(mirror: Mirror, args: list[str], code: int) -> None:
    ran = mirror.sync(*args, "--log-format", "json", code=code)
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert all(
        {"level", "message"} <= line.keys() <= {"level", "message", "project", "file"} for line in lines
    )
    assert {line["level"] for line in lines} <= {"info", "warning", "error"}
    assert any(line["level"] == "error" for line in lines) is bool(code)
    if code not in {2, 6}:
        assert " already held" in lines[-1]["message"]
    assert ran.out == ""


# -- a terminal


def on_a_terminal(mirror: Mirror, *args: str) -> str:
    """What a run shows whose standard error is a terminal."""
    ours, theirs = os.openpty()
    shown = b""
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command(mirror, *args), stderr=theirs, stdout=subprocess.DEVNULL, env=environment):
        os.close(theirs)
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:  # what Linux says when the other side has gone
            pass
        finally:
            os.close(ours)
    mirror.check()
    return shown.decode()


def test_bars_on_a_terminal(mirror: Mirror) -> None:
    mirror.upstream.always("/files/bar/bar-1.tar.gz", Drip(piece=400_000, pause=0.1))
    shown = on_a_terminal(mirror, "foo", "bar", "nope")
    assert "\x1b[" in shown
    for what in ("2/3 projects", "files", "bar-1.tar.gz", "/2.0 MB", "MB/s"):
        assert what in shown
    assert "error: " in shown
    assert "nope: the index has no such project" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


@pytest.mark.parametrize("option", ["--no-progress", "-q"])
def test_no_bars_when_not_wanted(mirror: Mirror, option: str) -> None:
    shown = on_a_terminal(mirror, "foo", option)
    assert "\x1b" not in shown
    assert ("fetched" in shown) is (option == "--no-progress")


# -- dry run


def test_a_dry_run_prints_the_plan_and_changes_nothing(mirror: Mirror) -> None:
    mirror.sync("foo")
    before = mirror.identities()
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz", content=b"2" * 1000)
    mirror.upstream.clear()
    ran = mirror.sync("foo==1.0", "foo", "bar", "--dry-run")
    *table, _, total, summary = (line.split("  ") for line in ran.out.splitlines())
    rows = [[cell.strip() for cell in row if cell] for row in [*table, total]]
    assert rows[0] == ["project", "files", "size", "held", "to fetch", "bytes to fetch", "left out"]
    assert rows[2] == ["bar", "1", "2.0 MB", "0", "1", "2.0 MB", "0"]
    assert rows[3] == ["foo", "3", "3.0 kB", "2", "1", "1.0 kB", "0"]
    assert rows[-1] == ["total", "4", "2.0 MB", "2", "2", "2.0 MB", "0"]
    assert summary[0].startswith("2 projects, 2 files to fetch (2.0 MB), 2 already held in ")
    totals = ran.report["totals"]
    assert ran.report["dry_run"] is True
    assert (totals["planned"], totals["held"], totals["to_fetch"], totals["size"]) == (
        2,
        2,
        2_001_000,
        2_003_000,
    )
    assert (totals["fetched"], totals["received"], totals["pages_written"]) == (0, 0, 0)
    assert ran.report["projects"]["foo"]["to_fetch"] == 1000
    assert {file["status"] for file in ran.report["files"]} == {"planned", "held"}
    assert mirror.identities() == before
    assert sorted(mirror.upstream.paths()) == ["/simple/bar/", "/simple/foo/"]


def test_a_dry_run_makes_no_folder(mirror: Mirror) -> None:
    mirror.sync("foo", "-n")
    assert not mirror.dest.exists()


def test_a_dry_run_fails_as_the_run_would(mirror: Mirror) -> None:
    ran = mirror.sync("foo", "nope", "--dry-run", code=3)
    assert ran.errors() == ["nope: the index has no such project"]
    assert not mirror.dest.exists()


def test_a_dry_run_tells_damage(mirror: Mirror) -> None:
    mirror.sync("foo")
    mirror.path(SDIST).write_bytes(b"damaged")
    ran = mirror.sync("foo", "--dry-run")
    assert ran.report["projects"]["foo"]["to_fetch"] == 500
    assert mirror.path(SDIST).read_bytes() == b"damaged"
    mirror.sync("foo")


# -- the report


def documented() -> set[str]:
    """The report's keys, from the first column of the README's table."""
    section = README.read_text().split("## The report", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def test_the_report_has_the_keys_of_the_readme(mirror: Mirror) -> None:
    path = write(mirror, "git+https://code.example/x.git\n")
    mirror.upstream.always("/files/bar/bar-1.tar.gz", Status(404))
    args = ("-r", str(path), "foo==1.0", "bar", "--only-binary", "foo")
    report = mirror.sync("foo", "--source-only").report
    assert report.keys() == documented()
    report = mirror.sync(*args, "--keep-going", code=1).report
    assert report.keys() == documented()
    assert report["aiomirror"] == __version__
    assert report["index"] == mirror.upstream.url
    assert report["destination"] == str(mirror.dest)
    assert report["exit_code"] == 1
    assert report["totals"].keys() == {
        "projects", "fetched", "held", "planned", "skipped", "failed", "size", "to_fetch", "received",
        "requests", "pages_written", "not_mirrored", "removed", "unwanted",
    }  # fmt: skip
    for project in report["projects"].values():
        assert {"size", "to_fetch", "received", "left_out"} <= project.keys()
    for file in report["files"]:
        assert {"project", "filename", "status"} <= file.keys()
    for problem in report["problems"]:
        assert problem.keys() == {"message", "exit_code", "project", "filename"}
    assert [one.keys() for one in report["not_mirrored"]] == [{"requirement", "origin", "why"}]


def test_the_report_adds_up(mirror: Mirror) -> None:
    report = mirror.sync("foo", "bar").report
    totals = report["totals"]
    assert (totals["projects"], totals["fetched"], totals["size"]) == (2, 3, 2_002_000)
    assert totals["received"] == sum(project["received"] for project in report["projects"].values())
    assert totals["requests"] == len(mirror.upstream.requests)
    assert [(file["filename"], file["size"]) for file in report["files"]] == [
        ("bar-1.tar.gz", 2_000_000),
        (WHEEL, 1500),
        (SDIST, 500),
    ]


def test_the_report_on_standard_output_is_alone_there(mirror: Mirror) -> None:
    assert json.loads(mirror.sync("foo", "--report", "-").out)["exit_code"] == 0
    assert json.loads(mirror.sync("foo", "-n", "--report", "-").out)["dry_run"] is True


def test_the_report_on_standard_output_is_in_utf_8(mirror: Mirror) -> None:
    mirror.dest = mirror.folder / "caf\u00e9 \U0001f600"
    argv = command(mirror, "foo", "--report", "-")
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ran = subprocess.run(argv, capture_output=True, check=True, env=environ)
    assert json.loads(ran.stdout)["destination"] == str(mirror.dest)


def test_a_report_that_cannot_be_written(mirror: Mirror) -> None:
    (line,) = mirror.sync("foo", "--report", str(mirror.folder / "no" / "r.json"), code=6).errors()
    assert line.endswith("no/r.json: the report cannot be written: No such file or directory")
    assert mirror.listed("foo") == [WHEEL, SDIST]


ASKED = {
    "--report -": "the report",
    "--dry-run": "the plan",
    "--lock-output -": "the lock file",
    "explain": "the answer",
    "explain --report -": "the report",
}
"""What is wanted of standard output, and what it is called."""


def asking(
    mirror: Mirror, wish: str, redirected: str = "", stdout: int | None = None
) -> subprocess.CompletedProcess[str]:
    """A run for the sake of its standard output, which is somewhere else."""
    mirror.sync("foo")
    verb, *rest = wish.split()
    line = ["explain", "foo", *rest, "-d", str(mirror.dest)]
    argv = (
        [sys.executable, "-m", "aiomirror", *line]
        if verb == "explain"
        else command(mirror, "foo", verb, *rest)
    )
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh", *argv]
    return subprocess.run(shell, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("wish", ASKED)
def test_what_is_asked_of_a_standard_output_that_is_full(mirror: Mirror, wish: str) -> None:
    ran = asking(mirror, wish, ">/dev/full")
    assert ran.stderr == f"error: standard output: {ASKED[wish]} cannot be written: No space left on device\n"
    assert ran.returncode == 6


@pytest.mark.parametrize("wish", ASKED)
def test_what_is_asked_of_a_standard_output_that_is_closed(mirror: Mirror, wish: str) -> None:
    ran = asking(mirror, wish, ">&-")
    assert ran.stderr == f"error: standard output: {ASKED[wish]} cannot be written: it is closed\n"
    assert ran.returncode == 6


@pytest.mark.parametrize("wish", ASKED)
def test_what_is_asked_by_someone_who_goes_away(mirror: Mirror, wish: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = asking(mirror, wish, stdout=writing)
    os.close(writing)
    assert (ran.stderr, ran.returncode) == ("", 0)


@pytest.mark.parametrize("redirected", [">/dev/full", ">&-"])
def test_a_summary_is_no_more_than_that(mirror: Mirror, redirected: str) -> None:
    ran = asking(mirror, "-v", redirected)
    assert (ran.stderr, ran.returncode) == ("foo: unchanged\n", 0)


def test_a_path_that_is_no_text_can_be_reported(mirror: Mirror) -> None:
    mirror.dest = mirror.folder / os.fsdecode(b"caf\xe9")
    assert mirror.sync("foo").report["destination"].endswith("/caf?")


def test_credentials_appear_nowhere(mirror: Mirror) -> None:
    mirror.upstream.credentials = ("user", "s3cret")
    url = mirror.upstream.url.replace("http://", "http://user:s3cret@")
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404))
    ran = mirror.sync("foo", "-v", "-i", url, code=1)
    assert mirror.listed("foo") == [WHEEL]
    kept = b"".join(path.read_bytes() for path in mirror.dest.rglob("*") if path.is_file())
    for said in (ran.out, ran.err, json.dumps(ran.report), kept.decode(errors="replace")):
        assert "s3cret" not in said


# -- exit codes


def damage(mirror: Mirror) -> None:
    mirror.sync("foo")
    mirror.upstream.remove_file("foo", SDIST)
    mirror.path(SDIST).write_bytes(b"damaged")


def not_there(mirror: Mirror) -> None:
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404))


def silent(mirror: Mirror) -> None:
    mirror.upstream.always("/simple/foo/", Stall())


def in_the_way(mirror: Mirror) -> None:
    mirror.dest.write_text("a file")


def untouched(_: Mirror) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "args", "code"),
    [
        (untouched, [], 0),
        (not_there, [], 1),
        (untouched, ["--jobs", "0"], 2),
        (untouched, ["foo>1.0"], 3),
        (untouched, ["no-such"], 3),
        (untouched, ["-i", NOWHERE], 4),
        (silent, ["--timeout", "0.2"], 4),
        (damage, [], 5),
        (in_the_way, [], 6),
        (damage, ["no-such", "--keep-going"], 1),  # two kinds
    ],
)
def test_exit_codes(mirror: Mirror, before: Callable[[Mirror], None], args: list[str], code: int) -> None:
    before(mirror)
    ran = mirror.sync("foo", "--retries", "0", *args, code=code)
    assert bool(ran.errors()) is bool(code)


def test_a_mirror_that_another_run_holds(mirror: Mirror) -> None:
    mirror.sync("foo")
    with (mirror.dest / ".aiomirror" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for ran in (mirror.sync("foo", code=6), mirror.index(code=6)):
            (line,) = ran.errors()
            assert line.startswith(f"{mirror.dest}: another run holds this mirror (process ")
        mirror.sync("foo", "--dry-run")  # which only looks


def test_a_disk_that_takes_no_more(mirror: Mirror) -> None:
    """A limit of the process stands in for a full disk: what was complete is published."""
    mirror.upstream.add_file("foo", SDIST, content=b"s" * 500)
    mirror.upstream.on_request = lambda request: (
        Drip(piece=500_000, pause=0.1) if request.path.startswith("/files/bar/") else None
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    argv = command(mirror, "foo", "bar")
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert ran.returncode == 6, ran.stderr
    assert "bar/bar-1.tar.gz: file too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    mirror.check()
    assert mirror.listed("foo") == [WHEEL, SDIST]
    mirror.upstream.clear()
    mirror.sync("foo", "bar")
    assert {request.path for request in mirror.upstream.file_requests()} == {"/files/bar/bar-1.tar.gz"}


# -- signals


@contextmanager
def running(mirror: Mirror, *args: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(mirror, *args), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("fault", [pytest.param(Stall(), marks=pytest.mark.slow), Stall(100)], ids=str)
def test_a_run_that_is_interrupted(mirror: Mirror, number: int, code: int, fault: Stall) -> None:
    stalled = f"/files/foo/{SDIST}"
    mirror.upstream.always(stalled, fault)
    report = mirror.folder / "report.json"
    with running(mirror, "foo", "bar", "--report", str(report)) as process:
        until(lambda: stalled in mirror.upstream.paths())
        until((mirror.dest / "foo" / WHEEL).exists)
        until((mirror.dest / "bar" / "index.html").exists)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert f"ended by {signal.Signals(number).name}" in out
    assert json.loads(report.read_bytes())["exit_code"] == code
    mirror.check()
    assert mirror.files() == {WHEEL, "bar-1.tar.gz"}
    assert mirror.listed("foo") == [WHEEL]  # of a project that is not complete, what is
    mirror.upstream.always(stalled)
    mirror.upstream.clear()
    mirror.sync("foo", "bar")
    assert [request.path for request in mirror.upstream.file_requests()] == [stalled]


LARGE = "foo-2.0.tar.gz"
ENDED = """
import os, signal, sys, threading
from aiomirror import sync
from aiomirror.cli import main
from aiomirror.store import durable

noted = threading.Event()
end, replace, contents = sync._Run._end, os.replace, durable.contents

def note(run, number):
    end(run, number)
    noted.set()

def send():
    os.kill(os.getpid(), int(sys.argv[2]))
    assert noted.wait(20)

def replaced(source, target, **folders):
    replace(source, target, **folders)
    if target == sys.argv[1]:
        send()

def waited(*files):
    if sys.argv[1] == "publication":
        send()
    return contents(*files)

sync._Run._end, os.replace, durable.contents = note, replaced, waited
sys.exit(main(sys.argv[3:]))
"""
"""The command, which is sent a signal from a thread that gives a file its name, or waits for the disk."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("when", ["publication", LARGE])
def test_what_is_complete_when_a_signal_comes_is_published(
    mirror: Mirror, number: int, code: int, when: str
) -> None:
    mirror.upstream.add_file("foo", LARGE, content=bytes(3 * 2**20))
    _, _, _, *args = command(mirror, "foo", "--processes", "1")
    ended = subprocess.run(
        [sys.executable, "-c", ENDED, when, str(number), *args], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    mirror.check()
    assert LARGE in mirror.files()
    assert set(mirror.listed("foo")) == mirror.files()


def test_a_run_that_is_interrupted_before_anything_came(mirror: Mirror) -> None:
    mirror.upstream.always("/simple/foo/", Stall())
    with running(mirror, "foo", "-j", "1", "bar") as process:
        until(lambda: bool(mirror.upstream.requests))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    mirror.check()
    assert not mirror.files()


class Faulty(io.RawIOBase):
    """A standard input that raises when it is read."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise self._error("at the input")


def test_a_run_that_is_interrupted_while_it_reads_its_input(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Faulty(KeyboardInterrupt))))
    assert mirror.sync("-", code=130).errors() == ["interrupted"]


def test_a_bug_is_one_line_unless_it_is_looked_for(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Faulty(RuntimeError))))
    (line,) = mirror.sync("-", code=1).errors()
    assert line == "a bug in aiomirror: RuntimeError('at the input'); --debug shows where"
    with pytest.raises(RuntimeError):
        mirror.sync("-", "--debug")


@pytest.mark.parametrize("more", ["", "--log-format=json", "no-such --keep-going"])
def test_a_run_whose_outputs_are_closed(mirror: Mirror, more: str) -> None:
    """As some schedulers start it."""
    argv = ["sh", "-c", f'exec "$@" {more} <&- >&- 2>&-', "sh", *command(mirror, "foo")]
    ran = subprocess.run(argv, check=False, cwd="/", env={"PATH": os.environ["PATH"]})
    assert ran.returncode == (3 if "no-such" in more else 0)
    mirror.check()
    assert mirror.listed("foo") == [WHEEL, SDIST]


def test_a_reader_of_the_lines_that_goes_away(mirror: Mirror) -> None:
    """As in ``aiomirror … 2>&1 | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(command(mirror, "foo"), stdout=writing, stderr=writing, check=False)
    os.close(writing)
    assert ran.returncode == 0
    mirror.check()
    assert mirror.listed("foo") == [WHEEL, SDIST]
