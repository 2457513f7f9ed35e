"""Package indexes made up in memory: pages and metadata from a few words, and the loop that feeds them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

import builders
from aiomirror.requirements.parse import read_requirement
from aiomirror.requirements.values import Wanted
from aiomirror.resolution import Rules
from aiomirror.resolution.engine import Resolution
from aiomirror.simple.values import ProjectFile, ProjectPage, ProjectStatus
from aiomirror.targets import Target, parse_targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.resolution import Closure

PURE = "py3-none-any"
SDIST = "sdist"
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)

LINUX, MACOS, WINDOWS = parse_targets(["3.12"], ["linux", "macos", "windows"])
OLD, NEW = parse_targets(["3.9", "3.13"], ["linux"])
MATRIX = parse_targets(["3.11", "3.13"], ["linux", "windows"])


@dataclass
class Index:
    """What an upstream would serve; ``texts`` by file name."""

    pages: dict[NormalizedName, list[ProjectFile]] = field(default_factory=dict)
    texts: dict[str, bytes | None] = field(default_factory=dict)
    status: dict[NormalizedName, ProjectStatus] = field(default_factory=dict)

    def add(
        self,
        name: str,
        version: str,
        *requires: str,
        tags: Sequence[str] = (PURE,),
        python: str | None = None,
        page_python: str | None = None,
        yanked: str | None = None,
        extra: str = "",
        size: int | None = None,
        uploaded: datetime | None = NEW_YEAR,
        text: bytes | None = None,
        hashes: Mapping[str, str] | None = None,
        build: str = "",
    ) -> Index:
        """A file for each of the tags, ``SDIST`` among them; ``extra``: more lines of metadata."""
        project = canonicalize_name(name)
        metadata = text or builders.make_metadata(
            name, version, requires=requires, requires_python=python, metadata_extra=extra
        )
        for tag in tags:
            stem = f"{project.replace('-', '_')}-{version}"
            filename = f"{stem}.tar.gz" if tag == SDIST else f"{stem}{build}-{tag}.whl"
            file = ProjectFile(
                filename=filename,
                url=f"https://files.example/{filename}",
                hashes=hashes or {},
                size=size,
                requires_python=page_python,
                yanked=yanked,
                upload_time=uploaded,
                core_metadata={},
            )
            self.pages.setdefault(project, []).append(file)
            self.texts[filename] = metadata
        return self

    def page(self, project: NormalizedName) -> ProjectPage | None:
        if project not in self.pages:
            return None
        status = self.status.get(project, ProjectStatus())
        return ProjectPage(project=project, files=tuple(self.pages[project]), status=status)


@dataclass
class Run:
    """One resolution from end to end, and what it took."""

    closure: Closure
    rounds: int
    asked: list[str]

    def versions(self, target: Target = LINUX) -> dict[str, str]:
        """Project → the version chosen for a target; for single versions."""
        return {
            project: choice.version
            for project, choices in self.closure.chosen.items()
            for choice in choices
            if target.name in choice.targets
        }

    def conflict(self) -> str:
        (conflict,) = self.closure.conflicts
        return conflict.why


def wanted(text: str, origin: str = "r.txt:1", hashes: Iterable[tuple[str, str]] = ()) -> Wanted:
    value = read_requirement(text, origin, hashes=frozenset(hashes))
    assert isinstance(value, Wanted)
    return value


def numbered(texts: Iterable[str | Wanted], name: str = "r.txt") -> list[Wanted]:
    return [
        text if isinstance(text, Wanted) else wanted(text, f"{name}:{line}")
        for line, text in enumerate(texts, 1)
    ]


def resolve(
    index: Index,
    *roots: str | Wanted,
    targets: Sequence[Target] = (LINUX,),
    rules: Rules | None = None,
    constraints: Iterable[str | Wanted] = (),
    overrides: Iterable[str] = (),
    shuffle: int | None = None,
) -> Run:
    """Feed a resolution until it needs nothing; ``shuffle``: seed of the order in which things come."""
    wants = numbered(roots)
    resolution = Resolution(
        wants, targets, rules or Rules(), numbered(constraints, "c.txt"), numbered(overrides, "o.txt")
    )
    rounds, asked = feed(resolution, index, shuffle)
    return Run(resolution.closure(), rounds, asked)


def feed(resolution: Resolution, index: Index, shuffle: int | None = None) -> tuple[int, list[str]]:
    """All rounds; return their number and what was asked for, in order."""
    rng = random.Random(shuffle)
    rounds, asked = 0, []
    while needs := resolution.advance():
        rounds += 1
        steps: list[tuple[NormalizedName, str]] = [(project, "") for project in needs.pages]
        steps += [(need.project, need.file.filename) for need in needs.metadata]
        if shuffle is not None:
            rng.shuffle(steps)
            steps = steps[: rng.randint(1, len(steps))]
        for project, filename in steps:
            asked.append(filename or project)
            if filename:
                resolution.metadata(project, filename, index.texts[filename])
            else:
                resolution.page(project, index.page(project))
    return rounds, asked
