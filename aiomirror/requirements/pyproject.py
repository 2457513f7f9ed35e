"""What a ``pyproject.toml`` depends on: the project, its extras (PEP 621) and its groups (PEP 735).

Nothing is built: what a file leaves to its build backend is an error here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from packaging.utils import NormalizedName, canonicalize_name

from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements.documents import Table, decode_document, parse_document
from aiomirror.requirements.parse import read_requirement
from aiomirror.requirements.values import COMMAND_LINE, LineError, NotMirrored, Parsed, Wanted, brief, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_DYNAMIC = "left to the build backend (dynamic), and cannot be read without running its code"
_NOTHING_OFFERED = "no pyproject.toml that is named has any; lock files are taken whole"
_POETRY = "its dependencies are Poetry's own, [tool.poetry.dependencies]; name its poetry.lock instead"


class Offered(NamedTuple):
    """The extras and the groups that there are."""

    extras: frozenset[NormalizedName] = frozenset()
    groups: frozenset[NormalizedName] = frozenset()


def read_pyproject(
    source: str, data: bytes, extras: Sequence[str] = (), groups: Sequence[str] = ()
) -> tuple[Parsed, Offered]:
    """The dependencies, with those of the extras and groups, and which of these the file has.

    Extras and groups that it lacks are passed over, for another file may have them; see ``not_offered``.
    Extras of the project itself among its dependencies are followed; the marker behind such a one is not
    carried over to what it brings, so rather too much is asked for than too little.

    Raises RequirementErrors: a document that cannot be read, or dependencies that cannot.
    """
    try:
        document = parse_document(decode_document(data))
        reading = _Reading(source, document.table("project"), document.table("dependency-groups"))
        reading.dependencies(document, extras, groups)
    except LineError as error:
        raise RequirementErrors(RequirementError(source, 0, "", str(error))) from None
    except RecursionError:
        raise RequirementErrors(
            RequirementError(source, 0, "", "its groups or extras are nested too deeply")
        ) from None
    if reading.problems:
        raise RequirementErrors(*reading.problems)
    parsed = Parsed(tuple(reading.wanted), (), tuple(reading.not_mirrored))
    return parsed, Offered(frozenset(reading.extras), frozenset(reading.groups))


def not_offered(
    option: str, asked: Iterable[str], there: frozenset[NormalizedName]
) -> list[RequirementError]:
    """An error for each name, given by ``--extra`` or ``--group``, that no file has."""
    listed = f"there are {', '.join(sorted(there))}" if there else _NOTHING_OFFERED
    problems = []
    for name in asked:
        if (normal := canonicalize_name(name)) not in there:
            from difflib import get_close_matches  # noqa: PLC0415 (for errors only)

            near = get_close_matches(normal, sorted(there), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(
                RequirementError(COMMAND_LINE, 0, "", f"{option} {excerpt(name)}: {listed}{hint}")
            )
    return problems


class _Reading(msgspec.Struct):
    """The document, and what has been found in it so far."""

    source: str
    project: Table
    group_table: Table
    name: NormalizedName | None = None
    extras: Mapping[NormalizedName, str] = msgspec.field(default_factory=dict)
    """The key of each."""
    groups: Mapping[NormalizedName, str] = msgspec.field(default_factory=dict)
    wanted: list[Wanted] = msgspec.field(default_factory=list)
    not_mirrored: list[NotMirrored] = msgspec.field(default_factory=list)
    problems: list[RequirementError] = msgspec.field(default_factory=list)
    done: set[tuple[str, NormalizedName]] = msgspec.field(default_factory=set)

    def __post_init__(self) -> None:
        self.extras = _names(self.project.table("optional-dependencies"))
        self.groups = _names(self.group_table)
        name = self.project.get("name", str)
        self.name = canonicalize_name(name) if name else None

    def dependencies(self, document: Table, extras: Sequence[str], groups: Sequence[str]) -> None:
        dynamic = self.project.texts("dynamic")
        if "dependencies" not in self.project.values:
            if "dependencies" in document.table("tool").table("poetry").values:
                raise LineError(_POETRY)
            if "dependencies" in dynamic:
                raise LineError(f"project.dependencies: {_DYNAMIC}")
            if not self.project.values and not groups:
                raise LineError("there is no [project] table, so nothing says what it depends on")
        if extras and "optional-dependencies" in dynamic:
            raise LineError(f"project.optional-dependencies: {_DYNAMIC}")
        self._requirements(self.project, "dependencies")
        for extra in map(canonicalize_name, extras):
            if extra in self.extras:
                self._extra(extra)
        for group in map(canonicalize_name, groups):
            if group in self.groups:
                self._group(group, ())

    def _requirements(self, table: Table, key: str) -> None:
        for place, text in enumerate(table.texts(key)):
            self._requirement(f"{table.where(key)}[{place}]", text)

    def _requirement(self, where: str, text: str) -> None:
        try:
            one = read_requirement(text, f"{self.source}: {where}")
            if isinstance(one, NotMirrored):
                self.not_mirrored.append(one)
            elif one.project != self.name:
                self.wanted.append(one)
            else:
                for extra in sorted(one.extras):
                    self._extra(canonicalize_name(extra))
        except LineError as error:
            self.problems.append(RequirementError(self.source, 0, brief(text), f"{where}: {error}"))

    def _extra(self, extra: NormalizedName) -> None:
        if ("extra", extra) in self.done:
            return
        self.done.add(("extra", extra))
        if extra not in self.extras:
            raise LineError(f"the project has no extra {excerpt(extra)}")
        self._requirements(self.project.table("optional-dependencies"), self.extras[extra])

    def _group(self, group: NormalizedName, within: tuple[NormalizedName, ...]) -> None:
        if group in within:
            circle = " → ".join((*within[within.index(group) :], group))
            raise LineError(f"dependency-groups: {circle} include each other")
        if ("group", group) in self.done:
            return
        key = self.groups[group]
        for place, item in enumerate(self.group_table.need(key, list)):
            where = f"{self.group_table.where(key)}[{place}]"
            if isinstance(item, str):
                self._requirement(where, item)
            else:
                self._group(self._included(item, where), (*within, group))
        self.done.add(("group", group))

    def _included(self, item: object, where: str) -> NormalizedName:
        if not isinstance(item, dict) or item.keys() != {"include-group"}:
            raise LineError(f"{where}: it is neither a requirement nor an include-group")
        name = Table(item, where).need("include-group", str)
        if (group := canonicalize_name(name)) not in self.groups:
            raise LineError(f"{where}: there is no group {excerpt(name)}")
        return group


def _names(table: Table) -> dict[NormalizedName, str]:
    """The keys of a table by their normal form."""
    names: dict[NormalizedName, str] = {}
    for key in table.values:
        if (name := canonicalize_name(key)) in names:
            raise table.error(key, f"it is the same as {excerpt(names[name])}")
        names[name] = key
    return names
