"""An answer whose headers are here: its bytes as they come, under the limits of silence and speed."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import aiohttp

from aiomirror.errors import MalformedPageError, TooLargeError, TransferError
from aiomirror.http.credentials import REFUSALS, hint
from aiomirror.http.origins import masked, parse
from aiomirror.http.problems import FOREIGN, LONGEST_WAIT, broken, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiomirror.errors import StatusError
    from aiomirror.http.credentials import Credential
    from aiomirror.http.exchange import Response
    from aiomirror.http.pace import Pace
    from aiomirror.http.places import Place
    from aiomirror.http.values import HttpSettings

SMALL = 16_384  # bytes of an unwanted body that are read so that its connection can be used again
GZIP_OR_ZLIB = 47  # wbits: the largest window, and the header tells which of the two it is


class Body:
    """One answer; leaving its context frees the connection, for others if the whole body was read."""

    def __init__(
        self,
        response: Response,
        settings: HttpSettings,
        clock: Callable[[], float],
        place: Place,
        pace: Pace | None,
        *,
        credential: Credential | None,
    ) -> None:
        self._place, self._pace = place, pace
        self._response, self._content, self._clock = response, response.content, clock
        self._timeout, self._min_rate = settings.timeout, settings.min_rate
        self._received = 0
        self._waited, self._fresh = 0.0, 0
        self.credential = credential
        """What was sent with the request."""
        self.status = response.status
        self.length = response.length
        """Bytes, as announced; None when nothing is."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in any case; of a repeated one the first."""
        return self._response.headers

    @property
    def url(self) -> str:
        """The final address, without credentials and fragment."""
        return self._response.url

    @property
    def shown(self) -> str:
        """The address for messages."""
        return masked(self._response.url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Cancellation comes this way, too; the connection is closed then.
        self._response.leave()
        self._place.leave()

    async def read(self) -> bytes:
        """The bytes that have come since, at least one; none at the end.

        Raises:
            TransferError: cut short, reset, silent or too slow.
        """
        if self._content.at_eof():
            return b""
        began = self._clock()
        try:
            with self._place.guard.within(self._timeout):
                if self.length is None:
                    data = await self._content.readany()
                else:  # one after another: to put together what has come would be to copy it
                    data, _ = await self._content.readchunk()
        except FOREIGN as error:
            # aiohttp 13348: a server that closes after the last byte, and a reader that was busy.
            if self._received == self.length and isinstance(error, aiohttp.ClientPayloadError):
                return b""
            raise broken(error, self.shown, self._timeout) from error
        self._received += len(data)
        self._watch(self._clock() - began, len(data))
        if self._pace is not None:
            await self._pace.take(len(data))
        return data

    def _watch(self, seconds: float, count: int) -> None:
        """Break off what drips: a limit of silence alone lets one byte per half minute live for ever.

        Only the time spent waiting for the peer counts; a slow disk here is not the peer's fault.
        """
        self._waited += seconds
        self._fresh += count
        if self._waited < self._timeout:
            return
        if self._fresh < self._min_rate * self._waited and count:
            raise TransferError(self.shown, f"slower than {self._min_rate:,} bytes/s")
        self._waited, self._fresh = 0.0, 0

    async def read_page(self, cap: int) -> bytes:
        """The whole body, decompressed.

        Raises:
            TooLargeError: more than ``cap`` bytes, as they come or unpacked.
            MalformedPageError: an encoding that was not asked for, or not what it says it is.
            TransferError: as :meth:`read`, and compressed data that ends early.
        """
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in {"identity", ""}:
            return await self._plain(cap)
        if encoding in {"gzip", "x-gzip", "deflate"}:
            return await self._unpacked(cap)
        raise MalformedPageError(self.shown, f"encoded as {encoding!r}, which was not asked for")

    async def _plain(self, cap: int) -> bytes:
        if (self.length or 0) > cap:
            raise TooLargeError(self.shown, cap)
        parts, room = [], cap
        while data := await self.read():
            room -= len(data)
            if room < 0:
                raise TooLargeError(self.shown, cap)
            parts.append(data)
        return b"".join(parts)

    async def _unpacked(self, cap: int) -> bytes:
        parts, room, packed_room = [], cap, cap
        unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
        while data := await self.read():
            # Empty blocks unpack to nothing for ever, so what comes in is counted as well.
            packed_room -= len(data)
            # RFC 1952: members may follow one another, and zeros fill up a block.
            while data := data.lstrip(b"\0") if unpacker.eof else data:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
                part = self._unpack(unpacker, data, room + 1)
                room -= len(part)
                if room < 0 or packed_room < 0:
                    raise TooLargeError(self.shown, cap)
                parts.append(part)
                data = unpacker.unused_data
        if not unpacker.eof:
            raise TransferError(self.shown, "compressed data that ends early")
        return b"".join(parts)

    def _unpack(self, unpacker: zlib._Decompress, data: bytes, most: int) -> bytes:
        try:
            return unpacker.decompress(data, most)
        except zlib.error as error:
            raise MalformedPageError(self.shown, f"not the compressed data it says it is: {error}") from error

    async def refusal(self) -> StatusError:
        """The error that this answer's status is."""
        await self.drain()
        help_ = ""
        if self.status in REFUSALS:
            help_ = hint(self.credential, parse(self.url), own=self._place.host.own)
        error = refused(self.shown, self.status, self._response.reason, self.headers, help_)
        if error.retry_after is not None and error.retry_after <= LONGEST_WAIT:
            # Asked of one request, it is meant for all: they go to the same machine.
            self._place.host.rest(self._clock() + error.retry_after)
        return error

    async def drain(self) -> None:
        """Read a small body that nobody wants, so that its connection can serve again."""
        if self.length is not None and self.length <= SMALL:
            with suppress(TransferError):
                while await self.read():
                    pass
