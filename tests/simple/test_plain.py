"""Pages judged as a whole say what the same pages say that are read entry by entry."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, strategies as st
from packaging.utils import canonicalize_name

from aiomirror.requirements import Wanted, parse_spec
from aiomirror.selection import Policy, select
from aiomirror.simple import read_json
from aiomirror.simple.plain import PlainEntry
from aiomirror.simple.read import read_page
from aiomirror.simple.values import JSON_TYPE, Files, Listed, ProjectFile, ProjectPage

URL = "https://index.example/simple/foo-bar/"
PROJECT = canonicalize_name("foo-bar")
DIGEST = "0123456789abcdef" * 4

# The usual values first, and what an entry has to be looked at for.
NAMES = (
    "foo_bar-1.0-py3-none-any.whl",
    "foo_bar-1.0-py3-none-any.whl",  # listed twice
    "Foo_Bar-1.0-py3-none-any.whl",
    "foo-bar-2.0.tar.gz",
    "foo-bar-2.0.tar.gz.asc",
    "foo_bar-2-1.0.zip",
    "spam-1.0.tar.gz",
    ".foo-bar-1.0.tar.gz",
    "-foo-bar-1.0.tar.gz",
    "foo-bar-1.0~a.tar.gz",
    "foo-bar-1.0 (2).tar.gz",
    "foo-bar-1.0\n.tar.gz",
    "foo-bar-1.0\u0131.tar.gz",
    "../foo-bar-3.0.tar.gz",
    "foo-bar-" + "1" * 240 + ".zip",
    "",
)
LINKS = (
    "https://files.example/a/",
    "https://files.example:8443/a/../",
    "http://files.example/",
    "https://other.example/~b/",
    "https://files.example",
    "https://files.example/a b/",
    "../../packages/",
    "../../packages/./a/",
    "../" * 9,
    "./a/",
    "/a/",
    "//files.example/a/",
    "a//b/",
    "a/.b/",
    "a/?query=",
    "",
    "javascript:",
)
HASHES: tuple[object, ...] = (
    {"sha256": DIGEST},
    {"sha256": DIGEST.upper()},
    {"sha256": DIGEST[:-1]},
    {"sha256": DIGEST + "0"},
    {"sha256": "x" * 64},
    {"sha256": None},
    {"sha256": DIGEST, "md5": "0" * 32},
    {"blake3": "1"},
    {},
    None,
)
OTHERS: dict[str, tuple[object, ...]] = {
    "size": (5, None, 0, -1, 5.0, 0.5, 2**63, True, "5"),
    "requires-python": (">=3.8", None, "", "  ", "nonsense", 3),
    "yanked": (False, True, "broken", "", None, 1),
    "upload-time": ("2024-01-01T00:00:00Z", None, "2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00", "x"),
    "core-metadata": (False, True, None, {"sha256": DIGEST}, {"sha256": "x"}, {"sha256": None}),
    "dist-info-metadata": (False, True, {"sha256": DIGEST}),
    "provenance": (None, "https://p.example/a", "https://p.example/a#b", "http://p.example", "p", 1),
}


def entry(
    name: str, folder: str, hashes: object, rest: dict[str, object], *, named: bool
) -> dict[str, object]:
    return {"filename": name, "url": folder + name if named else folder, "hashes": hashes, **rest}


def mostly(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """The first of them more often than all others: a page that is odd anywhere tells of nothing else."""
    return st.one_of(st.just(values[0]), st.just(values[0]), st.just(values[0]), st.sampled_from(values))


RESTS = st.fixed_dictionaries({}, optional={key: mostly(values) for key, values in OTHERS.items()})
PLAIN_NAMES = st.from_regex(r"foo[-_]bar-[0-9]{1,2}(\.[0-9])?(\.tar\.gz|-py3-none-any\.whl)", fullmatch=True)
ENTRIES = st.builds(
    entry,
    PLAIN_NAMES | mostly(NAMES),
    mostly(LINKS) | st.sampled_from(LINKS),
    mostly(HASHES),
    RESTS,
    named=mostly((True, False)),
)


def read(entries: list[dict[str, object]], long: int) -> ProjectPage:
    body = {"meta": {"api-version": "1.1"}, "name": "foo-bar", "files": entries}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_json, "LONG", long)
        return read_page(json.dumps(body).encode(), JSON_TYPE, URL, PROJECT)


def plain(number: int) -> dict[str, object]:
    name = f"foo_bar-{number}-py3-none-any.whl"
    rest: dict[str, object] = {key: values[0] for key, values in OTHERS.items()}
    return entry(name, LINKS[0], HASHES[0], rest, named=True)


@given(st.lists(ENTRIES, max_size=6))
@example([])
@example([plain(1), plain(2)])
def test_both_ways_read_the_same(entries: list[dict[str, object]]) -> None:
    page, other = read(entries, 0), read(entries, 2**62)
    assert page == other
    assert isinstance(other.files, Listed)
    assert page.readings == other.readings
    assert dict(page.named) == other.named
    for one, same in zip(page.candidates, other.candidates, strict=True):
        for name in ("filename", "hashes", "size", "requires_python", "yanked", "upload_time"):
            assert getattr(one, name) == getattr(same, name)


@pytest.mark.parametrize("folder", LINKS[:3] + LINKS[6:7] + LINKS[10:11])
def test_usual_pages_are_judged_as_a_whole(folder: str) -> None:
    entries = [{**plain(number), "url": f"{folder}foo_bar-{number}-py3-none-any.whl"} for number in range(3)]
    page = read(entries, 0)
    assert isinstance(page.files, Files)
    assert page == read(entries, 2**62)


def test_a_choice_makes_no_file_but_the_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    page = read([plain(number) for number in range(9)], 0)
    assert all(isinstance(one, PlainEntry) for one in page.candidates)
    make = Mock(side_effect=ProjectFile)
    monkeypatch.setattr("aiomirror.simple.plain.ProjectFile", make)
    wanted = parse_spec("foo-bar")
    assert isinstance(wanted, Wanted)
    selection = select(page, [wanted], Policy())
    assert [one.kwargs["filename"] for one in make.mock_calls] == ["foo_bar-8-py3-none-any.whl"]
    assert selection.chosen[0].file is page.files[8]
    assert len(selection.left_out) == 8


def test_files_are_a_sequence() -> None:
    files = read([plain(number) for number in range(3)], 0).files
    assert [one.filename for one in files[1:]] == [one.filename for one in list(files)[1:]]
    assert files == tuple(files)
    assert files != tuple(files)[1:]
    assert files[-1] is files[2]
