"""What an index had on a day in September 2026: pages and metadata of some 480 projects, with uv's answers.

``captured/index.jsonl.xz`` holds two kinds of lines, as JSON.  A page is as the Simple Repository API has it,
without source archives and digests; of the wheels of a version there are those that one of the targets would
take, and of the versions all from the oldest that aiomirror or uv looked at, with two from after the cut-off.
A metadata text belongs to the files that are named beside it; of its fields there are those that decide a
resolution.

Of each set of requirements, ``captured/NAME.in``, ``captured/NAME.uv.txt`` has what uv 0.13.9 made of it with
the whole index, a line for each version: ``pip compile --no-build --exclude-newer 2026-09-01T00:00:00Z``.
The names behind a version are those of the targets that it is for; without any it is for all.
"""

from __future__ import annotations

import json
import lzma
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name
from synthetic_index import numbered

from aiomirror.requirements.values import FormatControl
from aiomirror.resolution import Cutoff, Rules
from aiomirror.resolution.engine import Resolution
from aiomirror.simple.read import read_page
from aiomirror.targets import Target, parse_targets
from catalogue import JSON_TYPE, Blob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiomirror.resolution import Closure
    from aiomirror.simple.values import ProjectPage
    from clients import Clients
    from upstream import Upstream

CAPTURED = Path(__file__).parent / "captured"
SETS = ("main", "web", "data")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "windows", "aarch64-apple-darwin")
CUTOFF = datetime(2026, 9, 1, tzinfo=UTC)
RULES = Rules(exclude_newer=Cutoff(CUTOFF), formats=FormatControl(only_binary=frozenset({":all:"})))

TARGETS = {
    target.name: (python, platform)
    for python in PYTHONS
    for platform in PLATFORMS
    for target in parse_targets([python], [platform])
}
"""Name of a target → the Python and the platform, as uv takes them."""

Versions = dict[str, str]
"""Project → version, for one target."""
_FILES = "https://files.example/"


def targets() -> tuple[Target, ...]:
    return parse_targets(PYTHONS, PLATFORMS)


def requirements(name: str) -> list[str]:
    return (CAPTURED / f"{name}.in").read_text(encoding="utf-8").split()


@dataclass(frozen=True)
class Captured:
    """Bodies of pages by project, metadata texts by file name."""

    pages: Mapping[NormalizedName, bytes]
    texts: Mapping[str, bytes]

    def page(self, project: NormalizedName) -> ProjectPage | None:
        body = self.pages.get(project)
        if body is None:
            return None
        return read_page(body, JSON_TYPE, f"https://index.example/simple/{project}/", project)

    def close(self, roots: Sequence[str], only: Sequence[Target] | None = None) -> Closure:
        """Everything in memory; a text that was not captured is an error."""
        resolution = Resolution(numbered(roots), only or targets(), RULES)
        while needs := resolution.advance():
            for project in needs.pages:
                resolution.page(project, self.page(project))
            for need in needs.metadata:
                resolution.metadata(need.project, need.file.filename, self.texts[need.file.filename])
        return resolution.closure()

    def serve(self, upstream: Upstream) -> None:
        """The same on loopback, with the addresses of the files there."""
        for project, body in self.pages.items():
            upstream.add_page(project, body.replace(_FILES.encode(), f"{upstream.base}/".encode()), JSON_TYPE)
        upstream.blobs |= {f"/{name}.metadata": Blob(text) for name, text in self.texts.items()}


@cache
def captured() -> Captured:
    pages: dict[NormalizedName, bytes] = {}
    texts: dict[str, bytes] = {}
    with lzma.open(CAPTURED / "index.jsonl.xz") as lines:
        for line in lines:
            value = json.loads(line)
            if "metadata" in value:
                texts |= dict.fromkeys(value["files"], value["metadata"].encode())
            else:
                pages[canonicalize_name(value["name"])] = line
    return Captured(pages, texts)


def chosen(closure: Closure, target: str) -> Versions:
    return {
        project: choice.version
        for project, choices in closure.chosen.items()
        for choice in choices
        if target in choice.targets
    }


@cache
def recorded(name: str) -> Mapping[str, Versions]:
    """What uv answered, by target."""
    answers: defaultdict[str, Versions] = defaultdict(dict)
    for line in (CAPTURED / f"{name}.uv.txt").read_text(encoding="utf-8").splitlines():
        pin, _, names = line.partition("#")
        for target in names.split() or TARGETS:
            answers[target] |= pins(pin)
    return answers


def ask_uv(
    clients: Clients, index: str, roots: Sequence[str], target: str, cutoff: datetime = CUTOFF
) -> Versions:
    """What uv answers now; AssertionError if it finds no solution."""
    python, platform = TARGETS[target]
    wants, found = clients.home / "uv.in", clients.home / "uv.txt"
    wants.write_text("\n".join(roots), encoding="utf-8")
    clients.uv(
        *("compile", index, str(wants), "--no-build", "--no-header", "--no-annotate", "-o", str(found)),
        *("--no-config", "--upgrade", "--exclude-newer", cutoff.isoformat()),
        *("--python-version", python, "--python-platform", platform),
    )
    return pins(found.read_text(encoding="utf-8"))


def pins(text: str) -> Versions:
    """Of lines such as ``a==1.0``."""
    pairs = (line.split("==") for line in text.split())
    return {canonicalize_name(project): version for project, version in pairs}


def differences(ours: Versions, theirs: Versions) -> dict[str, tuple[str | None, str | None]]:
    """Project → our version and the other; None: not in the closure."""
    return {
        project: (ours.get(project), theirs.get(project))
        for project in sorted(ours.keys() | theirs.keys())
        if ours.get(project) != theirs.get(project)
    }
