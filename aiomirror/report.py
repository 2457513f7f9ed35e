"""What a run did: an outcome for each file, a problem for each failure, and the exit status of it all."""

from __future__ import annotations

import enum
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from packaging.utils import NormalizedName  # noqa: TC002 (msgspec reads annotations at run time)

from aiomirror import __version__
from aiomirror.errors import (
    AiomirrorError,
    DestinationError,
    FileError,
    UnreachableError,
    UnsatisfiedError,
    UpstreamError,
)
from aiomirror.pruning import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomirror.pruning import Removal

INTERRUPTED = 128
"""Exit codes of a run that a signal ended are this plus the signal's number."""


class Status(enum.StrEnum):
    """What became of a file that was wanted."""

    FETCHED = "fetched"
    HELD = "held"
    PLANNED = "planned"
    SKIPPED = "skipped"
    FAILED = "failed"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One wanted file.

    ``size`` is its length in bytes (None: not known), ``received`` what came over the network for it.
    """

    project: NormalizedName
    filename: str
    status: Status
    size: int | None = None
    received: int = 0
    sha256: str | None = None
    why: str = ""


class Problem(msgspec.Struct, frozen=True):
    """One line on standard error: what failed, of which project and file, and the exit code it asks for."""

    message: str
    exit_code: int
    project: str = ""
    filename: str = ""
    passing: bool = False
    """Whether it is upstream's, and may be over by the next run."""

    @classmethod
    def of(cls, error: AiomirrorError, project: str = "", filename: str = "") -> Problem:
        """The problem that an error is; the line names project and file whatever the error knows of them."""
        message = str(error)
        if not isinstance(error, FileError | UnsatisfiedError | DestinationError):
            message = ": ".join(filter(None, (project, filename, message)))
        passing = isinstance(error, UpstreamError) and error.transient
        return cls(message, error.exit_code, project, filename, passing)


class ProjectReport(msgspec.Struct):
    """Counts of one project; ``left_out`` is reason → number of files."""

    files: defaultdict[Status, int] = msgspec.field(default_factory=lambda: defaultdict(int))
    size: int = 0
    to_fetch: int = 0
    received: int = 0
    left_out: dict[str, int] = msgspec.field(default_factory=dict)


