"""The README's nginx configuration, in a real nginx: what it answers, and pip and uv through it."""

from __future__ import annotations

import os
import re
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from catalogue import HTML_TYPE, JSON_TYPE
from clients import RESOLVED, Clients, Mirror, imported_versions, made_mirror
from nginx import needs_nginx, running_nginx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

README = Path(__file__).parents[1] / "README.md"
PIP_ACCEPT = f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01"
BROWSER_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
AROUND = """\
daemon off;
worker_processes 1;
pid "{run}/nginx.pid";
error_log "{run}/error.log" info;
events {{ worker_connections 256; }}
http {{
    # What a distribution's nginx.conf has set when it includes a site: its types, and compression.
    types {{ text/html html; text/plain txt; application/gzip gz; }}
    default_type application/octet-stream;
    gzip on;
    access_log "{run}/access.log";
    client_body_temp_path "{run}/body";
    proxy_temp_path "{run}/proxy";
    fastcgi_temp_path "{run}/fastcgi";
    uwsgi_temp_path "{run}/uwsgi";
    scgi_temp_path "{run}/scgi";
{site}
}}
"""

pytestmark = needs_nginx


def site(root: Path, port: int) -> str:
    """The README's block; of it only the port (which also takes rights) and the folder are replaced."""
    found = re.search(r"```nginx\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    text = found[1]
    for there, here in (("listen 80;", f"listen 127.0.0.1:{port};"), ("/srv/mirror/", f"{root}/")):
        assert text.count(there) == 1
        text = text.replace(there, here)
    return text


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def varies(self) -> set[str]:
        """What the answer depends on; a header that nginx sends twice."""
        return set(", ".join(self.headers.get_all("Vary", [])).split(", "))


@dataclass(frozen=True)
class Served:
    """A running nginx."""

    url: str
    run: Path

    def get(self, path: str, **headers: str) -> Answer:
        """One request; redirects are not followed, and neither proxies nor codings get in between."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def log(self) -> str:
        return (self.run / "access.log").read_text()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the redirect is the answer."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's, which is closed to all others: started by root, nginx reads files as another user."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def mirror(folder: Path) -> Iterator[Mirror]:
    before = os.umask(0o022)  # it decides who may read what is published
    try:
        with made_mirror(folder / "mirror") as made:
            yield made
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def nginx(folder: Path, mirror: Mirror) -> Iterator[Served]:
    run = folder / "run"
    run.mkdir()
    with running_nginx(run, lambda port: AROUND.format(run=run, site=site(mirror.root, port))) as url:
        yield Served(url, run)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    return Clients(tmp_path_factory.mktemp("home"))


def test_the_configuration_has_neither_errors_nor_warnings(nginx: Served) -> None:
    log = (nginx.run / "error.log").read_text()

    assert re.findall(r"\[(?:warn|error|crit|alert|emerg)\].*", log) == []


@pytest.mark.parametrize("path", ["/simple/", "/simple/foo-bar-baz/"])
@pytest.mark.parametrize(
    ("accept", "page", "content_type"),
    [
        (PIP_ACCEPT, "index.v1_json", JSON_TYPE),
        (JSON_TYPE.upper(), "index.v1_json", JSON_TYPE),
        ("application/vnd.pypi.simple.latest+json", "index.v1_json", JSON_TYPE),
        (BROWSER_ACCEPT, "index.html", "text/html"),
        (HTML_TYPE, "index.html", "text/html"),
        ("*/*", "index.html", "text/html"),
    ],
)
def test_pages_by_accept(
    nginx: Served, mirror: Mirror, *, path: str, accept: str, page: str, content_type: str
) -> None:
    answer = nginx.get(path, Accept=accept)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.varies() == {"Accept", "Accept-Encoding"}
    assert answer.body == (mirror.root / path.removeprefix("/simple/") / page).read_bytes()


@pytest.mark.parametrize("accept", [PIP_ACCEPT, "text/html"])
def test_a_page_that_is_not_new_is_not_sent_again(nginx: Served, accept: str) -> None:
    first = nginx.get("/simple/shop/", Accept=accept)
    again = nginx.get("/simple/shop/", Accept=accept, **{"If-None-Match": first.headers["ETag"]})

    assert again.status == 304
    assert "Accept" in again.varies()


@pytest.mark.parametrize("accept", [PIP_ACCEPT, "text/html"])
def test_pages_are_compressed(nginx: Served, accept: str) -> None:
    answer = nginx.get("/simple/shop/", Accept=accept, **{"Accept-Encoding": "gzip, deflate"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.varies() == {"Accept", "Accept-Encoding"}


@pytest.mark.parametrize(
    "path",
    [
        "shop/shop-1.10-py3-none-any.whl",
        "shop/shop-1.10-py3-none-any.whl.metadata",
        "shop/shop-1.10.tar.gz",
        "local-build/local_build-1.0+local.1-py3-none-any.whl",
    ],
)
@pytest.mark.parametrize("quoting", ["/+", "/"], ids=["plus", "%2B"])
def test_files_are_sent_as_they_are(nginx: Served, mirror: Mirror, path: str, quoting: str) -> None:
    answer = nginx.get(f"/simple/{quote(path, safe=quoting)}", **{"Accept-Encoding": "gzip, deflate"})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Encoding"] is None
    assert answer.body == (mirror.root / path).read_bytes()


def test_files_resume(nginx: Served, mirror: Mirror) -> None:
    answer = nginx.get("/simple/shop/shop-1.10.tar.gz", Range="bytes=100-")

    assert answer.status == 206
    assert answer.body == (mirror.root / "shop" / "shop-1.10.tar.gz").read_bytes()[100:]


@pytest.mark.parametrize("path", ["", "state.sqlite", "lock", "partial/", "partial"])
@pytest.mark.parametrize(
    "prefix", ["/simple/.aiomirror/", "/simple/shop/../.aiomirror/", "/simple/%2Eaiomirror/"]
)
def test_the_state_is_not_served(nginx: Served, prefix: str, path: str) -> None:
    assert nginx.get(prefix + path).status == 404


def test_the_slash_is_added_on_the_same_host(nginx: Served) -> None:
    answer = nginx.get("/simple/shop", Accept=PIP_ACCEPT)

    assert answer.status == 301
    # Without scheme and host it is right behind a proxy that speaks TLS, too.
    assert answer.headers["Location"] == "/simple/shop/"


def test_an_unknown_project_is_not_there(nginx: Served) -> None:
    assert nginx.get("/simple/nothing/", Accept=PIP_ACCEPT).status == 404


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_clients_install(nginx: Served, clients: Clients, tmp_path: Path, client: str) -> None:
    versions = {**RESOLVED, "local-build": "1.0+local.1", "from-source": "1.0"}
    clients.install(client, f"{nginx.url}/simple/", tmp_path, "app", "local-build", "from-source")

    assert imported_versions(tmp_path, *versions) == versions
    assert re.search(r'"GET /simple/app/app-1\.1-py3-none-any\.whl\.metadata HTTP/1\.1" 20[06] ', nginx.log())
