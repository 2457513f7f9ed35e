"""Which files of one version the machines need that will install it.

As an installer there would: a wheel where one fits, by its tags and its ``requires-python``, else the source
archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.selection.values import LeftOut
from aiomirror.simple.filenames import build_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from aiomirror.requirements.values import Wanted
    from aiomirror.selection.values import Policy
    from aiomirror.simple.values import Candidate
    from aiomirror.targets import Target

WHEEL = ".whl"


def targets_of(want: Wanted, policy: Policy) -> list[Target]:
    """The targets for which it is wanted; none where none are named."""
    return [one for one in policy.targets if not want.targets or one.name in want.targets]


def for_targets(
    files: Sequence[Candidate], targets: Collection[Target], *, best: bool, sdists: bool
) -> tuple[list[Candidate], list[tuple[Candidate, LeftOut]]]:
    """The files of a version that the targets need, and the others with the reason.

    Every wheel that fits, or with ``best`` the one that each target would choose; source archives where a
    target has no wheel, or with ``sdists`` in any case.
    """
    wheels = [file for file in files if file.filename.endswith(WHEEL)]
    fitting = {target.name: _ranked(wheels, target) for target in targets}
    chosen = {name for ranked in fitting.values() for name in (ranked[:1] if best else ranked)}
    some = {name for ranked in fitting.values() for name in ranked}
    bare = [target for target in targets if not fitting[target.name]]
    kept, left_out = [], []
    for file in files:
        if file.filename in chosen:
            kept.append(file)
        elif file.filename.endswith(WHEEL):
            left_out.append((file, LeftOut.WORSE_WHEEL if file.filename in some else LeftOut.OTHER_TARGET))
        elif any(target.admits(file.requires_python) for target in (targets if sdists else bare)):
            kept.append(file)
        else:
            left_out.append((file, LeftOut.OTHER_TARGET if bare else LeftOut.SPARE_SOURCE))
    return kept, left_out


def may_fit(filename: str, targets: Iterable[Target]) -> bool:
    """Whether the file is a wheel that fits one of the targets by its tags."""
    return filename.endswith(WHEEL) and any(_rank(filename, target) is not None for target in targets)


def _ranked(wheels: Iterable[Candidate], target: Target) -> list[str]:
    """The names of the wheels that fit, the best first: by their tags, then by their builds."""
    ranks = {
        file.filename: rank
        for file in wheels
        if (rank := _rank(file.filename, target)) is not None and target.admits(file.requires_python)
    }
    return sorted(sorted(sorted(ranks), key=build_number, reverse=True), key=ranks.__getitem__)  # stable


def _rank(filename: str, target: Target) -> int | None:
    """How well a wheel fits by its tags; None where it does not."""
    return target.rank_of("-".join(filename.removesuffix(WHEEL).split("-")[-3:]))
