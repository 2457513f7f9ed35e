"""The proxy that a person names, and tunnels through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from yarl import URL

from aiomirror.errors import ConfigError, StatusError, UntrustedError
from aiomirror.http import HttpSettings
from aiomirror.http.terms import Terms
from aiomirror.simple.values import ACCEPT
from exchange import PAGE, running
from tls import Authority
from tunnel import Tunnel
from upstream import Upstream, basic

if TYPE_CHECKING:
    from pathlib import Path

NAMED = "http://index.example/simple/a/"
SECURE = "https://index.example/simple/"


@pytest.mark.parametrize("spelling", ["http://{}", "{}", "HTTP://{}/"])
async def test_a_proxy_outweighs_the_environment(
    upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    proxy = spelling.format(upstream.base.removeprefix("http://"))
    async with running(HttpSettings(proxy=proxy)) as client:
        await client.get_page(NAMED, accept=ACCEPT)
        await client.get_page(page, accept=ACCEPT)
    assert [request.target for request in upstream.requests] == [NAMED, page]


async def test_no_proxy_at_all(upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    async with running(HttpSettings(proxy="")) as client:
        await client.get_page(page, accept=ACCEPT)
    assert [request.target for request in upstream.requests] == [PAGE]


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://me:s3cret@proxy.example:1080", "proxies of the kind 'socks5' are not supported"),
        ("http://me:s3cret@", "the proxy's address cannot be used"),
        ("http://me:s3cret/@proxy.example", "the proxy's address cannot be used"),
        ("http://me:s3cret@[proxy/", "the proxy's address cannot be used"),
        ("http://me:s3cret[::1]@", "the proxy's address cannot be used"),
    ],
)
async def test_a_proxy_that_cannot_be_used(proxy: str, why: str) -> None:
    settings = HttpSettings(proxy=proxy)
    with pytest.raises(ConfigError) as caught:
        async with running(settings):
            pass
    assert str(caught.value) == f"--proxy: {why}"
    assert "s3cret" not in repr(settings)


def test_a_proxy_is_a_host_that_the_person_named() -> None:
    """It may be at a link-local address; what upstream names may not."""
    terms = Terms.settled(HttpSettings(proxy="Proxy.example.:3128", index_url=SECURE))
    terms.host(URL("https://files.example/"))
    assert terms.named == {"index.example", "proxy.example"}


@pytest.mark.parametrize("secure_proxy", [False, True])
async def test_a_tunnel_to_https(tmp_path: Path, *, secure_proxy: bool) -> None:
    """Its name is looked up by the proxy alone; each of the two gets its own credentials, and no others."""
    authority = Authority(tmp_path)
    async with (
        Upstream(tls=authority.server("index.example")) as secure,
        Tunnel(
            secure, credentials=basic("me", "pr0xy"), tls=authority.server() if secure_proxy else None
        ) as tunnel,
        running(HttpSettings(proxy=tunnel.url("me:pr0xy@"), cert=authority.pem)) as client,
    ):
        secure.add_project("a")
        await client.get_page(SECURE.replace("://", "://you:pw@"), accept=ACCEPT)
        await client.get_page(SECURE + "a/", accept=ACCEPT)
        (head,) = tunnel.heads
        assert head.startswith("CONNECT index.example:443 ")
        assert basic("you", "pw") not in head
        assert [request.target for request in secure.requests] == ["/simple/", PAGE]
        for request in secure.requests:
            assert request.headers["authorization"] == basic("you", "pw")
            assert "proxy-authorization" not in request.headers


async def test_a_tunnel_that_wants_credentials(tmp_path: Path) -> None:
    async with (
        Upstream(tls=Authority(tmp_path).server("index.example")) as secure,
        Tunnel(secure, credentials=basic("me", "pr0xy")) as tunnel,
        running(HttpSettings(proxy=tunnel.url("me:wr0ng@"))) as client,
    ):
        with pytest.raises(StatusError, match="user and password in the proxy's URL") as caught:
            await client.get_page(SECURE, accept=ACCEPT)
        assert caught.value.status == 407
        assert "wr0ng" not in str(caught.value)
        assert not secure.requests


async def test_certificates_are_looked_at_behind_a_tunnel(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        Upstream(tls=authority.server("elsewhere.example")) as secure,
        Tunnel(secure) as tunnel,
        running(HttpSettings(proxy=tunnel.url(), cert=authority.pem)) as client,
    ):
        with pytest.raises(UntrustedError):
            await client.get_page(SECURE, accept=ACCEPT)
        assert tunnel.heads
        assert not secure.requests


@pytest.mark.parametrize("believed", [True, False])
async def test_the_proxys_own_certificate(tmp_path: Path, upstream: Upstream, *, believed: bool) -> None:
    """Who trusts a host has not said that whoever stands in the proxy's place may see everything."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with Upstream(tls=authority.server()) as proxy:
        proxy.add_project("a")
        cert = (authority if believed else other).pem
        settings = HttpSettings(proxy=proxy.base, cert=cert, trusted_hosts=("index.example",))
        async with running(settings) as client:
            if believed:
                assert (await client.get_page(NAMED, accept=ACCEPT)).status == 200
            else:
                with pytest.raises(UntrustedError):
                    await client.get_page(NAMED, accept=ACCEPT)
        assert [request.target for request in proxy.requests] == [NAMED] * believed
