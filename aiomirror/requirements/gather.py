"""All that a command line asks for, with the files that it names and those that they name.

Files are read through a function that is handed in; nothing here touches a disk.  Everything that cannot be
read is collected and raised at once.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements.documents import document_kind
from aiomirror.requirements.lines import Line, decode, logical_lines, variables
from aiomirror.requirements.options import WEAK, Given, parse_hash, parse_options, split_options
from aiomirror.requirements.parse import not_mirrored, parse_spec, read_requirement
from aiomirror.requirements.pyproject import Offered, not_offered, read_pyproject
from aiomirror.requirements.values import (
    COMMAND_LINE,
    FileOptions,
    Hashes,
    LineError,
    NotMirrored,
    Parsed,
    Wanted,
    brief,
    encodable,
    excerpt,
    masked,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiomirror.requirements.documents import Kind

Read = Callable[[str], bytes]
"""Path → the file's bytes; "-" is standard input.  May raise OSError."""

MAX_NESTING = 50
"""Files within files; deeper ones come from links that lead back, which no comparison of paths can tell."""

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+:"  # one letter and a colon is a drive


def gather(
    specs: Sequence[str],
    files: Sequence[str],
    constraints: Sequence[str],
    read: Read,
    env: Mapping[str, str],
    *,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    environments: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Parsed:
    """Read command-line requirements, requirements files and constraints files, with all that they include.

    Lock files and ``pyproject.toml``, told by their names, may stand wherever requirements files may; each of
    the ``extras`` and ``groups`` has to be in one ``pyproject.toml`` at least.

    As pip does: nested paths are relative to the file that names them, "-" is standard input, a ``-r`` in a
    constraints file includes requirements, and a file that includes itself is an error.  A file that is named
    more than once is read once, and counts once as requirements and once as constraints.  ``environments``,
    by name of the target the variables of markers, narrow lock files to what these need.

    Raises RequirementError, or RequirementErrors for several: a text that is no requirement, an unknown
    option, a file that cannot be read.
    """
    gathering = _Gathering(read, env, extras, groups, environments)
    for spec in specs:
        with gathering.collecting():
            gathering.take(parse_spec(spec), constraint=False)
    for path in files:
        gathering.include(_Include(path, "-r"))
    for path in constraints:
        gathering.include(_Include(path, "-c"))
    return gathering.result()


class _Include(NamedTuple):
    """A file to be read, and the line that wants it; the line is None on the command line."""

    path: str
    role: Literal["-r", "-c"]
    source: str = COMMAND_LINE
    line: Line | None = None

    def error(self, why: str) -> RequirementError:
        if self.line is None:
            return RequirementError(masked(origin_of(self.path)), 0, "", why)
        return RequirementError(self.source, self.line.number, brief(self.line.written), why)


class _Collecting:
    """A context in which a RequirementError, or several, are kept for later."""

    def __init__(self, problems: list[RequirementError]) -> None:
        self._problems = problems

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, RequirementErrors):
            self._problems.extend(error.problems)
        elif isinstance(error, RequirementError):
            self._problems.append(error)
        else:
            return False
        return True


