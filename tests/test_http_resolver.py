"""No name leads to this machine's own link, unless the person named it (G24)."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from aiomirror.errors import RedirectError, UnreachableError
from aiomirror.http import HttpSettings
from aiomirror.http.redirects import redirected
from aiomirror.http.resolver import GuardedResolver, LinkLocalNameError
from aiomirror.http.session import Session
from aiomirror.simple.values import ACCEPT
from exchange import PAGE, running
from faults import Redirect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from upstream import Upstream

METADATA = "169.254.169.254"
LINK_LOCAL = [METADATA, "fe80::1", "fe80::1%2", "febf::1", f"::ffff:{METADATA}"]


class Table(AbstractResolver):
    """Names to addresses as they stand here; notes what it is asked."""

    def __init__(self, **hosts: list[str]) -> None:
        self._hosts: Mapping[str, list[str]] = {f"{name}.example": found for name, found in hosts.items()}
        self.asked: list[str] = []
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        await asyncio.sleep(0)  # no look-up of a name ends within the turn of the loop in which it began
        host = host.rstrip(".").lower()
        if host not in self._hosts:
            raise OSError(None, "no such name")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._hosts[host]
        ]

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def session(resolver: Table, index_url: str = "") -> AsyncIterator[Session]:
    settings = HttpSettings(timeout=5, index_url=index_url)
    async with Session(settings, time.monotonic, resolver=resolver) as running_session:
        yield running_session
    assert resolver.closed


async def status(session: Session, url: str, *, trusted: bool = False) -> int:
    async with await session.open(url, {}, trusted=trusted) as body:
        await body.drain()
        return body.status


def at(upstream: Upstream, host: str, path: str = PAGE) -> str:
    return f"http://{host}:{URL(upstream.base).port}{path}"


@pytest.mark.parametrize("address", LINK_LOCAL)
async def test_addresses_of_the_own_link_are_left_out(address: str) -> None:
    guard = GuardedResolver(Table(files=[address, "192.0.2.1", "2001:db8::1"]), ())
    found = await guard.resolve("files.example", 80)
    assert [one["host"] for one in found] == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize("host", ["files.example", "files.example.", "FILES.example"])
async def test_a_host_that_the_person_named_may_be_anywhere(host: str) -> None:
    guard = GuardedResolver(Table(files=LINK_LOCAL), {"files.example"})
    assert [one["host"] for one in await guard.resolve(host, 80)] == LINK_LOCAL
    guard = GuardedResolver(Table(files=LINK_LOCAL), {"other.example"})
    with pytest.raises(LinkLocalNameError):
        await guard.resolve(host, 80)


async def test_a_name_without_addresses_is_no_link_local_one() -> None:
    assert await GuardedResolver(Table(files=[]), ()).resolve("files.example", 80) == []


@pytest.mark.parametrize("host", ["meta.example", "meta.example.", "META.example"])
async def test_G24_a_link_to_a_name_of_the_own_link(upstream: Upstream, host: str) -> None:
    async with session(Table(meta=[METADATA])) as asking:
        with pytest.raises(RedirectError, match="a name that leads to a link-local address") as caught:
            await status(asking, at(upstream, host))
    assert not caught.value.transient


async def test_G24_a_redirect_to_a_name_of_the_own_link(upstream: Upstream) -> None:
    upstream.always(PAGE, Redirect("http://meta.example/latest/"))
    table = Table(index=["127.0.0.1"], meta=[METADATA])
    async with session(table) as asking:
        with pytest.raises(RedirectError, match=r"link-local address \(http://meta\.example/latest/\)"):
            await status(asking, at(upstream, "index.example"), trusted=True)


async def test_G24_all_who_wait_for_a_name_are_refused(upstream: Upstream) -> None:
    table = Table(meta=[METADATA])
    async with session(table) as asking:
        errors = await asyncio.gather(
            *(status(asking, at(upstream, "meta.example")) for _ in range(5)), return_exceptions=True
        )
    assert [type(error) for error in errors] == [RedirectError] * 5
    assert table.asked == ["meta.example"]


async def test_G24_the_address_looked_at_is_the_one_connected_to(upstream: Upstream, page: str) -> None:
    """A name with addresses of both kinds is reached by the others, and looked up once."""
    table = Table(files=[METADATA, "127.0.0.1"])
    async with session(table) as asking:
        found = await asyncio.gather(*(status(asking, at(upstream, "files.example")) for _ in range(5)))
    assert found == [200] * 5
    assert table.asked == ["files.example"]


async def test_a_name_that_is_not_there_is_another_matter(upstream: Upstream) -> None:
    async with session(Table()) as asking:
        with pytest.raises(UnreachableError, match="no such host"):
            await status(asking, at(upstream, "files.example"))


async def test_G24_through_the_systems_own_resolver(
    upstream: Upstream, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        assert host == "meta.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (METADATA, port))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    upstream.always(PAGE, Redirect("http://meta.example/latest/"))
    async with running() as client:
        with pytest.raises(RedirectError, match="link-local"):
            await client.get_page(page, accept=ACCEPT)


# -- literal addresses


def test_redirects_stay_at_a_link_local_host_that_the_person_named() -> None:
    here = URL(f"http://{METADATA}/simple/A/")
    assert redirected([here], "../a/", {METADATA}) == URL(f"http://{METADATA}/simple/a/")
    with pytest.raises(RedirectError):
        redirected([here], "http://169.254.1.1/", {METADATA})


async def test_files_of_a_link_local_index_that_the_person_named(upstream: Upstream) -> None:
    """Asked through a proxy, so that no machine that runs the tests is asked at such an address."""
    index = f"http://{METADATA}/simple/"
    settings = HttpSettings(index_url=index, proxy=upstream.base)
    upstream.add_project("a")
    async with Session(settings, time.monotonic) as asking:
        assert await status(asking, f"{index}a/") == 200
        with pytest.raises(RedirectError, match="a link-local address"):
            await status(asking, "http://169.254.1.1/simple/a/")
    assert [request.target for request in upstream.requests] == [f"{index}a/"]
