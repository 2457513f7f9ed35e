from __future__ import annotations

import hashlib
import json
import random
import re
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from lxml import etree
from packaging.utils import canonicalize_name

from aiomirror.simple.published import listing
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.render import render_html, render_json, render_root_html, render_root_json
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE, ProjectFile, ProjectPage, ProjectStatus

URL = "https://mirror.example/simple/foo-bar/"
PROJECT = canonicalize_name("foo-bar")
WHEEL = "foo_bar-1.0-py3-none-any.whl"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_file(filename: str = WHEEL, **changes: object) -> ProjectFile:
    file = ProjectFile(
        filename=filename,
        url="https://upstream.example/somewhere/else",
        hashes={"sha256": digest(filename)},
        size=1234,
    )
    return msgspec.structs.replace(file, **changes)


def make_page(*files: ProjectFile, **changes: object) -> ProjectPage:
    return msgspec.structs.replace(ProjectPage(project=PROJECT, files=files), **changes)


def as_json(page: ProjectPage) -> dict[str, Any]:
    loaded = json.loads(render_json(page))
    assert isinstance(loaded, dict)
    return loaded


def only_file(filename: str = WHEEL, **changes: object) -> dict[str, Any]:
    (file,) = as_json(make_page(make_file(filename, **changes)))["files"]
    assert isinstance(file, dict)
    return file


def as_tree(body: bytes) -> etree._Element:
    parser = etree.HTMLParser()
    root = etree.fromstring(body, parser)
    assert not list(parser.error_log)
    return root


def anchors(body: bytes) -> list[dict[str, str]]:
    return [{str(k): str(v) for k, v in a.attrib.items()} for a in as_tree(body).iter("a")]


def only_anchor(filename: str = WHEEL, **changes: object) -> dict[str, str]:
    (anchor,) = anchors(render_html(make_page(make_file(filename, **changes))))
    return anchor


# HTML: SPEC 2.2


def test_html_golden() -> None:
    page = make_page(
        make_file(
            requires_python=">=3.8,<4",
            yanked='broken & "gone"',
            core_metadata={"sha256": digest("m")},
            provenance="https://mirror.example/p/foo.provenance",
        ),
        status=ProjectStatus("archived", "see <foo-baz>"),
    )
    sha, metadata = digest(WHEEL), digest("m")
    text = render_html(page).decode()
    style = text[text.index("<style>") : text.index("</head>")]
    assert text.replace(style, "") == (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "<head>\n"
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="pypi:repository-version" content="1.4">\n'
        '<meta name="pypi:project-status" content="archived">\n'
        '<meta name="pypi:project-status-reason" content="see &lt;foo-baz&gt;">\n'
        "<title>foo-bar</title>\n"
        "</head>\n"
        "<body>\n"
        "<h1>foo-bar</h1>\n"
        "<p><strong>archived</strong>: see &lt;foo-baz&gt;</p>\n"
        f'<a href="{WHEEL}#sha256={sha}" data-requires-python="&gt;=3.8,&lt;4"'
        f' data-yanked="broken &amp; &quot;gone&quot;"'
        f' data-core-metadata="sha256={metadata}" data-dist-info-metadata="sha256={metadata}"'
        f' data-provenance="https://mirror.example/p/foo.provenance">{WHEEL}</a><br>\n'
        "</body>\n"
        "</html>\n"
    )


def test_html_has_doctype_and_no_parse_errors() -> None:
    body = render_html(make_page(make_file(yanked="a\tb\nc\0d")))
    assert body.startswith(b"<!DOCTYPE html>\n")
    as_tree(body)


def test_html_is_ascii() -> None:
    body = render_html(make_page(make_file(yanked="déjà vu 🐍"), status=ProjectStatus("archived", "é")))
    assert body.isascii()
    assert b"d&#233;j&#224; vu &#128013;" in body


def test_html_version_meta_once_in_head_and_never_above_1_4() -> None:
    metas = as_tree(render_html(make_page())).xpath(
        "/html/head/meta[@name='pypi:repository-version']/@content"
    )
    assert metas == ["1.4"]


def test_html_one_anchor_per_file_with_its_name_and_nothing_else_inside() -> None:
    body = render_html(make_page(make_file(), make_file("foo-bar-1.0.tar.gz")))
    found = list(as_tree(body).iter("a"))
    assert [a.text for a in found] == ["foo-bar-1.0.tar.gz", WHEEL]
    assert not any(len(a) for a in found)


