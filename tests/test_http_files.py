"""Files, whole and in parts, from a server that breaks on demand."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import (
    StatusError,
    TooLargeError,
    TransferError,
)
from aiomirror.http import HttpSettings
from exchange import CONTENT, NAME, PATH, SHORT, Memory, fetched, running
from faults import (
    Chunked,
    Cut,
    Drip,
    Etag,
    Extra,
    Fault,
    Gzip,
    HangUp,
    Header,
    IgnoreRange,
    NoEtag,
    Reset,
    Stall,
    Status,
    UntilClose,
)

if TYPE_CHECKING:
    from upstream import Upstream


@pytest.mark.parametrize("fault", [Chunked(), UntilClose(), Drip(piece=2000, pause=0.001), NoEtag()])
async def test_a_file_comes_whole_however_it_is_sent(upstream: Upstream, url: str, fault: Fault) -> None:
    upstream.fault(PATH, fault)
    async with running() as client:
        assert (await fetched(client, url)).data == CONTENT
    assert upstream.requests[0].headers["accept-encoding"] == "identity"


async def test_a_file_of_many_reads(upstream: Upstream) -> None:
    content = bytes(3_000_000)
    upstream.add_file("a", NAME, content=content)
    async with running() as client:
        assert (await fetched(client, upstream.file_url("a", NAME), cap=len(content))).data == content


async def test_every_byte_counts_when_the_server_leaves_before_a_slow_disk_is_done(
    upstream: Upstream,
) -> None:
    class Slow(Memory):
        async def write(self, data: bytes) -> None:
            await asyncio.sleep(0.005)
            await super().write(data)

    content = bytes(3_000_000)
    upstream.add_file("a", NAME, content=content)
    upstream.fault(PATH, HangUp())
    sink = Slow()
    async with running() as client:
        await client.retrying(client.transfer(upstream.file_url("a", NAME), sink, cap=len(content)).attempt)
    assert sink.data == content


async def test_an_empty_file(upstream: Upstream) -> None:
    upstream.add_file("a", NAME, content=b"")
    async with running() as client:
        assert (await fetched(client, upstream.file_url("a", NAME))).data == b""


async def test_a_file_labelled_as_compressed_is_stored_as_sent(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, Gzip())
    async with running() as client:
        assert gzip.decompress((await fetched(client, url)).data) == CONTENT


async def test_an_address_is_sent_as_it_was_written(upstream: Upstream) -> None:
    async with running() as client:
        with pytest.raises(StatusError):
            await fetched(client, upstream.base + "/a%2Bb%2fc?sig=x%2By%2F&z")
        with pytest.raises(StatusError):
            await fetched(client, upstream.base + "/a b/é#fragment")
    assert [request.target for request in upstream.requests] == ["/a%2Bb%2fc?sig=x%2By%2F&z", "/a%20b/%C3%A9"]


@pytest.mark.parametrize("broken", [Cut(1000), Reset(1000), Stall(1000)])
async def test_a_broken_file_is_continued(upstream: Upstream, url: str, broken: Fault) -> None:
    upstream.fault(PATH, broken)
    async with running(SHORT) as client:
        sink = await fetched(client, url)
    assert (sink.data, sink.restarts) == (CONTENT, 0)
    first, second = upstream.requests
    assert "range" not in first.headers
    assert second.headers["range"] == "bytes=1000-"
    assert second.headers["if-range"] == upstream.blobs[PATH].etag
    assert [request.status for request in upstream.requests] == [200, 206]


async def test_it_breaks_off_more_than_once(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, Cut(1000), Cut(2000), Cut(3000))
    async with running() as client:
        sink = await fetched(client, url)
    assert (sink.data, sink.restarts) == (CONTENT, 0)
    ranges = [request.headers.get("range") for request in upstream.requests]
    assert ranges == [None, "bytes=1000-", "bytes=3000-", "bytes=6000-"]


@pytest.mark.parametrize(
    "again",
    [
        (IgnoreRange(),),
        (Etag('"another"'),),
        (Header("Content-Range", "bytes 999-10239/10240"),),
        (Header("Content-Range", "bytes 1000-10238/10240"),),
        (Header("Content-Range", "bytes 1000-10240/10240"),),
        (Header("Content-Range", "bytes 1000-x/10240"),),
        (Header("Content-Range", "lines 1000-10239/10240"),),
        (Header("Content-Range", None),),
        (Header("ETag", '"another"'),),
        (Status(416),),
    ],
)
async def test_what_does_not_fit_starts_over(upstream: Upstream, url: str, again: tuple[Fault, ...]) -> None:
    upstream.fault(PATH, Cut(1000), again)
    async with running(HttpSettings(retries=1)) as client:
        sink = await fetched(client, url)
    assert (sink.data, sink.restarts) == (CONTENT, 1)


@pytest.mark.parametrize("first", [NoEtag(), Etag('W/"weak"'), Etag("bare")])
async def test_without_a_strong_tag_it_starts_over(upstream: Upstream, url: str, first: Fault) -> None:
    upstream.fault(PATH, (first, Cut(1000)))
    async with running() as client:
        sink = await fetched(client, url)
    assert (sink.data, sink.restarts) == (CONTENT, 1)
    assert "range" not in upstream.requests[1].headers


async def test_what_another_run_left_is_not_continued(upstream: Upstream, url: str) -> None:
    sink = Memory(b"left over")
    async with running() as client:
        await client.download(url, sink, cap=len(CONTENT))
    assert (sink.data, sink.restarts) == (CONTENT, 1)


async def test_a_file_that_is_missing_when_continued(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, Cut(1000), Status(404))
    async with running() as client:
        with pytest.raises(StatusError, match="404"):
            await fetched(client, url)


async def test_a_part_that_nobody_asked_for(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, Status(206))
    async with running(HttpSettings(retries=0)) as client:
        with pytest.raises(TransferError, match="a part"):
            await fetched(client, url)


async def test_complete_but_wrong_is_fetched_anew_and_not_from_a_cache(upstream: Upstream, url: str) -> None:
    sink = Memory()
    async with running() as client:
        transfer = client.transfer(url, sink, cap=len(CONTENT))
        await transfer.attempt()
        await transfer.attempt()
    assert (sink.data, sink.restarts) == (CONTENT, 1)
    assert "range" not in upstream.requests[1].headers
    assert upstream.requests[1].headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("faults", [(Extra(),), (Extra(), Chunked()), (Extra(), Drip(5000, 0.01))])
async def test_more_bytes_than_listed_are_broken_off(
    upstream: Upstream, url: str, faults: tuple[Fault, ...]
) -> None:
    upstream.always(PATH, *faults)
    sink = Memory()
    async with running() as client:
        with pytest.raises(TooLargeError):
            await client.download(url, sink, cap=len(CONTENT))
    announced = not any(isinstance(fault, Chunked) for fault in faults)
    assert sink.received == 0 if announced else sink.received <= len(CONTENT)


async def test_a_drip_is_broken_off(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, Drip(piece=1, pause=0.02))
    async with running(HttpSettings(timeout=0.2, retries=0)) as client:
        with pytest.raises(TransferError, match="slower than 1,000 bytes/s"):
            await fetched(client, url)


async def test_a_drip_is_let_be_when_no_rate_is_asked(upstream: Upstream) -> None:
    upstream.add_file("a", NAME, content=b"0123456789")
    upstream.always(PATH, Drip(piece=1, pause=0.02))
    async with running(HttpSettings(timeout=0.1, min_rate=0, retries=0)) as client:
        assert (await fetched(client, upstream.file_url("a", NAME))).data == b"0123456789"


async def test_silence_within_a_file(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, Stall(1000))
    async with running(HttpSettings(timeout=0.2, retries=0)) as client:
        with pytest.raises(TransferError, match=r"silent for 0\.2 s"):
            await fetched(client, url)


async def test_what_the_sink_raises_comes_through(url: str) -> None:
    class Full(Memory):
        async def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    async with running() as client:
        with pytest.raises(OSError, match="No space left"):
            await client.download(url, Full(), cap=len(CONTENT))
        # Its connection does not come back with half a body in it.
        assert (await fetched(client, url)).data == CONTENT


async def test_a_slow_disk_is_not_held_against_the_peer(upstream: Upstream, url: str) -> None:
    class Slow(Memory):
        async def write(self, data: bytes) -> None:
            await asyncio.sleep(0.15)
            await super().write(data)

    upstream.always(PATH, Drip(piece=2560, pause=0.01))
    sink = Slow()
    async with running(HttpSettings(timeout=0.2, min_rate=30_000)) as client:
        await client.download(url, sink, cap=len(CONTENT))
    assert sink.data == CONTENT
