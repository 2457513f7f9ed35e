"""Connections that fail, hang, or are not to be trusted."""

from __future__ import annotations

import asyncio
import builtins
import errno
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from aiomirror.errors import (
    RedirectError,
    StatusError,
    UnreachableError,
    UpstreamError,
)
from aiomirror.http import Client, HttpSettings
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, PAGE, PATH, Memory, Naps, fetched, running
from faults import (
    Fault,
    HangUp,
    HugeHeader,
    Raw,
    Redirect,
    Reset,
    Stall,
    Status,
)
from tls import server_context, write_pem
from upstream import Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from wire import Request


async def test_an_address_that_never_answered_is_given_up_soon(upstream: Upstream, page: str) -> None:
    with Upstream() as other:
        gone = other.url
    naps = Naps()
    async with running(naps=naps) as client:
        with pytest.raises(UnreachableError, match="cannot connect"):
            await client.get_page(gone, accept=ACCEPT)
    assert naps == [0.25, 1, 4]


async def test_an_address_that_went_away_is_waited_for() -> None:
    naps = Naps()
    async with running(naps=naps) as client:
        with Upstream() as other:
            other.add_project("a")
            await client.get_page(other.url, accept=ACCEPT)
        with pytest.raises(UnreachableError):
            await client.get_page(other.url, accept=ACCEPT)
    assert sum(naps) > 60


async def test_silence_before_an_answer(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Stall())
    async with running(HttpSettings(timeout=0.2, retries=1)) as client:
        with pytest.raises(UnreachableError, match=r"no answer within 0\.2 s"):
            await client.get_page(page, accept=ACCEPT)


@pytest.mark.parametrize("fault", [HugeHeader(40_000), Raw(b"HTTP/9 what\r\n\r\n"), Raw(b"\0" * 100)])
async def test_what_is_not_http(upstream: Upstream, page: str, fault: Fault) -> None:
    upstream.always(PAGE, fault)
    async with running() as client:
        with pytest.raises(UnreachableError, match="not HTTP"):
            await client.get_page(page, accept=ACCEPT)


async def test_connections_that_died_idle_cost_no_attempt(upstream: Upstream, page: str) -> None:
    async with running(HttpSettings(retries=0)) as client:
        await asyncio.gather(*(client.get_page(page, accept=ACCEPT) for _ in range(8)))
        idle = {request.connection for request in upstream.requests}
        upstream.on_request = lambda request: Reset() if request.connection in idle else None
        assert (await client.get_page(page, accept=ACCEPT)).status == 200
    assert len(idle) > 2


async def test_connections_to_many_hosts_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.http.exchange.MOST_WAITING", 2)
    with ExitStack() as until:
        hosts = [until.enter_context(Upstream()) for _ in range(4)]
        async with running() as client:
            for host in (*hosts, hosts[-1], hosts[0]):
                host.add_file("a", NAME)
                await client.get_page(f"{host.url}a/", accept=ACCEPT)
    first, *_, last = ({request.connection for request in host.requests} for host in hosts)
    assert (len(first), len(last)) == (2, 1)


async def test_no_descriptor_is_left_to_try_again_with(
    upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is none to import with, either."""
    imported = builtins.__import__

    def full(name: str, *args: Any) -> Any:  # noqa: ANN401
        if name == "aiomirror.http.retry":
            raise OSError(errno.EMFILE, "too many open files")
        return imported(name, *args)

    monkeypatch.setattr(builtins, "__import__", full)
    upstream.always(PAGE, Status(503))
    async with running() as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)


async def test_a_server_that_hangs_up_after_each_answer(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, HangUp())
    async with running(HttpSettings(retries=0)) as client:
        for _ in range(5):
            assert (await fetched(client, url)).data == CONTENT


@pytest.mark.parametrize(
    "bad",
    [
        "ftp://x.example/",
        "/relative",
        "http://",
        "http://[x/",
        "http://[::1]@",
        "http://x.example:99999999/",
        "file:///etc",
    ],
)
async def test_what_is_no_address(bad: str) -> None:
    async with running() as client:
        with pytest.raises(UpstreamError, match="not a usable http or https address"):
            await client.get_page(bad, accept=ACCEPT)


async def test_a_redirect_to_what_is_no_address(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Redirect("http://[::1]@"))
    async with running() as client:
        with pytest.raises(RedirectError, match="a redirect to "):
            await client.get_page(page, accept=ACCEPT)


async def test_link_local_addresses_come_only_from_the_person() -> None:
    async with running() as client:
        with pytest.raises(RedirectError, match="link-local"):
            await fetched(client, "http://169.254.1.1/latest/")


@pytest.mark.parametrize("within", [False, True])
async def test_cancellation_frees_the_connection(upstream: Upstream, url: str, *, within: bool) -> None:
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    faults = [Stall(1000) if within else Stall()]

    def stalled_once(_: Request) -> Fault | None:
        loop.call_soon_threadsafe(asked.set)
        return faults.pop() if faults else None

    upstream.on_request = stalled_once
    sink = Memory()
    async with running(HttpSettings(connections=1, retries=0)) as client:
        task = asyncio.create_task(client.download(url, sink, cap=len(CONTENT)))
        await (sink.written if within else asked).wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # There is one connection; had it not been freed, this would wait for ever.
        assert (await fetched(client, url)).data == CONTENT


async def test_cancellation_while_waiting_for_another_attempt(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, Status(503))
    waiting = asyncio.Event()

    async def forever(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async with Client(sleep=forever) as client:
        task = asyncio.create_task(fetched(client, url))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_https_with_the_systems_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = write_pem(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with Upstream(tls=server_context(pem)) as secure, running() as client:
        secure.add_file("a", NAME, content=CONTENT)
        assert (await fetched(client, secure.file_url("a", NAME))).data == CONTENT


async def test_https_never_leads_to_http(
    upstream: Upstream, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = write_pem(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with Upstream(tls=server_context(pem)) as secure, running() as client:
        secure.always(PAGE, Redirect(page))
        with pytest.raises(RedirectError, match="from https to http"):
            await client.get_page(secure.url + "a/", accept=ACCEPT)
        upstream.always(PAGE, Redirect(secure.url))
        assert (await client.get_page(page, accept=ACCEPT)).url == secure.url
    assert len(upstream.requests) == 1


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    naps = Naps()
    async with Upstream(tls=server_context(write_pem(tmp_path))) as secure, running(naps=naps) as client:
        with pytest.raises(UnreachableError, match="certificate is not trusted"):
            await client.get_page(secure.url, accept=ACCEPT)
    assert naps == []