class _Gathering(msgspec.Struct):
    """What has been read so far."""

    read: Read
    env: Mapping[str, str]
    extras: Sequence[str] = ()
    groups: Sequence[str] = ()
    environments: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    offered: Offered = msgspec.field(default_factory=Offered)
    wanted: list[Wanted] = msgspec.field(default_factory=list)
    constraints: list[Wanted] = msgspec.field(default_factory=list)
    not_mirrored: list[NotMirrored] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    problems: list[RequirementError] = msgspec.field(default_factory=list)
    options: FileOptions = msgspec.field(default_factory=FileOptions)
    # By path in normal form; standard input, for one, can be read only once.
    texts: dict[str, str | None] = msgspec.field(default_factory=dict)
    done: set[tuple[str, str]] = msgspec.field(default_factory=set)
    open: list[tuple[str, str]] = msgspec.field(default_factory=list)

    def result(self) -> Parsed:
        if not self.problems:  # or what is not there may only not have been read
            self.problems += not_offered("--extra", self.extras, self.offered.extras)
            self.problems += not_offered("--group", self.groups, self.offered.groups)
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            raise RequirementErrors(*self.problems)
        return Parsed(
            tuple(self.wanted),
            tuple(self.constraints),
            tuple(self.not_mirrored),
            self.options,
            tuple(dict.fromkeys(self.warnings)),
        )

    def collecting(self) -> _Collecting:
        return _Collecting(self.problems)

    def take(self, item: Wanted | NotMirrored, *, constraint: bool) -> None:
        if isinstance(item, Wanted):
            (self.constraints if constraint else self.wanted).append(item)
        elif constraint:
            # It names no version that an index could offer; the project is mirrored as if it were not there.
            self.warnings.append(f"{item.origin}: the constraint {item.text!r} is not followed: {item.why}")
        else:
            self.not_mirrored.append(item)

    # Files

    def include(self, include: _Include) -> None:
        with self.collecting():
            path = _local(include)
            key = (os.path.normpath(path), include.role)
            if key in self.open:
                raise include.error(f"{excerpt(origin_of(path))} includes itself")
            if len(self.open) == MAX_NESTING:
                raise include.error(f"more than {MAX_NESTING} files within each other")
            if key in self.done:
                return
            self.done.add(key)
            self.open.append(key)
            try:
                if kind := document_kind(path):
                    self._document(kind, path, include)
                else:
                    self._lines(path, include)
            finally:
                self.open.pop()

    def _document(self, kind: Kind, path: str, include: _Include) -> None:
        if include.role == "-c":
            raise include.error("a lock file or pyproject.toml holds requirements; name it with -r")
        source, data = origin_of(path), self._bytes(path, include)
        if kind == "pyproject":
            parsed, offered = read_pyproject(source, data, self.extras, self.groups)
            self.offered = Offered(self.offered.extras | offered.extras, self.offered.groups | offered.groups)
        else:
            from aiomirror.requirements.locks import read_lock  # noqa: PLC0415 (seldom needed)

            parsed = read_lock(kind, source, data, self.environments)
        self.wanted += parsed.wanted
        self.not_mirrored += parsed.not_mirrored
        self.warnings += parsed.warnings

    def _lines(self, path: str, include: _Include) -> None:
        text = self._text(path, include)
        for line in logical_lines(text, self.env) if text else ():
            source = origin_of(path)
            if line.swallowed:
                self.warnings.append(
                    f"{source}:{line.number}: the comment ends in a backslash and takes the next line with it"
                )
            with self.collecting():
                try:
                    self._line(path, line, constraint=include.role == "-c")
                except LineError as error:
                    raise RequirementError(
                        source, line.number, brief(line.written), _why(error, line, self.env)
                    ) from None

    def _text(self, path: str, include: _Include) -> str | None:
        key = os.path.normpath(path)
        if key not in self.texts:
            self.texts[key] = None  # reported once, however often it is included
            data = self._bytes(path, include)
            try:
                self.texts[key], warning = decode(data)
            except LineError as error:
                raise RequirementError(origin_of(path), 0, "", str(error)) from None
            if warning:
                self.warnings.append(f"{origin_of(path)}: {warning}")
        return self.texts[key]

    def _bytes(self, path: str, include: _Include) -> bytes:
        try:
            return self.read(path)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise include.error(
            f"cannot read it: {why}"
            if include.line is None
            else f"cannot read {excerpt(origin_of(path))}: {why}"
        )

    # Lines

    def _line(self, path: str, line: Line, *, constraint: bool) -> None:
        text, options = split_options(line.text)
        given = parse_options(options)
        where = f"{origin_of(path)}:{line.number}"
        if text:
            hashes = self._beside(given, where)
            shown = split_options(line.written)[0] or line.written
            self.take(read_requirement(text, where, hashes=hashes, shown=shown), constraint=constraint)
            return
        for option in given:
            self._option(option, path, line, constraint=constraint)

    def _beside(self, given: Iterable[Given], where: str) -> Hashes:
        """The hashes among the options of a requirement."""
        hashes = set()
        for option in given:
            if option.name == "--hash":
                hashes.add(parse_hash(option.value))
            elif not option.option.beside_requirement:
                self.warnings.append(f"{where}: {option.name} counts only in a line of its own")
        for algorithm in sorted({algorithm for algorithm, _ in hashes} & WEAK):
            self.warnings.append(f"{where}: {algorithm} can be forged; pip refuses it")
        return frozenset(hashes)

    def _option(self, given: Given, path: str, line: Line, *, constraint: bool) -> None:
        where = f"{origin_of(path)}:{line.number}"
        if given.option.beside_requirement:
            raise LineError(f"{given.name} belongs behind a requirement, in the same line")
        if given.name in {"--requirement", "--constraint"}:
            role: Literal["-r", "-c"] = "-r" if given.name == "--requirement" else "-c"
            self.include(_Include(_beneath(path, given.value), role, origin_of(path), line))
        elif given.name == "--editable":
            self.take(not_mirrored(line.written, where, "it is an editable install"), constraint=constraint)
        else:
            self.options = given.applied(self.options)
            if warning := given.warning():
                # Without the value: URLs carry credentials, in any part of them.
                self.warnings.append(f"{where}: {given.name} {warning}")


def _why(error: LineError, line: Line, env: Mapping[str, str]) -> str:
    """What is wrong, said without the values of variables: they may be secret."""
    names = variables(line.written)
    if filled := ", ".join(name for name in names if env.get(name)):
        return f"it cannot be read with the value of {filled} put in"
    return f"{error} (not set in the environment: {', '.join(names)})" if names else str(error)


def origin_of(path: str) -> str:
    """What a file is called where it is the origin of something, which is kept."""
    return "standard input" if path == "-" else encodable(path)


def _beneath(path: str, nested: str) -> str:
    """A nested path, which is relative to the folder of the file that names it."""
    if nested == "-" or path == "-" or re.match(_SCHEME, nested):
        return nested
    return os.path.join(os.path.dirname(path), nested)  # noqa: PTH118, PTH120 (text, as it was written)


def _local(include: _Include) -> str:
    """The path to read; a RequirementError for an address."""
    path = include.path
    if "://" not in path and not path.lower().startswith("file:"):
        return path
    try:
        parts = urlsplit(path)
    except ValueError as error:  # unbalanced brackets
        raise include.error("an address that cannot be read") from error
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        from urllib.request import url2pathname  # noqa: PLC0415 (takes its time, and seldom a path is an address)

        return url2pathname(parts.path)
    raise include.error("requirements are read from files only; fetch it first")
