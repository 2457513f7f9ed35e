"""One large file over several connections, from a server that breaks on demand."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import DestinationError, StatusError, TooLargeError, TransferError, UnreachableError
from aiomirror.http import HttpSettings, sections
from aiomirror.http.session import Session
from exchange import CONTENT, PATH, SHORT, Naps, Piece, Pieces, running, split
from faults import (
    Chunked,
    Cut,
    Etag,
    Fault,
    Header,
    Healthy,
    IgnoreRange,
    NoEtag,
    Reset,
    Stall,
    Status,
    UntilClose,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomirror.http import Client
    from aiomirror.http.body import Body
    from faults import Reply
    from upstream import Upstream
    from wire import Request

SECTION = 1000
SPANS = [(start, min(start + SECTION, len(CONTENT)) - 1) for start in range(0, len(CONTENT), SECTION)]
FIRST, THIRD = "bytes=0-999", "bytes=2000-2999"
MISFITS = [
    IgnoreRange(),
    Etag('"another"'),
    Header("ETag", '"another"'),
    Header("ETag", 'W/"weak"'),
    Header("Content-Range", None),
    Header("Content-Range", "bytes 2001-2999/10240"),
    Header("Content-Range", "bytes 2000-2998/10240"),
    Header("Content-Range", "bytes 2000-2999/10241"),
    Header("Content-Range", "bytes 2000-2999/*"),
    Header("Content-Range", "lines 2000-2999/10240"),
    Status(400),
    Status(416),
    Status(501),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are split that a test can have, and no connection is fast enough to be alone."""
    split(monkeypatch, SECTION)


async def fetched(client: Client, url: str, *, size: int = len(CONTENT)) -> Pieces:
    sink = Pieces()
    await client.retrying(client.listed(url, sink, size=size).attempt)
    return sink


def ranges(upstream: Upstream) -> list[str | None]:
    return [request.headers.get("range") for request in upstream.requests]


def meeting(upstream: Upstream, part: str, *faults: Fault) -> None:
    """The first requests for this part meet these faults, one each."""
    waiting = list(faults)

    def choose(request: Request) -> Fault | None:
        return waiting.pop(0) if waiting and request.headers.get("range") == part else None

    upstream.on_request = choose


async def test_a_large_file_comes_in_sections(upstream: Upstream, url: str) -> None:
    async with running() as client:
        sink = await fetched(client, url)
    assert (sink.all, sink.restarts) == (CONTENT, 0)
    assert sorted(map(str, ranges(upstream))) == sorted(f"bytes={first}-{last}" for first, last in SPANS)
    first, *others = upstream.requests
    assert (first.headers["range"], first.headers.get("if-range")) == (FIRST, None)
    assert {request.headers["if-range"] for request in others} == {upstream.blobs[PATH].etag}
    assert {request.headers["accept-encoding"] for request in upstream.requests} == {"identity"}
    assert {request.status for request in upstream.requests} == {206}
    assert {request.connection for request in upstream.requests} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("settings", "fast"),
    [(HttpSettings(connections=1), math.inf), (HttpSettings(per_host=1), math.inf), (HttpSettings(), 0)],
)
async def test_one_after_another_where_there_is_one_place_or_it_is_fast(
    upstream: Upstream, url: str, monkeypatch: pytest.MonkeyPatch, settings: HttpSettings, fast: float
) -> None:
    monkeypatch.setattr(sections, "FAST", fast)
    async with running(settings) as client:
        assert (await fetched(client, url)).all == CONTENT
    assert {request.connection for request in upstream.requests} == {1}
    assert ranges(upstream) == [f"bytes={first}-{last}" for first, last in SPANS]


async def test_a_smaller_file_comes_in_one_stream(upstream: Upstream, url: str) -> None:
    async with running() as client:
        with pytest.raises(TooLargeError):
            await fetched(client, url, size=5 * SECTION - 1)
    assert ranges(upstream) == [None]


async def test_others_wait_for_the_first_answer(upstream: Upstream, url: str) -> None:
    meeting(upstream, FIRST, Stall())
    async with running(HttpSettings(timeout=0.2, retries=0)) as client:
        with pytest.raises(UnreachableError):
            await fetched(client, url)
    assert ranges(upstream) == [FIRST]


async def test_a_server_without_ranges_gives_the_whole_at_once(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, IgnoreRange())
    async with running() as client:
        sink = await fetched(client, url)
    assert sink.data == CONTENT
    assert ranges(upstream) == [FIRST]


