"""G8, G10 and G14 where several processes fetch: whichever of them ends, however it ends."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import check_served, command, helped, leftovers, run, running, until

from aiomirror.processes import forking
from faults import Stall

if TYPE_CHECKING:
    import subprocess

    from faults import Fault
    from mirror import Mirror
    from wire import Request

NAMES = [f"p{number}" for number in range(12)]
FILES = {f"{name}-1.0.tar.gz" for name in NAMES}
JOBS = 24
"""Enough for three processes."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nobody is forked elsewhere")


@pytest.fixture
def asked(mirror: Mirror) -> list[str]:
    """A run of three processes, of a dozen files."""
    for name in NAMES:
        mirror.upstream.add_file(name, f"{name}-1.0.tar.gz", content=name.encode() * 100_000)
    assert JOBS // forking.FEWEST == 3
    return helped(mirror, *NAMES, "-j", str(JOBS))


def helpers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it has forked, and that live."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in listed]


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; one may wait to be asked how."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def stall_files(mirror: Mirror, spared: int = 0) -> None:
    """Of the first requests for each file all but so many get the beginning of an answer and no more."""

    def choose(request: Request) -> Fault | None:
        count = len(mirror.upstream.file_requests())  # with this one
        stalls = request.path.startswith("/files/") and spared < count <= len(NAMES)
        return Stall(50_000) if stalls else None

    mirror.upstream.on_request = choose


def test_G8_helpers_that_are_killed_are_replaced(mirror: Mirror, asked: list[str]) -> None:
    stall_files(mirror)
    with running(asked) as process:
        until(lambda: len(mirror.upstream.file_requests()) == len(NAMES))
        forked = helpers(process)
        assert len(forked) == 2
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
        # Of what stalls there is left what this process has: it lets go of that after its time-out.
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.count("has ended before its time") == 2
    assert check_served(mirror) > 0
    assert mirror.files() == FILES
    assert not leftovers(mirror)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_G8_a_signal_for_all_of_them_ends_all_of_them(
    mirror: Mirror, asked: list[str], number: signal.Signals
) -> None:
    stall_files(mirror)
    with running(asked, start_new_session=True) as process:
        until(lambda: len(mirror.upstream.file_requests()) == len(NAMES))
        forked = helpers(process)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert "before its time" not in err
    assert not any(map(alive, forked))
    assert not leftovers(mirror)
    mirror.upstream.on_request = None
    mirror.sync(*NAMES)
    assert mirror.files() == FILES


@pytest.mark.parametrize("complete", [0, 5, 11])
def test_G8_after_a_kill_the_helpers_end_and_the_next_run_completes(
    mirror: Mirror, asked: list[str], complete: int
) -> None:
    stall_files(mirror, spared=complete)
    with running(asked) as process:
        until(lambda: len(mirror.upstream.file_requests()) == len(NAMES))
        until(lambda: len(list(mirror.dest.glob("*/*.tar.gz"))) == complete)
        forked = helpers(process)
        assert len(forked) == 2
        process.kill()
        process.wait()
    until(lambda: not any(map(alive, forked)))  # nobody else has told them
    check_served(mirror)
    held = {path.name for path in mirror.dest.glob("*/*.tar.gz")}
    mirror.upstream.on_request = None
    mirror.upstream.clear()
    mirror.sync(*NAMES)
    assert mirror.files() == FILES
    again = {request.path.rpartition("/")[2] for request in mirror.upstream.file_requests()}
    assert not again & held, "a finished file was fetched again"
    assert not leftovers(mirror)


def test_G10_no_other_run_while_a_helper_lives(mirror: Mirror, asked: list[str]) -> None:
    stall_files(mirror)
    with running(asked) as process:
        until(lambda: len(mirror.upstream.file_requests()) == len(NAMES))
        forked = helpers(process)
        for pid in forked:
            os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait()
        mirror.upstream.on_request = None
        ran = run(command(mirror, *NAMES))  # beside one that lives, and has a folder for what has no name yet
        assert ran.code == 6
        assert "another run holds this mirror" in ran.err
        for pid in forked:
            os.kill(pid, signal.SIGCONT)
    until(lambda: not any(map(alive, forked)))
    mirror.sync(*NAMES)


def test_G30_nobody_need_ask_how_helpers_ended(mirror: Mirror, asked: list[str]) -> None:
    ignoring = (
        f"import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv({asked[0]!r}, {asked!r})"
    )
    with running([sys.executable, "-c", ignoring]) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert mirror.files() == FILES


def test_G14_a_file_that_is_wrong_is_one_problem_in_any_process(mirror: Mirror, asked: list[str]) -> None:
    for name in NAMES[:6]:
        mirror.upstream.projects[name].files[0]["hashes"] = {"sha256": "0" * 64}
    with running([*asked, "--keep-going"]) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 6
    assert mirror.files() == {f"{name}-1.0.tar.gz" for name in NAMES[6:]}
    check_served(mirror)
