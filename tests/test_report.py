"""A report that adds up, and an exit code that is its truth value."""

from __future__ import annotations

import json
import signal

import pytest
from packaging.utils import canonicalize_name

from aiomirror.errors import (
    AiomirrorError,
    ChangedError,
    DestinationError,
    FileError,
    GivenUpError,
    LockedError,
    NoMatchingFileError,
    PruneRefusedError,
    ShrunkPageError,
    StatusError,
    TransferError,
    UnknownProjectError,
    UnreachableError,
)
from aiomirror.pruning import Fate, Removal
from aiomirror.report import Outcome, Problem, Report, Status

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")


def problem(exit_code: int) -> Problem:
    return Problem("something", exit_code)


@pytest.mark.parametrize(
    ("codes", "number", "expected"),
    [
        ([], 0, 0),
        ([1], 0, 1),
        ([3, 3], 0, 3),
        ([4], 0, 4),
        ([5, 5], 0, 5),
        ([3, 4], 0, 1),
        ([1, 5], 0, 1),
        ([6], 0, 6),
        ([1, 3, 6], 0, 6),
        ([], signal.SIGINT, 130),
        ([3], signal.SIGTERM, 143),
        ([6], signal.SIGINT, 6),
    ],
)
def test_the_exit_code(codes: list[int], number: int, expected: int) -> None:
    report = Report(problems=[problem(code) for code in codes], signal=number)
    assert report.exit_code == expected
    assert bool(report) is (expected == 0)


UNREACHABLE = UnreachableError("http://a.example/", "cannot connect")
GIVEN_UP = GivenUpError("http://a.example/", "given up")
BUSY, FORBIDDEN = (StatusError("http://a.example/", status) for status in (503, 403))


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([BUSY, BUSY], 1),
        ([BUSY, GIVEN_UP], 4),
        ([BUSY, UNREACHABLE, GIVEN_UP], 4),
        ([BUSY, FORBIDDEN, GIVEN_UP], 1),
        ([GIVEN_UP, FileError("foo", "f", "is another one")], 1),
    ],
)
def test_what_an_upstream_is_given_up_for_is_no_other_kind(
    errors: list[AiomirrorError], expected: int
) -> None:
    """A night's run against one that is down ends with the code that says so, whatever it answered."""
    assert Report(problems=[Problem.of(error, "foo") for error in errors]).exit_code == expected


def outcomes() -> list[Outcome]:
    return [
        Outcome(FOO, "b", Status.FETCHED, 10, received=12, sha256="ab"),
        Outcome(FOO, "a", Status.HELD, 5, sha256="cd"),
        Outcome(FOO, "c", Status.FAILED, 100, received=3, why="because"),
        Outcome(BAR, "d", Status.PLANNED, 7),
        Outcome(BAR, "e", Status.PLANNED),
        Outcome(BAR, "f", Status.SKIPPED, why="large"),
    ]


def test_it_adds_up() -> None:
    report = Report()
    for outcome in outcomes():
        report.add(outcome)
    report.left_out(FOO, {"older": 2})
    foo, bar = report.projects[FOO], report.projects[BAR]
    assert (foo.size, foo.received, foo.to_fetch) == (15, 15, 0)
    assert (bar.size, bar.received, bar.to_fetch) == (7, 0, 7)
    assert report.counts() == {status: report.count(status) for status in Status} == {
        Status.FETCHED: 1, Status.HELD: 1, Status.PLANNED: 2, Status.SKIPPED: 1, Status.FAILED: 1,
    }  # fmt: skip
    assert report.received == 15
    assert foo.left_out == {"older": 2}


def test_json() -> None:
    report = Report(index="http://index.example/", destination="x", requests=4, seconds=1.23456)
    for outcome in outcomes():
        report.add(outcome)
    report.problems.append(Problem("foo: c: because", 1, "foo", "c"))
    report.not_mirrored.append(("./x", "req.txt:1", "it is a local path"))
    tree = json.loads(report.to_json())
    assert tree["seconds"] == 1.235
    assert tree["totals"]["size"] == 22
    assert tree["projects"]["foo"] == {
        "fetched": 1, "held": 1, "failed": 1, "size": 15, "to_fetch": 0, "received": 15, "left_out": {},
    }  # fmt: skip
    assert [file["filename"] for file in tree["files"]] == ["d", "e", "f", "a", "b", "c"]
    assert tree["files"][1] == {"project": "bar", "filename": "e", "status": "planned"}
    assert tree["problems"] == [
        {"message": "foo: c: because", "exit_code": 1, "project": "foo", "filename": "c"}
    ]
    assert tree["not_mirrored"] == [
        {"requirement": "./x", "origin": "req.txt:1", "why": "it is a local path"}
    ]
    assert (tree["index"], tree["destination"], tree["exit_code"]) == ("http://index.example/", "x", 1)


def test_removals() -> None:
    report = Report(unwanted=3)
    for name, fate in (("a", Fate.REMOVED), ("b", Fate.REMOVED), ("c", Fate.HIDDEN)):
        report.removals.append(Removal(FOO, name, 5, 1_700_000_000, "because", fate))
    tree = json.loads(report.to_json())
    assert (tree["totals"]["removed"], tree["totals"]["unwanted"]) == (2, 3)
    assert tree["removals"][2] == {
        "project": "foo",
        "filename": "c",
        "size": 5,
        "why": "because",
        "fate": "hidden",
    }


def test_json_of_what_is_no_text() -> None:
    report = Report(destination="caf\udce9 \u00e9", warnings=["\ud800"])
    tree = json.loads(report.to_json().decode("utf-8"))
    assert (tree["destination"], tree["warnings"]) == ("caf? \u00e9", ["?"])


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (
            StatusError("http://x.example/y", 404, "Not Found"),
            "foo: f: HTTP 404 Not Found (http://x.example/y)",
            1,
        ),
        (TransferError("http://x.example/y", "cut short"), "foo: f: cut short (http://x.example/y)", 1),
        (
            UnreachableError("http://x.example/y", "no such host"),
            "foo: f: no such host (http://x.example/y)",
            4,
        ),
        (
            ChangedError("foo", "f", "sha256 a", "sha256 b"),
            "foo: f: upstream now lists sha256 b; what is held, sha256 a, stays",
            1,
        ),
        (UnknownProjectError("foo", ("fooo",)), "foo: the index has no such project; did you mean fooo?", 3),
        (
            NoMatchingFileError("foo", "foo>1", "1", "why"),
            "foo: nothing satisfies 'foo>1'; the newest version is 1 (why)",
            3,
        ),
        (
            ShrunkPageError("foo", 3, 12, b"", None),
            (
                "foo: upstream lists 3 of what were 12 files; what is mirrored stays as it is, "
                "unless --accept-changed is given"
            ),
            3,
        ),
        (DestinationError("/x", "no space left on device"), "/x: no space left on device", 6),
        (LockedError("/x", "process 1"), "/x: another run holds this mirror (process 1)", 6),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_problem_names_project_and_file_once(error: Exception, line: str, code: int) -> None:
    made = Problem.of(error, "foo", "f")  # type: ignore[arg-type]
    assert (made.message, made.exit_code, made.project, made.filename) == (line, code, "foo", "f")


def test_a_refusal_to_prune_is_about_no_project() -> None:
    made = Problem.of(PruneRefusedError(300, 1000, 100))
    assert made.message == "300 of 1,000 files would be removed, and --max-delete allows 100; nothing is"
    assert (made.exit_code, made.project) == (5, "")
