"""The floor of a mirror: ``python -m benchmarks.bare_mirror WANTED INDEX DEST CONNECTIONS [AUTHORITY]``.

The least that processes over aiohttp have to do to leave a mirror that keeps its promises: they ask for the
page of every project, receive every file under a name aside, hash it on the way (a very large one in a second
thread), compare that with the page, and give the file its name.  Beside a wheel they put its core metadata,
and for each project the two forms of its page, which get their names when all that they list is on the disk;
the root index comes last.
No retries, no limits, no records, no report.  Nothing is selected: a line of ``WANTED`` is a project's name,
and the names of the files that are wanted of it unless that is all of them.  Nor does one process know of
another: the lines up to an empty one are a process's share, and of the connections it has its part.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from msgspec import Struct, json

from aiomirror.cli.process import end
from aiomirror.distributions import wheel_metadata
from benchmarks.bare import NEW, Client, run

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCEPT = "application/vnd.pypi.simple.v1+json"
PARTIAL = ".partial"
BATCH = 512 * 1024
"""Bytes that are written and hashed at once."""
ALONE = 2**27
"""Bytes of a file from which on it may be alone at the end, and another processor free to hash it."""
WHEEL = ".whl"


class File(Struct, rename="kebab", omit_defaults=True, gc=False):
    """What the page of its project says of a file, and what ours says of it."""

    filename: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    requires_python: str | None = None
    yanked: bool | str = False
    upload_time: str | None = None
    core_metadata: bool | dict[str, str] = False


class Meta(Struct, rename="kebab", frozen=True):
    """Which version of the API a page is of."""

    api_version: str = "1.1"


class Page(Struct):
    """A project's page; of the rest nothing is looked at."""

    files: list[File]
    name: str = ""
    meta: Meta = Meta()


class Root(Struct):
    """The root index."""

    projects: list[dict[str, str]]
    meta: Meta = Meta()


class Plan(Struct, frozen=True):
    """What is wanted by each process, from where, to where, over how many connections in all."""

    shares: list[dict[str, set[str]]]
    index: str
    dest: str
    connections: int
    authority: tuple[str, ...]


class Tree:
    """The folder of the mirror, and one in it for what has no name yet."""

    def __init__(self, dest: str, number: int) -> None:
        self.dest, self._partial = dest, f"{dest}/{PARTIAL}/{number}"
        os.makedirs(self._partial)  # noqa: PTH103 (a Path costs more than the system call)
        self._numbers, self._encoder = itertools.count(), json.Encoder()
        self._named: list[tuple[str, str]] = []

    def write_page(
        self, folder: str, name: str, links: Iterable[tuple[str, str]], listed: Page | Root
    ) -> None:
        """Both forms of a page, without their names."""
        html = "".join(f'<a href="{href}">{text}</a><br>\n' for href, text in links)
        for page, content in (
            ("index.html", f"<!DOCTYPE html><title>{name}</title><h1>{name}</h1>\n{html}".encode()),
            ("index.v1_json", self._encoder.encode(listed)),
        ):
            self._named.append((self.written(content), f"{self.dest}/{folder}/{page}"))

    def name_pages(self) -> None:
        """Give the pages their names."""
        for temporary, path in self._named:
            os.rename(temporary, path)  # noqa: PTH104 (as above)
        self._named.clear()

    def written(self, content: bytes) -> str:
        """The name aside of a file with this content."""
        temporary = self.aside()
        target = os.open(temporary, NEW, 0o666)
        os.write(target, content)
        os.close(target)
        return temporary

    def aside(self) -> str:
        """A name that nothing has."""
        return f"{self._partial}/{next(self._numbers)}"


