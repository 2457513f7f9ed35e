"""Waiting for a mirror that another run holds, which here is a second process."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import LockedError
from aiomirror.store.lock import patiently

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mirror import Mirror

HOLDER = """
import fcntl, sys
with open(sys.argv[1], "r+") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(dest: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the mirror's lock until its standard input ends."""
    argv = [sys.executable, "-c", HOLDER, str(dest / ".aiomirror/lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    mirror.upstream.add_file("foo", "foo-1.tar.gz")
    mirror.sync("foo")
    return mirror


def command(mirror: Mirror, *options: str) -> list[str]:
    where = ["-i", mirror.upstream.url, "-d", str(mirror.dest)]
    return [sys.executable, "-m", "aiomirror", "sync", "foo", *where, *options]


def test_a_run_begins_when_the_other_ends(foo: Mirror) -> None:
    with holder(foo.dest) as other:
        argv = command(foo, "--wait")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            line = waiting.stderr.readline()
            assert line.startswith(f"warning: {foo.dest}: another run holds this mirror (process ")
            assert line.endswith("); waiting for it to end\n")
            other.communicate()
            out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, err) == (0, "")
    assert "1 already held" in out


def test_a_run_does_not_wait_longer_than_it_is_told(foo: Mirror) -> None:
    with holder(foo.dest) as other:
        ran = foo.sync("foo", "--wait", "0.1", code=6)
        other.communicate()
    (line,) = ran.errors()
    assert "another run holds this mirror" in line
    assert len(ran.warnings()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_run_that_waits_can_be_interrupted(foo: Mirror, number: int, code: int) -> None:
    with holder(foo.dest) as other:
        argv = command(foo, "--wait")
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            waiting.stderr.readline()
            os.kill(waiting.pid, number)
            waiting.communicate(timeout=20)
        other.communicate()
    assert waiting.returncode == code


class Held:
    """Attempts of which the first ones find another run, on a clock that only pauses move."""

    def __init__(self, *holders: str) -> None:
        self.holders, self.told, self.pauses = list(holders), [], []  # type: ignore[var-annotated]

    async def start(self) -> str:
        if self.holders:
            raise LockedError("m", self.holders.pop(0))
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def run(self, seconds: float) -> str:
        return await patiently(
            self.start,
            seconds,
            lambda error: self.told.append(error.holder),
            sleep=self.sleep,
            clock=lambda: sum(self.pauses),
        )


async def test_pauses_grow_to_a_bound_and_each_holder_is_named_once() -> None:
    held = Held(*["a"] * 9, "b")
    assert await held.run(math.inf) == "done"
    assert held.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0]
    assert held.told == ["a", "b"]


async def test_the_last_attempt_is_made_when_the_time_is_over() -> None:
    held = Held(*["a"] * 99)
    with pytest.raises(LockedError):
        await held.run(1)
    assert sum(held.pauses) == pytest.approx(1)
    assert len(held.holders) == 99 - len(held.pauses) - 1


async def test_a_lock_that_is_free_is_not_waited_for() -> None:
    held = Held()
    assert await held.run(5) == "done"
    assert not held.pauses + held.told
