"""A lock file of any known kind → exactly the files that it lists; nothing is resolved again.

The URLs of a lock are not asked: the mirror looks for files of these names at its own upstream, and takes
them only if they have the digests that are locked.  Everything that is wrong is collected and raised at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements.documents import decode_document, parse_document
from aiomirror.requirements.locks.packages import Locked
from aiomirror.requirements.locks.pdm import open_pdm
from aiomirror.requirements.locks.poetry import open_poetry
from aiomirror.requirements.locks.pylock import open_pylock
from aiomirror.requirements.locks.uv import open_uv
from aiomirror.requirements.options import WEAK
from aiomirror.requirements.values import LineError, NotMirrored, Parsed, Wanted

if TYPE_CHECKING:
    from aiomirror.requirements.documents import Kind
    from aiomirror.requirements.locks.packages import Opened, Read

_FORMATS = {"pylock": open_pylock, "uv": open_uv, "poetry": open_poetry, "pdm": open_pdm}
_HEADINGS = re.compile(r"^[ \t]*\[\[[ \t]*packages?[ \t]*\]\]", re.MULTILINE)


def read_lock(kind: Kind, source: str, data: bytes) -> Parsed:
    """The packages of a lock file; those that no index offers are ``not_mirrored``.

    ``source`` is what to call the file.  Raises RequirementError for a document that cannot be read at all,
    or RequirementErrors for packages that cannot.
    """
    try:
        text = decode_document(data)
        opened = _FORMATS[kind](parse_document(text))
    except LineError as error:
        raise RequirementError(source, 0, "", str(error)) from None
    return _packages(source, opened, _lines(text, len(opened.packages)))


def _lines(text: str, packages: int) -> list[int]:
    """The line, from 1, at which each package begins; 0 where the tables are written in another way."""
    lines, line, end = [], 1, 0
    for heading in _HEADINGS.finditer(text):
        line += text.count("\n", end, heading.start())
        end = heading.start()
        lines.append(line)
    return lines if len(lines) == packages else [0] * packages


def _packages(source: str, opened: Opened, lines: list[int]) -> Parsed:
    wanted: list[Wanted] = []
    others: list[NotMirrored] = []
    problems: list[RequirementError] = []
    for read, line in zip(opened.packages, lines, strict=True):
        try:
            one = _one(read, f"{source}:{line}" if line else source)
        except LineError as error:
            problems.append(RequirementError(source, line, "", str(error)))
            continue
        if isinstance(one, Wanted):
            wanted.append(one)
        else:
            others.append(one)
    if problems:
        raise RequirementErrors(*problems)
    warnings = [f"{source}: {warning}" for warning in (*opened.warnings, *_weak(wanted))]
    return Parsed(tuple(wanted), (), tuple(others), warnings=tuple(warnings))


def _one(read: Read, origin: str) -> Wanted | NotMirrored:
    package = read()
    if isinstance(package, Locked):
        return package.wanted(origin)
    return NotMirrored(package.text, origin, package.why)


def _weak(wanted: list[Wanted]) -> list[str]:
    hashes = frozenset[tuple[str, str]]().union(*(hashes for one in wanted for hashes in one.files.values()))
    weak = sorted({algorithm for algorithm, _ in hashes} & WEAK)
    return [
        f"there are files with nothing but a digest of {algorithm}, which can be forged" for algorithm in weak
    ]
