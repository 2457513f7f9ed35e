"""The source archives that are going to be mirrored, and the targets that would build them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiomirror.selection import select
from aiomirror.selection.fitting import for_targets
from aiomirror.simple.filenames import FileKind, parse_filename

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import Wanted
    from aiomirror.selection import Chosen, Policy
    from aiomirror.simple.values import ProjectFile, ProjectPage
    from aiomirror.targets import Target


class Archive(msgspec.Struct, frozen=True):
    """A source archive, and the names of the targets that would build it."""

    project: NormalizedName
    file: ProjectFile
    targets: tuple[str, ...]


def archives(
    page: ProjectPage, wants: Sequence[Wanted], policy: Policy, targets: Sequence[Target]
) -> list[Archive]:
    """Those that the wants choose from the page; ``targets`` are all that there are, named or not.

    Where targets were named, they are built on those that have no wheel, and where there is no such one on
    each whose Python they admit: then somebody has asked for spare archives.  Otherwise every machine counts.
    """
    chosen = select(page, wants, policy).chosen
    found = []
    for one in chosen:
        if not _is_source(one, page):
            continue
        asked = {name for want in wants if want.text in one.wanted_by for name in want.targets}
        anywhere = any(want.text in one.wanted_by and not want.targets for want in wants)
        places = [target for target in targets if anywhere or target.name in asked]
        wheels = [other.file for other in chosen if other.version == one.version] if policy.targets else []
        building = _that_take(one.file, wheels, places) or _that_take(one.file, (), places)
        if building:
            found.append(Archive(page.project, one.file, building))
    return found


def _is_source(chosen: Chosen, page: ProjectPage) -> bool:
    parsed = parse_filename(chosen.file.filename, page.project)
    return parsed is not None and parsed.kind is FileKind.SDIST


def _that_take(
    archive: ProjectFile, others: Collection[ProjectFile], targets: Sequence[Target]
) -> tuple[str, ...]:
    """The names of the targets that would take the archive rather than one of the wheels among the others."""
    files = [archive, *(file for file in others if file.filename.endswith(".whl"))]
    return tuple(
        target.name
        for target in targets
        if archive in for_targets(files, [target], best=False, sdists=False)[0]
    )
