from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st
from packaging.utils import canonicalize_name
from pypi_simple import ProjectPage as OraclePage

from aiomirror.errors import ApiVersionError, MalformedPageError, PageError, WrongProjectError
from aiomirror.simple import read_html
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.values import HTML_TYPE, ProjectFile, ProjectPage, ProjectStatus

URL = "https://index.example/simple/six/"
SIX = canonicalize_name("six")
SHA256 = "ab" * 32
NAME = "six-1.0.tar.gz"
LINK = f'<a href="{NAME}">{NAME}</a>'


def read(page: str | bytes, content_type: str = "text/html") -> ProjectPage:
    return read_page(page if isinstance(page, bytes) else page.encode(), content_type, URL, SIX)


def urls(page: str | bytes, content_type: str = "text/html") -> list[str]:
    return [file.url for file in read(page, content_type).files]


def only(attributes: str, fragment: str = "") -> ProjectFile:
    (file,) = read(f'<a href="{NAME}{fragment}" {attributes}>x</a>').files
    return file


def test_all_of_version_1_4() -> None:
    page = read(
        f"""<!DOCTYPE html><html><head>
        <meta name="pypi:repository-version" content="1.4">
        <meta name="pypi:project-status" content="archived">
        <meta name="pypi:project-status-reason" content="done &amp; dusted">
        <title>Links for six</title></head><body>
        <a href="../../packages/{NAME}#sha256={SHA256}" data-requires-python="&gt;=3.8" data-yanked="broken"
           data-core-metadata="sha256={SHA256}" data-provenance="https://index.example/p" data-gpg-sig="true"
           data-size="5" data-upload-time="2024-05-06T07:08:09Z">{NAME}</a><br></body></html>""",
        HTML_TYPE,
    )
    assert page == ProjectPage(
        project=SIX,
        files=(
            ProjectFile(
                filename=NAME,
                url=f"https://index.example/packages/{NAME}",
                hashes={"sha256": SHA256},
                size=5,
                requires_python=">=3.8",
                yanked="broken",
                upload_time=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
                core_metadata={"sha256": SHA256},
                provenance="https://index.example/p",
            ),
        ),
        status=ProjectStatus("archived", "done & dusted"),
        api_version="1.4",
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"&gt;=3.6"', ">=3.6"),
        ('">=3.6,<4"', ">=3.6,<4"),
        ('"&amp;gt;=3"', "&gt;=3"),
        ('"&#43;&eacute;&#x3e;"', "+é>"),
        ("'>=3.6'", ">=3.6"),
        ("&gt;=3.6", ">=3.6"),
        ('"python 3"', "python 3"),
        ('""', None),
        ('" "', None),
    ],
)
def test_C_HTML_1_character_references_are_decoded_once(written: str, meant: str | None) -> None:
    assert only(f"data-requires-python={written}").requires_python == meant


@pytest.mark.parametrize(
    "page",
    [
        f"<A HREF='{NAME}' >x</A>",
        f"<a\n href = {NAME}\n>x",
        f"<p><ul><li><b>{LINK}<p><td></table>",
        f'<a href="{NAME}"><span>six</span><br>1.0</a>',
        f'<a href=" \n{NAME}\t">x</a>',
        f'<a href="{NAME}" href="seven-1.0.zip">first of a repeated attribute</a>',
        f'<a name="top"></a><a href>x</a>{LINK}<a href="">x</a>',
    ],
)
def test_C_HTML_2_loose_markup(page: str) -> None:
    assert urls(page) == [URL + NAME]


@pytest.mark.parametrize("text", ["", "six-1.0..&gt;", "seven-2.0.zip", "../evil"])
def test_C_HTML_3_the_text_of_an_anchor_means_nothing(text: str) -> None:
    assert [file.filename for file in read(f'<a href="{NAME}">{text}</a>').files] == [NAME]


