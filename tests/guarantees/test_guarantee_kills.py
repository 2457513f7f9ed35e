"""G8 and G7 under kill -9: at every effect on the disk in turn, and at random instants."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import CHILD, PATIENCE, check_served, command, helped, leftovers, options, slow

from faults import Drip

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults import Fault
    from mirror import Mirror
    from wire import Request

NAMES = ("foo", "bar", "baz")
SEED = 20260819


def first(mirror: Mirror) -> None:
    """Nothing is there yet."""
    mirror.upstream.projects.clear()
    for name in NAMES:
        mirror.upstream.add_file(name, f"{name}-1.0-py3-none-any.whl", core_metadata=True)
        mirror.upstream.add_file(name, f"{name}-1.0.tar.gz", core_metadata=True, metadata=b"Name: x\n")
        mirror.upstream.add_file(name, f"{name}-1.0.zip", content=random.Random(name).randbytes(600_000))


def another_version(mirror: Mirror) -> None:
    """Every project has a newer version."""
    first(mirror)
    mirror.sync(*NAMES)
    for name in NAMES:
        mirror.upstream.add_file(name, f"{name}-2.0-py3-none-any.whl", core_metadata=True)
        mirror.upstream.add_file(
            name, f"{name}-2.0.zip", content=random.Random(name + "2").randbytes(600_000)
        )


def yanked(mirror: Mirror) -> None:
    """Nothing but marks changes."""
    first(mirror)
    mirror.sync(*NAMES)
    for name in NAMES:
        for file in mirror.upstream.projects[name].files:
            file["yanked"] = "broken"


def damaged(mirror: Mirror) -> None:
    """Held files and pages are to be mended."""
    first(mirror)
    mirror.sync(*NAMES)
    for path in mirror.tree().values():
        if path.suffix in {".zip", ".html"}:
            path.write_bytes(b"damaged")


VARIANTS = [first, another_version, yanked, damaged]
REQUESTS = {"first": 15, "another_version": 9, "yanked": 3, "damaged": 6}
"""How many a run that is let be makes."""


def wanted(variant: Callable[[Mirror], None]) -> list[str]:
    pin = "==1.0" if variant is yanked else ""  # which alone takes what is yanked
    return [name + pin for name in NAMES]


def survive(mirror: Mirror, variant: Callable[[Mirror], None], *, check_first: bool = True) -> None:
    """What holds after a kill, and that the next run completes as if nothing had been."""
    # Damage that was there before the run is no broken promise of the run that was to mend it.
    if check_first:
        check_served(mirror)
    mirror.upstream.on_request = None
    held = {path.name: path.read_bytes() for path in mirror.tree().values()}
    complete = {
        f"/files/{request.path.split('/')[2]}/{name}"
        for request in mirror.upstream.file_requests()
        if (name := request.path.split("/")[3]) in held
        and held[name] == mirror.upstream.blobs[request.path].body
    }
    mirror.upstream.clear()
    mirror.sync(*wanted(variant), "--wait", "60")  # for helpers, which notice a moment later
    again = {request.path for request in mirror.upstream.file_requests()} & complete
    assert not again, "a finished file was fetched again"
    assert not leftovers(mirror)
    for name in NAMES:
        upstream = {file["filename"] for file in mirror.upstream.projects[name].files}
        assert set(mirror.listed(name)) == upstream
    mirror.upstream.clear()
    before = mirror.identities()
    mirror.sync(*wanted(variant))
    assert not mirror.upstream.file_requests()
    assert mirror.identities() == before


# -- at every effect


def killed_at(mirror: Mirror, effect: int, variant: Callable[[Mirror], None]) -> int:
    argv = [sys.executable, str(CHILD), str(mirror.folder / "journal"), str(effect)]
    ended = subprocess.run(
        [*argv, *options(mirror, *wanted(variant))], capture_output=True, check=False, timeout=PATIENCE
    )
    return ended.returncode


def _sweep(mirror: Mirror, variant: Callable[[Mirror], None], *, start: int, step: int) -> int:
    """Kill before effect ``start``, and in the run after that ``step`` effects later, and so on to the end.

    One mirror serves for all: each run after a kill is itself killed, until one has fewer effects than that.
    """
    variant(mirror)
    for effect in range(start, 400, step):
        mirror.upstream.clear()
        code = killed_at(mirror, effect, variant)
        if code == 0:
            survive(mirror, variant)
            return effect
        assert code == -signal.SIGKILL
        if variant is not damaged:
            check_served(mirror)
    pytest.fail("there is no end to it")


@pytest.mark.parametrize("variant", [first, slow(another_version), slow(yanked), slow(damaged)])
def test_G8_killed_again_and_again_at_later_effects(
    mirror: Mirror, variant: Callable[[Mirror], None]
) -> None:
    """Work that is done stays done, so that the runs come to an end however often they are killed."""
    _sweep(mirror, variant, start=6, step=29)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_G8_killed_at_each_effect(mirror: Mirror, variant: Callable[[Mirror], None]) -> None:
    kills = 0
    for effect in range(1, 400):
        mirror.dest = mirror.folder / f"mirror-{effect}"
        variant(mirror)
        mirror.upstream.clear()
        code = killed_at(mirror, effect, variant)
        survive(mirror, variant, check_first=variant is not damaged)
        if code == 0:
            break
        kills += 1
    assert kills > 30


# -- at random instants


@dataclass
class Killer:
    """Kills a process some time after its n-th request."""

    request: int
    after: float
    process: subprocess.Popen[bytes] | None = None
    seen: int = 0

    def __call__(self, request: Request) -> Fault | None:
        self.seen += 1
        if self.seen == self.request:
            threading.Timer(self.after, self._kill).start()
        # Slow enough for an instant to fall into a transfer.
        return Drip(piece=150_000, pause=0.004) if request.path.endswith(".zip") else None

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()


def killed_by_chance(mirror: Mirror, chance: random.Random, variant: Callable[[Mirror], None]) -> bool:
    """Whether the run was killed before it ended by itself."""
    mirror.upstream.clear()
    # The last requests more often than the first: after them the pages are written.
    last = REQUESTS[variant.__name__]
    killer = Killer(chance.choice([*range(1, last + 1), last, last]), chance.random() ** 2 * 0.08)
    mirror.upstream.on_request = killer
    spelt = chance.choice([command, helped])
    argv = spelt(mirror, *wanted(variant), "-j", str(chance.choice([1, 2, 8, 32])))
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        killer.process = process
        process.wait(timeout=PATIENCE)
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("variant", [first, *(slow(one) for one in VARIANTS if one is not first)])
def test_G8_kill_9_at_three_random_instants(mirror: Mirror, variant: Callable[[Mirror], None]) -> None:
    _at_random(mirror, variant, random.Random(f"{SEED}{variant.__name__}"), 3)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(2))
def test_G8_kill_9_at_random_instants(mirror: Mirror, variant: Callable[[Mirror], None], seed: int) -> None:
    _at_random(mirror, variant, random.Random(f"{SEED}{variant.__name__}{seed}"), 40)


def _at_random(mirror: Mirror, variant: Callable[[Mirror], None], chance: random.Random, rounds: int) -> None:
    """Kill so many runs, or more where none was hit: a short one may be over before its time has come."""
    kills = 0
    for number in range(10 * rounds):
        if kills and number >= rounds:
            break
        mirror.dest = mirror.folder / f"mirror-{number}"
        mirror.upstream.on_request = None
        variant(mirror)
        kills += killed_by_chance(mirror, chance, variant)
        survive(mirror, variant, check_first=variant is not damaged)
    assert kills


def test_G8_a_kill_before_anything_was_asked(mirror: Mirror) -> None:
    first(mirror)
    with subprocess.Popen(command(mirror, *NAMES), stderr=subprocess.DEVNULL) as process:
        while not (mirror.dest / ".aiomirror").exists():
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
    survive(mirror, first)
