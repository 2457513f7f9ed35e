"""The ways to what one file says of itself, the cheapest first.

To core metadata they are: what the mirror holds, upstream's ``.metadata`` sibling (PEP 658), and what is
inside the file.  A small file is fetched whole; of a wheel or a ``.zip`` only parts are, mostly one; any
other source archive is read up to its PKG-INFO and broken off.  Whether a PKG-INFO says all (PEP 643) is not
judged here.

To the ``pyproject.toml`` of a source archive they are the same, but for the sibling.  That a tar archive has
none is known only at its end; it is read that far, under the caps of the reader and of the size that upstream
lists, and kept nowhere: most archives have one, and it comes early.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from aiomirror.distributions import PKG_INFO, PYPROJECT, TAIL, Absent, Unreadable, read_zipped
from aiomirror.errors import AiomirrorError, FileError, UnreachableError, UpstreamError
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


class Found(msgspec.Struct, frozen=True):
    """A METADATA, PKG-INFO or ``pyproject.toml``, or why there is none to be had.

    Without a text and without a reason: the file is fine, and does not have it.
    """

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

    async def pyproject(self, project: NormalizedName, file: ProjectFile) -> Found:
        """How a source archive of the project's page is built.

        Raises:
            UpstreamError: it may be there another time; what never will be is a reason and no error.
            DestinationError: the mirror cannot be read.
        """
        try:
            held = await self._held_pyproject(project, file)
            return await self._inside(project, file, PYPROJECT) if held is None else Found(held)
        except Absent:
            return Found(None)
        except (Unreadable, UpstreamError, FileError) as error:
            if _passing(error) is not None:
                raise
            return Found(None, str(error))

    # What the mirror holds

    async def _held(self, project: NormalizedName, file: ProjectFile) -> bytes | None:
        sibling = await self._store.read(project, f"{file.filename}.metadata", METADATA_CAP)
        if sibling is not None and fits(sibling, file.core_metadata):
            return sibling
        listed = await self._listed_as(project, file)
        if listed is None:
            return None
        if sibling is not None and fits(sibling, listed.core_metadata):
            return sibling
        content = await self._store.read(project, file.filename, HELD_CAP)
        return None if content is None else await asyncio.to_thread(metadata_of_held, content, listed)

    async def _held_pyproject(self, project: NormalizedName, file: ProjectFile) -> bytes | None:
        """Of an archive that is here, large as it may be: to read it costs less than to have it anew."""
        listed = await self._listed_as(project, file)
        if listed is None or listed.size is None:
            return None
        return await self._store.source_member(project, file.filename, PYPROJECT, listed.size)

    async def _listed_as(self, project: NormalizedName, file: ProjectFile) -> ProjectFile | None:
        """The file as the mirror's own page has it, if it is the same one."""
        listed = (await self._listed(project)).get(file.filename)
        return listed if listed is not None and is_same_file(listed.hashes, file.hashes) else None

    async def _listed(self, project: NormalizedName) -> Mapping[str, ProjectFile]:
        """The files on the mirror's own page, by name."""
        if project not in self._pages:
            page = await own_page(self._store, project)
            self._pages[project] = page.named if page else {}
        return self._pages[project]

    # What upstream has

    async def _sibling(self, project: NormalizedName, file: ProjectFile, offered: Digests) -> Found:
        name, url = f"{file.filename}.metadata", metadata_url(file.url)
        text = await self._whole(project, name, url, offered, METADATA_CAP)
        return Found(text, verified=bool(offered))

    async def _inside(self, project: NormalizedName, file: ProjectFile, member: str = PKG_INFO) -> Found:
        if file.size is not None and file.size <= SMALL:
            content = await self._whole(project, file.filename, file.url, file.hashes, file.size)
            text = await asyncio.to_thread(read_whole, file.filename, content, member)
            return Found(text, verified=bool(file.hashes))
        if is_zipped(file.filename):
            return await self._client.retrying(lambda: self._zipped(project, file, member))
        return Found(await self._streamed(file, member))

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

    async def _zipped(self, project: NormalizedName, file: ProjectFile, member: str) -> Found:
        """One attempt at a wheel or a ``.zip`` by parts of it."""
        parts = self._client.parts(file.url, listed=file.size)
        await parts.read_end(TAIL)
        verified = False
        if parts.whole is not None:  # short, or from a server that gives nothing else
            check(project, file.filename, parts.whole, file.hashes)
            verified = bool(file.hashes)
        reading = read_zipped(file.filename, parts.length, member)
        span = next(reading)
        while True:
            data = await parts.read(*span)
            try:
                span = reading.send(data)
            except StopIteration as end:
                return Found(end.value, verified=verified)

    async def _streamed(self, file: ProjectFile, member: str) -> bytes:
        """One member of a source archive, read as it comes until it is there."""
        cap = UNLISTED_CAP if file.size is None else file.size
        search = Search(file.filename, member)
        try:
            await self._client.retrying(self._client.transfer(file.url, search, cap=cap).attempt)
        except Enough as enough:
            return enough.text
        raise Unreadable(f"it ends before a {member}")


def _passing(error: Exception) -> UpstreamError | None:
    """The error, if it says nothing about the file but that upstream cannot be asked now."""
    if not isinstance(error, UpstreamError) or isinstance(error, UnrangedError):
        return None
    return error if error.transient or isinstance(error, UnreachableError) else None
