"""Where aiomirror's time goes in a case: a flame graph and tables, by py-spy, which must be on the PATH."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.tools import Aiomirror, Command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.tools import Task

RATE = 250
"""Samples a second: fine enough for a run of one second, coarse enough to take little of it."""
ROWS = 25
HTTP = ("aiohttp", "yarl", "multidict", "aiosignal", "frozenlist")
"""The HTTP library and its parts."""


def lacks() -> str:
    """Why nothing can be profiled; empty when it can."""
    return "" if shutil.which("py-spy") else "py-spy is not on the PATH; pip install py-spy"


class Recorded(Aiomirror):
    """aiomirror under the sampler: a ``flamegraph``, or ``raw`` stacks for :func:`tables`.

    Only the thread that holds the interpreter's lock is sampled.  Threads in system calls are not: the
    sampler cannot tell those that work from those that wait.
    """

    def __init__(self, kind: str, output: Path) -> None:
        self._kind, self._output = kind, output

    def command(self, task: Task) -> Command:
        """The sampler, and what it runs."""
        plain = super().command(task)
        sampler = (
            shutil.which("py-spy") or "py-spy", "record", "--rate", str(RATE), "--format", self._kind,
            "--threads", "--gil", "--subprocesses", "--output", str(self._output), "--",
        )  # fmt: skip
        return Command((*sampler, *plain.arguments), plain.more)


def tables(raw: Path) -> str:
    """Rooms of the program, and functions by samples of their own and with what they call, as Markdown."""
    rooms: Counter[str] = Counter()
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    total = 0
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        told = [frame.strip() for frame in stack.split(";")]
        thread, *frames = [frame for frame in told if not frame.startswith("process ")]
        functions = [_function(frame) for frame in frames] or ["?"]
        total += int(count)
        threads[_thread(thread)] += int(count)
        rooms[_room(functions)] += int(count)
        own[functions[-1]] += int(count)
        for function in set(functions):
            cumulative[function] += int(count)
    parts = [f"{total / RATE:.2f} s of samples."]
    titled = {"threads": threads, "rooms": rooms, "own time": own, "cumulative time": cumulative}
    for title, counts in titled.items():
        parts.append(_table(title, counts.most_common(ROWS), total))
    return "\n\n".join(parts)


def _thread(frame: str) -> str:
    """The loop's thread, or the store's, together; those of helpers have no name."""
    return "store" if "aiomirror-store" in frame else frame.partition("): ")[2] or "of helpers"


def _room(functions: Sequence[str]) -> str:
    """Whose work it is: what a room has others do, the standard library's code say, is counted as its own."""
    if any("_find_and_load" in function for function in functions):
        return "importing"
    for function in reversed(functions):
        package, _, rest = function.rpartition("(")[2].rstrip(")").partition("/")
        if package == "aiomirror":
            return f"aiomirror/{rest.partition('/')[0]}"
        if package in HTTP:
            return "aiohttp"
    return "event loop, thread pool"


def _function(frame: str) -> str:
    """A frame without its line: ``name (file:line)`` becomes ``name (file)``."""
    return f"{frame.rpartition(':')[0]})" if ":" in frame else frame


def _table(title: str, rows: Sequence[tuple[str, int]], total: int) -> str:
    lines = [f"| {title} | share | seconds |", "|---|---:|---:|"]
    lines += [f"| {name} | {count / total:.1%} | {count / RATE:.2f} |" for name, count in rows]
    return "\n".join(lines)
