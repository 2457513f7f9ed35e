"""The floor of a client: ``python -m benchmarks.bare URLS DEST CONNECTIONS [AUTHORITY]``.

Downloads a bare list of files, as many at a time, and writes each as it comes, over aiohttp's pool and parser
without its client session.  No pages, no digests, no retries, no limits, no temporary names, nothing durable.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from aiomirror.cli.process import end, keep_memory, spare_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from aiohttp.connector import Connection
    from aiohttp.streams import StreamReader

OK = 200
LAST = ("Accept-Encoding: identity", "", "")
"""What every request ends with."""
FOREVER = aiohttp.ClientTimeout()
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Client:
    """GETs, on as many connections; made where a loop runs.  ``authority`` is the certificate to trust."""

    def __init__(self, connections: int, authority: str | None) -> None:
        trust = ssl.create_default_context(cafile=authority) if authority else True
        self._connector = aiohttp.TCPConnector(limit=connections, ssl=trust)
        self._origins: dict[str, ClientRequest] = {}

    async def get(self, url: str, accept: str = "*/*") -> tuple[Connection, StreamReader]:
        """The connection, to be released when all has been read, and the body."""
        scheme, _, host, target = url.split("/", 3)
        origin = f"{scheme}//{host}"
        request = self._origins.get(origin)
        if request is None:  # the pool looks at nothing of it but its origin
            request = self._origins[origin] = ClientRequest("GET", URL(origin))
        connection = await self._connector.connect(request, [], FOREVER)
        protocol, transport = connection.protocol, connection.transport
        assert protocol is not None
        assert transport is not None
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        head = (f"GET /{target} HTTP/1.1", f"Host: {host}", f"Accept: {accept}", *LAST)
        transport.write("\r\n".join(head).encode())
        message, content = await protocol.read()
        if message.code != OK:
            raise ValueError(f"{url}: {message.code}")
        return connection, content

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()


async def download(urls: list[str], dest: str, connections: int, authority: str | None = None) -> None:
    """Every file into the folder ``dest``."""
    client, rest = Client(connections, authority), iter(urls)
    await asyncio.gather(*(_download(client, rest, dest) for _ in range(connections)))
    await client.close()


async def _download(client: Client, urls: Iterator[str], dest: str) -> None:
    for url in urls:
        connection, content = await client.get(url)
        file = os.open(f"{dest}/{url.rstrip('/').rpartition('/')[2]}", NEW, 0o666)
        while data := (await content.readchunk())[0]:
            os.write(file, data)
        os.close(file)
        connection.release()


def run(program: Coroutine[Any, Any, None]) -> None:
    """Run it on the fastest loop that is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory  # noqa: PLC0415
    spare_collector()
    keep_memory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(program)


if __name__ == "__main__":
    listed, folder, at_once, *trusted = sys.argv[1:]
    Path(folder).mkdir(parents=True)
    run(download(Path(listed).read_text().split(), folder, int(at_once), *trusted))
    end(0)
