"""Requests as they are sent, and what may come before the answer to one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import StatusError, UpstreamError
from aiomirror.http import HttpSettings, Validators
from aiomirror.http.agent import user_agent
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, PAGE, PATH, fetched, running
from faults import Raw
from upstream import Upstream, basic

if TYPE_CHECKING:
    from wire import Request

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage"


def sent(request: Request) -> tuple[str, str, dict[str, str]]:
    return request.method, request.target, dict(request.headers)


async def test_what_a_file_is_asked_for_with(upstream: Upstream, url: str) -> None:
    """A server may look for any of these: the host it serves, who asks, and that any type will do."""
    async with running() as client:
        assert (await fetched(client, url)).data == CONTENT
    (request,) = upstream.requests
    headers = {"user-agent": user_agent(), "accept": "*/*", "accept-encoding": "identity"}
    assert sent(request) == ("GET", PATH, {"host": upstream.base.removeprefix("http://"), **headers})


async def test_the_query_is_sent_and_the_fragment_is_not(upstream: Upstream, url: str) -> None:
    async with running() as client:
        await fetched(client, f"{url}?signed=a%2Fb%2Bc#sha256=1")
    assert [request.target for request in upstream.requests] == [f"{PATH}?signed=a%2Fb%2Bc"]


@pytest.mark.parametrize(("rest", "target"), [("", "/"), ("?a=/b", "/?a=/b"), ("/", "/")])
async def test_an_address_without_a_path(upstream: Upstream, rest: str, target: str) -> None:
    """RFC 9112, 3.2.1: an empty path is sent as a slash."""
    async with running() as client:
        with pytest.raises(StatusError) as caught:
            await fetched(client, upstream.base + rest)
    assert caught.value.status == 404
    assert [request.target for request in upstream.requests] == [target]


async def test_credentials_of_a_proxy_go_with_every_request(upstream: Upstream, page: str) -> None:
    """Also with those on a connection that is there already; the index's own are others."""
    proxy = upstream.base.replace("://", "://me:pr0xy@")
    async with running(HttpSettings(proxy=proxy)) as client:
        for _ in range(2):
            await client.get_page(f"http://you:pw@index.example{PAGE}", accept=ACCEPT)
    for request in upstream.requests:
        assert request.target == f"http://index.example{PAGE}"
        assert request.headers["host"] == "index.example"
        assert request.headers["proxy-authorization"] == basic("me", "pr0xy")
        assert request.headers["authorization"] == basic("you", "pw")
    assert [request.connection for request in upstream.requests] == [1, 1]


@pytest.mark.parametrize("end", ["\r\nX-Injected: 1", "\n", "\r", "\0"])
async def test_nothing_is_sent_that_would_end_a_header(upstream: Upstream, page: str, end: str) -> None:
    """What was remembered of an earlier answer comes from a file, which somebody may have changed."""
    async with running() as client:
        with pytest.raises(UpstreamError, match="not a usable address"):
            await client.get_page(page, accept=ACCEPT, validators=Validators(f'"a"{end}'))
        assert not upstream.requests
        assert (await client.get_page(page, accept=ACCEPT)).status == 200


async def test_announcements_come_before_the_answer(upstream: Upstream, page: str) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    upstream.fault(PAGE, Raw(hints + ANSWER))
    async with running() as client:
        answer = await client.get_page(page, accept=ACCEPT)
    assert (answer.status, answer.body) == (200, b"page")


async def test_another_protocol_is_no_answer(upstream: Upstream, page: str) -> None:
    upstream.fault(PAGE, Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + b"x" * 100))
    async with running(HttpSettings(retries=0)) as client:
        with pytest.raises(StatusError) as caught:
            await client.get_page(page, accept=ACCEPT)
        assert caught.value.status == 101
        assert (await client.get_page(page, accept=ACCEPT)).status == 200


async def test_what_comes_unasked_is_no_answer(upstream: Upstream, page: str) -> None:
    """It is dropped with its connection, though that has served and is there."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    left, said = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer + (b"else" if said.is_set() else b"page"))
        await left.wait()
        writer.write(answer + b"evil")
        await writer.drain()
        said.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, running() as client:
        url = "http://{}:{}/".format(*server.sockets[0].getsockname())
        assert (await client.get_page(url, accept=ACCEPT)).body == b"page"
        left.set()
        await said.wait()
        await client.get_page(page, accept=ACCEPT)  # meanwhile what was said is here, too
        assert (await client.get_page(url, accept=ACCEPT)).body == b"else"


async def test_a_connection_that_waited_for_long_is_not_used(
    upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as client:
        for kept in (15, -1, 15):
            monkeypatch.setattr("aiomirror.http.exchange.KEPT", kept)
            await client.get_page(page, accept=ACCEPT)
    assert [request.connection for request in upstream.requests] == [1, 2, 2]


@pytest.mark.parametrize("zeros", [0, 5_000])
async def test_a_length_with_zeros_before_it(upstream: Upstream, page: str, zeros: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + b"0" * zeros
    upstream.fault(PAGE, Raw(head + b"4\r\n\r\npage"))
    async with running() as client:
        assert (await client.get_page(page, accept=ACCEPT)).body == b"page"


async def test_a_length_beside_a_transfer_coding(upstream: Upstream, page: str) -> None:
    """RFC 9112, 6.3: it may be an attempt at smuggling; what has a length has no chunks."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.fault(PAGE, Raw(head + b"2\r\npa\r\n2\r\nge\r\n0\r\n\r\n"))
    async with running(HttpSettings(retries=0)) as client:
        with pytest.raises(UpstreamError, match="not HTTP"):
            await client.get_page(page, accept=ACCEPT)
