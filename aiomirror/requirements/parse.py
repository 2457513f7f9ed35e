"""One requirement: PEP 508 for what an index offers, and what pip takes from elsewhere.

``packaging`` decides what a requirement is.  What is here tells first the texts that name a file, a folder or
an address, in pip's way of telling, and afterwards what is wrong with a text that ``packaging`` refuses.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from aiomirror.errors import RequirementError
from aiomirror.requirements.documents import document_kind
from aiomirror.requirements.values import (
    COMMAND_LINE,
    Hashes,
    LineError,
    NotMirrored,
    Wanted,
    brief,
    excerpt,
    masked,
    project_name,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_NO_HASHES: Hashes = frozenset()
_ANY_VERSION = SpecifierSet()

_PLAIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?P<pin>==[0-9]{1,9}(?:\.[0-9]{1,9})*)?"
)
"""A project's name, and a version of numbers alone, as ``pip freeze`` writes most of them."""

# The others are texts, which ``re`` compiles once they are needed: for plain names and pins they are not.
_VCS = r"(?i:git|hg|svn|bzr)\+"
_URL = r"[A-Za-z][A-Za-z0-9+.-]+://|(?i:file):"
# A separator in front of the first sign that begins a specifier, an extra, a marker or a URL.  A backslash
# counts when a name follows: others are continuations gone wrong.
_PATH = r"[.~/]|\\\\\w|[A-Za-z]:[/\\]|[^\s<>=!~;@\[(/\\]*(?:/|\\\w)"
_ARCHIVE = r"\.(?i:whl|zip|tar|tgz|tbz|txz|tlz|tar\.(?:gz|bz2|xz|lz|lzma|zst))\Z"
_SINGLE_EQUALS = (
    r"(?as)(?P<head>[^=<>!~;@]*[^=<>!~;@\s])\s*=\s*(?P<version>\w[\w.!+*-]*)(?P<marker>\s*(?:;.*)?)\Z"
)
_NAME_AND_EXTRAS = r"(?a)\s*(?P<name>[A-Za-z0-9._-]*)\s*(?P<extras>\[[^\[\]]*\])?"
_EXTRAS = r"\[\s*(?:[^\s,\[\]]+\s*(?:,\s*[^\s,\[\]]+\s*)*)?\]"
_OPERATORS = frozenset({"==", "===", "!=", "~=", "<", "<=", ">", ">="})

# Versions of so many digits are an attack; int() refuses them with a ValueError, much later.
_ENDLESS_NUMBER = r"[0-9]{1000}"
MOST_NESTED = 200
"""Parentheses within each other that ``packaging`` reads in a marker."""
_TOO_DEEP = "the marker is nested too deeply"


def parse_spec(text: str) -> Wanted | NotMirrored:
    """A requirement of the command line: PEP 508, or a pin with a single ``=``.

    A pin to a version that PEP 440 does not know becomes ``===``.  RequirementError if it is neither.
    """
    try:
        return read_requirement(_doubled_equals(text), COMMAND_LINE, shown=text)
    except LineError as error:
        raise RequirementError(COMMAND_LINE, 0, brief(text), str(error)) from None


def is_file_argument(text: str) -> bool:
    """Whether a command-line argument, in the place of a name, is the path of a file to read.

    Told by the text alone, for a file called ``six`` in the current folder is not meant by ``six``: "-", a
    name that ends in ``.txt`` or ``.in``, a lock file, or ``pyproject.toml``.
    """
    if text == "-":
        return True
    named = text.lower().endswith((".txt", ".in")) or document_kind(text) is not None
    return named and not re.search(_URL, text) and "@" not in text


def read_requirement(
    text: str, origin: str, *, hashes: Hashes = _NO_HASHES, shown: str | None = None
) -> Wanted | NotMirrored:
    """A requirement without options.

    ``shown`` is the text to call it by if it is not mirrored, where that is not ``text``.  LineError says
    what is wrong with it, in one line.
    """
    plain = _PLAIN.fullmatch(text)  # most of a list of thousands, and read in a fraction of the time
    if plain and (plain["pin"] or "." not in text):  # a name with a dot alone may be that of a local file
        versions = SpecifierSet(plain["pin"]) if plain["pin"] else _ANY_VERSION
        return Wanted(canonicalize_name(plain["name"]), versions, hashes=hashes, origin=origin, text=text)
    why = elsewhere(text)
    if why is not None:
        return not_mirrored(shown or text, origin, why)
    requirement = _requirement(text)
    if requirement.url is not None:
        return not_mirrored(shown or text, origin, "it comes from the URL behind the @, not from the index")
    return Wanted(
        project=project_name(requirement.name),
        specifier=requirement.specifier,
        extras=frozenset(canonicalize_name(extra) for extra in requirement.extras),
        marker=requirement.marker,
        hashes=hashes,
        origin=origin,
        text=_spaced(text),
    )


def not_mirrored(text: str, origin: str, why: str) -> NotMirrored:
    """The value for a text as it was written, fit to be shown."""
    return NotMirrored(_spaced(masked(text)), origin, why)


