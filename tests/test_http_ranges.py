"""Parts of files, from servers that give them, give them in their own way, or do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import StatusError, TransferError
from aiomirror.http.ranges import WHOLE_CAP, ShiftedError, UnrangedError
from exchange import CONTENT, NAME, PATH, running
from faults import Chunked, Cut, Etag, Extra, Fault, Header, Healthy, IgnoreRange, NoEtag, Reply, Status

if TYPE_CHECKING:
    from upstream import Upstream
    from wire import Request

LENGTH = len(CONTENT)


def asked(upstream: Upstream) -> list[str]:
    return [request.headers["range"] for request in upstream.requests]


@dataclass(frozen=True)
class Suffix(Healthy):
    """The last bytes, as a server answers that knows this kind of range; ``stated`` in place of the truth."""

    count: int
    stated: str | None = None

    def after(self, reply: Reply) -> None:
        length = len(reply.body)
        first = max(0, length - self.count)
        reply.status, reply.body = 206, reply.body[first:]
        reply.headers["Content-Range"] = self.stated or f"bytes {first}-{length - 1}/{length}"


def knowing_suffixes(upstream: Upstream) -> None:
    def answer(request: Request) -> Fault | None:
        wanted = request.headers.get("range", "")
        return Suffix(int(wanted.removeprefix("bytes=-"))) if wanted.startswith("bytes=-") else None

    upstream.on_request = answer


async def test_parts_of_a_file_of_known_length(upstream: Upstream, url: str) -> None:
    async with running() as client:
        parts = client.parts(url, listed=LENGTH)
        await parts.read_end(100)
        assert (parts.length, parts.whole) == (LENGTH, None)
        assert await parts.read(LENGTH - 50, 20) == CONTENT[-50:-30]
        assert await parts.read(10, 20) == CONTENT[10:30]
        assert await parts.read(LENGTH - 100, 0) == b""
    assert asked(upstream) == [f"bytes={LENGTH - 100}-{LENGTH - 1}", "bytes=10-29"]
    assert "if-range" not in upstream.requests[0].headers
    assert upstream.requests[1].headers["if-range"].startswith('"')
    assert {request.headers["accept-encoding"] for request in upstream.requests} == {"identity"}
    assert {request.connection for request in upstream.requests} == {1}


async def test_only_what_is_missing_before_the_end_is_asked_for(upstream: Upstream, url: str) -> None:
    async with running() as client:
        parts = client.parts(url, listed=LENGTH)
        await parts.read_end(100)
        assert await parts.read(LENGTH - 150, 100) == CONTENT[-150:-50]
        assert await parts.read(LENGTH - 140, 140) == CONTENT[-140:]
        assert await parts.read(LENGTH - 160, 10) == CONTENT[-160:-150]
    assert asked(upstream)[1:] == [
        f"bytes={LENGTH - 150}-{LENGTH - 101}",
        f"bytes={LENGTH - 160}-{LENGTH - 151}",
    ]


@pytest.mark.parametrize("count", [100, LENGTH, LENGTH + 1])
async def test_the_end_of_a_file_of_unknown_length(upstream: Upstream, url: str, count: int) -> None:
    knowing_suffixes(upstream)
    async with running() as client:
        parts = client.parts(url)
        await parts.read_end(count)
        assert parts.length == LENGTH
        assert parts.whole == (None if count < LENGTH else CONTENT)
        assert await parts.read(LENGTH - 100, 100) == CONTENT[-100:]
    assert asked(upstream) == [f"bytes=-{count}"]


@pytest.mark.parametrize("status", [400, 416, 501])
async def test_a_server_that_knows_no_suffixes(upstream: Upstream, url: str, status: int) -> None:
    upstream.fault(PATH, Status(status))
    async with running() as client:
        parts = client.parts(url)
        await parts.read_end(100)
        assert (parts.length, await parts.read(LENGTH - 9, 9)) == (LENGTH, CONTENT[-9:])
    assert asked(upstream) == ["bytes=-100", "bytes=0-0", f"bytes={LENGTH - 100}-{LENGTH - 1}"]


async def test_a_server_that_tells_the_length_only(upstream: Upstream, url: str) -> None:
    upstream.fault(PATH, Status(416), (Status(416), Header("Content-Range", f"bytes */{LENGTH}")))
    upstream.fault(PATH, Healthy(), Status(416), IgnoreRange(), Status(416), Status(416))
    async with running() as client:
        parts = client.parts(url)
        await parts.read_end(100)
        assert (parts.length, parts.whole) == (LENGTH, None)
        parts = client.parts(url)
        await parts.read_end(100)
        assert parts.whole == CONTENT
        with pytest.raises(UnrangedError):
            await client.parts(url).read_end(100)


@pytest.mark.parametrize("listed", [None, LENGTH])
@pytest.mark.parametrize("fault", [Healthy(), Chunked()])
async def test_a_server_without_ranges_and_a_short_file(
    upstream: Upstream, url: str, listed: int | None, fault: Fault
) -> None:
    upstream.always(PATH, IgnoreRange(), fault)
    async with running() as client:
        parts = client.parts(url, listed=listed)
        await parts.read_end(100)
        assert parts.whole == CONTENT
        assert await parts.read(5, 10) == CONTENT[5:15]
    assert len(upstream.requests) == 1


async def test_a_server_that_stops_to_give_parts(upstream: Upstream, url: str) -> None:
    async with running() as client:
        for offset, count in ((3, 4), (LENGTH - 120, 40)):
            parts = client.parts(url, listed=LENGTH)
            await parts.read_end(100)
            upstream.fault(PATH, IgnoreRange())
            assert await parts.read(offset, count) == CONTENT[offset : offset + count]
            assert parts.whole == CONTENT


@pytest.mark.parametrize("listed", [None, WHOLE_CAP + 1])
@pytest.mark.parametrize("fault", [Healthy(), Chunked()])
async def test_a_server_without_ranges_and_a_long_file(
    upstream: Upstream, url: str, listed: int | None, fault: Fault
) -> None:
    upstream.add_file("a", NAME, content=bytes(WHOLE_CAP + 1))
    upstream.always(PATH, IgnoreRange(), fault)
    async with running() as client:
        with pytest.raises(UnrangedError):
            await client.parts(url, listed=listed).read_end(100)
    assert len(upstream.requests) == 1


async def test_an_empty_file(upstream: Upstream, url: str) -> None:
    upstream.add_file("a", NAME, content=b"")
    async with running() as client:
        for listed in (0, None):
            parts = client.parts(url, listed=listed)
            await parts.read_end(100)
            assert (parts.length, parts.whole) == (0, b"")


@pytest.mark.parametrize(
    "stated",
    [
        None,
        "",
        "bytes",
        f"bytes 0-99/{LENGTH}",
        f"bytes {LENGTH - 100}-{LENGTH - 2}/{LENGTH}",
        f"bytes {LENGTH - 101}-{LENGTH - 1}/{LENGTH}",
        f"bytes {LENGTH - 100}-{LENGTH - 1}/{LENGTH + 1}",
        f"bytes {LENGTH - 100}-{LENGTH - 1}/{'1' * 5000}",
        f"bytes */{LENGTH}",
        "items 0-1/2",
    ],
)
async def test_parts_that_are_not_the_ones_asked_for(
    upstream: Upstream, url: str, stated: str | None
) -> None:
    async with running() as client:
        upstream.fault(PATH, Header("Content-Range", stated))
        with pytest.raises(UnrangedError):
            await client.parts(url, listed=LENGTH).read_end(100)
        if stated:
            upstream.fault(PATH, Suffix(100, stated))
            with pytest.raises(UnrangedError):
                await client.parts(url).read_end(100)


async def test_a_length_that_is_not_told_is_no_hindrance(upstream: Upstream, url: str) -> None:
    stated = f"bytes {LENGTH - 100}-{LENGTH - 1}/*"
    upstream.fault(PATH, Header("Content-Range", stated), Suffix(100, stated))
    async with running() as client:
        for listed in (LENGTH, None):
            parts = client.parts(url, listed=listed)
            await parts.read_end(100)
            assert (parts.length, await parts.read(LENGTH - 9, 9)) == (LENGTH, CONTENT[-9:])


@pytest.mark.parametrize("listed", [LENGTH - 1, LENGTH + 50, 2 * LENGTH])
@pytest.mark.parametrize("fault", [Healthy(), IgnoreRange()])
async def test_another_length_than_the_listed_one(
    upstream: Upstream, url: str, listed: int, fault: Fault
) -> None:
    upstream.always(PATH, fault)
    async with running() as client:
        with pytest.raises(UnrangedError):
            await client.parts(url, listed=listed).read_end(100)


async def test_more_bytes_than_were_asked_for(upstream: Upstream, url: str) -> None:
    @dataclass(frozen=True)
    class Longer(Healthy):
        def after(self, reply: Reply) -> None:
            reply.body += b"x"

    upstream.always(PATH, Longer())
    async with running() as client:
        with pytest.raises(UnrangedError, match="more bytes"):
            await client.parts(url, listed=LENGTH).read_end(100)


@pytest.mark.parametrize("faults", [(Healthy(), Etag('"other"')), (NoEtag(), Healthy())])
async def test_a_file_that_changes_meanwhile(
    upstream: Upstream, url: str, faults: tuple[Fault, Fault]
) -> None:
    upstream.fault(PATH, *faults)
    async with running() as client:
        parts = client.parts(url, listed=LENGTH)
        await parts.read_end(100)
        with pytest.raises(ShiftedError) as caught:
            await parts.read(1, 2)
    assert caught.value.transient


async def test_what_else_goes_wrong(upstream: Upstream, url: str) -> None:
    async with running() as client:
        parts = client.parts(url, listed=LENGTH)
        upstream.fault(PATH, Status(404), Status(503), Cut(10))
        with pytest.raises(StatusError, match="404"):
            await parts.read_end(100)
        with pytest.raises(StatusError, match="503"):
            await parts.read_end(100)
        with pytest.raises(TransferError):
            await parts.read_end(100)
        await parts.read_end(100)
        assert await parts.read(LENGTH - 100, 100) == CONTENT[-100:]


async def test_a_part_that_is_cut_without_a_word(upstream: Upstream, url: str) -> None:
    @dataclass(frozen=True)
    class Shorter(Healthy):
        def after(self, reply: Reply) -> None:
            reply.body = reply.body[:-1]

    upstream.always(PATH, Shorter())
    async with running() as client:
        with pytest.raises(TransferError, match="cut short"):
            await client.parts(url, listed=LENGTH).read_end(100)


async def test_an_extra_byte_makes_another_file(upstream: Upstream, url: str) -> None:
    upstream.always(PATH, Extra())
    async with running() as client:
        with pytest.raises(UnrangedError):
            await client.parts(url, listed=LENGTH).read_end(100)
