"""One requirement on a project, made so that asking the same of it again costs next to nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from aiomirror.requirements.values import LineError, brief, project_name

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

    from aiomirror.requirements.values import Wanted
    from aiomirror.resolution.releases import Release

MAX_REQUIREMENT = 10_000
"""Characters of one requirement; real ones have hundreds at most."""

# int() refuses numbers of thousands of digits with a ValueError of its own, and much later than here.
_ENDLESS_NUMBER = re.compile(r"[0-9]{1000}")
_UPPER_BOUNDS = frozenset({"<", "<=", "~=", "==", "==="})


@dataclass(slots=True, eq=False)
class Dependency:
    """A requirement as PEP 508 has it.  There is one object per text, compared by identity."""

    project: NormalizedName
    specifier: SpecifierSet
    extras: tuple[NormalizedName, ...]
    """Normalised (PEP 685), sorted."""
    marker: Marker | None
    text: str
    origin: str = ""
    """Where a root stands: ``req.txt:3``; "" for what metadata says."""
    hashes: frozenset[tuple[str, str]] = frozenset()
    url: bool = False
    """Whether it names an address, which no index can offer; it then means the project, in any version."""
    marker_text: str = field(init=False)
    pinned: bool = field(init=False)
    """Whether it names one version: what yanked files are for (PEP 592)."""
    bounded: bool = field(init=False)
    """Whether it has a specifier at all."""
    bounded_above: bool = field(init=False)
    prereleases: bool = field(init=False)
    """Whether its specifier mentions a pre-release, and so admits them (PEP 440)."""
    _by_text: bool = field(init=False)
    _admitted: dict[Release, bool] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        operators = [(one.operator, one.version) for one in self.specifier]
        self.marker_text = str(self.marker) if self.marker else ""
        self.pinned = any(op == "===" or (op == "==" and not v.endswith(".*")) for op, v in operators)
        self.bounded = bool(operators)
        self.bounded_above = any(op in _UPPER_BOUNDS for op, _ in operators)
        self.prereleases = bool(self.specifier.prereleases)
        self._by_text = any(op == "===" for op, _ in operators)

    def admits(self, release: Release) -> bool:
        """Whether the specifier does; pre-releases are not judged here, for that takes all versions."""
        known = self._admitted.get(release)
        if known is None:
            known = self._admitted[release] = self._judge(release)
        return known

    def _judge(self, release: Release) -> bool:
        if release.version is None:  # not of PEP 440: only its own text means it
            return len(self.specifier) > 0 and all(
                one.operator == "===" and one.version.lower() == release.text.lower()
                for one in self.specifier
            )
        return self.specifier.contains(release.text if self._by_text else release.version, prereleases=True)

    def __str__(self) -> str:
        return f"{self.text} ({self.origin})" if self.origin else self.text


def of_wanted(wanted: Wanted) -> Dependency:
    """A root, a constraint or an override."""
    return Dependency(
        wanted.project,
        wanted.specifier,
        tuple(NormalizedName(extra) for extra in sorted(wanted.extras)),
        wanted.marker,
        wanted.text or f"{wanted.project}{wanted.specifier}",
        wanted.origin,
        wanted.hashes,
    )


def read_dependency(text: str) -> Dependency:
    """A value of ``Requires-Dist``.  LineError says in one line what is wrong with it."""
    if len(text) > MAX_REQUIREMENT or _ENDLESS_NUMBER.search(text):
        raise LineError(f"{brief(text)!r} is too long to be a requirement")
    try:
        requirement = Requirement(text)
    except (ValueError, RecursionError):  # InvalidRequirement is a ValueError
        raise LineError(f"{brief(text)!r} is no requirement as PEP 508 defines it") from None
    return Dependency(
        project_name(requirement.name),
        requirement.specifier,
        tuple(sorted({canonicalize_name(extra) for extra in requirement.extras})),
        requirement.marker,
        brief(text),
        url=requirement.url is not None,
    )
