"""The client against a real server on loopback that breaks on demand; only the waiting is made up."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import (
    AiomirrorError,
    DigestMismatchError,
    MalformedPageError,
    RedirectError,
    StatusError,
    TooLargeError,
    TransferError,
    UnreachableError,
    UpstreamError,
)
from aiomirror.http import Client, HttpSettings, Validators
from aiomirror.simple.values import ACCEPT
from catalogue import JSON_TYPE
from faults import (
    Body,
    Chunked,
    Cut,
    Drip,
    Etag,
    Extra,
    Fault,
    Gzip,
    GzipBomb,
    HangUp,
    Header,
    HugeHeader,
    IgnoreRange,
    NoEtag,
    Raw,
    Redirect,
    Reply,
    Reset,
    Stall,
    Status,
    UntilClose,
)
from tls import server_context, write_pem
from upstream import Upstream, basic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wire import Request

NAME = "a-1.0.tar.gz"
PATH = f"/files/a/{NAME}"
PAGE = "/simple/a/"
CONTENT = bytes(range(256)) * 40
EMPTY_BLOCKS = bytes.fromhex("1f8b08000000000000ff") + b"\0\0\0\xff\xff" * 201
"""Compressed data that unpacks to nothing, and goes on."""
SHORT = HttpSettings(timeout=0.25)


class Memory:
    """A sink that keeps everything."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)
        self.restarts = 0
        self.written = asyncio.Event()

    @property
    def data(self) -> bytes:
        return bytes(self._data)

    @property
    def received(self) -> int:
        return len(self._data)

    async def write(self, data: bytes) -> None:
        self._data += data
        self.written.set()

    async def restart(self) -> None:
        self.restarts += 1
        self._data.clear()


class Naps(list[float]):
    """A sleep that only takes notes."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@asynccontextmanager
async def running(settings: HttpSettings | None = None, naps: Naps | None = None) -> AsyncIterator[Client]:
    async with Client(settings, sleep=naps if naps is not None else Naps(), random=lambda: 1.0) as client:
        yield client


async def fetched(client: Client, url: str, *, cap: int = 1 << 30) -> Memory:
    """The file, over as many attempts as the client allows."""
    sink = Memory()
    await client.retrying(client.transfer(url, sink, cap=cap).attempt)
    return sink


@pytest.fixture
def url(upstream: Upstream) -> str:
    """The address of a file of CONTENT, in an index where its project has a page."""
    upstream.add_file("a", NAME, content=CONTENT)
    return upstream.file_url("a", NAME)


@pytest.fixture
def page(upstream: Upstream, url: str) -> str:
    return upstream.url + "a/"


# -- pages


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


# -- statuses and waiting


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


# -- no answer


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


async def test_a_server_that_hangs_up_after_each_answer(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, HangUp())
    async with running(HttpSettings(retries=0)) as client:
        for _ in range(5):
            assert (await fetched(client, url)).data == CONTENT


@pytest.mark.parametrize(
    "bad",
    ["ftp://x.example/", "/relative", "http://", "http://[x/", "http://x.example:99999999/", "file:///etc"],
)
async def test_what_is_no_address(bad: str) -> None:
    async with running() as client:
        with pytest.raises(UpstreamError, match="not a usable http or https address"):
            await client.get_page(bad, accept=ACCEPT)


async def test_link_local_addresses_come_only_from_the_person() -> None:
    async with running() as client:
        with pytest.raises(RedirectError, match="link-local"):
            await fetched(client, "http://169.254.1.1/latest/")


# -- files


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


# -- cancellation


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


# -- redirects


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


# -- TLS


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


# -- credentials and proxies


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
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    async with running() as client:
        await client.get_page(page, accept=ACCEPT)
        await client.get_page(with_userinfo(page, "you:too"), accept=ACCEPT)
    netrc.write_text("default login me password pw\n")
    async with running() as client:
        await client.get_page(page, accept=ACCEPT)
    netrc.write_text("machine\n")
    async with running() as client:
        await client.get_page(page, accept=ACCEPT)
    sent = [request.headers.get("authorization") for request in upstream.requests]
    assert sent == [basic("me", "pw"), basic("you", "too"), None, None]


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
