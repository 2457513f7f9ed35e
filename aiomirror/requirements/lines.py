"""Bytes of a requirements file → its logical lines, as pip reads them.

In pip's order: decode, join continued lines, drop comments, put in environment variables.  A value from the
environment is thus never read as a comment.  What the lines mean is not looked at here.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

import msgspec

from aiomirror.requirements.values import LineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# The UTF-32 mark begins with the one of UTF-16: the longer ones first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263
_CODING_LINES = 2

# Not str.splitlines: editors do not count form feeds, U+2028 and the like as lines, and in a Latin-1 file
# the byte 0x85 in a comment would end it.
_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class Line(msgspec.Struct, frozen=True):
    """One logical line that is not empty, without comment.

    ``number`` is that of its first physical line, from 1; ``written`` is the text before variables were put
    in, which is what may be shown.  ``swallowed``: a comment that ends in a backslash took the next line with
    it.
    """

    number: int
    text: str
    written: str
    swallowed: bool = False


def decode(data: bytes) -> tuple[str, str]:
    """The text, and a warning or "".

    A byte order mark decides, else a PEP 263 line among the first two, else UTF-8, else Latin-1, with a
    warning: not the locale's encoding, for the same file is to mean the same on every machine.  LineError if
    the text is not in the encoding that the file itself names.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding), ""
    for line in re.split(rb"\r\n?|\n", data, maxsplit=_CODING_LINES)[:_CODING_LINES]:
        if found := _CODING.match(line):
            return _decoded(data, found[1].decode("ascii")), ""
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        return data.decode("latin-1"), "neither UTF-8 nor marked as anything else; read as Latin-1"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:  # also what is no text encoding, such as hex
        raise LineError(f"unknown encoding {encoding!r}") from None
    except ValueError:
        raise LineError(f"the file is not in the encoding that it names, {encoding}") from None


def logical_lines(text: str, env: Mapping[str, str]) -> Iterator[Line]:
    """The lines that say something, with the variables of ``env`` put in.

    Variables are ``${NAME}``, in capitals; one that is unset or empty stays as it is written.
    """
    for number, joined, swallowed in _joined(enumerate(_LINE_END.split(text), start=1)):
        written = _COMMENT.sub("", joined).strip()
        if written:
            yield Line(number, expand(written, env), written, swallowed)


def expand(text: str, env: Mapping[str, str]) -> str:
    """The text with the variables of ``env`` in their places."""
    return _VARIABLE.sub(lambda found: env.get(found[1]) or found[0], text)


def variables(text: str) -> list[str]:
    """The names of the variables in a text that is not expanded yet, each once."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def _joined(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, bool]]:
    """Joined lines with the number of the first, and whether more than its own line is in a comment.

    A line that is nothing but a comment ends a continuation and never begins one.
    """
    first, parts, swallowed = 0, list[str](), False
    for number, line in lines:
        first = number if not parts else first
        comment_only = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment_only:
            swallowed = swallowed or _COMMENT.search(line) is not None
            parts.append(line.rstrip("\\"))
            continue
        # The space keeps a comment one, whatever it is joined to.
        yield first, "".join(parts) + (f" {line}" if comment_only else line), swallowed
        parts, swallowed = [], False
    if parts:
        yield first, "".join(parts), swallowed
