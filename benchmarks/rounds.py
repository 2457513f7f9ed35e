"""Interleaved rounds, A B C B C A …, of one case: every contender meets the same machine."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.cases import Kind
from benchmarks.corpus import Corpus
from benchmarks.latency import Delay
from benchmarks.measure import Run, recall, run, settle, warm
from benchmarks.tls import Authority
from benchmarks.tools import Aiomirror, Command, Task, Tool, files_below
from benchmarks.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.cases import Case


SHARED = "mirror"
USED = "used"
"""The folder of what earlier runs left, to be removed by hand: see :meth:`Rounds._put_away`."""
FOLDER = 4
"""Inodes of a project that are none of its files."""
CHECKOUT = f"{Path(__file__).parents[1]}/"
"""Left out where commands are told."""


@dataclass(slots=True)
class Line:
    """One contender's results in a case; with a fault it is marked, and its times are not told."""

    tool: str
    command: str = ""
    fault: str = ""
    runs: list[Run] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What the raw results keep."""
        return asdict(self)


class Rounds:
    """One case: its corpus, its upstream and its contenders, run in turns."""

    def __init__(
        self, case: Case, tools: Sequence[Tool], work: Path, *, scale: float, say: Callable[[str], None]
    ) -> None:
        self._case, self._tools, self._work, self._say = case, tools, work, say
        variant = "-changing" if case.kind is Kind.CHANGED else ""
        if variant:  # what an earlier run changed is not undone but built anew
            for old in (work / "corpora").glob(f"{case.corpus}-*{variant}"):
                _aside(work, old)
        self.corpus = Corpus.open(work, case.corpus, scale * case.times, variant)
        self._dest = work / "dest" / case.name
        self._lines = {tool.name: Line(tool.name) for tool in tools}
        self._launcher: Sequence[str] = ()
        self._authority: Authority | None = None

    def lacks(self, rounds: int) -> str:
        """Why the disk cannot take so many rounds, or nothing: their files stay until the last is over."""
        wanted = self._case.select.of(self.corpus)
        each = rounds + 1 if self._case.kind is Kind.FIRST else 1
        copies = 1 if self._case.kind is Kind.VERIFY else len(self._tools) * each
        # With core metadata, and for each project a folder and its pages.
        files = 2 * len(wanted) + FOLDER * len(self.corpus.projects)
        room = os.statvfs(self._work)
        free = room.f_bavail * room.f_frsize
        if free < (size := copies * sum(one.size for one in wanted)):
            return f"{size / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free"
        # Where there is no limit, zero is given for it.
        if room.f_files and room.f_favail < copies * files:
            return f"{copies * files:,} inodes are needed, {room.f_favail:,} are free; {USED} may hold some"
        return ""

    def run(self, rounds: int) -> list[Line]:
        """All rounds, after one that is not counted: it warms caches, and shows who is complete."""
        with ExitStack() as stack:
            upstream = self._upstream(stack)
            self._put_away()
            stack.callback(self._put_away)
            if self._case.kind is Kind.VERIFY:
                self._mirror(upstream)
            elif self._case.kind is not Kind.FIRST:
                for tool in self._tools:
                    self._once(tool, upstream, "kept")
            for number in range(rounds + 1):
                if self._case.kind is Kind.CHANGED:
                    self.corpus.advance()
                for tool in self._in_turn(number):
                    if not self._lines[tool.name].fault:
                        self._round(tool, upstream, number)
        return list(self._lines.values())

    def _in_turn(self, number: int) -> Sequence[Tool]:
        """The contenders in the order of a round: which comes first, or after which, is worth 2 %."""
        return Random(number).sample(self._tools, len(self._tools))

    def _mirror(self, upstream: Upstream) -> None:
        """Make the one mirror that every contender will verify.

        Raises:
            RuntimeError: it is not complete.
        """
        tool, own = Aiomirror(), self._work / "tools" / "mirror"
        tool.lacks(self._work)
        own.mkdir(parents=True, exist_ok=True)
        wanted = self._case.select.of(self.corpus)
        task = Task(self.corpus, self._case.select, wanted, upstream.url, self._dest / SHARED, own)
        command = tool.command(task)
        made = run(command.arguments, upstream, own, launcher=self._launcher, more=command.more)
        if fault := f"exit code {made.exit_code}" if made.exit_code else tool.fault(task, made.requests):
            raise RuntimeError(f"no mirror to verify: {fault}; see {task.log}")
        settle(files_below(task.dest))

    def _put_away(self) -> None:
        """Free the space that the destinations take, and leave their files where they are not in the way.

        Removing a large tree slows what runs next up to fourfold: ext4 without a journal looks at each inode
        that was given back in the last minute, or six, before it takes another one for a file.
        """
        for path in self._dest.rglob("*"):
            if path.is_file() and not path.is_symlink():
                os.truncate(path, 0)
        _aside(self._work, self._dest)

    def _round(self, tool: Tool, upstream: Upstream, number: int) -> None:
        place = str(number) if self._case.kind is Kind.FIRST else "kept"
        took = self._once(tool, upstream, place)
        if number:
            self._lines[tool.name].runs.append(took)
        self._say(
            f"{self._case.name} round {number}: {tool.name}: {took.wall:.2f} s, {took.cpu:.2f} s CPU,"
            f" {took.memory / 1e6:.0f} MB, {took.requests} requests, {took.connections} connections"
        )

    def _once(self, tool: Tool, upstream: Upstream, place: str) -> Run:
        """One run with its check; a fault is noted in the tool's line."""
        name = tool.name.replace(" ", "-")
        own = self._work / "tools" / name
        wanted = self._case.select.of(self.corpus)
        verify = self._case.kind is Kind.VERIFY
        task = Task(
            self.corpus, self._case.select, wanted, upstream.url,
            self._dest / (SHARED if verify else f"{name}-{place}"), own,
            authority=self._authority.root if self._authority else None, verify=verify,
        )  # fmt: skip
        own.mkdir(parents=True, exist_ok=True)
        command: Command = tool.command(task)
        line = self._lines[tool.name]
        recall(files_below(self.corpus.root))
        warm(self._dest, sum(entry.size for entry in wanted) if self._case.kind is Kind.FIRST else 0)
        took = run(command.arguments, upstream, own, launcher=self._launcher, more=command.more)
        held = task
        if self._case.kind is Kind.CHANGED:  # a mirror accumulates: the versions of before are there, too
            listed = {entry.filename for entry in wanted}
            there = {path.name for path in files_below(task.dest)} - listed
            kept = [entry for entry in self.corpus.everything() if entry.filename in there]
            held = replace(task, wanted=[*wanted, *kept])
        line.fault = f"exit code {took.exit_code}" if took.exit_code else tool.fault(held, took.requests)
        shown = ["python" if part == sys.executable else part for part in command.arguments]
        line.command = line.command or " ".join(shown).replace(str(self._work), "WORK").replace(CHECKOUT, "")
        if line.fault:
            self._say(f"{self._case.name}: {tool.name}: {line.fault}; see {own / 'output.log'}")
        settle(files_below(task.dest))
        return took

    def _upstream(self, stack: ExitStack) -> Upstream:
        address = "127.0.0.1"
        server: tuple[str, ...] = ()
        if self._case.delayed:
            delay = stack.enter_context(Delay())
            address, server, self._launcher = delay.address, delay.server, delay.client
        if self._case.tls:
            self._authority = Authority.open(self._work, (address,))
        return stack.enter_context(
            Upstream(
                self.corpus.root,
                self._work / "nginx",
                address=address,
                port=8080 if server else None,
                launcher=server,
                authority=self._authority,
            )
        )


def _aside(work: Path, folder: Path) -> None:
    """Have a folder out of the way without removing anything."""
    if folder.exists():
        used = work / USED
        used.mkdir(exist_ok=True)
        folder.rename(Path(tempfile.mkdtemp(dir=used)) / folder.name)
