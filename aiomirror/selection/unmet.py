"""What a requirement did not find on a page, and why: a line that helps whoever wrote it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from aiomirror.errors import NoMatchingFileError
from aiomirror.selection.admission import Admission
from aiomirror.selection.fitting import WHEEL, may_fit, targets_of
from aiomirror.selection.values import LeftOut
from aiomirror.selection.versions import mismatch, without_prereleases
from aiomirror.simple.filenames import parse_filename, version_key
from aiomirror.simple.values import ProjectFile
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from aiomirror.requirements.values import Wanted
    from aiomirror.selection.values import Chosen, Policy
    from aiomirror.simple.values import ProjectPage

MAX_NAMED = 5
"""Files of a lock that an error names; a project may have a hundred wheels."""
_SPARED = frozenset({LeftOut.OTHER_TARGET, LeftOut.WORSE_WHEEL, LeftOut.SPARE_SOURCE})
"""Why the targets do without a file, be it locked or not."""


def unmet(
    page: ProjectPage,
    want: Wanted,
    policy: Policy,
    *,
    found: Collection[Chosen],
    versions: Sequence[str],
    left_out: Mapping[str, LeftOut],
) -> NoMatchingFileError | None:
    """That the requirement got less than it asks for of the page; None where it did not.

    ``found`` is what it got, ``versions`` are those of which there are files that the policy admits.
    """
    missing = _missing(page, want, policy, found=found, left_out=left_out)
    if not missing and (found or _goes_elsewhere(want, policy, left_out)):
        return None
    newest = max(versions or page.versions, key=version_key, default=None)
    if missing:
        whys = {str(left_out.get(name, "not listed upstream")) for name in missing}
        why = "; ".join([f"locked in {want.origin}", *sorted(whys), *_exclusion(want, versions, policy)])
        return NoMatchingFileError(page.project, abridged(missing, MAX_NAMED), newest, why)
    if page.status.marker == "quarantined":
        why = str(LeftOut.QUARANTINED)
    else:
        why = "".join(_exclusion(want, versions, policy)) or _nearest_reason(page, want, left_out)
    return NoMatchingFileError(page.project, want.text, newest, why)


def _exclusion(want: Wanted, versions: Sequence[str], policy: Policy) -> Iterator[str]:
    """That constraints leave nothing of what the requirement would have taken, if they do."""
    if want.asked is None or any(mismatch(one, want.specifier, every=True) is None for one in versions):
        return
    fitting = [one for one in versions if mismatch(one, want.asked, every=True) is None]
    newest = max(without_prereleases(fitting, want.asked, policy), key=version_key, default=None)
    if newest is not None:
        first, *others = [
            _with_origin(one)
            for one in want.bounds
            if mismatch(newest, one.specifier, every=True) is not None
        ]
        yield ", and so does ".join([f"the constraint {first} excludes {newest}", *others])


def _with_origin(constraint: Wanted) -> str:
    return f"{constraint.text} ({constraint.origin})"


def _missing(
    page: ProjectPage,
    want: Wanted,
    policy: Policy,
    *,
    found: Collection[Chosen],
    left_out: Mapping[str, LeftOut],
) -> list[str]:
    """The files of a lock that were not found, without those that the policy rules out."""
    if not want.files:
        return []
    upstream = page.named
    admission = Admission(page.project, policy)
    missing = []
    for name in want.files.keys() - {one.file.filename for one in found}:
        file = upstream.get(name) or ProjectFile(filename=name, url="", hashes={})
        reason = admission.refusal(file, parse_filename(name, page.project))
        if left_out.get(name) in _SPARED or (policy.targets and not may_fit(name, targets_of(want, policy))):
            continue
        if reason is None or reason < LeftOut.LEGACY_FORMAT:  # the first one that a policy decides
            missing.append(name)
    return sorted(missing)


def _goes_elsewhere(want: Wanted, policy: Policy, left_out: Mapping[str, LeftOut]) -> bool:
    """Whether a lock, which is for all machines, lists a version of which the targets can have nothing."""
    return bool(want.files and policy.targets) and all(
        left_out.get(name) is LeftOut.OTHER_TARGET
        or (name.endswith(WHEEL) and not may_fit(name, targets_of(want, policy)))
        for name in want.files
    )


def _nearest_reason(page: ProjectPage, want: Wanted, left_out: Mapping[str, LeftOut]) -> str:
    """Why the files of the versions that do match are left out, in the words of the commonest reason."""
    reasons: defaultdict[LeftOut, int] = defaultdict(int)
    for name, reason in left_out.items():
        parsed = parse_filename(name, page.project)
        version = parsed.version if parsed else None
        if version and mismatch(version, want.specifier, every=True) is None:
            reasons[reason] += 1
    if not reasons:
        return ""
    reason = max(reasons, key=lambda one: (reasons[one], one))
    lists = [_with_origin(one) for one in want.bounds if one.hashes and reason is LeftOut.OTHER_DIGEST]
    also = "".join(f", or the constraint {one}" for one in lists)
    return f"{reasons[reason]} matching file{'s' if reasons[reason] > 1 else ''} left out: {reason}{also}"