@pytest.mark.parametrize(
    "around",
    [
        "<!-- %s -->",
        "<!-- > %s --->",
        "<script>%s</script>",
        "<style>%s</style>",
        "<p title='%s'>",
        "<textarea>%s",
    ],
)
def test_C_HTML_4_what_only_looks_like_a_link(around: str) -> None:
    assert urls(around % LINK.replace("six-1.0", "six-9.9") + "</textarea>" * ("<text" in around) + LINK) == [
        URL + NAME
    ]


@pytest.mark.parametrize(
    "cut", ['<a href="six-2', '<a href="six-2.0.zip', "<a href=six-2.0.zip", "<a hr", "<", "<!--"]
)
def test_C_HTML_5_a_page_cut_off_in_the_middle(cut: str) -> None:
    assert urls(LINK + cut) == [URL + NAME]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("é".encode(), "text/html"),
        ("é".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("é".encode("latin-1"), "Text/HTML; x=y;CHARSET='Latin1'"),
        ("é".encode("cp1252"), 'text/html;charset="windows-1252"'),
        (b'<meta charset="latin-1">' + "é".encode("latin-1"), "text/html"),
        (
            b'<meta http-equiv=x content="text/html; charset=latin-1">' + "é".encode("latin-1"),
            "text/html;charset=no",
        ),
        (b"\xef\xbb\xbf" + "é".encode(), "text/html; charset=latin-1"),
        (b'<meta charset="utf-16">' + "é".encode(), "text/html"),
    ],
)
def test_C_CHAR_the_charset(body: bytes, content_type: str) -> None:
    page = body.replace("é".encode(), LINK.encode().replace(b">", b' data-yanked="\xc3\xa9">', 1))
    page = page.replace(b"\xe9", LINK.encode().replace(b">", b' data-yanked="\xe9">', 1))
    assert read(page, content_type).files[0].yanked == "é"


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_C_CHAR_1_byte_order_marks(codec: str) -> None:
    assert urls(LINK.encode(codec), "text/html; charset=latin-1") == [URL + NAME]


@pytest.mark.parametrize(
    "charset", ["nonsense", "utf-8", "base64", "idna", "utf-7", "unicode_escape", "zlib", "\0"]
)
def test_C_CHAR_4_links_survive_undecodable_bytes(charset: str) -> None:
    page = read(b"\xff\xfa\xe9" + LINK.encode() + b"\x80\xc3", f"text/html; charset={charset}")
    assert [file.filename for file in page.files] == [NAME]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://files.example/a/", f"https://files.example/a/{NAME}"),
        ("https://files.example/a/page.html", f"https://files.example/a/{NAME}"),
        ("../../packages/", f"https://index.example/packages/{NAME}"),
        ("/p/", f"https://index.example/p/{NAME}"),
        (" //files.example ", f"https://files.example/{NAME}"),
        ("", URL + NAME),
    ],
)
def test_C_URL_3_the_first_base_with_an_href_counts(base: str, url: str) -> None:
    page = f'{LINK}<base target="x"><base href="{base}"><base href="https://other.example/">'
    assert urls(page) == [url]


@pytest.mark.parametrize("base", ["javascript:x", "data:text/html,x", "http://[x/"])
def test_C_URL_3_a_base_that_leads_nowhere_is_ignored_with_a_warning(base: str) -> None:
    page = read(f'<base href="{base}">{LINK}')
    assert page.files[0].url == URL + NAME
    assert len(page.warnings) == 1


def test_C_URL_5_query_strings_belong_to_the_url_and_not_to_the_name() -> None:
    (file,) = read('<a href="six-1.0.zip?token=a/b/evil.whl&amp;md5=00">x</a>').files
    assert (file.filename, file.url) == ("six-1.0.zip", URL + "six-1.0.zip?token=a/b/evil.whl&md5=00")
    assert file.hashes == {}


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "mailto:x@y.example",
        "#x",
        "?C=N;O=D",
        "../",
        "/",
        ".",
        "https://home.example/",
        "x.asc",
    ],
)
def test_C_URL_6_links_to_no_file_are_passed_over_without_a_word(href: str) -> None:
    page = read(f'<a href="{href}">x</a>{LINK}')
    assert [file.filename for file in page.files] == [NAME]
    assert page.warnings == ()


