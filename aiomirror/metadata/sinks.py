"""Where the bytes of a file go that is fetched for its metadata only."""

from __future__ import annotations

import asyncio

from aiomirror.distributions import PKG_INFO, SourceSearch


class Memory:
    """Keeps everything; who fills it has a cap."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def content(self) -> bytes:
        """What has come so far."""
        return bytes(self._data)

    @property
    def received(self) -> int:
        """As for every sink."""
        return len(self._data)

    async def write(self, data: bytes) -> None:
        """As for every sink."""
        self._data += data

    async def restart(self) -> None:
        """As for every sink."""
        self._data.clear()


class Enough(Exception):  # noqa: N818 (it ends a transfer that has brought what it was begun for)
    """Raised by a sink that needs no more of the file; ``text`` is that."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.text = text


class Search:
    """Keeps nothing of a source archive, and raises Enough once the member that is looked for has come.

    Raises:
        Absent: the archive has ended, and did not have it.
        Unreadable: there is none to be had.
    """

    def __init__(self, filename: str, member: str = PKG_INFO) -> None:
        self._filename, self._member = filename, member
        self._search = SourceSearch(filename, member)
        self.received = 0
        """As for every sink."""

    async def write(self, data: bytes) -> None:
        """As for every sink."""
        self.received += len(data)
        # In a thread: a few bytes may unpack to very many.
        text = await asyncio.to_thread(self._search.feed, data)
        if text is not None:
            raise Enough(text)

    async def restart(self) -> None:
        """As for every sink."""
        self._search, self.received = SourceSearch(self._filename, self._member), 0
