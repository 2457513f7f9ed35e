"""GUARANTEES, Protocol: G27 and G28."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from catalogue import HTML_TYPE, JSON_TYPE, root_json

if TYPE_CHECKING:
    from mirror import Mirror

SDIST = "foo-1.0.tar.gz"


def page(**members: object) -> bytes:
    whole: dict[str, Any] = {"meta": {"api-version": "1.0"}, "name": "foo", "files": [], **members}
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


LINK = f'<a href="/files/foo/{SDIST}">{SDIST}</a>'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        # the type
        (page(), None),
        (page(), ""),
        (page(), "application/json"),
        (page(), "text/plain"),
        (page(), "application/octet-stream"),
        (page(), "application/vnd.pypi.simple.v2+json"),
        (page(), "application/vnd.pypi.simple.latest+json"),
        (LINK.encode(), "application/xhtml+xml"),
        (LINK.encode(), "application/vnd.pypi.simple.v2+html"),
        (LINK.encode(), "text/html2"),
        # the version
        (page(meta={"api-version": "2.0"}), JSON_TYPE),
        (page(meta={"api-version": 2.0}), JSON_TYPE),
        (page(meta={"api-version": "1"}), JSON_TYPE),
        (page(meta={"api-version": "one"}), JSON_TYPE),
        (page(meta={"api-version": "0.9"}), JSON_TYPE),
        (page(meta={"api-version": "-1.0"}), JSON_TYPE),
        (b'<meta name="pypi:repository-version" content="2.0">' + LINK.encode(), HTML_TYPE),
        (b'<meta name="pypi:repository-version" content="two">' + LINK.encode(), "text/html"),
        # the name
        (page(name="bar"), JSON_TYPE),
        (page(name="foo2"), JSON_TYPE),
        (page(name=""), JSON_TYPE),
        (page(name=["foo"]), JSON_TYPE),
        # the shape
        (b"", JSON_TYPE),
        (b"null", JSON_TYPE),
        (b"[]", JSON_TYPE),
        (b"{}", JSON_TYPE),
        (LINK.encode(), JSON_TYPE),
        (page()[:-1], JSON_TYPE),
        (page(files=...), JSON_TYPE),
        (page(files=None), JSON_TYPE),
        (page(files={}), JSON_TYPE),
        (page(files="foo"), JSON_TYPE),
        (page(meta=[]), JSON_TYPE),
        (root_json({}, serials=False), JSON_TYPE),
        (b"\xff\xfe\x00", JSON_TYPE),
    ],
)
def test_G27_what_is_no_page_is_an_error_and_never_no_files(
    mirror: Mirror, body: bytes, kind: str | None
) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("bar", "bar-1.zip")
    mirror.sync("foo")
    before = mirror.identities()
    mirror.upstream.add_page("foo", body, kind or "")
    (line,) = mirror.sync("foo", "bar", "--keep-going", code=1).errors()
    assert line.startswith("foo: ")
    after = mirror.identities()
    assert {name: one for name, one in before.items() if "/" in name}.items() <= after.items()
    assert mirror.listed("bar") == ["bar-1.zip"]


@pytest.mark.parametrize(
    ("body", "kind", "version"),
    [
        (page(meta={"api-version": "1.99"}), JSON_TYPE, "1.99"),
        (b'<meta name="pypi:repository-version" content="1.99">', HTML_TYPE, "1.99"),
    ],
)
def test_G27_a_later_minor_version_is_a_warning(mirror: Mirror, body: bytes, kind: str, version: str) -> None:
    mirror.upstream.add_page("foo", body, kind)
    ran = mirror.sync("foo", code=3)  # it has no files, and that is what it says
    assert any(version in line for line in ran.warnings())


@pytest.mark.parametrize("formats", ["json", "html"])
@pytest.mark.parametrize("listed", ["Zope.Interface", "zope_interface", "ZOPE--INTERFACE"])
def test_G28_spellings_of_one_project_are_one_project(mirror: Mirror, formats: str, listed: str) -> None:
    mirror.upstream.formats = formats
    for name in (
        "zope.interface-1.0.tar.gz",
        "Zope_Interface-1.0-py3-none-any.whl",
        "zope-interface-1.0.zip",
    ):
        mirror.upstream.add_file(listed, name)
    requirements = mirror.folder / "req.txt"
    requirements.write_text("zope_interface\nZope-Interface[extra]==1.0\n")
    mirror.sync("ZOPE.interface", "zope__interface", "-r", str(requirements))
    assert mirror.upstream.paths().count("/simple/zope-interface/") == 1
    assert len(mirror.upstream.page_requests()) == 1
    assert len(mirror.listed("zope-interface")) == 3
    assert {path.name for path in mirror.dest.iterdir() if path.is_dir()} == {".aiomirror", "zope-interface"}


@pytest.mark.parametrize("listed", ["Foo", "FOO", "f.o-o"])
def test_G28_the_name_on_the_page_may_be_spelled_otherwise(mirror: Mirror, listed: str) -> None:
    mirror.upstream.add_page("f-o-o" if "." in listed else "foo", page(name=listed), JSON_TYPE)
    ran = mirror.sync(listed, code=3)
    assert "lists no version" in ran.errors()[0]