@pytest.mark.parametrize(
    "href",
    [
        *("http://[x/six-2.0.zip", "ftp://h.example/six-2.0.zip", "http://h.example:99999999/six-2.0.zip"),
        *(
            "..%2f..%2fsix-2.0.zip",
            "%2e%2e%5csix-2.0.zip",
            "six-2.0%00.zip",
            "~six-2.0.zip",
            "six-2.0%E2%80%AE.zip",
        ),
        *(
            "seven-1.0.zip",
            f"six-2.0.zip#sha256={SHA256[1:]}",
            f"six-2.0.zip#sha256={SHA256}&sha256={'0' * 64}",
        ),
        "six-2.0%FF.zip",
    ],
)
def test_C_SAFE_and_C_HASH_4_files_that_cannot_be_used_are_skipped_with_a_warning(href: str) -> None:
    page = read(f'<a href="{href}">x</a>{LINK}')
    assert [file.filename for file in page.files] == [NAME]
    assert len(page.warnings) == 1


@pytest.mark.parametrize(
    ("attributes", "yanked"),
    [
        ("", None),
        ("data-yanked", ""),
        ('data-yanked=""', ""),
        ("data-yanked=false", "false"),
        ("DATA-YANKED=x", "x"),
    ],
)
def test_C_YANK_1_present_means_yanked(attributes: str, yanked: str | None) -> None:
    assert only(attributes).yanked == yanked


@pytest.mark.parametrize(
    ("attributes", "metadata"),
    [
        ("", None),
        ("data-core-metadata=true", {}),
        (f'data-core-metadata="sha256={SHA256}"', {"sha256": SHA256}),
        ("data-core-metadata='sha256=short'", {}),
        ("data-core-metadata='whirlpool=00'", {}),
        ("data-core-metadata=False", None),
        (f'data-dist-info-metadata="sha256={SHA256}"', {"sha256": SHA256}),
        (f'data-dist-info-metadata="sha256={SHA256}" data-core-metadata=false', None),
        (f'data-dist-info-metadata=true data-core-metadata="sha256={SHA256}"', {"sha256": SHA256}),
    ],
)
def test_C_META_1_core_metadata(attributes: str, metadata: dict[str, str] | None) -> None:
    assert only(attributes).core_metadata == metadata


@pytest.mark.parametrize(
    "attribute", ["data-size=x", "data-size=-1", "data-upload-time=soon", "data-provenance=p"]
)
def test_C_HTML_6_malformed_extras_are_unknown_with_a_warning(attribute: str) -> None:
    page = read(f"<a href={NAME} {attribute} data-unknown=1>x</a>")
    assert page.files == read(LINK).files
    assert len(page.warnings) == 1


def test_C_HASH_2_several_digests() -> None:
    assert only("", f"#egg=six&SHA256={SHA256.upper()}&md5={'0' * 32}").hashes == {
        "sha256": SHA256,
        "md5": "0" * 32,
    }


def test_C_FILE_7_a_file_listed_twice() -> None:
    assert read(LINK + LINK).warnings == ()
    page = read(LINK + f'<a href="https://other.example/{NAME}#sha256={SHA256}">x</a>')
    assert [(file.url, file.hashes) for file in page.files] == [(URL + NAME, {})]
    assert len(page.warnings) == 1


def test_C_FILE_8_a_page_without_anchors() -> None:
    assert read("<!DOCTYPE html><html><body><h1>six</h1></body></html>").files == ()


