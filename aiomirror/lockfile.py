"""What a run has mirrored, as the lock file that holds a next run to it, and that installers take (PEP 751).

Installers choose by markers, so each package has one that is true on the targets on which it is installed.
Where markers cannot express that, the lock names no environment, and installers refuse it there rather than
take the wrong thing; a line says so.  This program reads it all the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from aiomirror.report import Status
from aiomirror.requirements.locks import LockFile, LockPackage, distinguish, unlockable, write_pylock
from aiomirror.simple.filenames import parse_filename, parse_version
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.report import Outcome, Report
    from aiomirror.requirements.locks import Places
    from aiomirror.targets import Target

    Key = tuple[NormalizedName, object]
    """A project and its version, as ``_key`` has it."""

LOCKED = {Status.FETCHED, Status.HELD, Status.PLANNED}
SPARE = "mirror-only"
"""The dependency group of what is mirrored and installed nowhere: older versions, and what builds need."""
NOWHERE = "python_version < '0'"
"""The one environment of a lock that no installer is to take: without any they all would."""

_WHEEL = ".whl"


class Lock(msgspec.Struct, frozen=True):
    """The text of a ``pylock.toml``, and what is to be said of it."""

    text: str
    warnings: tuple[str, ...] = ()
    """What it has no room for; where installers refuse it, and why."""


def lock_of(report: Report, folder: str, targets: Iterable[Target] = ()) -> Lock:
    """The lock of what was mirrored.

    ``folder`` is the way from the lock file to the mirror.  Of ``targets`` those count of which the report
    says what is installed there; where it says so of none, there are no markers.  Files of which no digest
    is known yet, as in a dry run, are among those left out.
    """
    releases, left = _releases(report.outcomes)
    known = [one for one in targets if one.name in report.installed]
    machines = [_machine(one, report.installed[one.name], releases) for one in known]
    places = distinguish(
        {one.name: one.environment for one in known}, {one.target.name: one.installed for one in machines}
    )
    packages = [
        LockPackage(key[0], one.version, one.files, marker=_marker(key, machines, places))
        for key, one in releases.items()
    ]
    unclear = _unclear(machines, places)
    environments = [marker for place, marker in enumerate(places.markers) if place not in unclear]
    text = write_pylock(
        packages,
        folder,
        environments=environments or ([NOWHERE] if machines else []),
        groups=[SPARE] if any(SPARE in (one.marker or "") for one in packages) else [],
    )
    left += [name for package in packages for name in unlockable(package)]
    warnings = [f"a lock file has no room for {', '.join(sorted(left))}"] if left else []
    warnings += _refusals(unclear.values()) if machines else _unmarked(packages)
    return Lock(text, tuple(warnings))


class _Release(msgspec.Struct, frozen=True):
    """One version of a project, as the first file name spells it, with its files."""

    version: str
    files: list[LockFile]


class _Machine(msgspec.Struct, frozen=True):
    """A target, and what is installed there."""

    target: Target
    installed: frozenset[Key]


def _key(project: NormalizedName, version: str) -> Key:
    """The same for all spellings of a version."""
    return project, parse_version(version) or version


def _releases(outcomes: Iterable[Outcome]) -> tuple[dict[Key, _Release], list[str]]:
    """What is mirrored, and the names of the files that have no place in a lock."""
    releases: dict[Key, _Release] = {}
    left = []
    for one in sorted(outcomes, key=lambda outcome: (outcome.project, outcome.filename)):
        if one.status not in LOCKED:
            continue
        parsed = parse_filename(one.filename, one.project)
        if parsed is None or parsed.version is None or one.sha256 is None:
            left.append(one.filename)
            continue
        file = LockFile(one.filename, {"sha256": one.sha256}, one.size)
        key = _key(one.project, parsed.version)
        releases.setdefault(key, _Release(parsed.version, [])).files.append(file)
    return releases, left


def _machine(
    target: Target, installed: Iterable[tuple[NormalizedName, str]], releases: Mapping[Key, _Release]
) -> _Machine:
    """Without what has no file that fits: lock files that were read may name that for every machine."""
    keys = (_key(project, version) for project, version in installed)
    return _Machine(
        target, frozenset(key for key in keys if key in releases and _fits(releases[key], target))
    )


def _fits(release: _Release, target: Target) -> bool:
    """Whether the target can install one of the files, be it by building it."""
    names = (file.filename for file in release.files)
    return any(not name.endswith(_WHEEL) or _takes(target, name) for name in names)


def _takes(target: Target, wheel: str) -> bool:
    return target.rank_of("-".join(wheel.removesuffix(_WHEEL).split("-")[-3:])) is not None


def _marker(key: Key, machines: Sequence[_Machine], places: Places) -> str | None:
    """Where a version is installed; None: everywhere, or nobody knows."""
    if not machines:
        return None
    there = {places.of[one.target.name] for one in machines if key in one.installed}
    return places.marker(there) if there else f"'{SPARE}' in dependency_groups"


def _unclear(machines: Iterable[_Machine], places: Places) -> dict[int, list[_Machine]]:
    """The targets on which markers cannot say what is to be installed, by the place that they share."""
    at: defaultdict[int, list[_Machine]] = defaultdict(list)
    for one in machines:
        at[places.of[one.target.name]].append(one)
    return {place: found for place, found in at.items() if _differing(found) or _doubled(found)}


def _differing(machines: Iterable[_Machine]) -> set[NormalizedName]:
    """The projects of which not all of these install the same."""
    installed = [one.installed for one in machines]
    anywhere: set[Key] = set().union(*installed)
    return {project for project, _ in anywhere.difference(installed[0].intersection(*installed))}


def _doubled(machines: Iterable[_Machine]) -> set[NormalizedName]:
    """The projects of which one of these has several versions."""
    counts = (Counter(project for project, _ in one.installed) for one in machines)
    return {project for count in counts for project, versions in count.items() if versions > 1}


_REASONS: Mapping[str, Callable[[Iterable[_Machine]], set[NormalizedName]]] = {
    "no marker tells these apart, and they differ in": _differing,
    "one machine has several versions of": _doubled,
}


def _refusals(unclear: Collection[list[_Machine]]) -> Iterator[str]:
    """A line for each reason that there is, whatever the number of targets."""
    for why, about in _REASONS.items():
        found = [machines for machines in unclear if about(machines)]
        if found:
            targets = [one.target.name for machines in found for one in machines]
            projects = {project for machines in found for project in about(machines)}
            yield f"installers refuse it on {abridged(targets)}: {why} {abridged(sorted(projects))}"


def _unmarked(packages: Iterable[LockPackage]) -> Iterator[str]:
    """As ``_refusals``, where it is not known what is installed."""
    counts = Counter(one.project for one in packages)
    if doubled := sorted(project for project, versions in counts.items() if versions > 1):
        yield f"installers refuse it: there are several versions of {abridged(doubled)}, and no markers"
