"""``python -m benchmarks``: run cases, cost of the forwarder, where the time of a sync goes."""

from __future__ import annotations

import argparse
import fcntl
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import latency, profiles, shares
from benchmarks.cases import CASES, case
from benchmarks.corpus import Corpus
from benchmarks.cost import cost
from benchmarks.results import Results
from benchmarks.roster import roster
from benchmarks.rounds import Rounds

if TYPE_CHECKING:
    from benchmarks.tools import Tool

HERE = Path(__file__).parent


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    arguments = _parser().parse_args(argv)
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    verbs = {"run": _run, "report": _report, "latency": _latency, "profile": _profile, "shares": _shares}
    with (arguments.work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"{arguments.work}: in use by another run, which would count our requests as its own")
            return 2
        return verbs[arguments.verb](arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run cases and write RESULTS.md and results.svg")
    run.add_argument(
        "--case", action="append", choices=[one.name for one in CASES], help="repeatable; default: all"
    )
    run.add_argument("--rounds", type=int, default=5)
    run.add_argument("--scale", type=float, default=1.0, help="times as many projects (default: %(default)s)")
    run.add_argument("--tools", help="these contenders and not those of the case, comma-separated")
    report = verbs.add_parser("report", help="write RESULTS.md and results.svg anew from the raw rounds")
    cost = verbs.add_parser("latency", help="measure what the delaying forwarder costs")
    profile = verbs.add_parser(
        "profile", help="flame graph of aiomirror in a case, into the work folder; needs py-spy"
    )
    parts = verbs.add_parser("shares", help="kernel, digests, interpreter: each one's share; needs perf")
    for verb in (profile, parts):
        verb.add_argument("case", choices=[one.name for one in CASES])
        verb.add_argument("--scale", type=float, default=1.0)
    parts.add_argument("--tool", default="aiomirror", help="another contender (default: %(default)s)")
    for verb in (run, report, cost, profile, parts):
        verb.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "aiomirror-benchmarks")
    for verb in (run, report):
        verb.add_argument("--out", type=Path, default=HERE, help="where the results are written")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    results = Results.open(arguments.work)
    faults = 0
    for name in arguments.case or [one.name for one in CASES]:
        one = case(name)
        if one.delayed and (why := latency.lacks()):
            _say(f"{name}: left out: {why}")
            continue
        wanted = arguments.tools.split(",") if arguments.tools else one.tools
        tools = []
        for tool in roster(wanted):
            if why := tool.lacks(arguments.work):
                _say(f"{name}: {tool.name} left out: {why}")
            else:
                tools.append(tool)
        rounds = Rounds(one, tools, arguments.work, scale=arguments.scale, say=_say)
        if why := rounds.lacks(arguments.rounds):
            _say(f"{name}: left out: {why}")
            continue
        lines = rounds.run(arguments.rounds)
        faults += sum(bool(line.fault) for line in lines)
        results.add(one, rounds.corpus, lines, arguments.scale)
    results.write(arguments.out)
    return 1 if faults else 0


def _report(arguments: argparse.Namespace) -> int:
    Results.open(arguments.work).write(arguments.out)
    return 0


def _latency(arguments: argparse.Namespace) -> int:
    if why := latency.lacks():
        _say(why)
        return 1
    print(cost(Corpus.open(arguments.work, "mixed", 1.0), arguments.work))
    return 0


def _profile(arguments: argparse.Namespace) -> int:
    if why := profiles.lacks():
        _say(why)
        return 1
    for kind in ("raw", "flamegraph"):
        output = arguments.work / f"profile-{arguments.case}.{'svg' if kind == 'flamegraph' else 'txt'}"
        if not _observed(profiles.Recorded(kind, output), arguments):
            return 1
        if kind == "raw":
            print(profiles.tables(output))
        _say(f"{output}")
    return 0


def _shares(arguments: argparse.Namespace) -> int:
    if why := shares.lacks():
        _say(why)
        return 1
    output = arguments.work / f"shares-{arguments.case}.perf"
    tools = roster([arguments.tool])
    if not tools:
        _say(f"{arguments.tool}: no contender of this name")
        return 2
    if not _observed(shares.Counted(tools[0], output), arguments):
        return 1
    print(shares.tables(output))
    return 0


def _observed(tool: Tool, arguments: argparse.Namespace) -> bool:
    """Run the case once with it; whether what it left is complete and right."""
    tool.lacks(arguments.work)
    rounds = Rounds(case(arguments.case), [tool], arguments.work, scale=arguments.scale, say=_say)
    return not rounds.run(0)[0].fault


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
