"""What a run has mirrored, as the lock file that holds a next run to it (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.report import Status
from aiomirror.requirements.locks import LockFile, LockPackage, unlockable, write_pylock
from aiomirror.simple.filenames import parse_filename

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.report import Report

LOCKED = {Status.FETCHED, Status.HELD, Status.PLANNED}


def lock_text(report: Report, folder: str) -> tuple[str, tuple[str, ...]]:
    """The text of a ``pylock.toml``, and the names of the files that it has no room for.

    ``folder`` is the way from the lock file to the mirror.  Files of which no digest is known yet, as in a
    dry run, are among those left out.
    """
    releases: dict[tuple[NormalizedName, str], list[LockFile]] = {}
    left: list[str] = []
    for one in sorted(report.outcomes, key=lambda outcome: (outcome.project, outcome.filename)):
        parsed = parse_filename(one.filename, one.project)
        if one.status not in LOCKED:
            continue
        if parsed is None or parsed.version is None or one.sha256 is None:
            left.append(one.filename)
            continue
        file = LockFile(one.filename, {"sha256": one.sha256}, one.size)
        releases.setdefault((one.project, parsed.version), []).append(file)
    packages = [LockPackage(project, version, files) for (project, version), files in releases.items()]
    left += [name for package in packages for name in unlockable(package)]
    return write_pylock(packages, folder), tuple(sorted(left))
