"""What the stages see of the network: a page, a file, and another try."""

from __future__ import annotations

import asyncio
import random as chance
import time
from typing import TYPE_CHECKING, Self, TypeVar

from aiomirror.errors import AiomirrorError
from aiomirror.http.sections import listed
from aiomirror.http.session import Session
from aiomirror.http.transfer import Transfer
from aiomirror.http.values import Answer, HttpSettings, Validators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiomirror.http.body import Body
    from aiomirror.http.ranges import Parts
    from aiomirror.http.values import Sink, SplitSink

T = TypeVar("T")

OK, NOT_MODIFIED = 200, 304


class Client:
    """An HTTP client for one run; an async context manager."""

    def __init__(
        self,
        settings: HttpSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._settings = settings or HttpSettings()
        self._clock, self._sleep, self._random = clock, sleep, random
        self._session = Session(self._settings, clock, sleep)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._session.requests

    @property
    def places(self) -> int:
        """How many requests may be on their way at once, from here and from those that were lent places."""
        return self._session.places.count

    async def lend_place(self, *, anew: bool) -> None:
        """Have one place fewer, when one is free, for another client has it from now on.

        ``anew``: for the first time, so that it will have a connection more, and this one has one fewer.
        """
        await self._session.lend(anew=anew)

    def add_place(self) -> None:
        """Have one more: one that was lent, or that another client lends."""
        self._session.places.more()

    def tell_rests(self, told: Callable[[str, float], None]) -> None:
        """Call this when a host asks to be let alone: with its origin, and until when by ``clock``."""
        self._session.resting = told

    def rest(self, origin: str, until: float) -> None:
        """Let the host of this origin alone so long, for another client was asked to."""
        self._session.rest(origin, until)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._session.__aexit__(*exc_info)

    async def get_page(
        self, url: str, *, accept: str, cap: int | None = None, validators: Validators | None = None
    ) -> Answer:
        """A page, after as many attempts as are allowed.

        ``url`` is one that the person gave, or made of it: its ``user:password@`` is kept for everything else
        that its origin is asked for.  ``cap`` is in bytes, the settings' where it is None.  With
        ``validators`` the answer may be a 304.

        Raises:
            UpstreamError: and its kinds.
        """
        self._session.remember(url)
        headers = {"Accept": accept, "Accept-Encoding": "gzip", **_conditions(validators)}
        cap = self._settings.page_cap if cap is None else cap

        async def attempt() -> Answer:
            async with await self._session.open(url, headers, trusted=True) as body:
                return await _answer(body, cap, conditional=validators is not None)

        return await self.retrying(attempt)

    def transfer(self, url: str, sink: Sink, *, cap: int) -> Transfer:
        """A file that is to go into ``sink``; ``cap`` in bytes."""
        return Transfer(self._session, url, sink, cap)

    def listed(self, url: str, sink: SplitSink, *, size: int) -> Transfer:
        """As :meth:`transfer`, of ``size`` bytes as upstream lists; a very large file comes in sections."""
        return listed(self._session, url, sink, size, self._clock)

    def parts(self, url: str, *, listed: int | None = None) -> Parts:
        """A file that is read in parts, in one attempt; ``listed`` is its length in bytes."""
        from aiomirror.http.ranges import Parts  # noqa: PLC0415 (for metadata that is in archives only)

        return Parts(self._session, url, listed)

    async def download(self, url: str, sink: Sink, *, cap: int) -> None:
        """A file into ``sink``, in one attempt that starts from nothing."""
        await self.transfer(url, sink, cap=cap).attempt()

    async def retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What ``attempt`` returns, asked again after errors that may pass.

        Raises:
            AiomirrorError: the last one, when it will not pass or there were too many; others at once.
        """
        # Almost every attempt succeeds, and tenacity costs 30 µs a call: it comes in after a failure.
        try:
            return await attempt()
        except AiomirrorError as error:
            if not error.transient:
                raise
            first = error
        try:
            from aiomirror.http.retry import Retries, retried  # noqa: PLC0415 (tenacity takes its time, and as above)
        except OSError:  # of descriptors there are none left, which is what has failed then
            raise first from None
        retries = Retries(self._settings, self._random, self._session)
        try:
            return await retried(attempt, first, retries, self._sleep)
        except AiomirrorError as error:
            self._session.failed(error)
            raise


def _conditions(validators: Validators | None) -> Mapping[str, str]:
    headers = {}
    if validators is not None and validators.etag is not None:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.last_modified is not None:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


async def _answer(body: Body, cap: int, *, conditional: bool) -> Answer:
    if body.status != OK and not (conditional and body.status == NOT_MODIFIED):
        raise await body.refusal()
    headers = body.headers
    return Answer(
        url=body.url,
        status=body.status,
        content_type=headers.get("Content-Type"),
        body=b"" if body.status == NOT_MODIFIED else await body.read_page(cap),
        validators=Validators(headers.get("ETag"), headers.get("Last-Modified")),
        last_serial=headers.get("X-PyPI-Last-Serial"),
    )
