"""One very large file over several connections, where one alone is the limit.

Long round trips with limited windows and servers that limit each connection make it one.  The first section
shows whether upstream gives sections; the others are asked for under its strong entity tag (RFC 9110, 13.1.5
and 14), one after another as long as they come fast, else several at once.  Where an answer is not exactly
what was asked for, nothing is believed of any of them, and the file comes as a whole.  Nothing is verified
here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from aiomirror.errors import AiomirrorError, TransferError, first_of
from aiomirror.http.transfer import AS_IT_IS, OK, PARTIAL, UNSATISFIABLE, Transfer, strong
from aiomirror.http.values import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aiomirror.http.body import Body
    from aiomirror.http.session import Session
    from aiomirror.http.values import Section, SplitSink

SPLIT = 128 * MIB
"""Bytes of a file from which on it is split."""
SECTION = 32 * MIB
"""Bytes of a section: at 100 MB/s the round trip between two of them is a sixteenth of the time at 20 ms."""
ABREAST = 4
"""Sections of one file that are under way at once, at the most."""
FAST = 150 * 10**6
"""Bytes a second: where one connection brings so many, others beside it would only cost."""
TRIAL = 0.1
"""Seconds from a request on after which it is told how fast it is."""
UNRANGED = {OK, 400, UNSATISFIABLE, 501}
"""What servers say that give no such part."""


def listed(session: Session, url: str, sink: SplitSink, size: int, clock: Callable[[], float]) -> Transfer:
    """A file of ``size`` bytes into ``sink``, in the way that suits its size."""
    if connections(size) == 1:
        return Transfer(session, url, sink, size)
    return SplitTransfer(session, url, sink, size, clock)


def connections(size: int | None) -> int:
    """How many of them a file of so many bytes may use at once."""
    return ABREAST if size is not None and size >= SPLIT else 1


class _MisfitError(Exception):
    """An answer that is not the section that was asked for."""


class _Span(NamedTuple):
    """A section: the bytes from ``start`` to before ``end``, and where they go."""

    start: int
    end: int
    sink: Section

    @property
    def reached(self) -> int:
        """The first byte that is missing; ``end`` when none is."""
        return self.start + self.sink.received


class _Attempt(msgspec.Struct):
    """What the workers of one attempt share: who calls the others, what is to do, and what broke off."""

    group: asyncio.TaskGroup
    missing: Iterator[_Span]
    waiting: int
    broken: list[AiomirrorError] = msgspec.field(default_factory=list)


class SplitTransfer(Transfer):
    """A file at ``url`` into ``sink``, of ``size`` bytes, in sections for as long as that goes well."""

    def __init__(
        self, session: Session, url: str, sink: SplitSink, size: int, clock: Callable[[], float]
    ) -> None:
        super().__init__(session, url, sink, size)
        self._size, self._clock = size, clock
        ends = (min(start + SECTION, size) for start in range(0, size, SECTION))
        self._spans = [
            _Span(start, end, sink.section(start, end - start))
            for start, end in zip(range(0, size, SECTION), ends, strict=True)
        ]
        """All of them while the file is split; none afterwards."""

    async def attempt(self) -> None:
        """As :meth:`Transfer.attempt`; sections keep what came before a fault."""
        if self._complete:
            self._spans = []
        if self._spans and await self._in_sections():
            self._complete = True
        else:
            await super().attempt()

    async def _in_sections(self) -> bool:
        """Fetch what is missing; False when the whole has to be asked for."""
        missing = iter([span for span in self._spans if span.reached < span.end])
        try:
            async with asyncio.TaskGroup() as group:
                attempt = _Attempt(group, missing, ABREAST - 1)
                group.create_task(self._work(attempt))
        except ExceptionGroup as failures:
            if failures.subgroup(_MisfitError) is None:
                raise first_of(failures) from None
            await self._unite()
            return False
        if attempt.broken:
            raise attempt.broken[0]
        return True

    async def _work(self, attempt: _Attempt) -> None:
        """Fetch one section after another; where one breaks off, the next attempt goes on."""
        try:
            while self._spans and (span := next(attempt.missing, None)):
                await self._fetch(span, attempt)
        except AiomirrorError as error:
            if not error.transient:
                raise
            # The others go on meanwhile: they have what this one waits for, an upstream that answers.
            attempt.broken.append(error)

    async def _fetch(self, span: _Span, attempt: _Attempt) -> None:
        began, start = self._clock(), span.reached
        async with await self._session.open(self._url, {**AS_IT_IS, **self._asked(span)}) as body:
            if body.status == OK and self._etag is None:  # a server without ranges: all of it is coming
                await self._unite()
                await self._begin(body)
                return
            await self._recognise(body, span)
            while data := await body.read():
                if span.reached + len(data) > span.end:
                    raise _MisfitError
                await span.sink.write(data)
                if attempt.waiting and _slow(self._clock() - began, span.reached - start):
                    for _ in range(attempt.waiting):
                        attempt.group.create_task(self._work(attempt))
                    attempt.waiting = 0
            if span.reached < span.end:
                raise TransferError(body.shown, "cut short")

    def _asked(self, span: _Span) -> Mapping[str, str]:
        headers = {"Range": f"bytes={span.reached}-{span.end - 1}"}
        return headers if self._etag is None else {**headers, "If-Range": self._etag}

    async def _recognise(self, body: Body, span: _Span) -> None:
        """See that an answer is of the span, and of the same file as the first one."""
        if body.status in UNRANGED:
            raise _MisfitError
        if body.status != PARTIAL:
            raise await body.refusal()
        etag = strong(body.headers.get("ETag", self._etag))
        stated = body.headers.get("Content-Range", "").strip().lower()
        exact = f"bytes {span.reached}-{span.end - 1}/{self._size}"
        if etag is None or etag != (self._etag or etag) or stated != exact:
            raise _MisfitError
        self._etag = etag

    async def _unite(self) -> None:
        """Forget all sections: from now on the file is one stream."""
        self._spans, self._etag = [], None
        await self._sink.restart()


def _slow(seconds: float, count: int) -> bool:
    """Whether a request that brought so many bytes in this time is slow enough for others beside it."""
    return seconds >= TRIAL and count < FAST * seconds
