"""Where redirects lead, and what goes along: credentials, and through which proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import (
    RedirectError,
    StatusError,
    UnreachableError,
    UpstreamError,
)
from aiomirror.http import HttpSettings
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, PAGE, PATH, fetched, running
from faults import (
    Body,
    Cut,
    Drip,
    Fault,
    Redirect,
    Stall,
    Status,
)
from upstream import Upstream, basic

if TYPE_CHECKING:
    from pathlib import Path


async def test_links_are_relative_to_where_a_redirect_led(upstream: Upstream, page: str) -> None:
    upstream.fault("/simple/b/", (Redirect("../c/?x=%2B#part"), Drip(2, 0.002)))
    upstream.fault("/simple/c/", Redirect(upstream.base + PAGE, 308))
    async with running() as client:
        answer = await client.get_page(upstream.url + "b/", accept=ACCEPT)
    assert answer.url == page
    assert [request.target for request in upstream.requests] == ["/simple/b/", "/simple/c/?x=%2B", PAGE]
    assert len({request.connection for request in upstream.requests}) == 1


async def test_five_redirects_and_no_more(upstream: Upstream, page: str) -> None:
    for number in range(6):
        upstream.always(f"/{number}", Redirect(f"/{number + 1}"))
    upstream.always("/6", Redirect(PAGE))
    async with running() as client:
        assert (await client.get_page(upstream.base + "/2", accept=ACCEPT)).status == 200
        upstream.clear()
        with pytest.raises(RedirectError, match="more than 5"):
            await client.get_page(upstream.base + "/1", accept=ACCEPT)
    assert len(upstream.requests) == 6


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (PAGE, "circle"),
        ("ftp://x.example/a", "ftp://x.example/a"),
        ("file:///etc/passwd", "file:"),
        ("javascript:alert(1)", "javascript:"),
        ("http://[x/", "cannot be read"),
        ("http://169.254.169.254/latest/", "link-local"),
        ("http://[fe80::1]/", "link-local"),
        ("", "does not say where"),
    ],
)
async def test_redirects_that_are_not_followed(upstream: Upstream, page: str, to: str, why: str) -> None:
    upstream.always(PAGE, Redirect(to))
    async with running() as client:
        with pytest.raises(RedirectError) as caught:
            await client.get_page(page, accept=ACCEPT)
    assert why in str(caught.value)
    assert len(upstream.requests) == 1


def with_userinfo(address: str, userinfo: str) -> str:
    return address.replace("://", f"://{userinfo}@")


async def test_credentials_go_to_their_origin_and_nowhere_else(upstream: Upstream, page: str) -> None:
    upstream.credentials = ("me", "s3cr:et")
    upstream.always("/away", Redirect("/simple/"))
    async with Upstream() as other, running() as client:
        upstream.always("/out", Redirect(other.url))
        answer = await client.get_page(with_userinfo(page, "me:s3cr%3Aet"), accept=ACCEPT)
        assert answer.url == page
        assert (await fetched(client, upstream.file_url("a", NAME))).data == CONTENT
        await client.get_page(upstream.base + "/away", accept=ACCEPT)
        await client.get_page(upstream.base + "/out", accept=ACCEPT)
        assert "authorization" not in other.requests[0].headers
    assert {request.headers["authorization"] for request in upstream.requests} == {basic("me", "s3cr:et")}


async def test_credentials_in_what_upstream_says_stay_with_that_request(upstream: Upstream, url: str) -> None:
    upstream.always("/to", Redirect(with_userinfo(url, "x:y")))
    async with running() as client:
        await fetched(client, with_userinfo(url, "link:link"))
        await fetched(client, url)
        await fetched(client, upstream.base + "/to")
        await client.get_page(with_userinfo(upstream.url, "me:pw"), accept=ACCEPT)
        await fetched(client, with_userinfo(url, "link:link"))
    sent = [request.headers.get("authorization") for request in upstream.requests]
    assert sent == [basic("link", "link"), None, None, None, basic("me", "pw"), basic("me", "pw")]


async def test_credentials_in_a_link_stay_with_its_origin(upstream: Upstream, url: str) -> None:
    async with Upstream() as other, running() as client:
        upstream.fault(PATH, Redirect("/simple/"), Redirect(other.url))
        other.add_project("a")
        await fetched(client, with_userinfo(url, "x:y"))
        await fetched(client, with_userinfo(url, "x:y"))
        assert [request.headers.get("authorization") for request in other.requests] == [None]
    assert {request.headers.get("authorization") for request in upstream.requests} == {basic("x", "y")}


@pytest.mark.parametrize(
    "fault", [Status(403), Redirect("ftp://me:s3cret@x.example/"), Stall(), Cut(1), Body(b"x" * 5000)]
)
async def test_errors_never_show_credentials(upstream: Upstream, page: str, fault: Fault) -> None:
    upstream.always(PAGE, fault)
    secret = with_userinfo(page, "me:s3cret") + "?signature=s3cret#s3cret"
    async with running(HttpSettings(timeout=0.2, retries=1)) as client:
        with pytest.raises(UpstreamError) as caught:
            await client.get_page(secret, accept=ACCEPT, cap=1000)
    assert "s3cret" not in f"{caught.value} {caught.value!r} {caught.value.url}"


async def test_netrc_is_for_the_hosts_that_it_names(
    upstream: Upstream, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    index = HttpSettings(index_url=upstream.url)
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    async with running(index) as client:
        await client.get_page(page, accept=ACCEPT)
        await client.get_page(with_userinfo(page, "you:too"), accept=ACCEPT)
    netrc.write_text("default login me password pw\n")
    async with running(index) as client:
        await client.get_page(page, accept=ACCEPT)
    netrc.write_text("machine\n")
    async with running(index) as client:
        await client.get_page(page, accept=ACCEPT)
    sent = [request.headers.get("authorization") for request in upstream.requests]
    assert sent == [basic("me", "pw"), basic("you", "too"), None, None]


async def test_netrc_is_for_no_link_over_http(
    upstream: Upstream, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens in there would have the password; the index was named by the person."""
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    index = "https://index.example/simple/"
    async with running(HttpSettings(index_url=index)) as client:
        await fetched(client, url)
    async with running(HttpSettings(index_url=index, trusted_hosts=("127.0.0.1",))) as client:
        await fetched(client, url)
    sent = [request.headers.get("authorization") for request in upstream.requests]
    assert sent == [None, basic("me", "pw")]