def test_html_href_is_relative_without_white_space_and_without_base() -> None:
    body = render_html(make_page(make_file("foo-bar-1.0 final.tar.gz")))
    assert anchors(body)[0]["href"].startswith("foo-bar-1.0%20final.tar.gz#")
    assert b"<base" not in body
    assert b"upstream.example" not in body


def test_html_digest_is_one_lower_case_sha256() -> None:
    anchor = only_anchor(hashes={"md5": "0" * 32, "sha256": digest(WHEEL), "sha512": "1" * 128})
    assert anchor["href"].partition("#")[2] == f"sha256={digest(WHEEL)}"


def test_html_requires_python_escaped_exactly_once() -> None:
    assert b'data-requires-python="&gt;=3.8"' in render_html(make_page(make_file(requires_python=">=3.8")))
    assert only_anchor(requires_python="&gt;=3.8")["data-requires-python"] == "&gt;=3.8"


@pytest.mark.parametrize("requires_python", [None, ""])
def test_html_requires_python_left_out_when_none(requires_python: str | None) -> None:
    assert "data-requires-python" not in only_anchor(requires_python=requires_python)


def test_html_yanked_never_without_equals_sign() -> None:
    assert b' data-yanked=""' in render_html(make_page(make_file(yanked="")))
    assert only_anchor(yanked="bad")["data-yanked"] == "bad"
    assert "data-yanked" not in only_anchor()


def test_html_core_metadata_under_both_names_with_the_same_value() -> None:
    anchor = only_anchor(core_metadata={"md5": "0" * 32, "sha256": digest("m")})
    assert anchor["data-core-metadata"] == f"sha256={digest('m')}" == anchor["data-dist-info-metadata"]


def test_html_core_metadata_never_false() -> None:
    assert not {"data-core-metadata", "data-dist-info-metadata"} & only_anchor().keys()
    assert only_anchor(core_metadata={})["data-core-metadata"] == "true"


def test_html_core_metadata_of_another_algorithm() -> None:
    assert only_anchor(core_metadata={"sha512": "1" * 128})["data-core-metadata"] == f"sha512={'1' * 128}"


def test_html_no_signatures_are_announced() -> None:
    assert b"gpg" not in render_html(make_page(make_file()))


# JSON: SPEC 2.3


def test_json_golden() -> None:
    page = make_page(
        make_file(
            hashes={"sha512": "1" * 128, "sha256": digest(WHEEL)},
            requires_python=">=3.8",
            yanked="broken",
            upload_time=datetime(2024, 5, 6, 7, 8, 9, 123456, UTC),
            core_metadata={"sha256": digest("m")},
            provenance="https://mirror.example/p/foo.provenance",
        ),
        status=ProjectStatus("deprecated", "old"),
    )
    assert render_json(page).decode() == (
        '{"meta":{"api-version":"1.4"},"name":"foo-bar","versions":["1.0"],"files":['
        f'{{"filename":"{WHEEL}","url":"{WHEEL}",'
        f'"hashes":{{"sha256":"{digest(WHEEL)}","sha512":"{"1" * 128}"}},"size":1234,'
        '"requires-python":">=3.8","yanked":"broken","upload-time":"2024-05-06T07:08:09.123456Z",'
        f'"core-metadata":{{"sha256":"{digest("m")}"}},'
        '"provenance":"https://mirror.example/p/foo.provenance"}],'
        '"project-status":{"status":"deprecated","reason":"old"}}\n'
    )


def test_json_optional_keys_are_left_out_not_null() -> None:
    body = render_json(make_page(make_file()))
    assert b"null" not in body
    assert only_file().keys() == {"filename", "url", "hashes", "size"}
    assert as_json(make_page()).keys() == {"meta", "name", "versions", "files"}


def test_json_yanked_is_true_or_a_reason_that_is_not_empty() -> None:
    assert only_file(yanked="")["yanked"] is True
    assert only_file(yanked="bad")["yanked"] == "bad"


def test_json_never_the_old_name_of_core_metadata() -> None:
    body = render_json(make_page(make_file(core_metadata={"sha256": digest("m")})))
    assert b"dist-info-metadata" not in body
    assert only_file(core_metadata={})["core-metadata"] is True