class Mirror:
    """What is ``wanted`` of each project, file names or everything, in a folder for each of the tree."""

    def __init__(self, client: Client, index: str, tree: Tree, wanted: dict[str, set[str]]) -> None:
        self._client, self._index, self._tree, self._wanted = client, index, tree, wanted
        self._dest, self._page = tree.dest, json.Decoder(Page)
        self._loop, self._second = asyncio.get_running_loop(), ThreadPoolExecutor(1)
        self._files: dict[str, list[File]] = {}
        self._pending: dict[str, int] = {}
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
        self._tree.name_pages()

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
        files = [file for file in page.files if not wanted or file.filename in wanted]
        self._files[project], self._pending[project] = files, len(files)
        for file in files:
            file.url = urljoin(url, file.url)
            self._jobs.put_nowait((project, file))

    async def _fetch(self, project: str, file: File) -> None:
        connection, content = await self._client.get(file.url)
        temporary = self._tree.aside()
        target, digest = os.open(temporary, NEW, 0o666), hashlib.sha256()
        batch: list[bytes] = []
        held = 0
        hashing: asyncio.Future[None] | None = None
        while data := (await content.readchunk())[0]:
            batch.append(data)
            held += len(data)
            if held >= BATCH:
                os.writev(target, batch)
                if hashing is not None:  # no more than two batches of a file are in memory
                    await hashing
                if (file.size or 0) < ALONE:
                    _hash(digest, batch)
                else:
                    hashing = self._loop.run_in_executor(self._second, _hash, digest, batch)
                batch, held = [], 0
        connection.release()
        os.writev(target, batch)
        if hashing is not None:
            await hashing
        _hash(digest, batch)
        whole = os.fstat(target).st_size == held
        os.close(target)
        if digest.hexdigest() != file.hashes["sha256"]:
            raise ValueError(f"{file.filename}: not what its page says")
        os.rename(temporary, f"{self._dest}/{project}/{file.filename}")  # noqa: PTH104 (as above)
        if file.filename.endswith(WHEEL):
            self._add_metadata(project, file, b"".join(batch) if whole else None)
        self._pending[project] -= 1
        if not self._pending[project]:
            self._list_files(project)

    def _add_metadata(self, project: str, file: File, content: bytes | None) -> None:
        path = f"{self._dest}/{project}/{file.filename}"
        with open(path, "rb") if content is None else io.BytesIO(content) as wheel:  # noqa: PTH123 (as above)
            metadata = wheel_metadata(wheel, file.filename)
        assert metadata is not None
        file.core_metadata = {"sha256": hashlib.sha256(metadata).hexdigest()}
        os.rename(self._tree.written(metadata), f"{path}.metadata")  # noqa: PTH104 (as above)

    def _list_files(self, project: str) -> None:
        files = self._files.pop(project)
        for file in files:
            file.url = file.filename
        links = [(_anchor(file), file.filename) for file in files]
        self._tree.write_page(project, project, links, Page(files, project))


def _hash(digest: hashlib._Hash, batch: list[bytes]) -> None:
    for data in batch:
        digest.update(data)


def _anchor(file: File) -> str:
    href = f"{file.filename}#sha256={file.hashes['sha256']}"
    if file.requires_python:
        href += f'" data-requires-python="{file.requires_python.replace("<", "&lt;").replace(">", "&gt;")}'
    if isinstance(file.core_metadata, dict):
        href += f'" data-core-metadata="sha256={file.core_metadata["sha256"]}'
    return href


async def mirror(
    wanted: dict[str, set[str]], index: str, tree: Tree, connections: int, authority: str | None = None
) -> None:
    """All that is wanted, from the index whose address ends with a slash."""
    client = Client(connections, authority)
    await Mirror(client, index, tree, wanted).sync(connections)
    await client.close()


def share(plan: Plan, number: int) -> Tree:
    """Do what is this process's to do."""
    tree = Tree(plan.dest, number)
    run(mirror(plan.shares[number], plan.index, tree, plan.connections // len(plan.shares), *plan.authority))
    return tree


def forked(plan: Plan, number: int) -> int:
    """Another process that does its share, and ends with 0 when that is done."""
    if (process := os.fork()) == 0:
        try:
            share(plan, number)
            os._exit(0)
        finally:
            os._exit(1)
    return process


def main(listed: str, index: str, dest: str, connections: str, *authority: str) -> None:
    """All shares, and the root index of them; SystemExit when one was not done."""
    shares = [_share(lines) for lines in Path(listed).read_text().strip().split("\n\n")]
    plan = Plan(shares, index, dest, int(connections), authority)
    others = [forked(plan, number) for number in range(1, len(shares))]
    tree = share(plan, 0)
    if any(os.waitpid(process, 0)[1] for process in others):
        sys.exit("another process has failed")
    projects = [project for wanted in shares for project in wanted]
    links = [(f"{project}/", project) for project in projects]
    tree.write_page(".", "Simple index", links, Root([{"name": project} for project in projects]))
    tree.name_pages()
    os.sync()


def _share(lines: str) -> dict[str, set[str]]:
    named = map(str.split, lines.splitlines())
    return {project: set(filenames) for project, *filenames in named}


if __name__ == "__main__":
    main(*sys.argv[1:])
    end(0)
