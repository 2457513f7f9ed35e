"""The floor of the language and its HTTP library: ``python bare.py URLS DEST CONNECTIONS [AUTHORITY]``.

Downloads a bare list of files with aiohttp, as many at a time, and writes each with one call.  No pages, no
digests, no retries, no limits, no temporary names, nothing durable: what a client in Python cannot go below.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable


async def main(urls: list[str], dest: Path, connections: int, authority: str | None = None) -> None:
    rest = iter(urls)
    trust = ssl.create_default_context(cafile=authority) if authority else True
    connector = aiohttp.TCPConnector(limit=connections, ssl=trust)
    timeout = aiohttp.ClientTimeout(total=None)

    async def work(session: aiohttp.ClientSession) -> None:
        for url in rest:
            async with session.get(url, headers={"Accept-Encoding": "identity"}) as response:
                response.raise_for_status()
                with (dest / urlsplit(url).path.rpartition("/")[2]).open("wb", buffering=0) as file:
                    while data := await response.content.readany():
                        file.write(data)

    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        await asyncio.gather(*(work(session) for _ in range(connections)))


if __name__ == "__main__":
    dest = Path(sys.argv[2])
    dest.mkdir(parents=True)
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(Path(sys.argv[1]).read_text().split(), dest, int(sys.argv[3]), *sys.argv[4:]))
