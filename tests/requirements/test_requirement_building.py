"""What a ``pyproject.toml`` says that an archive is built with."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from aiomirror.requirements.building import read_build_requires
from aiomirror.requirements.values import LineError

ARCHIVE = "foo-1.0.tar.gz"


def texts(document: str | None) -> list[str]:
    wanted, elsewhere = read_build_requires(None if document is None else document.encode(), ARCHIVE)
    assert not elsewhere
    return [one.text for one in wanted]


@pytest.mark.parametrize(
    "document",
    [None, "", "[project]\nname = 'foo'\n", "[build-system]\n", "[build-system]\nbuild-backend = 'b'\n"],
)
def test_setuptools_where_nothing_is_said(document: str | None) -> None:
    assert texts(document) == ["setuptools>=40.8.0"]


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        ("[]", []),
        ("['Hatchling']", ["Hatchling"]),
        (
            "['cython>=3 ; python_version < \"3.13\"', 'b[c]~=1.0']",
            ['cython>=3 ; python_version < "3.13"', "b[c]~=1.0"],
        ),
    ],
)
def test_what_is_said_counts_also_beside_a_backend_in_the_tree(requires: str, expected: list[str]) -> None:
    assert texts(f"[build-system]\nrequires = {requires}\nbackend-path = ['.']\n") == expected


def test_the_requirements_are_read_as_others_are() -> None:
    document = b"\xef\xbb\xbf[build-system]\nrequires = [\"Foo_Bar[X_y]>=1; sys_platform == 'win32'\"]\n"
    (one,), _ = read_build_requires(document, ARCHIVE)
    assert (str(one.project), str(one.specifier), *one.extras) == ("foo-bar", ">=1", "x-y")
    assert str(one.marker) == 'sys_platform == "win32"'
    assert one.origin == ""


@pytest.mark.parametrize("text", ["b @ https://files.example/b.zip", "./local", "git+https://host.example/b"])
def test_what_is_not_of_an_index_is_told_with_its_place(text: str) -> None:
    document = f"[build-system]\nrequires = ['a', '{text}']\n".encode()
    (wanted,), (elsewhere,) = read_build_requires(document, ARCHIVE)
    assert wanted.project == "a"
    assert str(elsewhere).startswith(f"{ARCHIVE}: build-system.requires[1]: '{text}' is not mirrored")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"\xff", "not in UTF-8"),
        (b"[build-system", "no TOML"),
        (b"build-system = 1", "build-system: it is not a table"),
        (b"[build-system]\nrequires = 'a'", "build-system.requires: it is not an array"),
        (b"[build-system]\nrequires = [1]", r"build-system.requires\[0\]: it is not a string"),
        (b"[build-system]\nrequires = ['a', 'b>=']", r"build-system.requires\[1\]: "),
        (b"a = " + b"[" * 10_000, "nested too deeply"),
    ],
)
def test_why_it_cannot_be_read(document: bytes, why: str) -> None:
    with pytest.raises(LineError, match=why):
        read_build_requires(document, ARCHIVE)


@given(st.text())
def test_no_requirement_raises_anything_else(text: str) -> None:
    document = f"[build-system]\nrequires = [{_quoted(text)}]\n".encode("utf-8", "replace")
    with suppress(LineError):
        wanted, elsewhere = read_build_requires(document, ARCHIVE)
        assert len(wanted) + len(elsewhere) == 1


def _quoted(text: str) -> str:
    """As a TOML string."""
    return '"' + "".join(f"\\U{ord(one):08X}" for one in text) + '"'
