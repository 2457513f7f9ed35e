"""Reading upstream: any Simple API index, through whole runs."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from builders import make_sdist, make_wheel
from catalogue import HTML_TYPE, JSON_TYPE, Blob, sha256
from faults import Chunked, Gzip, Header, Raw, Redirect, Status, content_type
from upstream import wheel_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults import Fault
    from mirror import Mirror

WHEEL = "foo-1.0-py3-none-any.whl"
SDIST = "foo-1.0.tar.gz"
PAGE = "/simple/foo/"


@pytest.fixture(params=["json", "html"])
def either(request: pytest.FixtureRequest, mirror: Mirror) -> str:
    """The upstream serves this form alone."""
    mirror.upstream.formats = request.param
    return str(request.param)


def page(files: list[dict[str, Any]], **members: object) -> bytes:
    body = {"meta": {"api-version": "1.1"}, "name": "foo", "versions": ["1.0"], "files": files, **members}
    return json.dumps(body).encode()


def test_json_is_preferred_and_html_accepted(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", WHEEL)
    mirror.sync("foo")
    (request,) = mirror.upstream.page_requests()
    accept = [part.strip() for part in request.headers["accept"].split(",")]
    assert accept == [JSON_TYPE, f"{HTML_TYPE};q=0.2", "text/html;q=0.01"]


@pytest.mark.usefixtures("either")
def test_what_upstream_says_is_carried(mirror: Mirror) -> None:
    mirror.upstream.add_project("foo", status="deprecated", reason="use <bar>")
    mirror.upstream.add_file(
        "foo", WHEEL, requires_python=">=3.8,<4", core_metadata=True, yanked="bad & ugly"
    )
    mirror.upstream.add_file("foo", SDIST, requires_python=">=3.8")
    mirror.sync("foo==1.0")
    published = mirror.page("foo")
    assert (published.status.marker, published.status.reason) == ("deprecated", "use <bar>")
    wheel, sdist = mirror.entry("foo", WHEEL), mirror.entry("foo", SDIST)
    assert (wheel.requires_python, wheel.yanked) == (">=3.8,<4", "bad & ugly")
    assert (sdist.requires_python, sdist.yanked) == (">=3.8", None)
    assert wheel.core_metadata == {"sha256": sha256(wheel_metadata(mirror.path(WHEEL).read_bytes()))}


def test_upload_times_are_carried(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", WHEEL, upload_time="2021-03-04T05:06:07.891011Z")
    mirror.upstream.add_file("foo", SDIST, upload_time=None)
    mirror.sync("foo")
    assert mirror.entry("foo", WHEEL).upload_time == datetime(2021, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
    assert mirror.entry("foo", SDIST).upload_time is None


@pytest.mark.parametrize("name", ["ETag", "Last-Modified", "X-PyPI-Last-Serial"])
def test_headers_that_are_no_text(mirror: Mirror, name: str) -> None:
    """Bytes beyond ASCII have no encoding in HTTP: nothing of them is remembered, and nothing fails."""
    mirror.upstream.add_file("foo", SDIST)
    value = '"\xe9\xff"'
    mirror.upstream.always("/simple/foo/", Header(name, value))
    for _ in range(2):
        mirror.sync("foo")
    assert mirror.listed("foo") == [SDIST]
    assert not any(value in request.headers.values() for request in mirror.upstream.requests)


def test_a_content_type_that_is_no_text(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always("/simple/foo/", content_type("\xe9\xff"))
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith("foo: no content type, where the Simple API has ")


@pytest.mark.parametrize("path", ["/simple/foo/", f"/files/foo/{SDIST}"])
def test_a_redirect_to_what_is_no_text(mirror: Mirror, path: str) -> None:
    mirror.upstream.add_file("foo", SDIST)
    answer = b"HTTP/1.1 302 Found\r\nLocation: ftp://\xe9\xff/\r\nContent-Length: 0\r\n\r\n"
    mirror.upstream.always(path, Raw(answer))
    (line,) = mirror.sync("foo", code=1).errors()
    assert "a redirect that does not say where to" in line


def test_a_reason_that_is_no_text(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    answer = b"HTTP/1.1 418 \xe9\xff\x1b[1m\r\nContent-Length: 0\r\n\r\n"
    mirror.upstream.always("/simple/foo/", Raw(answer))
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith(r"foo: HTTP 418 ??\x1b[1m (")


def test_a_project_without_a_page_is_not_like_itself(mirror: Mirror) -> None:
    """A root index may list what has none."""
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always("/simple/foo/", Status(404))
    (line,) = mirror.sync("foo", code=3).errors()
    assert line == "foo: the index has no such project"


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    "url", ["../../files/foo/x", "/files/foo/x", "{base}/files/foo/x", "//{host}/files/foo/x"]
)
def test_links_relative_and_absolute(mirror: Mirror, url: str) -> None:
    base = mirror.upstream.base
    url = url.format(base=base, host=base.removeprefix("http://")).replace("/x", f"/{SDIST}")
    mirror.upstream.add_file("foo", SDIST, url=url)
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


def test_files_on_another_host_whose_urls_do_not_end_in_their_names(mirror: Mirror) -> None:
    body = make_sdist("foo", "1.0")
    mirror.upstream.add_file("store", "get", content=body)
    url = mirror.upstream.file_url("store", "get") + "?id=7&token=a/b.zip"
    entry = {"filename": SDIST, "url": url, "hashes": {"sha256": sha256(body)}, "size": len(body)}
    mirror.upstream.add_page("foo", page([entry]), JSON_TYPE)
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


@pytest.mark.parametrize("form", [JSON_TYPE, "text/html"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_links_are_relative_to_where_a_redirect_leads(mirror: Mirror, form: str, status: int) -> None:
    link = f"files/{SDIST}"
    as_json = page([{"filename": SDIST, "url": link, "hashes": {"sha256": DIGESTS["sha256"]}}])
    as_html = f'<a href="{link}#sha256={DIGESTS["sha256"]}">{SDIST}</a>'.encode()
    mirror.upstream.add_project("foo")
    mirror.upstream.always(PAGE, Redirect("/deep/er/", status))
    mirror.upstream.blobs["/deep/er/"] = Blob(as_json if form == JSON_TYPE else as_html, form)
    mirror.upstream.blobs[f"/deep/er/{link}"] = Blob(BODY)
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


def test_files_behind_redirects(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.blobs["/elsewhere"] = mirror.upstream.blobs[f"/files/foo/{SDIST}"]
    mirror.upstream.always(f"/files/foo/{SDIST}", Redirect("/elsewhere", 307))
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


def test_redirects_without_end(mirror: Mirror) -> None:
    mirror.upstream.always(PAGE, Redirect(PAGE))
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith("foo: ")
    assert "redirect" in line
    assert len(mirror.upstream.requests) < 30


@pytest.mark.parametrize(
    "base", ['<base href="{base}/files/foo/">', '<base href="/files/foo/">', '<base href="../../files/foo/">']
)
def test_base_href(mirror: Mirror, base: str) -> None:
    body = mirror.upstream.add_file("store", "x.txt", content=make_sdist("foo", "1.0"))
    mirror.upstream.blobs[f"/files/foo/{SDIST}"] = mirror.upstream.blobs["/files/store/x.txt"]
    head = base.format(base=mirror.upstream.base)
    text = f'<html><head>{head}</head><a href="{SDIST}#sha256={sha256(body)}">{SDIST}</a></html>'
    mirror.upstream.add_page("foo", text.encode())
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


@pytest.mark.parametrize("fault", [Gzip(), Chunked(), content_type(f"{JSON_TYPE}; charset=utf-8")])
def test_pages_however_they_are_sent(mirror: Mirror, fault: Fault) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(PAGE, fault)
    mirror.sync("foo")
    assert mirror.files() == {SDIST}


BODY = make_sdist("foo", "1.0")
DIGESTS = {
    name: hashlib.new(name, BODY).hexdigest() for name in ("md5", "sha1", "sha256", "sha512", "blake2b")
}


@pytest.mark.parametrize(
    ("hashes", "published"),
    [
        ({"sha256": DIGESTS["sha256"]}, {"sha256"}),
        ({"md5": DIGESTS["md5"]}, {"md5", "sha256"}),
        ({"sha1": DIGESTS["sha1"]}, {"sha1", "sha256"}),
        ({"sha512": DIGESTS["sha512"]}, {"sha512", "sha256"}),
        (DIGESTS, set(DIGESTS)),
        ({"SHA256": DIGESTS["sha256"].upper()}, {"sha256"}),
        ({"sha256": DIGESTS["sha256"], "blake2b_256": "00"}, {"sha256"}),
    ],
)
def test_hashes_of_all_kinds(mirror: Mirror, hashes: Mapping[str, str], published: set[str]) -> None:
    mirror.upstream.add_file("foo", SDIST, content=BODY, hashes=hashes)
    mirror.sync("foo")
    assert set(mirror.entry("foo", SDIST).hashes) == published
    before = mirror.identities()
    mirror.upstream.clear()
    mirror.sync("foo")
    assert mirror.identities() == before
    assert not mirror.upstream.file_requests()


@pytest.mark.parametrize("wrong", ["md5", "sha256", "blake2b"])
def test_every_one_of_several_hashes_is_checked(mirror: Mirror, wrong: str) -> None:
    hashes = {**DIGESTS, wrong: "0" * len(DIGESTS[wrong])}
    mirror.upstream.add_file("foo", SDIST, content=BODY, hashes=hashes)
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith(f"foo: {SDIST}: {wrong} is ")
    assert not mirror.files()


def test_a_malformed_digest_refuses_the_file_alone(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, hashes={"sha256": "abc"})
    mirror.upstream.add_file("foo", WHEEL)
    ran = mirror.sync("foo")
    assert mirror.files() == {WHEEL}
    assert any(SDIST in line for line in ran.warnings())


@pytest.mark.usefixtures("either")
def test_a_higher_minor_version_warns(mirror: Mirror) -> None:
    mirror.upstream.add_project("foo", api_version="1.9")
    mirror.upstream.add_file("foo", SDIST)
    (line,) = mirror.sync("foo").warnings()
    assert line.startswith("foo: ")
    assert "1.9" in line
    assert mirror.files() == {SDIST}


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("version", ["2.0", "10.1", "one"])
def test_a_higher_major_version_fails_that_project(mirror: Mirror, version: str) -> None:
    mirror.upstream.add_project("foo", api_version=version)
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    (line,) = mirror.sync("foo", "bar", "--keep-going", code=1).errors()
    assert line.startswith("foo: ")
    assert version in line
    assert mirror.files() == {"bar-1.tar.gz"}


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("spec", "files"),
    [
        ("foo", {"foo-1.0.tar.gz"}),
        ("foo>=2", None),
        ("foo==2.*", None),
        ("foo==2.0", {"foo-2.0.tar.gz"}),
        ("foo===2.0", {"foo-2.0.tar.gz"}),
        ("foo=2.0", {"foo-2.0.tar.gz"}),
    ],
)
def test_yanked_files_only_for_an_exact_pin(mirror: Mirror, spec: str, files: set[str] | None) -> None:
    mirror.upstream.add_file("foo", "foo-1.0.tar.gz")
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz", yanked="no")
    ran = mirror.sync(spec, code=0 if files else 3)
    assert mirror.files() == (files or set())
    if not files:
        assert "yanked; an exact pin takes it" in ran.err


# -- core metadata

OTHER = b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nSummary: another\n"
OWN = wheel_metadata(make_wheel("foo", "1.0"))


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("announced", [True, False, {}])
def test_the_core_metadata_of_a_wheel(mirror: Mirror, announced: bool | dict[str, str]) -> None:  # noqa: FBT001
    mirror.upstream.add_file("foo", WHEEL, core_metadata=announced)
    mirror.sync("foo")
    assert mirror.entry("foo", WHEEL).core_metadata == {"sha256": sha256(OWN)}
    assert mirror.path(f"{WHEEL}.metadata").read_bytes() == OWN


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("fault", [None, Status(404), Status(500)])
def test_announced_metadata_that_is_missing_or_wrong_is_replaced_by_the_wheels_own(
    mirror: Mirror, fault: Fault | None
) -> None:
    mirror.upstream.add_file("foo", WHEEL, core_metadata="0" * 64)
    mirror.upstream.always(f"/files/foo/{WHEEL}.metadata", *([fault] if fault else []))
    (line,) = mirror.sync("foo", "--retries", "0").warnings()
    assert line.startswith(f"foo: {WHEEL}: the wheel's own is offered as core metadata: ")
    assert mirror.entry("foo", WHEEL).core_metadata == {"sha256": sha256(OWN)}
    mirror.upstream.clear()
    assert not mirror.sync("foo").warnings()
    assert not mirror.upstream.file_requests()


def test_metadata_that_differs_from_the_wheels_is_mirrored_with_its_digest(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", WHEEL, core_metadata=True, metadata=OTHER)
    mirror.sync("foo")
    assert mirror.path(f"{WHEEL}.metadata").read_bytes() == OTHER
    assert mirror.entry("foo", WHEEL).core_metadata == {"sha256": sha256(OTHER)}


def test_a_wheel_that_cannot_be_read_has_upstreams_metadata_or_none(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", WHEEL, content=b"no zip", core_metadata=True, metadata=OTHER)
    mirror.upstream.add_file("bar", "bar-1.0-py3-none-any.whl", content=b"no zip")
    mirror.sync("foo", "bar")
    assert mirror.entry("foo", WHEEL).core_metadata == {"sha256": sha256(OTHER)}
    assert mirror.entry("bar", "bar-1.0-py3-none-any.whl").core_metadata is None


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(("fault", "offered"), [(None, True), (Status(404), False)])
def test_the_core_metadata_of_a_source_archive(
    mirror: Mirror,
    fault: Fault | None,
    offered: bool,  # noqa: FBT001
) -> None:
    mirror.upstream.add_file("foo", SDIST, core_metadata=True, metadata=OTHER)
    mirror.upstream.always(f"/files/foo/{SDIST}.metadata", *([fault] if fault else []))
    ran = mirror.sync("foo", "--retries", "0")
    assert (mirror.entry("foo", SDIST).core_metadata is not None) is offered
    assert (mirror.dest / "foo" / f"{SDIST}.metadata").exists() is offered
    assert bool(ran.warnings()) is not offered


def test_the_old_key_for_core_metadata_is_read(mirror: Mirror) -> None:
    body = make_sdist("foo", "1.0")
    mirror.upstream.add_file("foo", SDIST, content=body, core_metadata=True, metadata=OTHER)
    entry = dict(mirror.upstream.projects["foo"].files[0])
    entry["dist-info-metadata"] = entry.pop("core-metadata")
    mirror.upstream.add_page("foo", page([entry]), JSON_TYPE)
    mirror.sync("foo")
    assert mirror.entry("foo", SDIST).core_metadata == {"sha256": sha256(OTHER)}


# -- status


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("status", "published"), [(None, "active"), ("archived", "archived"), ("haunted", "active")]
)
def test_the_status_of_a_project(mirror: Mirror, status: str | None, published: str) -> None:
    mirror.upstream.add_project("foo", status=status)
    mirror.upstream.add_file("foo", SDIST)
    mirror.sync("foo")
    assert mirror.page("foo").status.marker == published
    assert mirror.listed("foo") == [SDIST]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("listing", [True, False])
def test_a_quarantined_project_offers_nothing(mirror: Mirror, listing: bool) -> None:  # noqa: FBT001
    mirror.upstream.add_project("foo", status="quarantined", reason="malware")
    if listing:
        mirror.upstream.add_file("foo", SDIST)
    (line,) = mirror.sync("foo", code=3).errors()
    assert "upstream has quarantined the project" in line
    assert not mirror.files()
    assert not mirror.upstream.file_requests()


# -- odd entries


def test_an_entry_that_cannot_be_used_does_not_hurt_the_others(mirror: Mirror) -> None:
    body = make_sdist("foo", "1.0")
    mirror.upstream.add_file("foo", SDIST, content=body)
    good = mirror.upstream.projects["foo"].files[0]
    odd: list[Any] = [
        {**good, "filename": "../foo-9.tar.gz"},
        {**good, "filename": "foo-9.tar.gz", "url": "ftp://files.example/foo-9.tar.gz"},
        {**good, "filename": "bar-9.tar.gz"},
        {**good, "filename": "foo-1.0-variants.json"},
        {**good, "filename": "foo-9.tar.gz.asc"},
    ]
    mirror.upstream.add_page("foo", page([*odd, good]), JSON_TYPE)
    ran = mirror.sync("foo")
    assert mirror.files() == {SDIST}
    assert len(ran.warnings()) == 3  # what is no distribution is nothing to warn of


def test_the_page_of_another_project(mirror: Mirror) -> None:
    mirror.upstream.add_page("foo", page([], name="bar"), JSON_TYPE)
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith("foo: ")
    assert "bar" in line
