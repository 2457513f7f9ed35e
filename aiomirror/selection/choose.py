"""Which files of a project page the requirements ask for, and why each other file is left out.

Pure: a page, requirements and a policy in, a selection out.  It follows what installers do: files that the
policy rules out are as good as not there, then the pre-release rule of PEP 440, then the newest of what is
left.  Markers are not evaluated: the mirror serves other machines than the one that fills it.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.errors import NoMatchingFileError
from aiomirror.selection.admission import Admission
from aiomirror.selection.fitting import WHEEL, for_targets, may_fit
from aiomirror.selection.values import Chosen, LeftOut, Policy, Selection
from aiomirror.simple.filenames import FileKind, parse_filename, parse_version, version_key
from aiomirror.simple.values import ProjectFile
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import Hashes, Wanted
    from aiomirror.simple.filenames import ParsedName
    from aiomirror.simple.values import Candidate, ProjectPage
    from aiomirror.targets import Target

_YANKED = attrgetter("yanked")
MAX_NAMED = 5
"""Files of a lock that an error names; a project may have a hundred wheels."""


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
    for want in wanted:
        for bound in bounds[want.project]:
            want = replace(  # noqa: PLW2901 (narrowed step by step)
                want, specifier=want.specifier & bound.specifier, hashes=want.hashes | bound.hashes
            )
        known = result.get(want.project, ())
        if not any(_alike(want, other) for other in known):
            result[want.project] = (*known, want)
    return result


_SPARED = frozenset({LeftOut.OTHER_TARGET, LeftOut.WORSE_WHEEL, LeftOut.SPARE_SOURCE})
"""Why the targets do without a file, be it locked or not."""


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
    for want in wants:
        found = _choose(releases, files, want, policy, left_out)
        for one in found:
            chosen[one.file.filename] = _union(chosen.get(one.file.filename), one)
        missing = _missing(page, found, want, policy, left_out)
        if missing or not (found or _goes_elsewhere(want, policy, left_out)):
            unsatisfied.append(_unsatisfied(page, releases, want, left_out, missing))
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
    start = 0
    for parsed, run in groupby(readings):
        end = start + len([*run])
        yield list(files[start:end]), parsed
        start = end


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
        if reason := _mismatch(release.text, want.specifier, every=policy.latest is None):
            reasons.leave(release.files, reason)
        elif usable := _usable(release, want, reasons):
            candidates[release.text] = usable
    allowed = _without_prereleases(candidates, want.specifier, policy)
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
    targets = _targets(want, policy)
    if not targets:
        return files
    legacy = [file for file in files if _is_legacy(file, want.project)]  # which no installer takes any more
    reasons.leave(legacy, LeftOut.OTHER_TARGET)
    others = [file for file in files if file not in legacy]
    fitting, left_out = for_targets(others, targets, best=policy.best_wheel, sdists=policy.sdists)
    for file, reason in left_out:
        reasons.leave([file], reason)
    return fitting


def _targets(want: Wanted, policy: Policy) -> list[Target]:
    """The targets for which it is wanted; none where none are named."""
    return [one for one in policy.targets if not want.targets or one.name in want.targets]


def _is_legacy(file: Candidate, project: NormalizedName) -> bool:
    parsed = parse_filename(file.filename, project)
    return parsed is not None and parsed.kind is FileKind.LEGACY


def _to_check(file: Candidate, want: Wanted) -> Hashes:
    """The hashes that are still to be looked for in the bytes: none, if upstream lists one of them."""
    hashes = want.accepted(file.filename) or frozenset()
    return frozenset() if _listed(file, hashes) else hashes


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


def _mismatch(text: str, specifier: SpecifierSet, *, every: bool) -> LeftOut | None:
    """Why the specifier does not admit the version, or None; ``every``: whether all versions are wanted."""
    if parse_version(text) is not None:
        fits = not len(specifier) or specifier.contains(text, prereleases=True)
        return None if fits else LeftOut.OTHER_VERSION
    # PEP 440 does not know this version: only its own text, or "every version there is", can mean it.
    if not len(specifier):
        return None if every else LeftOut.UNKNOWN_VERSION
    named = all(one.operator == "===" and one.version.lower() == text.lower() for one in specifier)
    return None if named else LeftOut.OTHER_VERSION


def _without_prereleases(candidates: Collection[str], specifier: SpecifierSet, policy: Policy) -> set[str]:
    """PEP 440: pre-releases only where asked for, named by the specifier, or all that there is.

    ``candidates`` are versions that the specifier admits otherwise, each spelt in one way.
    """
    texts = {version: text for text in candidates if (version := parse_version(text)) is not None}
    if not any(version.is_prerelease for version in texts):
        return set(candidates)
    unknown = set(candidates).difference(texts.values())
    prereleases = True if policy.prereleases else None
    if any(one.operator == "===" for one in specifier):  # goes by what is written
        return unknown.union(specifier.filter(texts.values(), prereleases=prereleases))
    # What was read already is not read again.
    return unknown.union(texts[one] for one in specifier.filter(texts, prereleases=prereleases))


def _digest_admitted(file: Candidate, hashes: Hashes) -> bool:
    """Whether the file may have one of the digests; what upstream does not list shows when it is fetched."""
    listed = [algorithm for algorithm, _ in hashes if algorithm in file.hashes]
    return not listed or _listed(file, hashes)


def _listed(file: Candidate, hashes: Hashes) -> bool:
    return any(file.hashes.get(algorithm) == digest for algorithm, digest in hashes)


def _union(one: Chosen | None, other: Chosen) -> Chosen:
    if one is None:
        return other
    # A requirement without digests takes the file whatever it is, so then nothing is enforced.
    accepted = one.accepted | other.accepted if one.accepted and other.accepted else frozenset()
    return replace(one, wanted_by=(*one.wanted_by, *other.wanted_by), accepted=accepted)


def _goes_elsewhere(want: Wanted, policy: Policy, left_out: Mapping[str, LeftOut]) -> bool:
    """Whether a lock, which is for all machines, lists a version of which the targets can have nothing."""
    return bool(want.files and policy.targets) and all(
        left_out.get(name) is LeftOut.OTHER_TARGET
        or (name.endswith(WHEEL) and not may_fit(name, _targets(want, policy)))
        for name in want.files
    )


def _missing(
    page: ProjectPage,
    found: Iterable[Chosen],
    want: Wanted,
    policy: Policy,
    left_out: Mapping[str, LeftOut],
) -> list[str]:
    """The files of a lock that were not found, without those that the policy rules out."""
    if not want.files:
        return []
    found_names = {one.file.filename for one in found}
    upstream = page.named
    admission = Admission(page.project, policy)
    missing = []
    for name in want.files.keys() - found_names:
        file = upstream.get(name) or ProjectFile(filename=name, url="", hashes={})
        reason = admission.refusal(file, parse_filename(name, page.project))
        if left_out.get(name) in _SPARED or (policy.targets and not may_fit(name, _targets(want, policy))):
            continue
        if reason is None or reason < LeftOut.LEGACY_FORMAT:  # the first one that a policy decides
            missing.append(name)
    return sorted(missing)


def _unsatisfied(
    page: ProjectPage,
    releases: Mapping[object, _Release],
    want: Wanted,
    left_out: Mapping[str, LeftOut],
    missing: Sequence[str],
) -> NoMatchingFileError:
    texts = [release.text for release in releases.values()] or list(page.versions)
    newest = max(texts, key=version_key, default=None)
    if missing:
        whys = {str(left_out.get(name, "not listed upstream")) for name in missing}
        names = abridged(missing, MAX_NAMED)
        return NoMatchingFileError(
            page.project, names, newest, "; ".join([f"locked in {want.origin}", *sorted(whys)])
        )
    if page.status.marker == "quarantined":
        why = str(LeftOut.QUARANTINED)
    else:
        why = _nearest_reason(page, want, left_out)
    return NoMatchingFileError(page.project, want.text, newest, why)


def _nearest_reason(page: ProjectPage, want: Wanted, left_out: Mapping[str, LeftOut]) -> str:
    """Why the files of the versions that do match are left out, in the words of the commonest reason."""
    reasons: defaultdict[LeftOut, int] = defaultdict(int)
    for name, reason in left_out.items():
        parsed = parse_filename(name, page.project)
        version = parsed.version if parsed else None
        if version and _mismatch(version, want.specifier, every=True) is None:
            reasons[reason] += 1
    if not reasons:
        return ""
    reason = max(reasons, key=lambda one: (reasons[one], one))
    return f"{reasons[reason]} matching file{'s' if reasons[reason] > 1 else ''} left out: {reason}"
