"""What the delaying forwarder costs: its round trip, what passes through it, its share of a processor."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.latency import Delay
from benchmarks.measure import warm
from benchmarks.upstream import Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.corpus import Corpus

TIMES = "%{time_connect} %{time_starttransfer}\n"
TRIES = 20


def cost(corpus: Corpus, work: Path) -> str:
    """Measure with curl, which leaves most of the machine to the forwarder; the files should be large."""
    large = sorted(corpus.everything(), key=lambda entry: entry.size)[-32:]
    lines = []
    with (
        Delay() as delay,
        Upstream(
            corpus.root, work / "nginx", address=delay.address, port=8080, launcher=delay.server
        ) as upstream,
    ):
        small = f"{upstream.url}/simple/index.html"
        asked = [_curl(delay, ["-w", TIMES, "-o", "/dev/null", small]).split() for _ in range(TRIES)]
        connect, first = (sorted(float(times[i]) for times in asked)[TRIES // 2] for i in (0, 1))
        lines.append(
            f"connect {connect * 1e3:.1f} ms, first byte {first * 1e3:.1f} ms after the start (medians)"
        )
        for connections in (1, 8, 32):
            size = sum(entry.size for entry in large[-connections:])
            urls = [
                x
                for entry in large[-connections:]
                for x in ("-o", "/dev/null", f"{upstream.url}/{entry.path}")
            ]
            warm(work, 0)
            before, started = delay.cpu(), time.monotonic()
            _curl(delay, ["--parallel", *urls])
            wall, cpu = time.monotonic() - started, delay.cpu() - before
            lines.append(
                f"{connections} connections: {size / wall / 1e6:.0f} MB/s;"
                f" the forwarder took {cpu / wall:.0%} of one processor, {cpu / size * 1e9:.2f} s per GB"
            )
    return "\n".join(lines)


def _curl(delay: Delay, arguments: list[str]) -> str:
    command = [*delay.client, "curl", "--silent", "--show-error", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
