"""GUARANTEES, Operation: G29 to G32."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import (
    ANY_FAILURE,
    check_served,
    command,
    disk,
    leftovers,
    remount,
    run,
    running,
    slow,
    until,
)

from faults import Drip, Reset, Stall, Status, WrongBytes, content_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults import Fault
    from mirror import Mirror
    from wire import Request

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", WHEEL, core_metadata=True)
    mirror.upstream.add_file("bar", "bar-1.zip")
    return mirror


# -- G29


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (FILE, Status(404)),
        (FILE, Status(500)),
        (FILE, Status(429, 86_400)),
        (FILE, WrongBytes()),
        (FILE, Reset()),
        (FILE, Stall(10)),
        (PAGE, Status(403)),
        (PAGE, Status(404)),
        (PAGE, Status(500)),
        (PAGE, Reset()),
        (PAGE, content_type("text/plain")),
    ],
    ids=str,
)
@pytest.mark.parametrize("extra", [[], ["--keep-going", "-v", "-j", "1"]])
def test_G29_one_line_for_each_problem_and_never_0(
    foo: Mirror, path: str, fault: Fault, extra: list[str]
) -> None:
    foo.upstream.always(path, fault)
    ran = foo.sync("foo", "bar", "--retries", "0", "--timeout", "0.2", *extra, code=ANY_FAILURE)
    (line,) = ran.errors()
    assert line.startswith(f"foo: {SDIST}: " if path == FILE else "foo: ")
    assert [one["message"] for one in ran.report["problems"]] == [line]
    foo.upstream.always(path)
    assert not foo.sync("foo", "bar", *extra).errors()
    assert foo.files() == {SDIST, WHEEL, "bar-1.zip"}


def test_G29_0_is_said_only_of_what_is_all_there(foo: Mirror) -> None:
    """Also where a version, a project or a file vanished since, or is asked for with a digest it has not."""
    foo.sync("foo", "bar")
    requirements = foo.folder / "r.txt"
    for line in ("foo==2.0", "baz", "foo[x]>1.0", f"foo==1.0 --hash=sha256:{'0' * 64}"):
        requirements.write_text(f"{line}\nbar\n")
        ran = foo.sync("-r", str(requirements), "--keep-going", code=ANY_FAILURE)
        assert ran.errors()
        assert all(one.startswith(("foo: ", "baz: ")) for one in ran.errors())


# -- G30

BARE = {"PATH": os.environ["PATH"]}


C = {**BARE, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
HOMELESS = {**BARE, "HOME": "/nonexistent", "TMPDIR": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"}
ODD = {**BARE, "HOME": "", "TERM": "dumb", "COLUMNS": "0", "TZ": "Nowhere/Land"}
CLOSED = "<&- >&- 2>&-"


@pytest.mark.parametrize(
    ("environment", "streams"),
    [
        *((BARE, streams) for streams in ("", CLOSED)),
        *(slow(BARE, streams) for streams in ("<&-", ">&-", "2>&-")),
        *((environment, CLOSED) for environment in (C, HOMELESS, ODD)),
        *(slow(environment, "") for environment in (C, HOMELESS, ODD)),
        *((BARE, streams) for streams in (">/dev/full", "2>/dev/full")),  # as a log on a disk that is full
    ],
)
def test_G30_it_runs_as_a_scheduler_starts_it(
    foo: Mirror, environment: Mapping[str, str], streams: str
) -> None:
    foo.upstream.add_file("foo", "foo-1.0-1\u00e4.zip", yanked="\u00e9\u4e2d\U0001f600")
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh"]
    ended = subprocess.run(
        [*shell, *command(foo, "foo", "bar", "nope", "--keep-going", "-v")],
        cwd="/",
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    assert ended.returncode == 3, ended.stderr
    assert b"Traceback" not in ended.stderr + ended.stdout
    foo.check()
    assert {SDIST, WHEEL, "bar-1.zip"} <= foo.files()
    assert not leftovers(foo)


def test_G30_nor_does_it_need_a_folder_to_stand_in(foo: Mirror) -> None:
    gone = foo.folder / "gone"
    gone.mkdir()
    shell = ["sh", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh"]
    ran = run([*shell, *command(foo, "foo", "bar")])
    assert ran.code == 0, ran.err
    foo.check()


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_G30_files_follow_the_umask_and_what_is_private_does_not(foo: Mirror, mask: int) -> None:
    ran = run(["sh", "-c", f'umask {mask:03o}; exec "$@"', "sh", *command(foo, "foo", "bar")])
    assert ran.code == 0, ran.err
    for path in foo.tree().values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    for folder in (foo.dest, foo.dest / "foo"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
    private = foo.dest / ".aiomirror"
    assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in private.rglob("*"))


@pytest.mark.parametrize("where", ["relative/../other", "./deep/er", "with \u00e9\u4e2d", "-d"])
def test_G30_any_path_to_the_mirror(foo: Mirror, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    foo.dest = foo.folder / where
    foo.folder.joinpath("relative").mkdir()
    monkeypatch.chdir(foo.folder)
    foo.run("sync", "foo", "bar", "-i", foo.upstream.url, f"--dest={where}")
    assert foo.listed("bar") == ["bar-1.zip"]


# -- G31


def many(mirror: Mirror, number: int, size: int) -> list[str]:
    names = [f"p{index}" for index in range(number)]
    for name in names:
        mirror.upstream.add_file(name, f"{name}-1.zip", content=os.urandom(size))
    return names


def test_G31_a_disk_that_is_full_or_read_only_is_told_before_anything_is_asked(mirror: Mirror) -> None:
    names = many(mirror, 20, 100)
    with disk(mirror.folder, "size=200k") as place:
        mirror.dest = place / "mirror"
        (place / "filler").write_bytes(bytes(80_000))
        mirror.sync("p0")
        with (place / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
        mirror.upstream.clear()
        (line,) = mirror.sync(*names, code=6).errors()
        assert "no space left on device" in line
        assert not mirror.upstream.requests
        (place / "filler").unlink()
        remount(place, "ro")
        (line,) = run(command(mirror, *names)).errors()
        assert "read-only file system" in line
        assert not mirror.upstream.requests


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
@pytest.mark.parametrize("folder", [".", ".aiomirror", ".aiomirror/partial"])
def test_G31_a_folder_that_is_not_ours_to_write_to(mirror: Mirror, folder: str) -> None:
    names = many(mirror, 20, 100)
    mirror.sync("p0")
    mirror.upstream.clear()
    (mirror.dest / folder).chmod(0o555)
    try:
        (line,) = mirror.sync(*names, code=6).errors()
    finally:
        (mirror.dest / folder).chmod(0o755)
    assert "permission denied" in line
    assert not mirror.upstream.requests


@pytest.mark.parametrize("large", [True, False], ids=["large files", "small files"])
def test_G31_a_disk_that_runs_full_stops_the_downloads(mirror: Mirror, large: bool) -> None:  # noqa: FBT001
    names = many(mirror, 60, 600_000 if large else 20_000)
    with disk(mirror.folder, "size=2m" if large else "size=600k") as place:
        mirror.dest = place / "mirror"
        ran = run(command(mirror, *names, "--keep-going", "-j", "4"))
        assert ran.code == 6
        check_served(mirror)  # the root may not name a project yet whose page fitted and it did not
        assert 1 <= len(ran.errors()) <= 2
        fits = len(mirror.files())
        assert 0 < fits < 60
        assert len(mirror.upstream.file_requests()) <= fits + 3 * 4


# -- G32


def test_G32_concurrency_is_bounded_and_nothing_is_fetched_twice(mirror: Mirror) -> None:
    names = many(mirror, 60, 3_000)

    def slowly(request: Request) -> Fault | None:
        return Drip(piece=1_000, pause=0.005)

    mirror.upstream.on_request = slowly
    mirror.sync(*names, "-j", "5")
    assert max(request.connection for request in mirror.upstream.requests) <= 5
    paths = mirror.upstream.paths()
    assert len(paths) == len(set(paths)) == 120


@pytest.mark.parametrize("jobs", ["65", "0", "1000"])
def test_G32_more_than_64_are_refused(foo: Mirror, jobs: str) -> None:
    foo.sync("foo", "-j", jobs, code=2)
    assert not foo.upstream.requests


def test_G32_what_is_asked_for_twice_is_fetched_once(foo: Mirror) -> None:
    requirements = foo.folder / "r.txt"
    requirements.write_text("foo\nfoo==1.0\nFOO>=1\nfoo[x]\n" * 5)
    foo.sync("foo", "foo==1.0", "-r", str(requirements), "-r", str(requirements))
    paths = foo.upstream.paths()
    assert len(paths) == len(set(paths)) == 3


def test_G32_the_program_says_who_it_is(foo: Mirror) -> None:
    foo.sync("foo")
    assert {request.headers["user-agent"].split("/")[0] for request in foo.upstream.requests} == {"aiomirror"}
    assert {request.method for request in foo.upstream.requests} == {"GET"}


def test_G8_and_G29_a_run_that_is_ended_says_so(foo: Mirror) -> None:
    """Whenever the signal comes: 0 is never said of a run that did not get to its end."""
    foo.upstream.always(FILE, Stall())
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        foo.upstream.clear()
        with running(command(foo, "foo", "bar", "--timeout", "60")) as process:
            until(lambda: FILE in foo.upstream.paths())
            process.send_signal(number)
            process.send_signal(number)  # who is impatient sends another
            process.communicate(timeout=20)
        assert process.returncode in {code, -number}
        foo.check()
        assert SDIST not in foo.files()
