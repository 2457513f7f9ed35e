"""Raw rounds in the work folder; RESULTS.md and a plot from them."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import figures
from benchmarks.cases import CASES, GOALS, GROWTH_LIMIT
from benchmarks.figures import TIMES
from benchmarks.plot import plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Case, Goal
    from benchmarks.corpus import Corpus
    from benchmarks.rounds import Line

HEAD = """\
# Results

Written by `python -m benchmarks`; [README.md](README.md) says what each figure means. Medians of interleaved
rounds after one that is not counted; ratios are medians of the ratios within a round, ours over the other.
"""

COLUMNS = (
    "tool", "wall s", "CPU s", "machine", "peak MB", "requests", "connections",
    "wall ratio", "CPU ratio", "rounds",
)  # fmt: skip


class Results:
    """What was measured so far, a case replacing what was known of it."""

    def __init__(self, path: Path, cases: dict[str, Any]) -> None:
        self._path, self._cases = path, cases

    @classmethod
    def open(cls, work: Path) -> Results:
        """The rounds in the work folder, none when it is new."""
        path = work / "results.json"
        return cls(path, json.loads(path.read_bytes()) if path.exists() else {})

    def add(self, case: Case, corpus: Corpus, lines: Sequence[Line], scale: float) -> None:
        """Take the lines of a case, and keep them."""
        wanted = case.select.of(corpus)
        self._cases[case.name] = {
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "machine": machine(),
            "scale": scale,
            "projects": len(corpus.projects),
            "files": len(wanted),
            "bytes": sum(entry.size for entry in wanted),
            "tools": {line.tool: line.as_json() for line in lines},
        }
        self._path.write_text(json.dumps(self._cases, indent=1))

    def write(self, folder: Path) -> None:
        """Write ``RESULTS.md`` and ``results.svg``."""
        folder.mkdir(parents=True, exist_ok=True)
        known = [case for case in CASES if case.name in self._cases]
        parts = [HEAD, "![Wall seconds of each tool in each case](results.svg)\n", self._goals()]
        parts += [self._table(case) for case in known]
        (folder / "RESULTS.md").write_text("\n".join(parts))
        (folder / "results.svg").write_text(plot([(case.title, self._walls(case)) for case in known]))

    def _walls(self, case: Case) -> dict[str, float]:
        lines = self._cases[case.name]["tools"].values()
        return {line["tool"]: figures.median(line, "wall") for line in lines if figures.timed(line)}

    def _goals(self) -> str:
        rows = [row for goal in GOALS if (row := self._goal(goal))]
        if growth := figures.growth(self._cases):
            verdict = "met" if growth <= GROWTH_LIMIT else "**missed**"
            shown = f"≤ {GROWTH_LIMIT} {TIMES} | {growth:.2f} {TIMES}"
            rows.append(f"| growth | time, ten times the files | {shown} | {verdict} |")
        table = ["| case | figure | goal | measured | |", "|---|---|---:|---:|---|", *rows, ""]
        return "\n".join(["## Goals", "", *table])

    def _goal(self, goal: Goal) -> str:
        of = self._cases.get(goal.case)
        case = next(case for case in CASES if case.name == goal.case)
        # Goals are set for the full size; on a smaller one start-up alone would decide.
        value = figures.of_goal(goal, of, case) if of and of["scale"] == 1 else None
        if value is None:
            return ""
        verdict = "met" if value <= goal.at_most else "**missed**"
        if goal.metric == "memory":
            shown = f"≤ {goal.at_most / 1e6:.0f} MB | {value / 1e6:.0f} MB"
        elif goal.against:
            shown = f"≤ {goal.at_most:.3g} {TIMES} | {value:#.3g} {TIMES}"
        else:
            shown = f"≤ {goal.at_most:.2g} s | {value:.2f} s"
        what = f"{goal.metric} against {goal.against}" if goal.against else goal.metric
        return f"| {case.title} | {what}{f' per {goal.per}' if goal.per else ''} | {shown} | {verdict} |"

    def _table(self, case: Case) -> str:
        of = self._cases[case.name]
        lines = list(of["tools"].values())
        size = f"{of['projects']:,} projects, {of['files']:,} files, {of['bytes'] / 1e6:,.1f} MB"
        text = [
            f"## {case.title}",
            "",
            f"{of['date']}, {of['machine']}. {size}; scale {of['scale']:g}.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|---|{'---:|' * (len(COLUMNS) - 1)}",
        ]
        ours = of["tools"].get("aiomirror")
        text += [figures.row(line, ours) for line in lines]
        text += ["", "```console", *(line["command"] for line in lines if line["command"]), "```", ""]
        return "\n".join(text)


def machine() -> str:
    """Processors, kernel and Python: what a figure depends on most."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = f"{found[0].partition(':')[2].strip()}, " if found else ""
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{os.cpu_count()} {TIMES} {model}{system}, Python {platform.python_version()}"
