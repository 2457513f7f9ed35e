"""Which files of a project page the requirements ask for, and why each other file is left out.

Pure: a page, requirements and a policy in, a selection out.  It follows what installers do: files that the
policy rules out are as good as not there, then the pre-release rule of PEP 440, then the newest of what is
left.  Markers are not evaluated: the mirror serves other machines than the one that fills it.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.selection.admission import Admission
from aiomirror.selection.fitting import for_targets, targets_of
from aiomirror.selection.spelling import as_listed, has_listed
from aiomirror.selection.unmet import unmet
from aiomirror.selection.values import Chosen, LeftOut, Policy, Selection
from aiomirror.selection.versions import mismatch, without_prereleases
from aiomirror.simple.filenames import FileKind, parse_filename, parse_version, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import Hashes, Wanted
    from aiomirror.simple.filenames import ParsedName
    from aiomirror.simple.values import Candidate, ProjectFile, ProjectPage

_YANKED = attrgetter("yanked")
_NO_FILE = frozenset({("sha256", "")})
"""Digests that no file has."""


class _Release(msgspec.Struct):
    """The files of one version; ``text`` is the version as the first file name has it."""

    text: str
    files: list[Candidate] = msgspec.field(default_factory=list)


def demands(
    wanted: Iterable[Wanted], constraints: Iterable[Wanted]
) -> dict[NormalizedName, tuple[Wanted, ...]]:
    """The requirements of each project, in the order in which projects were named, constraints applied."""
    bounds: defaultdict[NormalizedName, list[Wanted]] = defaultdict(list)
    for constraint in constraints:
        bounds[constraint.project].append(constraint)
    result: dict[NormalizedName, tuple[Wanted, ...]] = {}
    for one in wanted:
        want = _within(one, bounds[one.project]) if one.project in bounds else one
        known = result.get(want.project, ())
        if not any(_alike(want, other) for other in known):
            result[want.project] = (*known, want)
    return result


def _within(want: Wanted, bounds: Sequence[Wanted]) -> Wanted:
    specifier, hashes = want.specifier, want.hashes
    for bound in bounds:
        specifier, hashes = specifier & bound.specifier, _both(hashes, bound.hashes)
    return replace(want, specifier=specifier, hashes=hashes, bounds=tuple(bounds), asked=want.specifier)


def _both(one: Hashes, other: Hashes) -> Hashes:
    """The digests that both admit, as installers understand two lists; an empty one admits any."""
    return one & other or _NO_FILE if one and other else one | other


def _alike(one: Wanted, other: Wanted) -> bool:
    return (one.specifier, one.hashes, one.files, one.targets) == (
        other.specifier,
        other.hashes,
        other.files,
        other.targets,
    )


class _Reasons(dict[str, LeftOut]):
    """File name → why it is left out; of several reasons the one that came closest to taking it."""

    def leave(self, files: Iterable[Candidate], reason: LeftOut) -> None:
        for file in files:
            known = self.setdefault(file.filename, reason)
            if known is not reason and known < reason:
                self[file.filename] = reason


def select(page: ProjectPage, wants: Sequence[Wanted], policy: Policy) -> Selection:
    """Choose the union of what each requirement asks of the page."""
    left_out = _Reasons()
    releases = _releases(page, policy, left_out)
    files = page.named
    chosen: dict[str, Chosen] = {}
    unsatisfied = []
    for want in (as_listed(one, page) for one in wants):
        found = _choose(releases, files, want, policy, left_out)
        for one in found:
            chosen[one.file.filename] = _union(chosen.get(one.file.filename), one)
        versions = [release.text for release in releases.values()]
        error = unmet(page, want, policy, found=found, versions=versions, left_out=left_out)
        if error is not None:
            unsatisfied.append(error)
    for name in chosen:
        left_out.pop(name, None)  # another requirement takes it
    return Selection(tuple(chosen.values()), left_out, tuple(unsatisfied))


def _releases(page: ProjectPage, policy: Policy, reasons: _Reasons) -> dict[object, _Release]:
    """The files that the policy admits, by version."""
    releases: dict[object, _Release] = {}
    spelt: dict[str, _Release] = {}  # most files of a version spell it alike, and it is read once only
    if page.status.marker == "quarantined":  # offers no files, whatever it lists (PEP 792)
        reasons.leave(page.candidates, LeftOut.QUARANTINED)
        return releases
    admission = Admission(page.project, policy)
    files = page.candidates
    twins = _twins(files)
    for alike, parsed in _alike_named(files, page.readings, singly=admission.limited or bool(twins)):
        reason = admission.refusal(alike[0], parsed)
        if alike[0].filename in twins:
            reason = LeftOut.SAME_BUT_FOR_CASE
        if reason:
            reasons.leave(alike, reason)
            continue
        assert parsed is not None
        text = parsed.version
        assert text is not None
        if (release := spelt.get(text)) is None:
            release = spelt[text] = releases.setdefault(parse_version(text) or text, _Release(text))
        release.files += alike
    return releases


def _alike_named(
    files: Sequence[Candidate], readings: Sequence[ParsedName | None], *, singly: bool
) -> Iterator[tuple[list[Candidate], ParsedName | None]]:
    """The files with what their names say: together those in a row whose names say the same."""
    if singly:
        yield from (([file], parsed) for file, parsed in zip(files, readings, strict=True))
        return
    for parsed, pairs in groupby(zip(files, readings, strict=True), key=itemgetter(1)):
        yield [file for file, _ in pairs], parsed


def _twins(files: Sequence[Candidate]) -> set[str]:
    """The names that differ only in case from one that precedes them.

    On a disk that ignores case the second of two such names would replace the first.  The first of the page
    is the one, whatever is asked, so that no run takes the other.
    """
    names = [file.filename for file in files]
    text = "\n".join(names)  # no name has a line break
    folded = text.casefold()
    if folded == text or len(set(folded.split("\n"))) == len(names):
        return set()
    first = {name.casefold(): name for name in reversed(names)}
    return {name for name in names if first[name.casefold()] != name}


def _choose(
    releases: Mapping[object, _Release],
    files: Mapping[str, ProjectFile],
    want: Wanted,
    policy: Policy,
    reasons: _Reasons,
) -> list[Chosen]:
    """The ``files`` that one requirement asks for."""
    candidates: dict[str, list[Candidate]] = {}
    for release in releases.values():
        if reason := mismatch(release.text, want.specifier, every=policy.latest is None):
            reasons.leave(release.files, reason)
        elif usable := _usable(release, want, reasons):
            candidates[release.text] = usable
    allowed = without_prereleases(candidates, want.specifier, policy)
    number = len(allowed) if want.files or policy.latest is None else policy.latest
    newest = nlargest(number, allowed, key=version_key)
    for text in candidates.keys() - newest:
        reasons.leave(candidates[text], LeftOut.OLDER if text in allowed else LeftOut.PRE_RELEASE)
    return [
        Chosen(files[file.filename], text, (want.text,), _to_check(file, want))
        for text in newest
        for file in _fitting(candidates[text], want, policy, reasons)
    ]


def _fitting(
    files: Sequence[Candidate], want: Wanted, policy: Policy, reasons: _Reasons
) -> Sequence[Candidate]:
    """Of the files of a version those that the targets need for which this is wanted."""
    targets = targets_of(want, policy)
    if not targets:
        return files
    legacy = [file for file in files if _is_legacy(file, want.project)]  # which no installer takes any more
    reasons.leave(legacy, LeftOut.OTHER_TARGET)
    others = [file for file in files if file not in legacy]
    fitting, left_out = for_targets(others, targets, best=policy.best_wheel, sdists=policy.sdists)
    for file, reason in left_out:
        reasons.leave([file], reason)
    return fitting


def _is_legacy(file: Candidate, project: NormalizedName) -> bool:
    parsed = parse_filename(file.filename, project)
    return parsed is not None and parsed.kind is FileKind.LEGACY


def _to_check(file: Candidate, want: Wanted) -> Hashes:
    """The hashes that are still to be looked for in the bytes: none, if upstream lists one of them."""
    hashes = want.accepted(file.filename) or frozenset()
    return frozenset() if has_listed(file, hashes) else hashes


def _usable(release: _Release, want: Wanted, reasons: _Reasons) -> list[Candidate]:
    """The files of a version that matches, without those that the requirement still rules out."""
    if not (want.files or want.hashes) and {*map(_YANKED, release.files)} == {None}:
        return release.files
    usable = []
    for file in release.files:
        hashes = want.accepted(file.filename)
        if hashes is None:
            reasons.leave([file], LeftOut.NOT_LOCKED)
        elif file.yanked is not None and want.pin is None:
            reasons.leave([file], LeftOut.YANKED)
        elif not _digest_admitted(file, hashes):
            reasons.leave([file], LeftOut.OTHER_DIGEST)
        else:
            usable.append(file)
    return usable


def _digest_admitted(file: Candidate, hashes: Hashes) -> bool:
    """Whether the file may have one of the digests; what upstream does not list shows when it is fetched."""
    listed = [algorithm for algorithm, _ in hashes if algorithm in file.hashes]
    return not listed or has_listed(file, hashes)


def _union(one: Chosen | None, other: Chosen) -> Chosen:
    if one is None:
        return other
    # A requirement without digests takes the file whatever it is, so then nothing is enforced.
    accepted = one.accepted | other.accepted if one.accepted and other.accepted else frozenset()
    return replace(one, wanted_by=(*one.wanted_by, *other.wanted_by), accepted=accepted)
