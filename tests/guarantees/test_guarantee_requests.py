"""GUARANTEES, Containment: G24 and G25, where requests go and what they carry."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import ANY_FAILURE, OneOf
from yarl import URL

from aiomirror.http.origins import link_local
from faults import Redirect, Reset, Status, content_type
from mirror import Mirror
from tls import server_context, write_pem
from upstream import Upstream, basic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults import Fault
    from mirror import Ran

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"
USER, PASSWORD = "nightly", "s3cr#t/w@rd"
TOLD = (PASSWORD, "s3cr%23t%2Fw%40rd", base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), "s3cr")


@pytest.fixture
def other() -> Iterator[Upstream]:
    """A second origin."""
    with Upstream() as running:
        yield running


@pytest.fixture
def secure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mirror]:
    """A mirror of an upstream that speaks TLS."""
    pem = write_pem(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with Upstream(tls=server_context(pem)) as upstream:
        yield Mirror(tmp_path, upstream, capsys)


# -- G24

ELSEWHERE = [
    "file:///etc/passwd",
    "ftp://files.example/x",
    "data:text/html,x",
    "javascript:alert(1)",
    "gopher://127.0.0.1/",
    "unix:///run/x",
    "//",
    "",
    "http://169.254.169.254/latest/",
    "http://[fe80::1]/",
    "http://127.0.0.1:99999/",
    "http://[x/",
]


@pytest.mark.parametrize("to", ELSEWHERE)
@pytest.mark.parametrize("path", [PAGE, FILE])
def test_G24_redirects_lead_to_http_and_https_alone(mirror: Mirror, path: str, to: str) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(path, Redirect(to))
    (line,) = mirror.sync("foo", "--retries", "0", code=1).errors()
    assert "redirect" in line
    assert mirror.upstream.paths().count(path) == 1


@pytest.mark.parametrize("to", ["http://169.254.169.254/foo-1.0.tar.gz", "http://[fe80::1]/foo-1.0.tar.gz"])
def test_G24_links_on_a_page_lead_to_no_link_local_address(mirror: Mirror, to: str) -> None:
    mirror.upstream.add_file("foo", SDIST, url=to)
    (line,) = mirror.sync("foo", "--retries", "0", code=1).errors()
    assert "a link-local address" in line


@pytest.mark.parametrize("host", ["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"])
def test_G24_nor_to_one_in_another_spelling(host: str) -> None:
    assert link_local(URL(f"http://{host}/"))


@pytest.mark.parametrize("path", [PAGE, FILE])
@pytest.mark.parametrize("hops", [2, 1])
def test_G24_redirect_loops(mirror: Mirror, path: str, hops: int) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(path, Redirect("/there" if hops == 2 else path))
    mirror.upstream.always("/there", Redirect(path))
    (line,) = mirror.sync("foo", "--retries", "3", code=1).errors()
    assert "a redirect in a circle" in line
    assert len(mirror.upstream.requests) <= 3


@pytest.mark.parametrize("path", [PAGE, FILE])
def test_G24_never_from_https_to_http(secure: Mirror, other: Upstream, path: str) -> None:
    secure.upstream.add_file("foo", SDIST)
    other.add_file("foo", SDIST)
    secure.upstream.always(path, Redirect(other.base + path))
    (line,) = secure.sync("foo", "--retries", "0", code=1).errors()
    assert "from https to http" in line
    assert not other.requests


def test_G24_certificates_are_verified(secure: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    secure.upstream.add_file("foo", SDIST)
    monkeypatch.delenv("SSL_CERT_FILE")
    (line,) = secure.sync("foo", code=4).errors()
    assert "the certificate is not trusted" in line
    assert not secure.upstream.requests


# -- G25


def keeps(mirror: Mirror, *said: str) -> None:
    """No secret in anything that was said or written."""
    written = b"\n".join(path.read_bytes() for path in mirror.folder.rglob("*") if path.is_file())
    for text in (*said, written.decode(errors="replace")):
        for secret in TOLD:
            assert secret not in text


def with_secret(url: str) -> str:
    return url.replace("://", f"://{USER}:{TOLD[1]}@")


def told(ran: Ran) -> tuple[str, str, str]:
    return ran.out, ran.err, json.dumps(ran.report)


@pytest.mark.parametrize("redirect", [False, True])
@pytest.mark.parametrize("extra", [[], ["-v", "--log-format", "json"], ["--dry-run"], ["--debug", "-v"]])
def test_G25_credentials_go_to_their_origin_only_and_appear_nowhere(
    mirror: Mirror,
    other: Upstream,
    redirect: bool,  # noqa: FBT001 (a parameter of the test)
    extra: list[str],
) -> None:
    mirror.upstream.credentials = (USER, PASSWORD)
    body = other.add_file("foo", SDIST)
    url = None if redirect else other.file_url("foo", SDIST)
    mirror.upstream.add_file("foo", SDIST, content=body, url=url)
    if redirect:
        mirror.upstream.always(FILE, Redirect(other.base + FILE))
    mirror.upstream.add_file("foo", WHEEL)
    ran = mirror.sync("foo", "-i", with_secret(mirror.upstream.url), *extra)
    assert "--dry-run" in extra or mirror.files() == {SDIST, WHEEL}
    assert {request.headers.get("authorization") for request in mirror.upstream.requests} == {
        basic(USER, PASSWORD)
    }
    assert not any("authorization" in request.headers for request in other.requests)
    keeps(mirror, *told(ran))


@pytest.mark.parametrize(
    "fault",
    [
        Status(401),
        Status(403),
        Status(404),
        Status(500),
        Status(503, 86_400),
        Reset(),
        content_type("text/plain"),
        Redirect("ftp://nightly:s3cr%23t%2Fw%40rd@files.example/"),
        Redirect(f"/simple/foo/?token={TOLD[1]}"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [PAGE, FILE])
def test_G25_nor_in_what_is_said_of_failures(mirror: Mirror, path: str, fault: Fault) -> None:
    mirror.upstream.credentials = (USER, PASSWORD)
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", WHEEL)
    mirror.upstream.always(path, fault)
    url = with_secret(mirror.upstream.url)
    ran = mirror.sync("foo", "nope", "--keep-going", "-v", "--retries", "0", "-i", url, code=ANY_FAILURE)
    keeps(mirror, *told(ran))


def test_G25_a_password_in_a_netrc_file(
    mirror: Mirror, other: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given for a host by name: the same address under another name is sent nothing."""
    netrc = mirror.folder.parent / f"{mirror.folder.name}.netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    mirror.upstream.credentials = (USER, PASSWORD)
    elsewhere = other.base.replace("127.0.0.1", "localhost")
    body = other.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", SDIST, content=body, url=f"{elsewhere}{FILE}")
    ran = mirror.sync("foo", "-v")
    assert mirror.files() == {SDIST}
    assert not any("authorization" in request.headers for request in other.requests)
    keeps(mirror, *told(ran))