def test_json_only_hashes_that_hashlib_can_check() -> None:
    known = {"sha256": digest(WHEEL), "blake2b": "2" * 128}
    unknown = {"blake2b_256": "0" * 64, "shake_128": "0" * 32}
    assert only_file(hashes=known | unknown)["hashes"] == known


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), "2024-05-06T07:08:09Z"),
        (datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC), "2024-05-06T07:08:09.000010Z"),
        (datetime(2024, 5, 6, 7, 8, 9), "2024-05-06T07:08:09Z"),  # noqa: DTZ001 (the case)
        (datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2))), "2024-05-06T05:08:09Z"),
        (datetime(987, 5, 6, tzinfo=UTC), "0987-05-06T00:00:00Z"),
    ],
)
def test_json_upload_time_exact(moment: datetime, text: str) -> None:
    assert only_file(upload_time=moment)["upload-time"] == text


def test_json_url_has_no_fragment_and_ends_with_the_file_name() -> None:
    assert only_file()["url"] == WHEEL


def test_json_has_no_byte_order_mark_and_ends_the_line() -> None:
    body = render_json(make_page(make_file()))
    assert body.startswith(b"{")
    assert body.endswith(b"}\n")


# Both forms


@pytest.mark.parametrize(
    ("filename", "encoded"),
    [
        ("foo_bar-1.0+cu121-py3-none-any.whl", "foo_bar-1.0%2Bcu121-py3-none-any.whl"),
        ("foo_bar-1!2.0-py3-none-any.whl", "foo_bar-1%212.0-py3-none-any.whl"),
        ("foo-bar-1.0 x.zip", "foo-bar-1.0%20x.zip"),
        ("foo-bar-1.0%20x.zip", "foo-bar-1.0%2520x.zip"),
        ("foo-bar-a:b#c?d&e.zip", "foo-bar-a%3Ab%23c%3Fd%26e.zip"),
        ("foo-bar-é~1.zip", "foo-bar-%C3%A9~1.zip"),
    ],
)
def test_url_ends_with_the_encoded_filename(filename: str, encoded: str) -> None:
    assert only_file(filename=filename)["url"] == encoded
    assert only_anchor(filename=filename)["href"].partition("#")[0] == encoded


def test_files_sorted_by_version_then_name_and_versions_in_step() -> None:
    names = [
        "foo_bar-1.0-py2-none-any.whl",
        "foo_bar-1.0-py3-none-any.whl",
        "foo-bar-1.0.tar.gz",
        "foo-bar-1.10.tar.gz",
        "foo-bar-1.9.tar.gz",
        "foo-bar-1.0rc1.tar.gz",
        "foo-bar-2004d.tar.gz",
        "foo-bar.tar.gz",
    ]
    page = make_page(*map(make_file, names))
    loaded = as_json(page)
    assert [file["filename"] for file in loaded["files"]] == [
        "foo-bar-2004d.tar.gz",
        "foo-bar-1.0rc1.tar.gz",
        "foo-bar-1.0.tar.gz",
        "foo_bar-1.0-py2-none-any.whl",
        "foo_bar-1.0-py3-none-any.whl",
        "foo-bar-1.9.tar.gz",
        "foo-bar-1.10.tar.gz",
        "foo-bar.tar.gz",
    ]
    assert loaded["versions"] == ["2004d", "1.0rc1", "1.0", "1.9", "1.10"]


def test_versions_in_normal_form_without_doubles_and_only_those_with_files() -> None:
    names = [
        "foo-bar-1.0-alpha.1.tar.gz",
        "foo_bar-1.0a1-py3-none-any.whl",
        "foo-bar-1.0-1.zip",
        "foo-bar-2004d.zip",
    ]
    page = make_page(*map(make_file, names), versions=("0.1", "9.9"))
    assert as_json(page)["versions"] == ["2004d", "1.0a1", "1.0.post1"]


def test_bytes_do_not_depend_on_the_order_of_files_or_hashes() -> None:
    names = [f"foo-bar-{major}.{minor}.tar.gz" for major in range(4) for minor in ("0", "00", "0.0")]
    files = [make_file(name, hashes={"sha256": digest(name), "md5": "0" * 32}) for name in names]
    expected = render_json(make_page(*files)), render_html(make_page(*files))
    shuffler = random.Random(1)
    for _ in range(20):
        shuffler.shuffle(files)
        turned = [make_file(f.filename, hashes=dict(reversed(list(f.hashes.items())))) for f in files]
        assert (render_json(make_page(*turned)), render_html(make_page(*turned))) == expected