class Report(msgspec.Struct):
    """Everything a run has to say; true when all that was asked for is mirrored."""

    index: str = ""
    """The upstream, without credentials."""
    destination: str = ""
    dry_run: bool = False
    projects: dict[NormalizedName, ProjectReport] = msgspec.field(default_factory=dict)
    outcomes: list[Outcome] = msgspec.field(default_factory=list)
    problems: list[Problem] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    not_mirrored: list[tuple[str, str, str]] = msgspec.field(default_factory=list)
    """Requirements that are no project of an index: text, origin, why."""
    not_started: list[NormalizedName] = msgspec.field(default_factory=list)
    removals: list[Removal] = msgspec.field(default_factory=list)
    """The files that pruning chose, and what became of them."""
    installed: Mapping[str, frozenset[tuple[NormalizedName, str]]] = msgspec.field(default_factory=dict)
    """By name of the target: projects and versions that are installed there, as far as that was resolved."""
    unwanted: int = 0
    """How many held files, or whole projects, nothing wants; they stay until they are pruned."""
    complete: bool = False
    """Whether there was an answer, good or bad, about everything that was asked for."""
    pages_written: int = 0
    requests: int = 0
    seconds: float = 0.0
    headline: str = ""
    """What came of the run in one line, where that is not the usual one."""
    signal: int = 0
    """The number of the signal that ended the run; 0: none did."""

    def add(self, outcome: Outcome) -> None:
        """Count a file."""
        self.outcomes.append(outcome)
        project = self._of(outcome.project)
        project.files[outcome.status] += 1
        project.received += outcome.received
        if outcome.status is not Status.FAILED:
            project.size += outcome.size or 0
        if outcome.status is Status.PLANNED:
            project.to_fetch += outcome.size or 0

    def left_out(self, project: NormalizedName, reasons: Mapping[str, int]) -> None:
        """Note why files of a project's page are not wanted."""
        self._of(project).left_out = dict(reasons)

    def _of(self, project: NormalizedName) -> ProjectReport:
        if (known := self.projects.get(project)) is None:
            known = self.projects[project] = ProjectReport()
        return known

    def counts(self) -> Counter[Status]:
        """How many files became what."""
        counts: Counter[Status] = Counter()
        for project in self.projects.values():
            for status, count in project.files.items():
                counts[status] += count
        return counts

    def count(self, status: Status) -> int:
        """How many files became that."""
        return self.counts()[status]

    def pruned(self, fate: Fate) -> int:
        """How many files pruning did that to."""
        return sum(removal.fate is fate for removal in self.removals)

    @property
    def received(self) -> int:
        """Bytes of files that came over the network."""
        return sum(project.received for project in self.projects.values())

    @property
    def exit_code(self) -> int:
        """0: complete; else the code of the README's table.

        A destination that cannot be used outweighs all else, then a signal; failures of one kind have that
        kind's code, and a mixture of failures is 1.  Where upstream cannot be reached, or no longer, its
        faults on the way there are of that kind.
        """
        codes = {problem.exit_code for problem in self.problems}
        if UnreachableError.exit_code in codes:
            others = {problem.exit_code for problem in self.problems if not problem.passing}
            codes = {UnreachableError.exit_code, *others}
        if 6 in codes:  # noqa: PLR2004 (DestinationError.exit_code)
            return 6
        if self.signal:
            return INTERRUPTED + self.signal
        if len(codes) > 1:
            return 1
        return codes.pop() if codes else 0

    def __bool__(self) -> bool:
        return self.exit_code == 0

    def to_json(self) -> bytes:
        """The report as the README's schema has it, two spaces of indentation."""
        # Paths and arguments that are not UTF-8 come as lone surrogates, which no JSON may hold.
        return json.dumps(self._tree(), indent=2, ensure_ascii=False).encode(errors="replace") + b"\n"

    def totals(self) -> dict[str, int]:
        """The sums over all projects, as they stand in the JSON."""
        counts = self.counts()
        return {
            "projects": len(self.projects),
            **{status.value: counts[status] for status in Status},
            "size": sum(project.size for project in self.projects.values()),
            "to_fetch": sum(project.to_fetch for project in self.projects.values()),
            "received": self.received,
            "requests": self.requests,
            "pages_written": self.pages_written,
            "not_mirrored": len(self.not_mirrored),
            "removed": self.pruned(Fate.REMOVED),
            "unwanted": self.unwanted,
        }

    def _tree(self) -> dict[str, Any]:
        return {
            "aiomirror": __version__,
            "index": self.index,
            "destination": self.destination,
            "dry_run": self.dry_run,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "totals": self.totals(),
            "projects": {
                name: {
                    **{status.value: project.files[status] for status in Status if project.files[status]},
                    "size": project.size,
                    "to_fetch": project.to_fetch,
                    "received": project.received,
                    "left_out": project.left_out,
                }
                for name, project in sorted(self.projects.items())
            },
            "files": [_outcome(one) for one in sorted(self.outcomes, key=lambda o: (o.project, o.filename))],
            "removals": [
                {
                    "project": one.project,
                    "filename": one.filename,
                    "size": one.size,
                    "why": one.why,
                    "fate": one.fate.value,
                }
                for one in self.removals
            ],
            "problems": [
                {
                    "message": one.message,
                    "exit_code": one.exit_code,
                    "project": one.project,
                    "filename": one.filename,
                }
                for one in self.problems
            ],
            "warnings": self.warnings,
            "not_mirrored": [
                {"requirement": text, "origin": origin, "why": why} for text, origin, why in self.not_mirrored
            ],
            "not_started": self.not_started,
        }


def _outcome(one: Outcome) -> dict[str, Any]:
    entry = {
        "project": one.project,
        "filename": one.filename,
        "status": one.status.value,
        "size": one.size,
        "sha256": one.sha256,
        "why": one.why,
    }
    return {key: value for key, value in entry.items() if value not in (None, "")}
