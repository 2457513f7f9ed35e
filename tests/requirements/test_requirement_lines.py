from __future__ import annotations

import codecs

import pytest

from aiomirror.requirements.lines import Line, decode, expand, logical_lines
from aiomirror.requirements.values import LineError


def lines(text: str, **env: str) -> list[tuple[int, str]]:
    return [(line.number, line.text) for line in logical_lines(text, env)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (codecs.BOM_UTF8 + "café".encode(), "café"),
        (codecs.BOM_UTF16_LE + "café".encode("utf-16-le"), "café"),
        (codecs.BOM_UTF16_BE + "café".encode("utf-16-be"), "café"),
        (codecs.BOM_UTF32_LE + "café".encode("utf-32-le"), "café"),
        (codecs.BOM_UTF32_BE + "café".encode("utf-32-be"), "café"),
        (b"# -*- coding: latin-1 -*-\ncaf\xe9", "# -*- coding: latin-1 -*-\ncafé"),
        (b"a\r\n# vim: set fileencoding=cp1252 :\r\n\x80", "a\r\n# vim: set fileencoding=cp1252 :\r\n€"),
        (b"", ""),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    assert decode(data) == (text, "")


def test_a_coding_line_below_the_second_is_a_comment() -> None:
    assert decode(b"a\nb\n# coding: no-such\n") == ("a\nb\n# coding: no-such\n", "")


def test_neither_utf_8_nor_marked_is_latin_1_with_a_warning() -> None:
    text, warning = decode(b"six # caf\xe9")
    assert text == "six # café"
    assert "Latin-1" in warning


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"# coding: no-such\n", "unknown encoding 'no-such'"),
        (b"# coding: hex\n", "unknown encoding 'hex'"),
        (b"# coding: ascii\n\xe9", "not in the encoding that it names, ascii"),
        (b"# coding: undefined\n", "not in the encoding that it names, undefined"),
        (codecs.BOM_UTF16_LE + b"a", "not in the encoding that it names, utf-16-le"),
        (codecs.BOM_UTF8 + b"\xe9", "not in the encoding that it names, utf-8"),
    ],
)
def test_files_that_are_not_what_they_say(data: bytes, why: str) -> None:
    with pytest.raises(LineError, match=why):
        decode(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", [(1, "a"), (2, "b")]),
        ("a\r\nb\rc\n\nd", [(1, "a"), (2, "b"), (3, "c"), (5, "d")]),
        ("\x0c\na", [(2, "a")]),
        ("  a  ", [(1, "a")]),
        ("# a\n  # b\na # c\na#b\na\t#c", [(3, "a"), (4, "a#b"), (5, "a")]),
        ("https://x.example/a#egg=a", [(1, "https://x.example/a#egg=a")]),
        ("a==\\\n1.0", [(1, "a==1.0")]),
        ("\n\na \\\n  b \\\n  c\nd", [(3, "a   b   c"), (6, "d")]),
        ("a \\\n# comment\nb", [(1, "a"), (3, "b")]),
        ("a \\\n  # comment \\\nb", [(1, "a"), (3, "b")]),
        ("# comment \\\nb", [(2, "b")]),
        ("a \\", [(1, "a")]),
        ("a \\ \nb", [(1, "a \\"), (2, "b")]),
        ("\\\n\\\na", [(1, "a")]),
    ],
)
def test_logical_lines(text: str, expected: list[tuple[int, str]]) -> None:
    assert lines(text) == expected


def test_a_comment_that_takes_the_next_line_is_told() -> None:
    assert list(logical_lines("a # b \\\nc\nd", {})) == [
        Line(1, "a", "a", swallowed=True),
        Line(3, "d", "d"),
    ]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${NAME}==1", "foo==1"),
        ("${NAME}${NAME}", "foofoo"),
        ("${UNSET} ${EMPTY} ${name} $NAME %NAME%", "${UNSET} ${EMPTY} ${name} $NAME %NAME%"),
        ("${NESTED}", "${NAME}"),
        ("${A_1}", "x"),
    ],
)
def test_environment_variables(text: str, expanded: str) -> None:
    assert (
        expand(text, {"NAME": "foo", "EMPTY": "", "name": "no", "NESTED": "${NAME}", "A_1": "x"}) == expanded
    )


def test_a_value_is_never_a_comment_and_never_shown() -> None:
    (line,) = logical_lines("a==${VERSION} # b", {"VERSION": "1 #2"})
    assert line == Line(1, "a==1 #2", "a==${VERSION}")


def test_long_white_space_is_read_in_linear_time() -> None:
    assert lines("a" + " " * 300_000 + "b")[0][0] == 1