@pytest.mark.parametrize(
    "provenance", ["http://a.example/p", "p", "//a.example/p", "https://", "https://u:p@a.example/p"]
)
def test_provenance_only_as_absolute_https(provenance: str) -> None:
    assert "provenance" not in only_file(provenance=provenance)
    assert "data-provenance" not in only_anchor(provenance=provenance)


@pytest.mark.parametrize(
    ("status", "published"),
    [
        (ProjectStatus(), None),
        (ProjectStatus("active", ""), None),
        (ProjectStatus("active", "moved"), {"status": "active", "reason": "moved"}),
        (ProjectStatus("archived"), {"status": "archived"}),
        (ProjectStatus("deprecated", "old"), {"status": "deprecated", "reason": "old"}),
        (ProjectStatus("abandoned"), None),
        (ProjectStatus("abandoned", "why"), {"status": "active", "reason": "why"}),
    ],
)
def test_status_published_when_it_says_something_that_is_known(
    status: ProjectStatus, published: dict[str, str] | None
) -> None:
    page = make_page(make_file(), status=status)
    assert as_json(page).get("project-status") == published
    metas = {str(m.get("name")): m.get("content") for m in as_tree(render_html(page)).iter("meta")}
    assert metas.get("pypi:project-status") == (published or {}).get("status")
    assert metas.get("pypi:project-status-reason") == (published or {}).get("reason")


def test_quarantined_pages_list_no_files() -> None:
    page = make_page(make_file(), status=ProjectStatus("quarantined", "malware"))
    assert as_json(page)["files"] == []
    assert as_json(page)["versions"] == []
    assert as_json(page)["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert anchors(render_html(page)) == []


def test_text_lone_surrogates_are_replaced_in_both_forms() -> None:
    page = make_page(make_file(yanked="a\ud800b"), status=ProjectStatus("archived", "\udfff"))
    assert as_json(page)["files"][0]["yanked"] == "a\ufffdb"
    assert as_json(page)["project-status"]["reason"] == "\ufffd"
    assert anchors(render_html(page))[0]["data-yanked"] == "a\ufffdb"


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\x0c", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0001fffe"])
def test_text_that_html_cannot_carry_is_replaced_there_and_kept_in_json(bad: str) -> None:
    assert only_anchor(yanked=f"a{bad}b")["data-yanked"] == "a\ufffdb"
    assert only_file(yanked=f"a{bad}b")["yanked"] == f"a{bad}b"


def test_text_line_breaks_survive_in_attributes_on_one_line_of_the_page() -> None:
    body = render_html(make_page(make_file(yanked="a\r\nb\rc\nd\te")))
    assert anchors(body)[0]["data-yanked"] == "a\nb\nc\nd\te"
    assert b'data-yanked="a&#10;b&#10;c&#10;d&#9;e"' in body


def test_text_cannot_break_out_of_attributes() -> None:
    anchor = only_anchor(yanked='"><script>alert(1)</script>', requires_python="' onclick='x")
    assert anchor["data-yanked"] == '"><script>alert(1)</script>'
    assert anchor["data-requires-python"] == "' onclick='x"


@pytest.mark.parametrize(
    "changes",
    [
        {"hashes": {}},
        {"hashes": {"md5": "0" * 32}},
        {"hashes": {"sha256": digest("x").upper()}},
        {"hashes": {"sha256": "abc"}},
        {"size": None},
        {"size": -1},
    ],
)
def test_unverified_files_are_refused(changes: dict[str, Any]) -> None:
    page = make_page(make_file(**changes))
    for render in (render_json, render_html):
        with pytest.raises(ValueError, match=r"foo-bar: foo_bar-1\.0-py3-none-any\.whl: no (sha256|size)"):
            render(page)


def test_a_file_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        render_json(make_page(make_file(), make_file()))


def test_both_forms_of_one_listing() -> None:
    page = make_page(make_file("foo_bar-2.0-py3-none-any.whl"), make_file(), make_file("foo-bar-1.0.tar.gz"))
    offered = listing(page)
    assert render_json(page, offered) == render_json(page)
    assert render_html(page, offered) == render_html(page)


# Root index