async def test_no_home_is_no_netrc(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    async with running() as client:
        assert (await client.get_page(page, accept=ACCEPT)).status == 200


async def test_the_proxy_of_the_environment(
    upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", with_userinfo(upstream.base, "me:pw"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with running() as client:
        await client.get_page(page, accept=ACCEPT)
        await client.get_page("http://x.example/simple/a/", accept=ACCEPT)
    direct, proxied = upstream.requests
    assert direct.target == PAGE
    assert proxied.target == "http://x.example/simple/a/"
    assert proxied.headers["proxy-authorization"] == basic("me", "pw")
    assert "authorization" not in proxied.headers


async def test_a_proxy_that_is_down_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    async with running(HttpSettings(retries=0)) as client:
        with pytest.raises(UnreachableError, match="cannot connect to the proxy"):
            await client.get_page("http://x.example/", accept=ACCEPT)


async def test_a_proxy_without_an_address_is_said_to_be_one() -> None:
    settings = HttpSettings(retries=0, proxy="http://proxy.invalid:3128")
    async with running(settings) as client:
        for url in ("http://x.example/", "https://x.example/"):
            with pytest.raises(UnreachableError, match=r"no such host: proxy\.invalid, the proxy's"):
                await client.get_page(url, accept=ACCEPT)


async def test_a_proxy_is_never_gone_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    async with running() as client:
        with pytest.raises(UpstreamError, match="'socks5' are not supported"):
            await client.get_page("http://x.example/", accept=ACCEPT)


async def test_a_proxy_that_refuses_a_tunnel(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", upstream.base)
    async with running() as client:
        with pytest.raises(StatusError, match="404 from the proxy"):
            await client.get_page("https://x.example/", accept=ACCEPT)
