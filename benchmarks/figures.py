"""Medians, ratios and goals out of raw rounds."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.cases import Case, Goal

TIMES = "\N{MULTIPLICATION SIGN}"
Line = dict[str, Any]
"""A contender's raw results, as JSON keeps them."""


def timed(line: Line) -> bool:
    """Whether there are times that count: a tool that was incomplete or wrong in any round has none."""
    return bool(line["runs"]) and not line["fault"]


def median(line: Line, metric: str) -> float:
    """Of all rounds."""
    return float(statistics.median(run[metric] for run in line["runs"]))


def ratio(ours: Line, other: Line, metric: str) -> float:
    """The median of the ratios within a round, for what disturbs a round disturbs both."""
    pairs = zip(ours["runs"], other["runs"], strict=True)
    return float(statistics.median(one[metric] / max(two[metric], 1e-9) for one, two in pairs))


def floor(of: Line, case: Case) -> Line | None:
    """The faster of the floors."""
    lines = [of["tools"][name] for name in case.floors if name in of["tools"]]
    return min((line for line in lines if timed(line)), key=lambda line: median(line, "wall"), default=None)


def of_goal(goal: Goal, of: Line, case: Case) -> float | None:
    """What was measured of a goal; None when it was not."""
    ours = of["tools"].get("aiomirror")
    if ours is None or not timed(ours):
        return None
    if goal.against:
        other = floor(of, case) if goal.against == "floor" else of["tools"].get(goal.against)
        return ratio(ours, other, goal.metric) if other and timed(other) else None
    value = median(ours, goal.metric)
    if goal.per == "thousand files":
        return value * 1000 / float(of["files"])
    return value * 1e9 / float(of["bytes"]) if goal.per == "GB" else value


def growth(cases: dict[str, Any]) -> float | None:
    """How many times as long ten times the files take."""
    lines = [cases.get(name, {}).get("tools", {}).get("aiomirror") for name in ("small", "growth")]
    if any(line is None or not timed(line) for line in lines):
        return None
    return median(lines[1], "wall") / median(lines[0], "wall")


def row(line: Line, ours: Line | None) -> str:
    """One contender's row of a case's table."""
    if not timed(line):
        return f"| {line['tool']} | {line['fault'] or 'not run'} | | | | | | | | |"
    shown = [
        f"{median(line, 'wall'):.2f}",
        f"{median(line, 'cpu'):.2f}",
        f"{100 * median(line, 'busy'):.0f} %" if "busy" in line["runs"][0] else "",
        f"{median(line, 'memory') / 1e6:.0f}",
        f"{median(line, 'requests'):.0f}",
        f"{median(line, 'connections'):.0f}",
    ]
    ratios = ["", ""]
    if ours is not None and timed(ours) and ours is not line:
        ratios = [f"{ratio(ours, line, metric):.2f} {TIMES}" for metric in ("wall", "cpu")]
    return f"| {' | '.join([line['tool'], *shown, *ratios, str(len(line['runs']))])} |"
