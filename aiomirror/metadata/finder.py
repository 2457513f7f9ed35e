"""The ways to the core metadata of one file, the cheapest first.

They are: what the mirror holds, upstream's ``.metadata`` sibling (PEP 658), and what is inside the file.  A
small file is fetched whole; of a wheel or a ``.zip`` only parts are, mostly one; any other source archive is
read up to its PKG-INFO and broken off.  Whether a PKG-INFO says all (PEP 643) is not judged here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomirror.distributions import TAIL, Unreadable, read_zipped
from aiomirror.errors import AiomirrorError, UnreachableError, UpstreamError
from aiomirror.fetch import METADATA_CAP, UNLISTED_CAP, metadata_url
from aiomirror.holdings import own_page
from aiomirror.http.ranges import UnrangedError
from aiomirror.metadata.contents import (
    check,
    fits,
    is_same_file,
    is_zipped,
    metadata_of_held,
    read_whole,
    sha256,
)
from aiomirror.metadata.sinks import Enough, Memory, Search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.http import Client
    from aiomirror.simple.values import Digests, ProjectFile
    from aiomirror.store import Store

SMALL = 64 << 10
"""Bytes of a file that is fetched whole: hardly more than a part, and its digest can be verified."""
HELD_CAP = 16 << 20
"""Bytes of a file of the mirror's own that is read and hashed for its metadata; a longer one is not."""


@dataclass(frozen=True, slots=True)
class Found:
    """A METADATA or PKG-INFO text, or why there is none to be had."""

    text: bytes | None
    why: str = ""
    verified: bool = False
    """Whether a digest vouches for the text.

    None does for parts of a file: once the file is mirrored, and verified as a whole, its own metadata has to
    be compared with this.
    """

    @property
    def sha256(self) -> str | None:
        """Of the text."""
        return None if self.text is None else sha256(self.text)


class Metadata:
    """Finds core metadata; remembers nothing but the mirror's own pages, so ask once for each file."""

    def __init__(self, client: Client, store: Store) -> None:
        self._client, self._store = client, store
        self._pages: dict[NormalizedName, Mapping[str, ProjectFile]] = {}

    async def core_metadata(self, project: NormalizedName, file: ProjectFile) -> Found:
        """The text for a file of the project's page.

        Raises:
            UpstreamError: it may be there another time; what never will be is a reason and no error.
            DestinationError: the mirror cannot be read.
        """
        held = await self._held(project, file)
        if held is not None:
            return Found(held, verified=True)
        passing: UpstreamError | None = None
        if file.core_metadata is not None:
            try:
                return await self._sibling(project, file, file.core_metadata)
            except UnreachableError:
                raise
            except AiomirrorError as error:
                passing = _passing(error)
        try:
            return await self._inside(project, file)
        except (Unreadable, AiomirrorError) as error:
            # Two ways are closed; if one of them may open again, nothing is known for good.
            if _passing(error) is not None:
                raise
            if passing is not None:
                raise passing from error
            return Found(None, str(error))

    # What the mirror holds

    async def _held(self, project: NormalizedName, file: ProjectFile) -> bytes | None:
        sibling = await self._store.read(project, f"{file.filename}.metadata", METADATA_CAP)
        if sibling is not None and fits(sibling, file.core_metadata):
            return sibling
        listed = (await self._listed(project)).get(file.filename)
        if listed is None or not is_same_file(listed.hashes, file.hashes):
            return None
        if sibling is not None and fits(sibling, listed.core_metadata):
            return sibling
        content = await self._store.read(project, file.filename, HELD_CAP)
        if content is None or not listed.hashes:
            return None
        return await asyncio.to_thread(metadata_of_held, content, listed)

    async def _listed(self, project: NormalizedName) -> Mapping[str, ProjectFile]:
        """The files on the mirror's own page, by name."""
        if project not in self._pages:
            page = await own_page(self._store, project)
            self._pages[project] = {file.filename: file for file in page.files} if page else {}
        return self._pages[project]

    # What upstream has

    async def _sibling(self, project: NormalizedName, file: ProjectFile, offered: Digests) -> Found:
        name, url = f"{file.filename}.metadata", metadata_url(file.url)
        text = await self._whole(project, name, url, offered, METADATA_CAP)
        return Found(text, verified=bool(offered))

    async def _inside(self, project: NormalizedName, file: ProjectFile) -> Found:
        if file.size is not None and file.size <= SMALL:
            content = await self._whole(project, file.filename, file.url, file.hashes, file.size)
            text = await asyncio.to_thread(read_whole, file.filename, content)
            return Found(text, verified=bool(file.hashes))
        if is_zipped(file.filename):
            return await self._client.retrying(lambda: self._zipped(project, file))
        return Found(await self._streamed(file))

    async def _whole(
        self, project: NormalizedName, name: str, url: str, expected: Digests, cap: int
    ) -> bytes:
        """A small file; DigestMismatchError when it is another than the expected one, twice."""
        memory = Memory()
        transfer = self._client.transfer(url, memory, cap=cap)

        async def attempt() -> bytes:
            await transfer.attempt()
            content = memory.content
            check(project, name, content, expected)
            return content

        return await self._client.retrying(attempt)

    async def _zipped(self, project: NormalizedName, file: ProjectFile) -> Found:
        """One attempt at a wheel or a ``.zip`` by parts of it."""
        parts = self._client.parts(file.url, listed=file.size)
        await parts.read_end(TAIL)
        verified = False
        if parts.whole is not None:  # short, or from a server that gives nothing else
            check(project, file.filename, parts.whole, file.hashes)
            verified = bool(file.hashes)
        reading = read_zipped(file.filename, parts.length)
        span = next(reading)
        while True:
            data = await parts.read(*span)
            try:
                span = reading.send(data)
            except StopIteration as end:
                return Found(end.value, verified=verified)

    async def _streamed(self, file: ProjectFile) -> bytes:
        """The PKG-INFO of a source archive, read as it comes until it is there."""
        cap = UNLISTED_CAP if file.size is None else file.size
        search = Search(file.filename)
        try:
            await self._client.retrying(self._client.transfer(file.url, search, cap=cap).attempt)
        except Enough as enough:
            return enough.text
        raise Unreadable("it ends before a PKG-INFO")


def _passing(error: Exception) -> UpstreamError | None:
    """The error, if it says nothing about the file but that upstream cannot be asked now."""
    if not isinstance(error, UpstreamError) or isinstance(error, UnrangedError):
        return None
    return error if error.transient or isinstance(error, UnreachableError) else None
