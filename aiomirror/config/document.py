"""The bytes of ``aiomirror.toml`` → a layer of settings, the rules of projects, and targets."""

from __future__ import annotations

import os.path
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from aiomirror.config.layers import Given, Layer, layer, nearest
from aiomirror.config.machines import SPELT, Machine
from aiomirror.config.settings import PROJECT, SETTINGS, TARGET, key_of
from aiomirror.config.values import ProjectRules
from aiomirror.requirements.values import LineError, encodable, excerpt, project_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.config.kinds import Kind

MACHINE = dict.fromkeys(("python", "platform")).keys()
"""The keys that every ``[[target]]`` needs, in the order of errors."""
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*["']?([^\s"'=#\[\]{}.,]+)["']?\s*=""")


class Document(msgspec.Struct, frozen=True):
    """What a configuration file says."""

    layer: Layer = msgspec.field(default_factory=Layer)
    projects: Mapping[NormalizedName, ProjectRules] = msgspec.field(default_factory=dict)
    machines: tuple[Machine, ...] = ()


def read_document(data: bytes, path: str, problems: list[str]) -> Document:
    """The content of the file at ``path``, to whose folder the paths in it are relative.

    What is wrong goes to ``problems``, a line each with file and line; what is right is returned.
    """
    import tomllib  # noqa: PLC0415 (takes its time, and not every run has a file)

    try:
        text = data.decode("utf-8-sig")
        tree = tomllib.loads(text)
    except UnicodeDecodeError:
        problems.append(f"{path}: not UTF-8, which TOML has to be")
        return Document()
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path}: {error}")
        return Document()
    except RecursionError:
        problems.append(f"{path}: nested too deeply")
        return Document()
    except ValueError:  # what int() says of thousands of digits, and nothing else is
        problems.append(f"{path}: a number of thousands of digits")
        return Document()
    return _Reader(path, dict(_lines(text)), problems).read(tree)


def _lines(text: str) -> Iterator[tuple[tuple[str, str], int]]:
    """Table and key → line, counted from 1, as far as lines tell without being parsed; the first one last.

    Tables of a list are numbered from 0: ``target.0`` is the first ``[[target]]``.
    """
    table, found = "", []
    count = Counter[str]()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = ".".join(part.strip(" \t\"'") for part in header[2].split("."))
            found.append(((table, ""), number))
            if header[1] == "[[":
                count[table] += 1
                table = f"{table}.{count[table] - 1}"
                found.append(((table, ""), number))
        elif key := _KEY.match(line):
            found.append(((table, key[1]), number))
    return reversed(found)


class _Reader(msgspec.Struct):
    """One file's tables, taken one after another."""

    path: str
    lines: Mapping[tuple[str, str], int]
    problems: list[str]

    def read(self, tree: dict[str, Any]) -> Document:
        projects, targets = tree.pop("project", {}), tree.pop("target", [])
        given: dict[str, Given] = {}
        for key, value in tree.items():
            where = self._where(key)
            setting = SETTINGS.get(key)
            if setting is None or not setting.in_file:
                self.problems.append(f"{where}: {self._unknown(key)}")
            elif (found := self._value(setting.kind, value, f"{where}: {key}")) is not None:
                given[key] = Given(found, where)
        machines = tuple(self._machines(targets))
        for key in SPELT:
            if targets and key in given:
                self.problems.append(f"{given[key].origin}: {key} and [[target]] exclude each other")
        return Document(layer(given, self.problems), dict(self._projects(projects)), machines)

    def _where(self, *keys: str) -> str:
        """The line of a key, or of the nearest table around it that has one."""
        for depth in range(len(keys), 0, -1):
            table, key = ".".join(keys[: depth - 1]), keys[depth - 1]
            number = self.lines.get((table, key)) or self.lines.get((f"{table}.{key}".lstrip("."), ""))
            if number:
                return f"{encodable(self.path)}:{number}"
        return encodable(self.path)

    def _unknown(self, key: str) -> str:
        if key in SETTINGS:
            return f"{key} cannot be said in the file itself"
        # An option that names a file has the name of what may also stand here itself.
        meant = [one for one in (f"{key}s", key_of(key)) if one in SETTINGS]
        hint = (
            f"; did you mean {' or '.join(dict.fromkeys(meant))}?"
            if meant
            else nearest(key, [*SETTINGS, "project", "target"])
        )
        return f"unknown key {excerpt(key)}{hint}"

    def _value(self, kind: Kind, value: object, origin: str) -> Any:  # noqa: ANN401 (each kind has its own)
        """The value; None, and a problem for each that is not right."""
        values = value if kind.many and isinstance(value, list) else [value]
        found = []
        for one in values:
            if type(one) not in kind.native:
                # A number in quotes is none in TOML, which is seen only with the quotes.
                shown = f'"{one}"' if isinstance(one, str) else one
                self.problems.append(str(kind.refusal(shown, origin)))
                continue
            try:
                found.append(kind.read(self._anchored(kind, one), origin))
            except ValueError as error:
                self.problems.append(str(error))
        if len(found) != len(values):
            return None
        return tuple(found) if kind.many else found[0]

    def _anchored(self, kind: Kind, value: object) -> object:
        """A path relative to the file's folder, as one relative to the current folder."""
        if not isinstance(value, str) or value.startswith("~/") or not kind.is_path(value):
            return value
        return value and os.path.join(os.path.dirname(self.path), value)  # noqa: PTH118, PTH120 (text, as it was written)

    def _machines(self, tables: object) -> Iterator[Machine]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problems.append(f"{self._where('target')}: target takes tables: [[target]]")
            return
        labels: set[str] = set()
        for place, table in enumerate(tables):
            where = self._where("target", str(place))
            found = self._keys(table, TARGET, "a target", "target", str(place))
            if missing := [key for key in MACHINE if key not in table]:
                self.problems.append(f"{where}: the target has no {' and no '.join(missing)}")
            if not found.keys() >= MACHINE:
                continue
            machine = Machine(**found, origin=where)
            if machine.label in labels:
                self.problems.append(f"{where}: two targets are called {machine.label}")
            labels.add(machine.label)
            yield machine

    def _projects(self, tables: object) -> Iterator[tuple[NormalizedName, ProjectRules]]:
        if not isinstance(tables, dict):
            self.problems.append(f"{self._where('project')}: project takes tables: [project.NAME]")
            return
        seen: set[NormalizedName] = set()
        for name, table in tables.items():
            where = self._where("project", name)
            try:
                project = project_name(name)
            except LineError as error:
                self.problems.append(f"{where}: {error}")
                continue
            if project in seen:
                self.problems.append(f"{where}: {project} has two tables")
            elif isinstance(table, dict):
                yield project, self._rules(name, table)
            else:
                self.problems.append(f"{where}: project.{name} takes a table: [project.{name}]")
            seen.add(project)

    def _rules(self, name: str, table: dict[str, Any]) -> ProjectRules:
        found = self._keys(table, PROJECT, "a project", "project", name)
        for one, other in (("latest", "all_versions"), ("only_binary", "no_binary")):
            if found.get(one) and found.get(other):
                keys = " and ".join(key.replace("_", "-") for key in (one, other))
                where = self._where("project", name)
                self.problems.append(f"{where}: {keys} exclude each other")
        return ProjectRules(**found)

    def _keys(
        self, table: dict[str, Any], kinds: Mapping[str, Kind], what: str, *path: str
    ) -> dict[str, Any]:
        """The values of a table by their names as Python has them; ``path`` leads to the table."""
        found: dict[str, Any] = {}
        for key, value in table.items():
            where = self._where(*path, key)
            if key not in kinds:
                hint = nearest(key.replace("_", "-"), kinds)
                if kinds is PROJECT and isinstance(value, dict):
                    hint = f'; a name with dots has to be quoted: [project."{path[-1]}.{key}"]'
                self.problems.append(f"{where}: unknown key {excerpt(key)} of {what}{hint}")
            elif (one := self._value(kinds[key], value, f"{where}: {key}")) is not None:
                found[key.replace("-", "_")] = one
        return found
