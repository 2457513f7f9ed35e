"""Whose code the processor runs while a contender works in a case: by perf, which must be on the PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from benchmarks.tools import Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.tools import Task, Tool

RATE = 997
"""Samples a second, in all threads; a prime, so that nothing that ticks is met each time."""
_ROW = re.compile(r"\s*([0-9.]+)%\s+(\S+)")
_PARTS = {
    "kernel: network, files, disk": ("[kernel", "[vdso]"),
    "OpenSSL: SHA-256, TLS": ("libcrypto", "libssl", "_hashlib"),
    "C library: copying, memory": ("libc.so", "libc-", "ld-linux"),
    "event loop and HTTP, compiled": (
        "loop.",
        "_http_",
        "_multidict",
        "_quoting",
        "_helpers",
        "mask.",
        "_asyncio",
    ),
}
"""Objects by the beginning of their names; what is not here is the interpreter and its other libraries."""
REST = "interpreter: all Python code, ours and the libraries'"


def lacks() -> str:
    """Why nothing can be counted; empty when it can."""
    return "" if shutil.which("perf") else "perf is not on the PATH; on Debian: apt-get install linux-perf"


class Counted:
    """A contender under perf; the samples go to ``output``."""

    def __init__(self, tool: Tool, output: Path) -> None:
        self._tool, self._output = tool, output
        self.name = tool.name

    def lacks(self, work: Path) -> str:
        """What it lacks itself."""
        return self._tool.lacks(work)

    def fault(self, task: Task, requests: int) -> str:
        """As without perf."""
        return self._tool.fault(task, requests)

    def command(self, task: Task) -> Command:
        """The sampler, and what it runs."""
        plain = self._tool.command(task)
        sampler = ("perf", "record", "--quiet", "-F", str(RATE), "-o", str(self._output), "--")
        return Command((*sampler, *plain.arguments), plain.more)


def tables(samples: Path) -> str:
    """Each part's share of the CPU time, and that of each kind of thread, as Markdown.

    Raises:
        subprocess.CalledProcessError: perf cannot read its samples.
    """
    report = _perf("report", "--stdio", "--sort", "dso", "-i", str(samples))
    parts: defaultdict[str, float] = defaultdict(float)
    for found in filter(None, map(_ROW.match, report)):
        parts[_part(found[2])] += float(found[1])
    rows = [row.strip().partition("/") for row in _perf("script", "-F", "pid,tid", "-i", str(samples))]
    first = min(int(process) for process, _, _ in rows)
    threads = Counter(_thread(int(process), int(thread), first) for process, _, thread in rows)
    shares = {thread: 100 * count / threads.total() for thread, count in threads.items()}
    return "\n\n".join([_table("part", parts), _table("thread", shares)])


def _perf(*arguments: str) -> list[str]:
    done = subprocess.run(("perf", *arguments), check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _table(what: str, shares: Mapping[str, float]) -> str:
    rows = sorted(shares.items(), key=lambda row: -row[1])
    lines = [f"| {what} | share of the CPU time |", "|---|---:|"]
    return "\n".join(lines + [f"| {name} | {share:.0f} % |" for name, share in rows])


def _thread(process: int, thread: int, first: int) -> str:
    """Each process begins with a thread of its own number; ``first`` is the process that began the others."""
    if process != thread:
        return "others"
    return "the first, where the loop runs" if process == first else "helpers, where theirs runs"


def _part(library: str) -> str:
    return next((part for part, names in _PARTS.items() if library.startswith(names)), REST)
