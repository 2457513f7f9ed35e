from __future__ import annotations

import random
import re
import sys

import pytest
from hypothesis import example, given, strategies as st
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from aiomirror.simple.filenames import (
    FileKind,
    is_safe_filename,
    parse_filename,
    parse_filenames,
    parse_version,
    version_key,
)
from aiomirror.store.names import is_component

WHEEL, SDIST, LEGACY = FileKind.WHEEL, FileKind.SDIST, FileKind.LEGACY


@pytest.mark.parametrize(
    "name",
    [
        "six-1.0.tar.gz",
        "six-1.0+local.1-py3-none-any.whl",
        "_x",
        "é-1.0.zip",
        "a b.zip",
        "x" * 240,
        "é" * 120,
    ],
)
def test_C_SAFE_1_plain_names_are_safe(name: str) -> None:
    assert is_safe_filename(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-rf", "~root", "a/b", "/a", "a\\b", "a\0b", "a\nb", "a\x7fb", "a\x85b"),
        *("a\u202eb", "a\u2066b", "a\u200fb", "a\u061cb", "a\ud800b", "x" * 241, "é" * 121),
        *("a\u200bb", "a\xadb", "a\ufeffb", "a\u2028b", "a\u2029b", "a\U000e0041b"),
    ],
)
def test_C_SAFE_1_other_names_are_not(name: str) -> None:
    assert not is_safe_filename(name)


@given(st.text() | st.from_regex(r"[a-z./\\~-]{1,8}"))
def test_C_SAFE_1_what_is_safe_is_one_component_that_can_be_stored(name: str) -> None:
    if is_safe_filename(name):
        assert not re.search(r"[/\\\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", name)
        assert name[0] not in ".-~"
        assert 0 < len(name.encode()) <= 240


@pytest.mark.slow
def test_C_SAFE_1_the_store_takes_every_name_that_is_safe() -> None:
    names = (f"a{chr(code)}{more}" for code in range(sys.maxunicode + 1) for more in ("", "b.metadata"))
    assert [name for name in names if is_safe_filename(name) and not is_component(name)] == []
    assert is_component("é" * 120 + ".metadata")


@pytest.mark.parametrize(
    ("project", "filename", "kind", "version"),
    [
        ("six", "six-1.16.0-py2.py3-none-any.whl", WHEEL, "1.16.0"),
        ("foo", "foo-1.0-1-py3-none-any.whl", WHEEL, "1.0"),
        ("foo", "foo-1.0-1a-py3-none-any.whl", WHEEL, "1.0"),
        ("foo", "foo-1.0-x1-py3-none-any.whl", WHEEL, None),
        ("foo", "foo-1.0-1-2-py3-none-any.whl", WHEEL, None),
        ("foo", "foo--py3-none-any.whl", WHEEL, None),
        ("foo", "foo-1.0-any.whl", WHEEL, None),
        ("foo", "foo-1.0.whl", WHEEL, None),
        ("foo", "foo.whl", WHEEL, None),
        ("foo", "foo-2004d-py2-none-any.whl", WHEEL, "2004d"),
        ("zope-interface", "Zope.Interface-4.0-py2-none-any.whl", WHEEL, "4.0"),
        ("flask-sqlalchemy", "Flask-SQLAlchemy-2.5.1.tar.gz", SDIST, "2.5.1"),
        ("pytz", "pytz-2014g.tar.gz", SDIST, "2014g"),
        ("foo", "foo-1.0-1.tar.gz", SDIST, "1.0-1"),
        ("foo", "foo-1.0-final.zip", SDIST, "1.0-final"),
        ("foo", "foo-0.1dev-r1716.tar.gz", SDIST, "0.1dev-r1716"),
        ("foo", "foo-1.0-final-2.zip", SDIST, "1.0-final-2"),
        ("foo", "foo-2013-10-26.tar.gz", SDIST, "2013-10-26"),
        ("foo-bar", "foo-bar-2-1.tar.gz", SDIST, "2-1"),
        ("foo-bar", "foo--bar-1.0.zip", SDIST, "1.0"),
        ("foo-bar", "Foo.Bar-1.0.zip", SDIST, "1.0"),
        ("foo", "foo.tar.gz", SDIST, None),
        ("foo", "foo-.tar.gz", SDIST, None),
        *(
            ("foo", f"foo-1.0{end}", SDIST, "1.0")
            for end in (".tgz", ".tar.bz2", ".tar.xz", ".tar.Z", ".tar")
        ),
        ("foo", "Foo-1.0.ZIP", SDIST, "1.0"),
        ("foo", "foo-1.0.linux-x86_64.tar.gz", LEGACY, "1.0"),
        ("foo", "foo-1.0.macosx-10.9-x86_64.tar.gz", LEGACY, "1.0"),
        ("foo", "foo-1.0-py2.7.egg", LEGACY, "1.0"),
        ("foo", "foo-1.0-py3.6-linux-x86_64.egg", LEGACY, "1.0"),
        ("foo", "foo-1.0.egg", LEGACY, "1.0"),
        ("numpy", "numpy-1.0.1.dev3460.win32-py2.4.exe", LEGACY, "1.0.1.dev3460"),
        ("foo", "foo-1.0.win32.exe", LEGACY, "1.0"),
        ("foo", "foo-1.0.win-amd64.msi", LEGACY, "1.0"),
        ("foo", "foo-1.0-1.noarch.rpm", LEGACY, "1.0"),
        ("foo", "foo-1.0-1.fc20.x86_64.rpm", LEGACY, "1.0"),
        ("foo", "foo-1.0-py2.7-macosx10.6.dmg", LEGACY, "1.0"),
        ("python-foo", "python-foo_1.0-1_all.deb", LEGACY, "1.0"),
    ],
)
def test_C_FILE_1_kinds_and_versions(
    project: str, filename: str, kind: FileKind, version: str | None
) -> None:
    parsed = parse_filename(filename, canonicalize_name(project))
    assert parsed is not None
    assert (parsed.kind, parsed.version) == (kind, version)


