"""Parts of one file, all of them of the same bytes.

The rule (RFC 9110, 13.1.5 and 14): later parts are asked for under the strong entity tag of the first one,
and a part counts only if it is exactly the one that was asked for, of a file as long as before.  What has no
such tag must at least look the same.  Nothing is verified here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from aiomirror.errors import TransferError, UpstreamError
from aiomirror.http.transfer import AS_IT_IS, strong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomirror.http.body import Body
    from aiomirror.http.session import Session

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
SUFFIXES_UNKNOWN = {400, UNSATISFIABLE, 501}
"""What servers say that do not know ``bytes=-N``."""
WHOLE_CAP = 1 << 20
"""Bytes of a whole file that are taken from a server that gives no parts; a longer one is broken off."""
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)


class UnrangedError(UpstreamError):
    """Upstream does not give this part of the file, and the whole is too long to be taken instead."""


class ShiftedError(UnrangedError):
    """The file is not the one of which other parts were read."""

    # The next attempt begins with the file as it is by then; where it differs each time, there is no end.
    transient = True
    retries = 1


class _Stated(NamedTuple):
    """A Content-Range: first byte, last byte, and the length of the file; None where it does not say."""

    first: int | None
    last: int | None
    length: int | None


class _Kind(NamedTuple):
    """By what answers about other bytes are told apart."""

    etag: str | None
    last_modified: str | None


class Parts:
    """The end of the file at ``url``, then other parts of it; made by the client.

    ``listed`` is its length in bytes where that is known.  What was read at the end is not asked for again.
    """

    def __init__(self, session: Session, url: str, listed: int | None) -> None:
        self._session, self._url = session, url
        self._length = listed
        self._kind: _Kind | None = None
        self._start, self._tail = 0, b""

    @property
    def length(self) -> int:
        """Of the file, in bytes; known once its end was read."""
        assert self._length is not None, "the end comes first"
        return self._length

    @property
    def whole(self) -> bytes | None:
        """The file, if all of it is here."""
        return self._tail if len(self._tail) == self._length else None

    async def read_end(self, count: int) -> None:
        """Read the last ``count`` bytes, or all there are.

        Raises:
            UnrangedError: no parts are to be had, or the length is not the one that is listed.
            UpstreamError: and its other kinds.
        """
        if self._length is None:
            await self._read_suffix(count)
        if self._length is None:
            await self._read_length()
        if not self._tail:
            self._start = self.length
            await self._reach(max(0, self.length - count))

    async def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, which the file must have; raises as :meth:`read_end`."""
        if offset + count > self._start > offset:
            await self._reach(offset)
        if offset < self._start:
            return await self._part(offset, count)
        return self._tail[offset - self._start :][:count]

    async def _reach(self, start: int) -> None:
        """Make what is here of the end begin at ``start``."""
        before = await self._part(start, self._start - start)
        if self._start > start:  # else the whole has come instead
            self._start, self._tail = start, before + self._tail

    async def _part(self, offset: int, count: int) -> bytes:
        if count == 0:
            return b""
        last = offset + count - 1
        async with await self._open(f"bytes={offset}-{last}") as body:
            if body.status == UNSATISFIABLE:
                raise UnrangedError(body.shown, "not as long as upstream lists")
            if body.status == OK:
                return (await self._take_whole(body))[offset : last + 1]
            stated = await self._partial(body)
            if (stated.first, stated.last) != (offset, last):
                raise UnrangedError(body.shown, "another part than the one that was asked for")
            return await _exactly(body, count)

    async def _read_suffix(self, count: int) -> None:
        """The end of a file of unknown length, from a server that knows this kind of range."""
        async with await self._open(f"bytes=-{count}") as body:
            if body.status == OK:
                await self._take_whole(body)
                return
            if body.status in SUFFIXES_UNKNOWN:
                await body.drain()
                return
            stated = await self._partial(body)
            if stated.first is None or stated.last is None:
                raise UnrangedError(body.shown, "a part without saying which")
            length = stated.last + 1
            if stated.length not in {None, length} or stated.first != max(0, length - count):
                raise UnrangedError(body.shown, "another part than the one that was asked for")
            self._start, self._tail = stated.first, await _exactly(body, length - stated.first)
            self._length = length

    async def _read_length(self) -> None:
        async with await self._open("bytes=0-0") as body:
            if body.status == OK:
                await self._take_whole(body)
                return
            stated = _stated(body.headers) if body.status == UNSATISFIABLE else await self._partial(body)
            if stated.length is None:
                raise UnrangedError(body.shown, "a part without saying of how much")
            await body.drain()
            self._length = stated.length

    async def _open(self, part: str) -> Body:
        headers = {**AS_IT_IS, "Range": part}
        if self._kind is not None and (etag := strong(self._kind.etag)) is not None:
            headers["If-Range"] = etag
        return await self._session.open(self._url, headers)

    async def _partial(self, body: Body) -> _Stated:
        """What the headers of a part say, if they are of the same file as before."""
        if body.status != PARTIAL:
            raise await body.refusal()
        self._recognise(body)
        stated = _stated(body.headers)
        if self._length is not None and stated.length not in {None, self._length}:
            raise UnrangedError(body.shown, f"{stated.length} bytes long, not {self._length}")
        return stated

    def _recognise(self, body: Body) -> None:
        """See that the answer is of the same file as the first one.

        Raises:
            ShiftedError: it is not.
        """
        kind = _Kind(body.headers.get("ETag"), body.headers.get("Last-Modified"))
        known = self._kind = self._kind or kind
        tagged = strong(known.etag) is not None
        if not (kind.etag in {None, known.etag} if tagged else kind == known):
            raise ShiftedError(body.shown, "another file than a moment ago")

    async def _take_whole(self, body: Body) -> bytes:
        """The file, from a server that gives no parts of it, or has another one by now."""
        self._recognise(body)
        length = self._length if body.length is None else body.length
        if length is not None and self._length not in {None, length}:
            raise UnrangedError(body.shown, f"{length} bytes long, not {self._length}")
        if (length or 0) > WHOLE_CAP:
            raise UnrangedError(body.shown, "upstream gives files only as a whole")
        whole = await _at_most(body, WHOLE_CAP if length is None else length)
        if self._length not in {None, len(whole)}:
            raise UnrangedError(body.shown, f"{len(whole)} bytes long, not {self._length}")
        self._start, self._tail, self._length = 0, whole, len(whole)
        return whole


def _stated(headers: Mapping[str, str]) -> _Stated:
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        return _Stated(None, None, None)
    return _Stated(*(None if text in {None, "*"} else int(text) for text in found.groups()))


async def _exactly(body: Body, count: int) -> bytes:
    data = await _at_most(body, count)
    if len(data) < count:
        raise TransferError(body.shown, "cut short")
    return data


async def _at_most(body: Body, count: int) -> bytes:
    parts, room = [], count
    while data := await body.read():
        room -= len(data)
        if room < 0:
            raise UnrangedError(body.shown, "more bytes than were asked for")
        parts.append(data)
    return b"".join(parts)
