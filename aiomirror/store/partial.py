"""A file that is being received, as the tasks see it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError
from aiomirror.store import siblings
from aiomirror.store.stretch import Stretch, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from aiomirror.plan import FileRecord
    from aiomirror.simple.values import Digests
    from aiomirror.store.draft import Draft, Parts
    from aiomirror.store.hops import Hops, T

QUICK = 2**20
"""Bytes that are hashed on the loop: for no more the way to a thread, which is busy already, does not pay."""


class Partial(Stretch):
    """The bytes of one file, in memory up to the size of a batch, beyond it in a nameless file.

    They come in order, or else as sections that are received at once.  As an async context manager it
    discards itself unless it was committed.
    """

    def __init__(self, hops: Hops, draft: Draft) -> None:
        super().__init__(Writer(hops, draft), 0)
        self._hops, self._draft = hops, draft
        self._sections: list[Stretch] = []

    def section(self, start: int, count: int) -> Stretch:
        """Where ``count`` bytes of it go that begin at ``start``, until the next restart.

        Sections do not overlap, and nothing is written to the whole beside them.
        """
        section = Stretch(self._writer, start, count)
        self._sections.append(section)
        return section

    async def restart(self) -> None:
        """Forget every byte; the next attempt begins at the first."""
        with suppress(DestinationError):
            await self._writer.settled()
        self._forget()
        if not self._draft.pristine:
            await self._hops.run(self._draft.reset)

    async def commit(self) -> FileRecord:
        """Check size and digests and give the file its name, in one hop.

        SizeMismatchError or DigestMismatchError: it is empty again and may be written anew.
        """
        return await self._finish(self._draft.commit)

    async def commit_with_metadata(self, expected: Digests) -> tuple[FileRecord, FileRecord | None]:
        """As :meth:`commit`, and in the same hop the core metadata of a wheel is put beside it.

        ``expected`` are digests of it; the second record is None when the wheel has none, or not that one.
        """
        return await self._finish(lambda rest: siblings.commit_with_metadata(self._draft, rest, expected))

    async def _finish(self, commit: Callable[[Parts], T]) -> T:
        await self._writer.settled()
        for section in self._sections:  # of one that was cancelled, the end may be here still
            self._writer.queue(section)
        work = self._buffered + self._writer.unhashed
        _, rest = self.release()
        self._forget()
        hop = self._hops.busy if work > QUICK and self._hops.prompt else self._hops.quick
        return await hop(commit, rest)

    async def discard(self) -> None:
        """Remove what is on disk of it; nothing after a commit, and it may be called again."""
        if self.received or not self._draft.pristine:
            await self.restart()

    def _forget(self) -> None:
        self.release()
        self._sections.clear()
        self._writer.forget()
        self.received = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.discard()
