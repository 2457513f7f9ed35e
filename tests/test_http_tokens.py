"""Bearer tokens, by environment and by origin; and what a refusal says of credentials."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from aiomirror.errors import ConfigError, StatusError
from aiomirror.http import HttpSettings, tokens
from aiomirror.http.credentials import Credential, Credentials, hint, variable
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, PAGE, PATH, fetched, running
from faults import Redirect, Status
from tls import Authority
from upstream import Upstream, basic

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "https://index.example/simple/"
OWN = "https://index.example:443"

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)


# -- the environment


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"AIOMIRROR_TOKEN": "t0ken"}, {OWN: "t0ken"}),
        ({"AIOMIRROR_TOKEN": " t0ken\n"}, {OWN: "t0ken"}),
        ({"AIOMIRROR_TOKEN": " "}, {}),
        ({"AIOMIRROR_TOKEN_": "t0ken", "AIOMIRROR_TOKENS": "x", "MY_AIOMIRROR_TOKEN_A": "x"}, {}),
        ({"AIOMIRROR_TOKEN_FILES_EXAMPLE": "t0ken"}, {"files.example": "t0ken"}),
        ({"AIOMIRROR_TOKEN_MY__FILES_EXAMPLE": "t0ken"}, {"my-files.example": "t0ken"}),
        ({"AIOMIRROR_TOKEN_192_0_2_1": "t0ken"}, {"192.0.2.1": "t0ken"}),
        ({"AIOMIRROR_TOKEN": "a", "AIOMIRROR_TOKEN_INDEX_EXAMPLE": "b"}, {OWN: "a", "index.example": "b"}),
    ],
)
def test_tokens_of_the_environment(environ: dict[str, str], found: dict[str, str]) -> None:
    assert tokens(environ, INDEX) == found


def test_the_indexs_origin_has_its_own_scheme_and_port() -> None:
    assert tokens({"AIOMIRROR_TOKEN": "t"}, "http://me:pw@Index.example:81/") == {
        "http://index.example:81": "t"
    }
    assert tokens({"AIOMIRROR_TOKEN": "t"}, "ftp://index.example/") == {}


@given(hosts)
def test_each_host_has_a_variable_and_each_variable_one_host(host: str) -> None:
    name = variable(host)
    assert name is not None
    assert set(name) <= set(string.ascii_uppercase + string.digits + "_")
    assert tokens({name: "t0ken"}, INDEX) == {host: "t0ken"}


@pytest.mark.parametrize("host", ["::1", "files_example", "files.example/x", ""])
def test_hosts_that_no_variable_can_name(host: str) -> None:
    assert variable(host) is None


def test_tokens_that_no_header_can_hold() -> None:
    environ = {"AIOMIRROR_TOKEN": "s3cret\r\nX: y", "AIOMIRROR_TOKEN_FILES_EXAMPLE": "s3crét"}
    with pytest.raises(ConfigError) as caught:
        tokens(environ, INDEX)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == sorted(environ)
    assert "s3cr" not in str(caught.value)


# -- where they are sent


async def test_G25_a_token_goes_to_the_indexs_origin_only(upstream: Upstream, page: str) -> None:
    async with Upstream() as other:
        other.add_file("a", NAME, content=CONTENT)
        upstream.always("/out", Redirect(other.url))
        settings = HttpSettings(
            index_url=upstream.url, tokens=tokens({"AIOMIRROR_TOKEN": "t0ken"}, upstream.url)
        )
        async with running(settings) as client:
            await client.get_page(page, accept=ACCEPT)
            await fetched(client, upstream.file_url("a", NAME))
            await fetched(client, other.file_url("a", NAME))
            await client.get_page(upstream.base + "/out", accept=ACCEPT)
            await client.get_page(page, accept=ACCEPT)
        assert [request.path for request in other.requests] == [PATH, "/simple/"]
        assert not any("authorization" in request.headers for request in other.requests)
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer t0ken"}
    assert "t0ken" not in repr(settings)


async def test_a_token_by_host_goes_to_all_its_ports_over_https(tmp_path: Path, upstream: Upstream) -> None:
    authority = Authority(tmp_path)
    async with Upstream(tls=authority.server()) as secure:
        settings = HttpSettings(cert=authority.pem, tokens={"127.0.0.1": "t0ken"})
        async with running(settings) as client:
            await client.get_page(secure.url, accept=ACCEPT)
            await client.get_page(upstream.url, accept=ACCEPT)
        assert [request.headers.get("authorization") for request in secure.requests] == ["Bearer t0ken"]
    assert [request.headers.get("authorization") for request in upstream.requests] == [None]


async def test_a_token_by_host_goes_over_http_to_a_trusted_one(upstream: Upstream) -> None:
    settings = HttpSettings(tokens={"127.0.0.1": "t0ken"}, trusted_hosts=("127.0.0.1",))
    async with running(settings) as client:
        await client.get_page(upstream.url, accept=ACCEPT)
    assert [request.headers.get("authorization") for request in upstream.requests] == ["Bearer t0ken"]


async def test_url_then_token_then_netrc(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    written = upstream.url.replace("://", "://me:url@")
    for index, known in (
        (written, {upstream.base: "t"}),
        (upstream.url, {upstream.base: "t"}),
        (written, {}),
    ):
        async with running(HttpSettings(index_url=index, tokens=known)) as client:
            await client.get_page(upstream.url, accept=ACCEPT)
    async with running(HttpSettings(index_url=upstream.url)) as client:
        await client.get_page(upstream.url, accept=ACCEPT)
    sent = [request.headers.get("authorization") for request in upstream.requests]
    assert sent == [basic("me", "url"), "Bearer t", basic("me", "url"), basic("me", "netrc")]


def test_a_token_for_no_place_is_an_error() -> None:
    with pytest.raises(ConfigError, match="neither an origin nor a host"):
        Credentials({"ftp://index.example": "t0ken"}, {}, lambda _: True)


def test_credentials_are_not_in_their_repr() -> None:
    assert "s3cret" not in repr(Credential("Bearer s3cret", "the token"))


# -- refusals


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_says_that_no_credentials_are_known(
    upstream: Upstream, page: str, status: int
) -> None:
    upstream.always(PAGE, Status(status))
    async with running(HttpSettings(index_url=upstream.url)) as client:
        with pytest.raises(StatusError) as caught:
            await client.get_page(page, accept=ACCEPT)
    wanted = (
        f"no credentials known for {upstream.base}: put them in the URL, netrc, AIOMIRROR_TOKEN or keyring"
    )
    assert wanted in str(caught.value)
    assert caught.value.status == status


@pytest.mark.parametrize("source", ["URL", "token", "netrc"])
async def test_a_refusal_says_which_credentials_were_sent(
    upstream: Upstream, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    upstream.credentials = ("me", "right")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n" * (source == "netrc"))
    monkeypatch.setenv("NETRC", str(netrc))
    index = upstream.url.replace("://", "://me:s3cret@") if source == "URL" else upstream.url
    settings = HttpSettings(index_url=index, tokens={upstream.base: "s3cret"} if source == "token" else {})
    async with running(settings) as client:
        with pytest.raises(StatusError, match=f"credentials from (the )?{source} were sent to ") as caught:
            await client.get_page(page, accept=ACCEPT)
    assert upstream.base in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("https://my-files.example/a.zip", "netrc or AIOMIRROR_TOKEN_MY__FILES_EXAMPLE"),
        ("https://[2001:db8::1]:8443/a.zip", "netrc"),
    ],
)
def test_a_host_of_files_may_want_others(url: str, places: str) -> None:
    said = hint(None, URL(url), own=False)
    assert said == f"no credentials known for {URL(url).origin()}: put them in {places}"
