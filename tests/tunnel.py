"""A proxy that speaks CONNECT, in the loop of the test, and leads every name to one port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from yarl import URL

if TYPE_CHECKING:
    import ssl

    from upstream import Upstream


class Tunnel:
    """To ``upstream``, whatever the name; a context manager.  ``credentials``: the header that it wants."""

    def __init__(
        self, upstream: Upstream, *, credentials: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._to, self._credentials, self._tls = URL(upstream.base).port, credentials, tls
        self.heads: list[str] = []
        """What was asked of the proxy itself."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, userinfo: str = "") -> str:
        """As --proxy is told it."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{userinfo}127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if self._credentials is not None and f"Proxy-Authorization: {self._credentials}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            away_reader, away_writer = await asyncio.open_connection("127.0.0.1", self._to)
            with contextlib.closing(away_writer):
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await asyncio.gather(_pumped(reader, away_writer), _pumped(away_reader, writer))


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
