"""What the state and the tree have of a project, put together for each of its files; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from aiomirror.explain.asked import Asked
from aiomirror.explain.values import Condition, FileFacts, Presence, ProjectFacts, Unwanted
from aiomirror.holdings import PAGES
from aiomirror.pruning import EXCLUDED, UNASKED, WHOLE
from aiomirror.selection.fitting import may_fit
from aiomirror.simple.filenames import FileKind, parse_filename, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, FileStat, Settled, Visited
    from aiomirror.pruning import Tombstone
    from aiomirror.simple.filenames import VersionKey
    from aiomirror.simple.values import ProjectFile, ProjectPage
    from aiomirror.state import Trouble
    from aiomirror.targets import Target

METADATA = ".metadata"


class Known(msgspec.Struct, frozen=True):
    """All that there is to know of one project."""

    project: NormalizedName
    stats: Mapping[str, FileStat] = msgspec.field(default_factory=dict)
    """Of the files in its folder."""
    page: ProjectPage | None = None
    """Ours."""
    records: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    settled: Settled | None = None
    visited: Visited | None = None
    left_out: Mapping[str, str] = msgspec.field(default_factory=dict)
    """File name → reason, of the last visit."""
    stones: Mapping[str, Tombstone] = msgspec.field(default_factory=dict)
    """By file name, or :data:`WHOLE`."""
    troubles: Sequence[Trouble] = ()
    asked: Sequence[tuple[str, str]] = ()
    """Text and origin of each requirement."""
    noted: bool = True
    """Whether there is a complete run that has noted what it was asked for."""
    excluded: bool = False


class Terms(msgspec.Struct, frozen=True):
    """What the answers go by beside what is known: the grace period in seconds, and the targets."""

    grace: float
    targets: Sequence[Target] = ()


def facts(known: Known, terms: Terms, only: str = "") -> ProjectFacts | None:
    """The project with all its files, or with the file ``only``; None when nothing is known of it."""
    teller = _Teller(known, terms)
    names = teller.names()
    if only:
        if only not in names and only not in known.stats:
            return None
        names = {only}
    elif not names and not _is_told_of(known):
        return None
    files = sorted((teller.file(name) for name in names), key=lambda one: one.filename)
    files.sort(key=lambda one: _version(one.filename, known.project), reverse=True)
    return ProjectFacts(
        project=known.project,
        published=known.page is not None,
        status=known.page.status.marker if known.page else "active",
        excluded=known.excluded,
        asked=tuple(sorted({Asked.of(text, origin) for text, origin in known.asked})),
        noted=known.noted,
        read=known.visited.seen if known.visited else None,
        listed=known.visited.listed if known.visited else None,
        unwanted=teller.unwanted(known.stones.get(WHOLE)),
        problems=tuple(one.message for one in known.troubles if not one.filename),
        files=tuple(files),
        unnamed={} if only else _unnamed(known),
    )


def _is_told_of(known: Known) -> bool:
    """Whether anything is known of the project, if not of its files."""
    told = (known.page, known.settled, known.visited, known.stones, known.troubles, known.asked)
    return known.excluded or any(told)


def _version(name: str, project: NormalizedName) -> VersionKey:
    parsed = parse_filename(name, project)
    return version_key(parsed.version if parsed and parsed.version else "")


def _unnamed(known: Known) -> dict[str, int]:
    """What a settled project has counted beyond what the names make up."""
    if known.settled is None:
        return {}
    return dict(Counter(known.settled.left_out) - Counter(known.left_out.values()))


def is_distribution(name: str, project: NormalizedName) -> bool:
    """Whether the name is that of a file that the project might have."""
    parsed = parse_filename(name, project)
    return parsed is not None and parsed.kind is not FileKind.OTHER


class _Teller:
    """Tells of the files of one project."""

    def __init__(self, known: Known, terms: Terms) -> None:
        self._known, self._terms = known, terms
        self._whole = known.stones.get(WHOLE)
        self._listed = known.page.named if known.page else {}
        # What chose files while the project was asked for chooses none of a project that nothing wants.
        wanted = known.visited.wanted_by if known.visited and not self._whole else {}
        self._wanted: Mapping[str, Iterable[str]] = wanted
        self._asked: defaultdict[str, list[Asked]] = defaultdict(list)
        for text, origin in sorted(known.asked):
            self._asked[text].append(Asked.of(text, origin))

    def names(self) -> set[str]:
        """The distribution files that are here, are wanted, failed, or were left out."""
        known = self._known
        found = {name for name in known.stats if is_distribution(name, known.project)}
        found.update(known.stats.keys() & known.records.keys())
        found.update(self._listed, self._wanted, known.left_out)
        found.update(one.filename for one in known.troubles if one.filename)
        return {name for name in found if name not in PAGES and not name.endswith(METADATA)}

    def unwanted(self, stone: Tombstone | None) -> Unwanted | None:
        """What a tombstone says."""
        if stone is None:
            return None
        # To a run, what is excluded is as what nobody has named.
        why = EXCLUDED if self._known.excluded and stone.why == UNASKED else stone.why
        return Unwanted(stone.since, why, int(stone.since + self._terms.grace))

    def file(self, name: str) -> FileFacts:
        known = self._known
        listed, presence = self._listed.get(name), self._presence(name)
        stone = known.stones.get(name) or self._whole
        is_ours = presence not in (Presence.FOREIGN, Presence.ABSENT)
        unwanted = self.unwanted(stone) if is_ours else None
        stat = known.stats.get(name)
        return FileFacts(
            filename=name,
            presence=presence,
            condition=self._condition(name) if presence is not Presence.FOREIGN else None,
            size=stat.size if stat else listed.size if listed else None,
            wanted_by=() if unwanted else tuple(self._wanted_by(name)),
            left_out="" if unwanted else known.left_out.get(name, ""),
            unwanted=unwanted,
            targets=tuple(one.name for one in self._terms.targets if _fits(name, listed, one)),
            problems=tuple(one.message for one in known.troubles if one.filename == name),
        )

    def _presence(self, name: str) -> Presence:
        on_disk = name in self._known.stats
        if name in self._listed:
            return Presence.LISTED if on_disk else Presence.MISSING
        if on_disk:
            return Presence.UNLISTED if name in self._known.records else Presence.FOREIGN
        return Presence.AWAITED if name in self._wanted else Presence.ABSENT

    def _condition(self, name: str) -> Condition | None:
        stat, record = self._known.stats.get(name), self._known.records.get(name)
        if stat is None:
            return None
        if record is not None and record.stat == stat:
            return Condition.INTACT
        listed = self._listed.get(name)
        sizes = {listed and listed.size, record and record.stat.size} - {None}
        if sizes and sizes != {stat.size}:  # the record of a file that was found damaged has no size at all
            return Condition.DAMAGED
        return Condition.UNVERIFIED if record is None else Condition.TOUCHED

    def _wanted_by(self, name: str) -> Iterator[str]:
        """Each requirement once, with every place where it stands; some runs note the same in two ways."""
        places: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for text in self._wanted.get(name, ()):
            for one in self._asked.get(text) or [Asked.of(text, "")]:
                known = places[str(one) if one.chain else one.requirement]
                if one.origin and not one.chain:
                    known[one.origin] = None
        for text, origins in places.items():
            yield f"{text} ({', '.join(origins)})" if origins else text


def _fits(name: str, listed: ProjectFile | None, target: Target) -> bool:
    """Whether an installer on the target would take the wheel, as far as is known."""
    if not may_fit(name, (target,)):
        return False
    try:
        return target.admits_python(SpecifierSet((listed and listed.requires_python) or ""))
    except InvalidSpecifier:
        return True  # it is ignored, as installers do