def test_root_lists_every_project_once_sorted_with_a_slash() -> None:
    projects = [canonicalize_name(name) for name in ("six", "Foo.Bar", "zope.interface", "six")]
    expected = ["foo-bar", "six", "zope-interface"]
    loaded = json.loads(render_root_json(projects))
    assert loaded == {"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in expected]}
    tree = as_tree(render_root_html(projects))
    assert [(a.text, a.get("href")) for a in tree.iter("a")] == [(name, f"{name}/") for name in expected]
    assert render_root_html(reversed(projects)) == render_root_html(projects)


def test_root_reads_back() -> None:
    projects = (canonicalize_name("foo"), canonicalize_name("six"))
    assert tuple(read_root(render_root_json(projects), JSON_TYPE, URL)) == projects
    assert tuple(read_root(render_root_html(projects), HTML_TYPE, URL)) == projects


def test_root_may_be_empty() -> None:
    assert json.loads(render_root_json([]))["projects"] == []
    assert anchors(render_root_html([])) == []


# What is written is what is read

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs"]), min_size=1).map(str.strip).filter(bool)
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
VERSION = st.from_regex(
    r"(?:[0-9]{1,2}!)?[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}(?:rc[0-9])?(?:\+[a-z]{1,4})?", fullmatch=True
)
FILENAME = st.one_of(
    VERSION.map("foo_bar-{}-py3-none-any.whl".format),
    VERSION.map("foo_bar-{}.tar.gz".format),
    VERSION.map("Foo.Bar-{}.zip".format),
)


@st.composite
def project_files(draw: st.DrawFn) -> ProjectFile:
    filename = draw(FILENAME)
    return ProjectFile(
        filename=filename,
        url="ignored",
        hashes={"sha256": draw(HEX)},
        size=draw(st.integers(0, 2**50)),
        requires_python=draw(st.none() | TEXT),
        yanked=draw(st.none() | st.just("") | TEXT),
        upload_time=draw(st.none() | st.datetimes(timezones=st.just(UTC))),
        core_metadata=draw(st.none() | st.just({}) | HEX.map(lambda value: {"sha256": value})),
        provenance=draw(st.none() | st.just("https://mirror.example/p/x.provenance")),
    )


PAGES = st.builds(
    ProjectPage,
    project=st.just(PROJECT),
    files=st.lists(project_files(), max_size=5, unique_by=lambda file: file.filename).map(tuple),
    status=st.builds(ProjectStatus, st.sampled_from(["active", "archived", "deprecated"]), st.none() | TEXT),
)


def comparable(file: ProjectFile) -> tuple[object, ...]:
    metadata = None if file.core_metadata is None else dict(file.core_metadata)
    return (file.filename, dict(file.hashes), file.requires_python, file.yanked, metadata, file.provenance)


@given(PAGES)
def test_render_then_read_gives_back_the_same_values_in_both_forms(page: ProjectPage) -> None:
    json_page = read_page(render_json(page), JSON_TYPE, URL, PROJECT)
    html_page = read_page(render_html(page), HTML_TYPE, URL, PROJECT)
    by_name = {file.filename: file for file in page.files}
    for read in (json_page, html_page):
        assert read.warnings == ()
        assert read.status == page.status
        assert read.api_version == "1.4"
        assert {f.filename: comparable(f) for f in read.files} == {
            n: comparable(f) for n, f in by_name.items()
        }
        assert all(file.url.startswith(URL) for file in read.files)
    assert [f.filename for f in json_page.files] == [f.filename for f in html_page.files]
    assert [f.url for f in json_page.files] == [f.url for f in html_page.files]
    for file in json_page.files:
        assert file.size == by_name[file.filename].size
        assert file.upload_time == by_name[file.filename].upload_time


@given(st.text(), st.text())
def test_any_text_makes_a_valid_page(reason: str, requires_python: str) -> None:
    page = make_page(
        make_file(yanked=reason, requires_python=requires_python), status=ProjectStatus("archived", reason)
    )
    json.loads(render_json(page))
    (anchor,) = anchors(render_html(page))
    assert anchor.keys() >= {"href", "data-yanked"}
    assert not re.search(r"[\0-\x08\x0b-\x1f]", anchor["data-yanked"])


def test_thousands_of_files_take_milliseconds() -> None:
    files = [
        make_file(f"foo_bar-{n // 10}.{n % 10}-py3-none-any.whl", requires_python=">=3") for n in range(3000)
    ]
    page = make_page(*files)
    for render in (render_json, render_html):
        render(page)
        start = time.perf_counter()
        render(page)
        assert time.perf_counter() - start < 0.5  # generous: about 0.015 where nothing else runs
