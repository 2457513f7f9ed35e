"""One run of one command: seconds, memory, and what the upstream saw of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.upstream import Upstream

LIMIT_SECONDS = 900
SPARE_MB = 128
"""Warmed beyond what will be written: for the contender itself, sockets and pages."""
TIMED = Path(__file__).with_name("timed.py")
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
"""All that a contender gets of our environment: settings of pip, proxies or Python differ by machine."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took; memory is the largest resident set of any one of its processes, in bytes.

    ``busy`` is the share of all processors' time, from 0 to 1, that anything on the machine used meanwhile.
    """

    wall: float
    cpu: float
    memory: int
    requests: int
    connections: int
    exit_code: int
    busy: float


def environment(work: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The contenders' environment: a home and a byte-code cache below ``work``; every run finds both."""
    home = work / "home"
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPYCACHEPREFIX": str(work / "pycache"), **more}


def run(
    command: Sequence[str],
    upstream: Upstream,
    work: Path,
    *,
    launcher: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> Run:
    """Run the command to its end; what it prints is in ``work/output.log``."""
    result, log = work / "timed.json", work / "output.log"
    result.unlink(missing_ok=True)
    before = upstream.counts()
    timed = (sys.executable, "-I", "-S", str(TIMED), str(result), str(log), str(LIMIT_SECONDS))
    subprocess.run(
        [*launcher, *timed, *command],
        check=True, env=environment(work, more or {}), cwd=work, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    seen = upstream.counts() - before
    took = json.loads(result.read_bytes())
    return Run(
        wall=took["wall"],
        cpu=took["user"] + took["system"],
        memory=took["memory"],
        requests=seen.requests,
        connections=seen.connections,
        exit_code=took["exit"],
        busy=took["busy"],
    )


def warm(folder: Path, size: int) -> None:
    """Have the machine's memory at hand for a run that will write ``size`` bytes below ``folder``.

    In a virtual machine the host takes back the pages that are free, and a program that needs them again
    pays for it: writing into such memory was measured to take ten times as long.  A scratch file that goes
    before it reaches the disk leaves as many pages behind for the page cache, whatever ran before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "scratch"
    block = bytes(2**20)
    with scratch.open("wb", buffering=0) as file:
        for _ in range(size // len(block) * 5 // 4 + SPARE_MB):
            file.write(block)
    scratch.unlink()


def recall(paths: Iterable[Path]) -> None:
    """Have what the upstream serves in the page cache again: the upstream must not wait for its disk.

    A virtual machine's kernel may give back what nobody has read for a minute or two.
    """
    block = bytearray(2**20)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(block):
                pass


def settle(paths: Iterable[Path]) -> None:
    """Let the disk finish what a run left to it, and drop the run's files from the page cache.

    Otherwise a run pays for the one before it: its dirty pages are written back, and its copies push the
    corpus out of memory.
    """
    os.sync()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
