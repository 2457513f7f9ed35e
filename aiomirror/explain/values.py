"""What the mirror knows of what somebody asked about: one answer for each name, and their JSON form."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

import msgspec

from aiomirror.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.explain.asked import Asked


class Presence(enum.StrEnum):
    """Where a file is."""

    LISTED = "listed"
    """On disk and on our page."""
    UNLISTED = "unlisted"
    """The mirror's, on disk, and on no page."""
    FOREIGN = "foreign"
    """On disk, on no page, and nothing says that the mirror made it."""
    MISSING = "missing"
    """On our page and not on disk."""
    AWAITED = "awaited"
    """Wanted, and neither on our page nor on disk."""
    ABSENT = "absent"
    """Neither here nor wanted."""


class Condition(enum.StrEnum):
    """What one ``stat`` tells of a file; no byte of it is read."""

    INTACT = "intact"
    """It is the file that was verified."""
    TOUCHED = "touched"
    """Its length is right; its time or its inode is not that of the file that was verified."""
    UNVERIFIED = "unverified"
    """The state has no record of it."""
    DAMAGED = "damaged"
    """It is there with another length, or was already found damaged."""


class Unwanted(msgspec.Struct, frozen=True):
    """Since when nothing wants a file and why, and from when on it may be pruned, in seconds since 1970."""

    since: int
    why: str
    prunable: int


class FileFacts(msgspec.Struct, frozen=True):
    """One file; ``size`` in bytes, as on disk, else as our page has it."""

    filename: str
    presence: Presence
    condition: Condition | None = None
    size: int | None = None
    wanted_by: tuple[str, ...] = ()
    """Requirements, each with its origin where that is known; of a dependency the chain that led to it."""
    left_out: str = ""
    """The rule that left it out of what was chosen from upstream's page."""
    unwanted: Unwanted | None = None
    targets: tuple[str, ...] = ()
    """Names of those targets, of the ones that were given, that would take it; wheels only."""
    problems: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether there is something to look at: on disk, on our page, or wanted."""
        return self.presence is not Presence.ABSENT


class ProjectFacts(msgspec.Struct, frozen=True):
    """One project; of the files those that were asked about."""

    project: NormalizedName
    published: bool = False
    """Whether the mirror has a page of it."""
    status: str = "active"
    """As our page has it (PEP 792)."""
    excluded: bool = False
    """By the configuration."""
    asked: tuple[Asked, ...] = ()
    """The requirements of the last complete run that ask for it."""
    noted: bool = True
    """Whether the state knows of such a run."""
    read: int | None = None
    """When upstream's page was last read and believed, in seconds since 1970."""
    listed: int | None = None
    """How many files it had then."""
    unwanted: Unwanted | None = None
    """The project as a whole."""
    problems: tuple[str, ...] = ()
    """What failed in the last run, without what failed of single files."""
    files: tuple[FileFacts, ...] = ()
    unnamed: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Reason → how many more files it left out, of which the state has no names."""


class Answer(msgspec.Struct, frozen=True):
    """What is known of ``name``, as it was given; ``facts`` None: nothing."""

    name: str
    facts: ProjectFacts | None = None
    filename: str = ""
    """The file, where the name is one's."""
    similar: tuple[str, ...] = ()
    """Known names that may have been meant."""

    @property
    def is_known(self) -> bool:
        """Whether the mirror knows anything of it."""
        return self.facts is not None


class Explanation(Report):
    """The answers, in the order of the names; a name that nothing is known of is a problem."""

    answers: list[Answer] = msgspec.field(default_factory=list)

    def to_json(self) -> bytes:
        """A list of objects, one for each name."""
        trees = [_answer(one) for one in self.answers]
        return json.dumps(trees, indent=2, ensure_ascii=False).encode(errors="replace") + b"\n"


def _answer(one: Answer) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": one.name, "known": one.is_known}
    if one.facts is None:
        return {**tree, "similar": list(one.similar)}
    facts = one.facts
    return {
        **tree,
        "project": facts.project,
        "published": facts.published,
        "status": facts.status,
        "excluded": facts.excluded,
        "asked": [_asked(one) for one in facts.asked],
        "read": facts.read,
        "listed_upstream": facts.listed,
        "unwanted": _unwanted(facts.unwanted),
        "problems": list(facts.problems),
        "files": [_file(file) for file in facts.files],
        "left_out": dict(facts.unnamed),
    }


def _asked(one: Asked) -> dict[str, Any]:
    tree = {"requirement": one.requirement, "origin": one.origin}
    return {**tree, "chain": list(one.chain)} if one.chain else tree


def _file(one: FileFacts) -> dict[str, Any]:
    tree = {
        "filename": one.filename,
        "presence": one.presence.value,
        "condition": one.condition and one.condition.value,
        "size": one.size,
        "wanted_by": list(one.wanted_by),
        "left_out": one.left_out,
        "unwanted": _unwanted(one.unwanted),
        "targets": list(one.targets),
        "problems": list(one.problems),
    }
    return {key: value for key, value in tree.items() if value not in (None, "", [])}


def _unwanted(one: Unwanted | None) -> dict[str, Any] | None:
    return None if one is None else {"since": one.since, "why": one.why, "prunable": one.prunable}
