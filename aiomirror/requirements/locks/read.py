"""A lock file of any known kind → exactly the files that it lists; nothing is resolved again.

The URLs of a lock are not asked: the mirror looks for files of these names at its own upstream, and takes
them only if they have the digests that are locked.  Everything that is wrong is collected and raised at once.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements.documents import decode_document, parse_document
from aiomirror.requirements.locks.needs import holds_in
from aiomirror.requirements.locks.packages import Locked
from aiomirror.requirements.locks.pdm import open_pdm
from aiomirror.requirements.locks.poetry import open_poetry
from aiomirror.requirements.locks.pylock import open_pylock
from aiomirror.requirements.locks.uv import open_uv
from aiomirror.requirements.options import WEAK
from aiomirror.requirements.values import LineError, NotMirrored, Parsed
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.markers import Marker

    from aiomirror.requirements.documents import Kind
    from aiomirror.requirements.locks.needs import Environments
    from aiomirror.requirements.locks.packages import Elsewhere, Opened
    from aiomirror.requirements.values import Wanted


_FORMATS = {"pylock": open_pylock, "uv": open_uv, "poetry": open_poetry, "pdm": open_pdm}
_HEADINGS = re.compile(r"^[ \t]*\[\[[ \t]*packages?[ \t]*\]\]", re.MULTILINE)


def read_lock(
    kind: Kind, source: str, data: bytes, environments: Environments = MappingProxyType({})
) -> Parsed:
    """The packages of a lock file; those that no index offers are ``not_mirrored``.

    ``source`` is what to call the file.  With ``environments`` of targets, what none of them needs is left
    out, and the rest is wanted for those that need it.  Raises RequirementError for a document that cannot be
    read at all, or RequirementErrors for packages that cannot.
    """
    try:
        text = decode_document(data)
        opened = _FORMATS[kind](parse_document(text))
        lines = _lines(text, len(opened.packages))
        packages = _packages(source, opened, lines)
        needs = _needs(opened, packages, environments)
    except LineError as error:
        raise RequirementError(source, 0, "", str(error)) from None
    origins = [f"{source}:{line}" if line else source for line in lines]
    wanted: list[Wanted] = []
    others: list[NotMirrored] = []
    for package, origin, targets in zip(packages, origins, needs, strict=True):
        if environments and not targets:
            continue
        if isinstance(package, Locked):
            wanted.append(package.wanted(origin, targets if len(targets) < len(environments) else ()))
        else:
            others.append(NotMirrored(package.text, origin, package.why))
    warnings = (*opened.warnings, *_unsupported(opened.bounds, environments), *_weak(wanted))
    return Parsed(tuple(wanted), (), tuple(others), warnings=tuple(f"{source}: {one}" for one in warnings))


def _lines(text: str, packages: int) -> list[int]:
    """The line, from 1, at which each package begins; 0 where the tables are written in another way."""
    lines, line, end = [], 1, 0
    for heading in _HEADINGS.finditer(text):
        line += text.count("\n", end, heading.start())
        end = heading.start()
        lines.append(line)
    return lines if len(lines) == packages else [0] * packages


def _packages(source: str, opened: Opened, lines: Sequence[int]) -> list[Locked | Elsewhere]:
    packages: list[Locked | Elsewhere] = []
    problems: list[RequirementError] = []
    for read, line in zip(opened.packages, lines, strict=True):
        try:
            packages.append(read())
        except LineError as error:
            problems.append(RequirementError(source, line, "", str(error)))
    if problems:
        raise RequirementErrors(*problems)
    return packages


def _needs(
    opened: Opened, packages: Sequence[Locked | Elsewhere], environments: Environments
) -> list[tuple[str, ...]]:
    """Of each package the targets that need it."""
    needed = opened.dependencies() if opened.dependencies and environments else None
    needs: list[list[str]] = [[] for _ in packages]
    for name, environment in environments.items():
        holds = holds_in(environment)
        reached = needed(holds) if needed else range(len(packages))
        for place in reached:
            if holds(packages[place].marker):
                needs[place].append(name)
    return [tuple(names) for names in needs]


def _unsupported(bounds: Sequence[Marker], environments: Environments) -> Iterator[str]:
    """What to say of targets on which installers refuse the lock."""
    names = [name for name, one in environments.items() if not all(map(holds_in(one), bounds))]
    if names:
        yield f"installers refuse it on {abridged(names)}, which it is not for"


def _weak(wanted: list[Wanted]) -> list[str]:
    hashes = frozenset[tuple[str, str]]().union(*(hashes for one in wanted for hashes in one.files.values()))
    weak = sorted({algorithm for algorithm, _ in hashes} & WEAK)
    return [
        f"there are files with nothing but a digest of {algorithm}, which can be forged" for algorithm in weak
    ]