@pytest.mark.parametrize(
    "line",
    [
        f"foo @ https://{USER}:{TOLD[1]}@files.example/foo-1.0.zip",
        f"git+https://{USER}:{TOLD[1]}@code.example/foo.git#egg=foo",
        f"--extra-index-url https://{USER}:{TOLD[1]}@index.example/simple/",
        f"--find-links https://{USER}:{TOLD[1]}@index.example/",
        f"--index-url https://{USER}:{TOLD[1]}@index.example/simple/ and more",
        f"--index-url https://{USER}:{TOLD[1]}@index.example:port/simple/",
        f"--no-such https://{USER}:{TOLD[1]}@index.example/simple/",
    ],
)
def test_G25_a_password_in_a_requirements_file(
    mirror: Mirror, tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    requirements = tmp_path_factory.mktemp("outside") / "r.txt"
    requirements.write_text(f"bar\n{line}\n")
    mirror.upstream.add_file("bar", "bar-1.zip")
    ran = mirror.sync("-r", str(requirements), code=OneOf(0, 2))
    keeps(mirror, *told(ran))


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://{USER}:{TOLD[1]}@index.example/",
        f"https://{USER}:{PASSWORD}@index.example/",  # which ends as the port
        f"https://{USER}:{TOLD[1]}@index.example:port/",
        f"https://{USER}:{TOLD[1]}@[::1/",
        f"https://{USER}:{TOLD[1]}@127.0.0.1:1/simple/",
        f"{USER}:{TOLD[1]}@index.example/simple",
    ],
)
def test_G25_a_password_in_an_address_that_cannot_be_used(mirror: Mirror, url: str) -> None:
    ran = mirror.sync("foo", "-i", url, "--retries", "0", code=OneOf(2, 4))
    keeps(mirror, *told(ran))
