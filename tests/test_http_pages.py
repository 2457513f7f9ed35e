"""Pages and statuses, from a real server on loopback that breaks on demand; only the waiting is made up."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import (
    AiomirrorError,
    DigestMismatchError,
    MalformedPageError,
    StatusError,
    TooLargeError,
    TransferError,
)
from aiomirror.http import Client, HttpSettings, Validators
from aiomirror.simple.values import ACCEPT
from catalogue import JSON_TYPE
from exchange import CONTENT, EMPTY_BLOCKS, NAME, PAGE, SHORT, Naps, running
from faults import (
    Body,
    Chunked,
    Cut,
    Drip,
    Fault,
    Gzip,
    GzipBomb,
    Header,
    Raw,
    Reply,
    Reset,
    Stall,
    Status,
    UntilClose,
)

if TYPE_CHECKING:
    from upstream import Upstream


async def test_a_page_comes_with_all_that_is_needed_to_read_it(upstream: Upstream, page: str) -> None:
    upstream.serials = True
    async with running() as client:
        answer = await client.get_page(page, accept=ACCEPT)
    assert (answer.status, answer.content_type, answer.url) == (200, JSON_TYPE, page)
    assert answer.body.startswith(b"{")
    assert answer.etag is not None
    assert answer.last_serial == "2"
    sent = upstream.requests[0].headers
    assert (sent["accept"], sent["accept-encoding"]) == (ACCEPT, "gzip")
    assert sent["user-agent"].startswith("aiomirror/")
    assert "Python/3." in sent["user-agent"]
    assert client.requests == 1


async def test_a_page_that_is_unchanged_is_a_304(page: str) -> None:
    async with running() as client:
        first = await client.get_page(page, accept=ACCEPT)
        again = await client.get_page(page, accept=ACCEPT, validators=first.validators)
    assert (again.status, again.body) == (304, b"")


async def test_a_304_that_was_not_asked_for_is_an_error(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(304))
    async with running() as client:
        with pytest.raises(StatusError, match="304"):
            await client.get_page(page, accept=ACCEPT)


async def test_dates_validate_as_well(upstream: Upstream, url: str) -> None:
    async with running() as client:
        date = Validators(last_modified="Sat, 01 Feb 2020 00:00:00 GMT")
        assert (await client.get_page(url, accept="*/*", validators=date)).status == 304


@pytest.mark.parametrize("fault", [Gzip(), Chunked(), UntilClose(), Drip(piece=200, pause=0.001)])
async def test_a_page_is_read_however_it_is_sent(upstream: Upstream, page: str, fault: Fault) -> None:
    async with running() as client:
        plain = await client.get_page(page, accept=ACCEPT)
        upstream.fault(PAGE, fault)
        assert (await client.get_page(page, accept=ACCEPT)).body == plain.body


@pytest.mark.parametrize("padding", [b"", b"\0" * 500])
async def test_a_page_may_be_compressed_in_several_members(
    upstream: Upstream, page: str, padding: bytes
) -> None:
    """RFC 1952, 2.2: one after another they are one file; zeros may fill up a block."""
    members = padding.join(gzip.compress(CONTENT[start : start + 1000]) for start in range(0, 3000, 1000))
    body = Body(members + padding), Header("Content-Encoding", "gzip")
    upstream.fault(PAGE, body, (*body, Drip(piece=7)))
    async with running() as client:
        for _ in range(2):
            assert (await client.get_page(page, accept=ACCEPT)).body == CONTENT[:3000]


async def test_what_follows_compressed_data_and_is_none(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Body(gzip.compress(CONTENT) + b"more"), Header("Content-Encoding", "gzip"))
    async with running() as client:
        with pytest.raises(MalformedPageError, match="not the compressed data"):
            await client.get_page(page, accept=ACCEPT)


async def test_zlib_is_what_deflate_means(upstream: Upstream, page: str) -> None:
    upstream.fault(PAGE, (Body(zlib.compress(b"page")), Header("Content-Encoding", "deflate")))
    async with running() as client:
        assert (await client.get_page(page, accept=ACCEPT)).body == b"page"


@pytest.mark.parametrize(
    "faults",
    [
        (Body(b"x" * 1001),),
        (Body(b"x" * 1001), Chunked()),
        (GzipBomb(1001),),
        (GzipBomb(50 << 20),),
        (Body(gzip.compress(b"") * 100), Header("Content-Encoding", "gzip")),
        (Body(EMPTY_BLOCKS), Header("Content-Encoding", "gzip")),
    ],
)
async def test_a_page_above_the_cap_is_broken_off(
    upstream: Upstream, page: str, faults: tuple[Fault, ...]
) -> None:
    upstream.always(PAGE, *faults)
    async with running() as client:
        with pytest.raises(TooLargeError) as caught:
            await client.get_page(page, accept=ACCEPT, cap=1000)
    assert caught.value.limit == 1000
    assert len(upstream.requests) == 1


async def test_a_bomb_is_never_unpacked(upstream: Upstream, page: str) -> None:
    bomb = Reply()
    GzipBomb(100 << 20).before(bomb)
    upstream.fault(PAGE, (Body(bomb.body), Header("Content-Encoding", "gzip")))
    async with running() as client:
        tracemalloc.start()
        try:
            with pytest.raises(TooLargeError):
                await client.get_page(page, accept=ACCEPT, cap=1 << 20)
            assert tracemalloc.get_traced_memory()[1] < 20 << 20
        finally:
            tracemalloc.stop()


async def test_a_page_of_just_the_cap_is_taken(upstream: Upstream, page: str) -> None:
    upstream.fault(PAGE, Body(b"x" * 1000), GzipBomb(1000))
    async with running(HttpSettings(page_cap=1000)) as client:
        assert len((await client.get_page(page, accept=ACCEPT)).body) == 1000
        assert len((await client.get_page(page, accept=ACCEPT)).body) == 1000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_an_encoding_that_nobody_asked_for(upstream: Upstream, page: str, encoding: str) -> None:
    upstream.always(PAGE, Header("Content-Encoding", encoding))
    async with running() as client:
        with pytest.raises(MalformedPageError, match="not asked for"):
            await client.get_page(page, accept=ACCEPT)


async def test_compressed_data_that_is_none(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Header("Content-Encoding", "gzip"))
    async with running() as client:
        with pytest.raises(MalformedPageError, match="not the compressed data"):
            await client.get_page(page, accept=ACCEPT)


async def test_compressed_data_that_ends_early_is_asked_for_again(upstream: Upstream, page: str) -> None:
    half = (Body(gzip.compress(CONTENT)[:-10]), Header("Content-Encoding", "gzip"))
    upstream.fault(PAGE, half, Body(b"whole"))
    async with running() as client:
        assert (await client.get_page(page, accept=ACCEPT)).body == b"whole"


@pytest.mark.parametrize(
    "broken", [Cut(10), Reset(10), Stall(10), Stall(), Status(503), Raw(b"220 ftp\r\n\r\n")]
)
async def test_a_page_is_asked_for_again_after_what_may_pass(
    upstream: Upstream, page: str, broken: Fault
) -> None:
    upstream.fault(PAGE, broken, broken)
    async with running(SHORT) as client:
        assert (await client.get_page(page, accept=ACCEPT)).body.startswith(b"{")
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("status", [204, 300, 304, 400, 401, 403, 404, 406, 410, 451])
async def test_a_status_that_stays_is_not_asked_for_again(upstream: Upstream, page: str, status: int) -> None:
    upstream.always(PAGE, Status(status))
    naps = Naps()
    async with running(naps=naps) as client:
        with pytest.raises(StatusError) as caught:
            await client.get_page(page, accept=ACCEPT)
    assert caught.value.status == status
    assert (len(upstream.requests), naps) == (1, [])


@pytest.mark.parametrize("status", [300, 406])
async def test_no_common_format_is_said_in_words(upstream: Upstream, page: str, status: int) -> None:
    upstream.always(PAGE, Status(status))
    async with running() as client:
        with pytest.raises(StatusError, match="no common content type"):
            await client.get_page(page, accept=ACCEPT)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_status_that_passes_is_asked_for_until_the_retries_are_spent(
    upstream: Upstream, page: str, status: int
) -> None:
    upstream.always(PAGE, Status(status))
    naps = Naps()
    async with running(naps=naps) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
    assert len(upstream.requests) == 6
    assert naps == [0.25, 1, 4, 16, 40]


async def test_the_retries_are_the_settings(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(503))
    async with running(HttpSettings(retries=0)) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
    assert len(upstream.requests) == 1


async def test_the_waiting_ends_when_its_seconds_are_spent(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(503))
    naps = Naps()
    async with running(HttpSettings(retries=50, retry_seconds=100), naps) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
    assert naps == [0.25, 1, 4, 16, 40]


async def test_chance_is_half_of_the_wait(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(503))
    naps = Naps()
    async with Client(sleep=naps, random=lambda: 0.0) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
    assert naps == [0.125, 0.5, 2, 8, 20]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_obeyed(upstream: Upstream, page: str, said: str, seconds: float | None) -> None:
    upstream.fault(PAGE, (Status(429, said), Header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")))
    naps = Naps()
    async with running(naps=naps) as client:
        await client.get_page(page, accept=ACCEPT)
    assert naps == [0.25 if seconds is None else seconds + 0.25]


@pytest.mark.parametrize("said", ["121", "86400", "9" * 5000, "Fri, 01 Jan 2999 00:00:00 GMT"])
async def test_retry_after_of_a_day_is_an_error(upstream: Upstream, page: str, said: str) -> None:
    upstream.always(PAGE, Status(503, said))
    naps = Naps()
    async with running(naps=naps) as client:
        with pytest.raises(StatusError, match="asks to come back in"):
            await client.get_page(page, accept=ACCEPT)
    assert (len(upstream.requests), naps) == (1, [])


async def test_an_error_with_a_limit_of_its_own_keeps_to_it() -> None:
    calls = 0

    async def attempt() -> None:
        nonlocal calls
        calls += 1
        raise DigestMismatchError("a", NAME, "sha256", "1", "2")

    async with running() as client:
        with pytest.raises(DigestMismatchError):
            await client.retrying(attempt)
    assert calls == 2


async def test_kinds_of_errors_are_counted_apart_and_together() -> None:
    errors: list[AiomirrorError] = [
        TransferError("http://x.example/", "cut"),
        DigestMismatchError("a", NAME, "sha256", "1", "2"),
        TransferError("http://x.example/", "cut"),
    ]

    async def attempt() -> str:
        if errors:
            raise errors.pop()
        return "done"

    async with running(HttpSettings(retries=3)) as client:
        assert await client.retrying(attempt) == "done"


async def test_bugs_are_not_retried() -> None:
    async def attempt() -> None:
        raise ZeroDivisionError

    naps = Naps()
    async with running(naps=naps) as client:
        with pytest.raises(ZeroDivisionError):
            await client.retrying(attempt)
    assert naps == []
