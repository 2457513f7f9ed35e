"""One file on its way into a sink, over as many attempts as it takes.

The rule (RFC 9110, 13.1.5 and 14): what a broken attempt left is continued only with the strong entity tag
of the answer that began it; anything that does not fit exactly starts over.  Nothing is verified here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiomirror.errors import TooLargeError, TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomirror.http.body import Body
    from aiomirror.http.session import Session
    from aiomirror.http.values import Sink

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
AS_IT_IS: Mapping[str, str] = {"Accept": "*/*", "Accept-Encoding": "identity"}
"""What a file is asked for with: what is stored are the bytes as sent."""
_STRONG = re.compile(r'"[!#-~\x80-\xff]*"')
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)


class Transfer:
    """A file at ``url`` into ``sink``, of ``cap`` bytes at most; made by the client."""

    def __init__(self, session: Session, url: str, sink: Sink, cap: int) -> None:
        self._session, self._url, self._sink, self._cap = session, url, sink, cap
        self._etag: str | None = None
        self._complete = False

    async def attempt(self) -> None:
        """Ask once, and stream the answer; what came before a fault stays in the sink for the next attempt.

        Raises:
            UpstreamError: and its kinds; what the sink raises comes through as it is.
        """
        # Complete, and yet another attempt: the bytes were wrong, so none of them is kept, nor are a cache's.
        again, self._complete = self._complete, False
        if again:
            self._etag = None
        if self._etag is None or not await self._continued():
            await self._whole({**AS_IT_IS, "Cache-Control": "no-cache"} if again else AS_IT_IS)
        self._complete = True

    async def _continued(self) -> bool:
        """Ask for the rest; False when the whole file has to be asked for."""
        held = self._sink.received
        if held == 0 or self._etag is None:
            return False
        headers = {"Range": f"bytes={held}-", "If-Range": self._etag}
        async with await self._session.open(self._url, {**AS_IT_IS, **headers}) as body:
            if body.status == OK:  # another file by now, or a server without ranges: all of it is coming
                await self._begin(body)
                return True
            if body.status not in {PARTIAL, UNSATISFIABLE}:
                raise await body.refusal()
            if not continues(body.status, body.headers, held, self._etag):
                await body.drain()
                return False
            await self._stream(body)
            return True

    async def _whole(self, headers: Mapping[str, str]) -> None:
        async with await self._session.open(self._url, headers) as body:
            if body.status == PARTIAL:
                raise TransferError(body.shown, "a part, where the whole was asked for")
            if body.status != OK:
                raise await body.refusal()
            await self._begin(body)

    async def _begin(self, body: Body) -> None:
        if self._sink.received:
            await self._sink.restart()
        self._etag = strong(body.headers.get("ETag"))
        await self._stream(body)

    async def _stream(self, body: Body) -> None:
        room = self._cap - self._sink.received
        if body.length is not None and body.length > room:
            raise TooLargeError(body.shown, self._cap)
        while data := await body.read():
            room -= len(data)
            if room < 0:
                raise TooLargeError(body.shown, self._cap)
            await self._sink.write(data)


def strong(etag: str | None) -> str | None:
    """The entity tag, if it is one that vouches for every byte."""
    return etag if etag is not None and _STRONG.fullmatch(etag) else None


def continues(status: int, headers: Mapping[str, str], held: int, etag: str) -> bool:
    """Whether an answer is exactly the rest of the file after ``held`` bytes."""
    if status != PARTIAL or headers.get("ETag", etag) != etag:
        return False
    stated = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if stated is None or int(stated[1]) != held:
        return False
    return stated[3] == "*" or int(stated[2]) == int(stated[3]) - 1
