"""Inputs that are TOML documents: which files are, and their tables, read key by key.

Nothing that such a file says is trusted: what is missing, or is of another type than its key should have, is
a LineError that names the key with all that leads to it, as in ``package[3].wheels[0].hash``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from aiomirror.requirements.values import LineError, brief, excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["pylock", "uv", "poetry", "pdm", "pyproject"]
Value = TypeVar("Value")

MAX_BYTES = 64 * 2**20
"""Ten times the largest lock files that are about; a longer document is a mistake or an attack."""

_PYLOCK = re.compile(r"pylock(?:\.[^.]+)?\.toml\Z")  # PEP 751
_KINDS: Mapping[str, Kind] = {
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
    "pyproject.toml": "pyproject",
}
_TYPES = {str: "a string", int: "an integer", bool: "true or false", list: "an array", dict: "a table"}


def document_kind(path: str) -> Kind | None:
    """What kind of document a file is, told by its name alone; None: a requirements file."""
    name = re.split(r"[/\\]", path)[-1]
    return "pylock" if _PYLOCK.match(name) else _KINDS.get(name)


class Table(msgspec.Struct, frozen=True):
    """A table of a document, and the path of keys that leads to it; "" for the document itself."""

    values: Mapping[str, object]
    path: str = ""

    def where(self, key: str) -> str:
        """The path of one of its keys."""
        return f"{self.path}.{excerpt(key)}" if self.path else excerpt(key)

    def error(self, key: str, why: str) -> LineError:
        """What is wrong with the value of a key."""
        return LineError(f"{self.where(key)}: {why}")

    def get(self, key: str, kind: type[Value]) -> Value | None:
        """The value of a key, None where there is none; LineError if it is of another type."""
        value = self.values.get(key)
        return None if value is None else _typed(value, kind, self.where(key))

    def need(self, key: str, kind: type[Value]) -> Value:
        """As ``get``, for a key that has to be there."""
        value = self.get(key, kind)
        if value is None:
            raise self.error(key, "it is missing")
        return value

    def table(self, key: str) -> Table:
        """The table of a key; an empty one where there is none."""
        return Table(self.get(key, dict) or {}, self.where(key))

    def tables(self, key: str) -> list[Table]:
        """The tables in the array of a key; none where there is no array."""
        paths = (
            (f"{self.where(key)}[{place}]", value) for place, value in enumerate(self.get(key, list) or ())
        )
        return [Table(_typed(value, dict, path), path) for path, value in paths]

    def texts(self, key: str) -> list[str]:
        """The strings in the array of a key; none where there is no array."""
        values = self.get(key, list) or ()
        return [_typed(value, str, f"{self.where(key)}[{place}]") for place, value in enumerate(values)]


def _typed(value: object, kind: type[Value], path: str) -> Value:
    # True is an int to Python, and not to TOML.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise LineError(f"{path}: it is not {_TYPES.get(kind, kind.__name__)}")
    return value


def decode_document(data: bytes) -> str:
    """The text of a document, which TOML wants in UTF-8; a byte order mark is read over."""
    if len(data) > MAX_BYTES:
        raise LineError(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LineError("it is not in UTF-8, and so no TOML") from None


def parse_document(text: str) -> Table:
    """The document's tables; a LineError gives line and column."""
    import tomllib  # noqa: PLC0415 (takes its time, and most runs read no document)

    try:
        return Table(tomllib.loads(text))
    except RecursionError:
        raise LineError("it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError is one; so is what int() says of thousands of digits
        raise LineError(f"it is no TOML: {brief(str(error))}") from None
