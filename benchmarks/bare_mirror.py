"""The floor of a mirror: ``python -m benchmarks.bare_mirror WANTED INDEX DEST CONNECTIONS [AUTHORITY]``.

The least that one process over aiohttp has to do to keep a mirror's promises: it asks for the page of every
project, receives every file under a name aside, hashes it on the way, compares that with the page, gives the
file its name, and in the end has all of it on the disk.  No retries, no limits, no records, no index, no core
metadata.  Nothing is selected: a line of ``WANTED`` is a project's name, and the names of the files that are
wanted of it unless that is all of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sys
from pathlib import Path
from urllib.parse import urljoin

from msgspec import Struct
from msgspec.json import Decoder

from benchmarks.bare import NEW, Client, run

ACCEPT = "application/vnd.pypi.simple.v1+json"
PARTIAL = ".partial"
BATCH = 512 * 1024
"""Bytes that are written at once."""


class File(Struct, gc=False):
    """What the page of its project says of a file."""

    filename: str
    url: str
    hashes: dict[str, str]


class Page(Struct):
    """A project's page; of the rest nothing is looked at."""

    files: list[File]


class Mirror:
    """What is ``wanted`` of each project, file names or everything, in a folder for each below ``dest``."""

    def __init__(self, client: Client, index: str, dest: str, wanted: dict[str, set[str]]) -> None:
        self._client, self._index, self._dest, self._wanted = client, index, dest, wanted
        self._page = Decoder(Page)
        self._numbers = itertools.count()
        # The last in is the first out: files, so that pages and files are in flight together.
        self._jobs: asyncio.LifoQueue[tuple[str, File | None]] = asyncio.LifoQueue()

    async def sync(self, connections: int) -> None:
        """Fetch all of it; ValueError when a file is not what its page says."""
        for project in self._wanted:
            self._jobs.put_nowait((project, None))
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(connections)]
            await self._jobs.join()
            for worker in workers:
                worker.cancel()
        # Cheaper than to wait for each file; until then a power cut may leave names without their content.
        os.sync()

    async def _work(self) -> None:
        while True:
            project, file = await self._jobs.get()
            if file is None:
                await self._list(project)
            else:
                await self._fetch(project, file)
            self._jobs.task_done()

    async def _list(self, project: str) -> None:
        url = f"{self._index}{project}/"
        connection, content = await self._client.get(url, ACCEPT)
        page = self._page.decode(await content.read())
        connection.release()
        os.mkdir(f"{self._dest}/{project}")  # noqa: PTH102 (a Path costs more than the system call)
        wanted = self._wanted[project]
        for file in page.files:
            if not wanted or file.filename in wanted:
                file.url = urljoin(url, file.url)
                self._jobs.put_nowait((project, file))

    async def _fetch(self, project: str, file: File) -> None:
        connection, content = await self._client.get(file.url)
        temporary = f"{self._dest}/{PARTIAL}/{next(self._numbers)}"
        target, digest = os.open(temporary, NEW, 0o666), hashlib.sha256()
        batch: list[bytes] = []
        held = 0
        while data := await content.readany():
            digest.update(data)
            batch.append(data)
            held += len(data)
            if held >= BATCH:
                os.writev(target, batch)
                batch, held = [], 0
        connection.release()
        os.writev(target, batch)
        os.close(target)
        if digest.hexdigest() != file.hashes["sha256"]:
            raise ValueError(f"{file.filename}: not what its page says")
        os.rename(temporary, f"{self._dest}/{project}/{file.filename}")  # noqa: PTH104 (as above)


async def mirror(
    wanted: dict[str, set[str]], index: str, dest: str, connections: int, authority: str | None = None
) -> None:
    """All that is wanted, from the index whose address ends with a slash."""
    client = Client(connections, authority)
    await Mirror(client, index, dest, wanted).sync(connections)
    await client.close()


if __name__ == "__main__":
    listed, address, folder, at_once, *trusted = sys.argv[1:]
    lines = [line.split() for line in Path(listed).read_text().splitlines()]
    named = {project: set(filenames) for project, *filenames in lines}
    Path(folder, PARTIAL).mkdir(parents=True)
    run(mirror(named, address, folder, int(at_once), *trusted))