@pytest.mark.parametrize(
    "name",
    [
        "foo-1.0.tar.gz.asc",
        "foo-1.0-py3-none-any.whl.metadata",
        "x.sig",
        "README.txt",
        "index.html",
        "",
        "src/",
    ],
)
def test_C_FILE_3_what_is_no_distribution(name: str) -> None:
    parsed = parse_filename(name, canonicalize_name("foo"))
    assert parsed is not None
    assert (parsed.kind, parsed.version) == (FileKind.OTHER, None)


@pytest.mark.parametrize(
    ("project", "filename"),
    [
        ("foo", "bar-1.0.tar.gz"),
        ("foo", "foo-bar-1.0.tar.gz"),
        ("foo", "foo_bar-1.0.tar.gz"),
        ("foo", "foobar-1.0.zip"),
        ("foo", "foo-bar-1.0.win32.exe"),
        ("foo", "2.0.zip"),
        ("foo-bar", "foo-bar-2-1.0.tar.gz"),
        ("foo-bar", "foo-bar-1.0-py3-none-any.whl"),
        ("foo", "foo_bar-1.0-py3-none-any.whl"),
        ("foo", f"foo-1.0{'0' * 240}.zip"),
    ],
)
def test_C_FILE_6_files_of_other_projects(project: str, filename: str) -> None:
    assert parse_filename(filename, canonicalize_name(project)) is None


NAMES = st.from_regex(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+){0,2}", fullmatch=True)
VERSIONS = st.from_regex(
    r"[0-9]{1,4}(\.[0-9]{1,3}){0,3}((a|b|rc|\.post|\.dev)[0-9]{1,3})?(\+[a-z0-9]{1,5})?", fullmatch=True
)


@given(NAMES, VERSIONS, st.sampled_from([".tar.gz", ".zip"]))
def test_sdists_agree_with_packaging(name: str, version: str, ending: str) -> None:
    filename = f"{name}-{version}{ending}"
    try:
        project, expected = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return
    parsed = parse_filename(filename, project)
    assert parsed is not None
    assert parsed.kind is SDIST
    assert Version(str(parsed.version)) == expected


@given(
    NAMES,
    VERSIONS,
    st.sampled_from(["", "-1", "-2build"]),
    st.sampled_from(["py3-none-any", "cp312-cp312-win32"]),
)
def test_wheels_agree_with_packaging(name: str, version: str, build: str, tags: str) -> None:
    filename = f"{name}-{version}{build}-{tags}.whl"
    try:
        project, expected, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return
    parsed = parse_filename(filename, project)
    assert parsed is not None
    assert parsed.kind is WHEEL
    assert Version(str(parsed.version)) == expected


ENDINGS = st.sampled_from(["", ".whl", ".tar.gz", ".zip", ".egg", ".exe", ".rpm", ".deb", ".dmg"])


@given(st.text() | st.from_regex(r"foo[-_.][-_.a-z0-9]*", fullmatch=True), ENDINGS)
def test_C_FILE_2_no_name_raises(stem: str, ending: str) -> None:
    parse_filename(stem + ending, canonicalize_name("foo"))
    is_safe_filename(stem + ending)


PIECES = st.sampled_from(["foo", "foo.whl", "1.0", "1", "py3", "none", "any", "any.whl", "foo-1.0.zip"])


@given(st.lists(st.lists(PIECES, min_size=1, max_size=6).map("-".join)))
@example(["foo.whl", "foo.whl-py3-none-any.whl"])
@example(["foo-1.0.zip", "foo-1.0.zip-py3-none-any.whl"])
@example(["foo-1.0-py3-none-any.whl", f"foo-1.0-py3-none-{'a' * 240}.whl"])
def test_names_of_a_page_are_read_as_each_of_them(names: list[str]) -> None:
    for project in map(canonicalize_name, ("foo", "foo-whl", "foo-1")):
        assert parse_filenames(names, project) == [parse_filename(name, project) for name in names]


@given(st.text())
def test_C_FILE_4_every_text_has_a_version_key(text: str) -> None:
    assert version_key(text) <= version_key("1.0") or parse_version(text) is not None


def test_C_FILE_4_versions_sort_as_pep_440_and_the_others_below_by_text() -> None:
    ordered = [
        "0.1dev-r1716",
        "1.0-final",
        "2004d",
        "1.0.dev1",
        "1.0.0-alpha.1",
        "1.0",
        "1.0-1",
        "v1.1",
        "1!0",
    ]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0") == version_key("1.0.0")


@pytest.mark.parametrize("text", ["", "2004d", "1.0-final", "9" * 5_000, "1." * 200_000, "\ud800"])
def test_C_FILE_4_what_is_no_version(text: str) -> None:
    assert parse_version(text) is None