async def test_such_a_whole_is_continued_where_it_broke_off(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, (IgnoreRange(), Cut(1234)))
    async with running() as client:
        sink = await fetched(client, url)
    assert sink.data == CONTENT
    assert ranges(upstream) == [FIRST, "bytes=1234-"]


@pytest.mark.parametrize(
    "fault",
    [
        NoEtag(),
        Header("ETag", 'W/"weak"'),
        Header("ETag", "bare"),
        Header("ETag", None),
        Header("Content-Range", "bytes 0-999/10241"),
        Header("Content-Range", "bytes 0-998/10240"),
        Header("Content-Range", None),
        Status(416),
        Status(400),
        Status(501),
    ],
)
async def test_a_first_answer_that_does_not_fit(upstream: Upstream, url: str, fault: Fault) -> None:
    meeting(upstream, FIRST, fault)
    async with running(HttpSettings(retries=0)) as client:
        sink = await fetched(client, url)
    assert sink.data == CONTENT
    assert ranges(upstream) == [FIRST, None]


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1, 3 * len(CONTENT)])
async def test_a_wrong_size_in_the_listing(upstream: Upstream, url: str, size: int) -> None:
    sink = Pieces()
    async with running() as client:
        with suppress(TooLargeError):
            await client.listed(url, sink, size=size).attempt()
    assert ranges(upstream) == [FIRST, None]
    assert sink.data == (b"" if size < len(CONTENT) else CONTENT)