def test_C_NAME_2_a_page_of_nothing_but_other_projects_files_is_an_error() -> None:
    with pytest.raises(WrongProjectError):
        read('<a href="seven-1.0.zip">x</a><a href="seven-2.0.zip">x</a>')
    assert read('<a href="seven-1.0.zip">x</a><a href="six-1.0.zip#sha256=00">x</a>').files == ()


@pytest.mark.parametrize("body", ["", " \n", "six", '{"files": []}', ' {"x": "<a href=six-1.0.zip>"}', "[]"])
def test_J_SYN_1_what_is_no_html_at_all_is_an_error(body: str) -> None:
    with pytest.raises(MalformedPageError):
        read(body)
    with pytest.raises(MalformedPageError):
        read_root(body.encode(), "text/html", URL)


META = '<meta name="pypi:repository-version" content="{}">'


def test_C_VER_1_to_3_versions_of_a_page() -> None:
    assert read(LINK).api_version == "1.0"
    assert read(META.format(" 1.1 ").upper().replace("CONTENT", "content") + LINK).api_version == "1.1"
    page = read(LINK + META.format("1.9") + META.format("2.0"))
    assert (page.api_version, len(page.files), len(page.warnings)) == ("1.9", 1, 1)


@pytest.mark.parametrize("version", ["2.0", "10.0", "one", "", "1"])
def test_C_VER_4_and_5_other_versions_fail(version: str) -> None:
    with pytest.raises(ApiVersionError):
        read(LINK + META.format(version))
    with pytest.raises(ApiVersionError):
        read_root((LINK + META.format(version)).encode(), "text/html", URL)


@pytest.mark.parametrize(
    ("content", "marker"),
    [("archived", "archived"), (" Quarantined", "quarantined"), ("odd", "odd"), ("", "active")],
)
def test_C_STAT_1_markers(content: str, marker: str) -> None:
    page = read(f'<meta name="pypi:project-status" content="{content}">{LINK}')
    assert page.status == ProjectStatus(marker)
    assert len(page.files) == 1


def test_C_ROOT_1_the_text_is_the_name_and_links_may_look_like_anything() -> None:
    page = """<a href="six/">six</a><a href="/simple/Six/">Six</a><a href="a.b">  a_b\n</a>
        <a href="https://h.example/x">Zope.<b>Interface</b></a><a href="listed/">listed/</a>
        <a href="?C=N">Name</a><a href="#top">top</a><a href="../">Parent Directory</a><a href="../">../</a>
        <a href="x/">-x</a><a href="javascript:x">js</a><a name="anchor">no</a>
        <a href="long-/">long-na..&gt;</a><a href="nested/">nes<a href="last/">last"""
    names = ("six", "a-b", "zope-interface", "listed", "nes", "last")
    assert tuple(read_root(page.encode(), "text/html", URL)) == names


def test_a_normal_page_reads_as_pypi_simple_reads_it() -> None:
    html = META.format("1.1") + "".join(
        f'<a href="../../p/six-{i}.0.zip#sha256={SHA256}" data-requires-python="&gt;=3.{i}"{extra}>'
        f"six-{i}.0.zip</a>"
        for i, extra in enumerate(("", ' data-yanked="bad"', f' data-core-metadata="sha256={SHA256}"'))
    )
    oracle = OraclePage.from_html("six", html, base_url=URL)
    page = read(html)
    assert page.api_version == oracle.repository_version
    for file, package in zip(page.files, oracle.packages, strict=True):
        assert file.filename == package.filename
        assert file.url == package.url
        assert (file.hashes, file.requires_python) == (package.digests, package.requires_python)
        assert (file.yanked is not None, file.yanked) == (package.is_yanked, package.yanked_reason)
        assert file.core_metadata == package.metadata_digests