def elsewhere(text: str) -> str | None:
    """Why the text is nothing that an index offers; None if it is no address, file or folder."""
    if re.match(_VCS, text):
        return "it comes from version control, not from the index"
    if re.match(_URL, text):
        return "it is a URL, not a project of the index"
    if re.match(_PATH, text):
        return "it is a local path, not a project of the index"
    if re.search(_ARCHIVE, _without_tail(text)):
        return "it is the name of a local file, not a project of the index"
    return None


def _without_tail(text: str) -> str:
    """The text without the extras and the marker that pip allows behind a path; "" for ``name @ URL``."""
    head = text.partition(";")[0].rstrip()
    head = head[: head.rfind("[")].rstrip() if head.endswith("]") and "[" in head else head
    return "" if "@" in head else head


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _requirement(text: str) -> Requirement:
    if re.search(_ENDLESS_NUMBER, text):
        raise LineError("a number of a thousand digits is no version")
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 (takes its time)

    try:
        return Requirement(text)
    except InvalidRequirement:
        raise LineError(_explanation(text)) from None
    except RecursionError:
        raise LineError(_TOO_DEEP) from None


# The single "="


def _doubled_equals(text: str) -> str:
    """``name=1.0`` as PEP 508 spells it; other texts as they are."""
    found = re.match(_SINGLE_EQUALS, text) if "=" in text else None
    if found is None or elsewhere(text):
        return text
    if _is_specifier(f"=={found['version']}"):
        return f"{found['head']}=={found['version']}{found['marker']}"
    # "*" has a meaning in PEP 440 versions only.
    return text if "*" in found["version"] else f"{found['head']}==={found['version']}{found['marker']}"


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


# What is wrong


def _explanation(text: str) -> str:
    """One line about the first thing that is wrong with a text that is no requirement."""
    if re.search(r"[\r\n]", text):
        return "there is a line break in it"
    before, semicolon, marker = text.partition(";")
    found = re.match(_NAME_AND_EXTRAS, before)
    name, extras = (found["name"], found["extras"] or "") if found else ("", "")
    rest = before[found.end() :].strip() if found else before
    return (
        _wrong_name(name, text)
        or _wrong_extras(extras, rest)
        or _wrong_rest(rest)
        or (_wrong_marker(marker.strip()) if semicolon else None)
        or "it is no requirement as PEP 508 defines it"
    )


def _wrong_name(name: str, text: str) -> str | None:
    try:
        project_name(name)
    except LineError as error:
        return str(error) if name else f"{excerpt(text)} does not begin with a project's name"
    return None


def _wrong_extras(extras: str, rest: str) -> str | None:
    if rest.startswith("["):
        return "the list of extras has no end"
    if extras and not re.fullmatch(_EXTRAS, extras):
        return f"{excerpt(extras)} is no list of extras"
    return None


def _wrong_rest(rest: str) -> str | None:
    if not rest:
        return None
    if rest.startswith("@"):
        return "there is no URL behind the @" if not rest[1:].strip() else "only a marker may follow the URL"
    if rest.endswith("\\"):
        return "the backslash does not end the line: white space or a comment follows it"
    return _wrong_operator(rest) or _wrong_specifier(rest)


def _wrong_operator(rest: str) -> str | None:
    if rest[0] not in "<>=!~(":
        return f"{excerpt(rest)} follows the name; a version needs an operator such as =="
    if rest.startswith("(") and not rest.endswith(")"):
        return "the parenthesis has no end"
    return None


def _wrong_specifier(rest: str) -> str | None:
    inner = rest[1:-1] if rest.startswith("(") else rest
    parts = (part.strip() for part in inner.split(","))
    wrong = next((part for part in parts if part and not _is_specifier(part)), None)
    return _wrong_part(wrong) if wrong else None


def _wrong_part(specifier: str) -> str:
    version = specifier.lstrip("<>=!~")
    operator = specifier[: len(specifier) - len(version)]
    if operator not in _OPERATORS:
        return f"{operator or excerpt(version)} is no operator" + (
            "; a pin is written with ==" if operator == "=" else ""
        )
    return f"{excerpt(specifier)} is no version specifier{_hint(operator, version.strip())}"


def _hint(operator: str, version: str) -> str:
    """What would have been right, where that can be told."""
    if not version:
        return "; the version is missing"
    if re.search(r"[<>=!~\s]", version):
        return "; specifiers are separated by commas"
    if version.endswith(".*") and operator not in {"==", "!="}:
        return "; .* goes with == and != only"
    try:
        release = Version(version).release
    except InvalidVersion:
        return (
            "" if "*" in version else f"; {excerpt(version)} is no PEP 440 version, which only === can name"
        )
    return "; ~= needs at least two numbers" if operator == "~=" and len(release) == 1 else ""


def _wrong_marker(marker: str) -> str | None:
    from packaging.markers import InvalidMarker, Marker  # noqa: PLC0415 (as above)

    try:
        Marker(marker)
    except InvalidMarker:
        if not marker:
            return "there is no marker behind the semicolon"
        # packaging says both in the same way, and before 26.4 let it become a RecursionError.
        deepest = max(accumulate({"(": 1, ")": -1}.get(character, 0) for character in marker))
        return _TOO_DEEP if deepest > MOST_NESTED else f"{excerpt(marker)} is no environment marker"
    return None