@pytest.mark.parametrize("fault", MISFITS, ids=str)
async def test_a_later_answer_that_does_not_fit(
    upstream: Upstream, url: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the order of asking: the server may read what was given up after what was asked for instead.
    asked: list[str | None] = []
    opened = Session.open

    async def noted(session: Session, url: str, headers: Mapping[str, str]) -> Body:
        asked.append(headers.get("Range"))
        return await opened(session, url, headers)

    monkeypatch.setattr(Session, "open", noted)
    meeting(upstream, THIRD, fault)
    async with running(HttpSettings(retries=0)) as client:
        sink = await fetched(client, url)
    assert sink.data == CONTENT
    assert not sink.sections
    assert asked.count(None) == 1
    assert asked.index(None) == len(asked) - 1
    (whole,) = (request for request in upstream.requests if "range" not in request.headers)
    assert "cache-control" not in whole.headers


@pytest.mark.parametrize("settings", [HttpSettings(connections=1, retries=0), HttpSettings(retries=0)])
async def test_a_file_that_changes_between_two_sections(
    upstream: Upstream, url: str, settings: HttpSettings
) -> None:
    another = bytes(reversed(CONTENT))

    def change(request: Request) -> Fault | None:
        if request.headers.get("range") == THIRD:
            upstream.add_file("a", PATH.rpartition("/")[2], content=another)
            upstream.on_request = None
            return Status(200)
        return None

    upstream.on_request = change
    async with running(settings) as client:
        assert (await fetched(client, url)).data == another


async def test_without_a_tag_of_its_own_a_section_is_taken(upstream: Upstream, url: str) -> None:
    meeting(upstream, THIRD, Header("ETag", None))
    async with running(HttpSettings(retries=0)) as client:
        assert (await fetched(client, url)).all == CONTENT
    assert None not in ranges(upstream)


@pytest.mark.parametrize("fault", [Cut(300), Reset(300), Stall(300), Cut(0)], ids=str)
@pytest.mark.parametrize("start", [0, 2000])
async def test_a_section_that_breaks_off_is_continued(
    upstream: Upstream, url: str, start: int, fault: Cut | Reset | Stall
) -> None:
    meeting(upstream, f"bytes={start}-{start + 999}", fault)
    async with running(SHORT) as client:
        sink = await fetched(client, url)
    assert (sink.all, sink.restarts) == (CONTENT, 0)
    parts = {f"bytes={first}-{last}" for first, last in SPANS}
    # Nothing comes twice; where no byte had come, the same part is asked for.
    assert set(ranges(upstream)) == parts | {f"bytes={start + fault.bytes}-{start + 999}"}
    assert len(ranges(upstream)) == len(SPANS) + 1


@pytest.mark.parametrize("fault", [Chunked(), UntilClose()], ids=str)
async def test_sections_of_unannounced_length(upstream: Upstream, url: str, fault: Fault) -> None:
    upstream.always(PATH, fault)
    async with running() as client:
        assert (await fetched(client, url)).all == CONTENT


async def test_a_section_that_ends_early_without_a_fault(upstream: Upstream, url: str) -> None:
    class Short(UntilClose):
        def after(self, reply: Reply) -> None:
            super().after(reply)
            reply.body = reply.body[:300]

    meeting(upstream, THIRD, Short())
    async with running() as client:
        sink = await fetched(client, url)
    assert (sink.all, sink.restarts) == (CONTENT, 0)
    assert ranges(upstream)[-1] == "bytes=2300-2999"


async def test_more_bytes_than_a_section_has(upstream: Upstream, url: str) -> None:
    class Long(Chunked):
        def after(self, reply: Reply) -> None:
            super().after(reply)
            reply.body += b"x"

    meeting(upstream, THIRD, Long())
    async with running() as client:
        sink = await fetched(client, url)
    assert sink.data == CONTENT
    assert ranges(upstream)[-1] is None


async def test_the_upstream_goes_away_and_comes_back(upstream: Upstream, url: str) -> None:
    def choose(request: Request) -> Fault | None:
        return Status(503) if 3 <= len(upstream.requests) <= 8 else None

    upstream.on_request = choose
    naps = Naps()
    async with running(naps=naps) as client:
        sink = await fetched(client, url)
    assert (sink.all, sink.restarts) == (CONTENT, 0)
    assert naps
    complete = [request.headers["range"] for request in upstream.requests if request.status == 206]
    assert len(complete) == len(set(complete)) == len(SPANS)  # nothing came twice


async def test_what_will_not_pass_ends_all_of_it(upstream: Upstream, url: str) -> None:
    def choose(request: Request) -> Fault:
        part = request.headers["range"]
        return Healthy() if part == FIRST else Status(404) if part == THIRD else Stall()

    upstream.on_request = choose
    async with running() as client:
        with pytest.raises(StatusError, match="404"):
            await fetched(client, url)  # though none of the others would ever come to an end
        assert len(ranges(upstream)) <= 1 + sections.ABREAST
        # Every place is free again.
        upstream.on_request = None
        assert (await fetched(client, url)).all == CONTENT


async def test_breaking_off_for_ever_is_an_error(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, Cut(10))
    async with running(HttpSettings(retries=2)) as client:
        with pytest.raises(TransferError):
            await fetched(client, url)
    assert len(upstream.requests) <= 3 * sections.ABREAST


async def test_complete_but_wrong_comes_anew_in_one_stream_and_not_from_a_cache(
    upstream: Upstream, url: str
) -> None:
    sink = Pieces()
    async with running() as client:
        transfer = client.listed(url, sink, size=len(CONTENT))
        await transfer.attempt()
        await sink.restart()
        upstream.clear()
        upstream.fault(PATH, Cut(1000))
        with pytest.raises(TransferError):
            await transfer.attempt()
        await transfer.attempt()
    assert sink.data == CONTENT
    assert ranges(upstream) == [None, "bytes=1000-"]
    assert upstream.requests[0].headers["cache-control"] == "no-cache"


async def test_what_a_section_raises_comes_through(upstream: Upstream, url: str) -> None:
    class Full(Pieces):
        def section(self, start: int, count: int) -> Piece:
            return _FullPiece(start, count)

    class _FullPiece(Piece):
        async def write(self, data: bytes) -> None:
            raise DestinationError("there", "no space left on device")

    async with running() as client:
        with pytest.raises(DestinationError):
            await client.retrying(client.listed(url, Full(), size=len(CONTENT)).attempt)
        assert (await fetched(client, url)).all == CONTENT


async def test_the_rate_is_that_of_all_sections_together(upstream: Upstream, url: str) -> None:
    naps = Naps()
    async with running(HttpSettings(rate=len(CONTENT) // 10), naps) as client:
        assert (await fetched(client, url)).all == CONTENT
    assert 9 <= sum(naps) <= 11


async def test_wherever_it_is_cancelled_it_can_go_on(upstream: Upstream, url: str) -> None:
    async with running() as client:
        sink = Pieces()
        transfer = client.listed(url, sink, size=len(CONTENT))
        cancelled, steps, done = 0, 1, False
        while not done:
            task = asyncio.create_task(transfer.attempt())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            done = not task.cancelled()
            cancelled += not done
            steps += 1 + steps // 8
        assert cancelled
        assert (sink.all, sink.restarts) == (CONTENT, 0)
        # No place is lost: all of them can be taken.
        await asyncio.gather(*(fetched(client, url) for _ in range(20)))