HOSTILE = {
    "comments": "<!--" * 32_768,
    "half comments": "<!-" * 43_690,
    "declarations": "<!" * 65_536,
    "open tags": "<a " * 43_690,
    "open values": '<a href="' * 14_563,
    "references": "&#" * 65_536,
    "attributes": "<a " + " ".join(f"a{i}" for i in range(20_000)) + ">",
    "long link": f'<a href="{"x/" * 500_000}six-2.0.zip">',
    "no ASCII in a host": f'<a href="https://{"é" * 8_000}/six-2.0.zip">' * 50,
    "many digests": f'<a href="six-2.0.zip#{"sha256=a&sha256=b&" * 400}">' * 50,
    "many dashes": f'<a href="six{"-1" * 4_000}.zip">' * 50,
    "shallow stray ends": "<div>" * 150 + "</p>" * 100_000,
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_G19_hostile_pages_take_linear_time(page: str) -> None:
    started = time.perf_counter()
    files = read(LINK + page).files
    assert time.perf_counter() - started < 2
    assert [file.filename for file in files] == [NAME]


@pytest.mark.parametrize("page", ["<div>" * 100_000, "<div>" * 50_000 + "</p>" * 50_000])
def test_G18_nesting_is_bounded(page: str) -> None:
    started = time.perf_counter()
    with pytest.raises(MalformedPageError, match="inside one another"):
        read(LINK + page)
    assert time.perf_counter() - started < 2


def few(page: str) -> int:
    return len(read_page(page.encode(), "text/html", URL, SIX, max_files=3).files)


def test_G18_links_are_bounded() -> None:
    links = "".join(f"<a href=six-{number}.zip>x</a>" for number in range(4))
    with pytest.raises(MalformedPageError, match="the page lists more than 3 files"):
        few(links)
    assert few(links.removesuffix("</a>").rpartition("<a")[0]) == 3
    assert len(read_page(links.encode(), "text/html", URL, SIX, max_files=None).files) == 4


def test_G18_links_to_anything_count() -> None:
    with pytest.raises(MalformedPageError, match="the page lists more than 3 files"):
        few(LINK + "<a href=about.html>x</a>" * 3)


def test_G18_elements_are_bounded() -> None:
    assert few(LINK + "<br>" * 20) == 1
    with pytest.raises(MalformedPageError, match="the page has more than 30 elements"):
        few(LINK + "<br>" * 30)


def test_G18_the_links_of_a_root_index_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_html, "MAX_PROJECTS", 3)
    links = [f"<a href=p{number}/>p{number}</a>" for number in range(4)]
    assert len(read_root("".join(links[:3]).encode(), "text/html", URL)) == 3
    with pytest.raises(MalformedPageError, match="the page lists more than 3 projects"):
        read_root("".join(links).encode(), "text/html", URL)
    with pytest.raises(MalformedPageError, match="the page has more than 9 elements"):
        read_root(b"<br>" * 10, "text/html", URL)


def test_G19_thirty_thousand_links() -> None:
    started = time.perf_counter()
    page = read("".join(f'<a href="six-{i}.tar.gz#sha256={SHA256}">x</a><br>' for i in range(30_000)))
    assert time.perf_counter() - started < 5
    assert len(page.files) == 30_000


TAGS = ("<a ", "<base ", "<meta ", ">", "<!--", "href=", "data-size=", "data-yanked", "content=", "charset=")
VALUES = ('"', "'", "https://h.example/", "six-1.0.zip", "#sha256=", "pypi:repository-version", "&#55296;")
MARKUP = st.lists(st.sampled_from(TAGS + VALUES) | st.text(max_size=3), max_size=30).map("".join)
CHARSETS = st.sampled_from(
    ["", "; charset=utf-16", "; charset=utf-7", "; charset=gb18030", "; charset=iso-2022-jp"]
)


@given(st.binary() | MARKUP.map(lambda text: text.encode(errors="replace")), CHARSETS)
@settings(max_examples=300)
def test_any_body_is_a_page_or_a_page_error(body: bytes, charset: str) -> None:
    with suppress(PageError):
        read_page(body, f"text/html{charset}", URL, SIX)
    with suppress(PageError):
        read_root(body, f"text/html{charset}", URL)
