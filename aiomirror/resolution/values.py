"""What goes into a resolution and what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiomirror.requirements.values import FormatControl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from packaging.utils import NormalizedName

    from aiomirror.simple.values import ProjectFile


class Cutoff(msgspec.Struct, frozen=True):
    """Files uploaded then or later are as good as not there; so, where it applies, are files of unknown age.

    Moments carry a time zone.
    """

    everywhere: datetime | None = None
    projects: Mapping[NormalizedName, datetime | None] = msgspec.field(default_factory=dict)
    """For single projects instead; None: no cut-off for that one."""

    def of(self, project: NormalizedName) -> datetime | None:
        """The moment that holds for a project, None for none."""
        return self.projects.get(project, self.everywhere)


class Admission(msgspec.Struct, frozen=True):
    """Which files of a project count; without a word about what they are for."""

    prereleases: bool = False
    max_file_size: int | None = None
    """In bytes; larger files are as good as not there, files of unknown size are not."""


EVERYWHERE = Admission()


class Rules(msgspec.Struct, frozen=True):
    """What holds for a whole resolution."""

    admission: Admission = EVERYWHERE
    projects: Mapping[NormalizedName, Admission] = msgspec.field(default_factory=dict)
    """For single projects instead."""
    formats: FormatControl = FormatControl()
    max_depth: int | None = None
    """Roots are at depth 0; what is deeper is not followed.  None: no bound."""
    all_matching: bool = False
    """Every version that a requirement admits, with the dependencies of each, instead of one per target."""
    exclude_newer: Cutoff = msgspec.field(default_factory=Cutoff)
    max_rounds: int = 50_000
    """Steps of the resolver per target at the most; hostile indexes could keep it busy for ever."""

    def admission_of(self, project: NormalizedName) -> Admission:
        """Which files of the project count."""
        return self.projects.get(project, self.admission)


class MetadataNeed(msgspec.Struct, frozen=True):
    """The METADATA of a wheel, or the PKG-INFO of a source archive."""

    project: NormalizedName
    file: ProjectFile


class Needs(msgspec.Struct, frozen=True):
    """All that is still missing, in a fixed order; false: nothing is."""

    pages: tuple[NormalizedName, ...] = ()
    metadata: tuple[MetadataNeed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pages or self.metadata)


class Choice(msgspec.Struct, frozen=True, gc=False):
    """One version of a project that is in the closure."""

    project: NormalizedName
    version: str
    """As the first file name of the version has it."""
    targets: tuple[str, ...]
    """Names of the targets that chose it, in their order."""
    extras: tuple[str, ...]
    """Those that are asked for on any of these targets, normalised, sorted."""
    files: tuple[str, ...]
    """What an installer on each of these targets would take, without repetition."""
    chain: str
    """A shortest way from a root, on the first target: ``flask>=2 (r.txt:3) → flask 3.0.3 → click>=8``."""


class Conflict(msgspec.Struct, frozen=True):
    """Requirements that nothing satisfies together, told in one sentence."""

    targets: tuple[str, ...]
    projects: tuple[NormalizedName, ...]
    """Whose requirements these are."""
    why: str
    alone: bool = False
    """Whether each of them is a root that nothing satisfies by itself, whatever else is asked for."""

    def __str__(self) -> str:
        return f"{', '.join(self.targets)}: {self.why}"


class Refusal(msgspec.Struct, frozen=True):
    """A file whose metadata cannot be had or trusted; the next file or version was looked at instead."""

    project: NormalizedName
    filename: str
    why: str

    def __str__(self) -> str:
        return f"{self.project}: {self.filename}: {self.why}"


class Closure(msgspec.Struct, frozen=True):
    """The union over all targets."""

    chosen: Mapping[NormalizedName, tuple[Choice, ...]]
    """Sorted by name; versions newest first."""
    conflicts: tuple[Conflict, ...] = ()
    """A target with a conflict adds nothing to ``chosen``, unless ``Rules.all_matching``."""
    warnings: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
