"""The upstream index: project pages in, under one name each, and only when they have changed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import AiomirrorError, StatusError, TooLargeError, UnknownProjectError
from aiomirror.http import Validators, masked
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.read_json import read_serial
from aiomirror.simple.values import ACCEPT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.http import Answer, Client
    from aiomirror.plan import Settled
    from aiomirror.simple.values import ProjectPage

ROOT_CAP = 4 * 2**20
"""Bytes of a root index that are read for the sake of a better error message; a longer one is not read."""
MAX_HINTS = 20
"""Missing projects for which names are looked for that are like theirs; each takes a while."""
GONE = {404, 410}
NOT_MODIFIED = 304


class PageRead(msgspec.Struct, frozen=True):
    """A project page, and by what it can be told from a later one."""

    page: ProjectPage
    digest: str
    """sha256 of its bytes."""
    validators: Validators
    serial: int | None
    body: bytes
    """As it came, in the form that ``content_type`` says."""
    content_type: str | None


class RootRead(msgspec.Struct, frozen=True):
    """The root index: its entity tag, its length in bytes, and the serials of its projects, if it has any.

    ``serials`` is None for an index that has not changed, and empty for one that was too long to be read.
    """

    etag: str | None
    length: int
    serials: Mapping[NormalizedName, int | None] | None


class Index:
    """A Simple Repository API index at ``url``; pages are asked for under the normalised name."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/") + "/"
        self.shown = masked(self._url)
        """The address without credentials."""
        self._kept: dict[NormalizedName, PageRead] = {}
        self._unchanged: dict[NormalizedName, str] = {}
        self._names: tuple[NormalizedName, ...] = ()
        self._asked: asyncio.Event | None = None
        self._hints = MAX_HINTS

    async def page(self, project: NormalizedName, since: Settled | None = None) -> PageRead | None:
        """The project's page; None when it is still the one that ``since`` was settled with.

        Raises:
            UnknownProjectError: upstream has no such project.
            UpstreamError: it cannot be read.
        """
        if (kept := self._kept.pop(project, None)) is not None:
            return None if since is not None and since.digest == kept.digest else kept
        if since is not None and self._unchanged.get(project) == since.digest:
            return None
        validators = Validators(since.etag, since.last_modified) if since else None
        try:
            answer = await self._client.get_page(
                f"{self._url}{project}/", accept=ACCEPT, validators=validators
            )
        except StatusError as error:
            if error.status not in GONE:
                raise
            raise UnknownProjectError(project, await self._similar(project)) from error
        if answer.status == NOT_MODIFIED:
            return None
        digest = hashlib.sha256(answer.body).hexdigest()
        if since is not None and digest == since.digest:
            return None
        page = read_page(answer.body, answer.content_type, answer.url, project)
        serial = _serial(answer, page)
        return PageRead(page, digest, answer.validators, serial, answer.body, answer.content_type)

    def keep(self, pages: Mapping[NormalizedName, PageRead]) -> None:
        """Have these at hand for the next time that each of them is asked for."""
        self._kept.update(pages)

    def note_unchanged(self, digests: Mapping[NormalizedName, str]) -> None:
        """That upstream's pages of these projects are known to have these digests still."""
        self._unchanged.update(digests)

    async def root(self, etag: str | None, cap: int) -> RootRead:
        """The root index, of ``cap`` bytes at most; ``etag`` is that of the one which is known.

        Raises:
            UpstreamError: it cannot be read.
        """
        known = Validators(etag) if etag else None
        try:
            answer = await self._client.get_page(self._url, accept=ACCEPT, cap=cap, validators=known)
        except TooLargeError:
            return RootRead(None, cap + 1, {})
        if answer.status == NOT_MODIFIED:
            return RootRead(etag, 0, None)
        serials = read_root(answer.body, answer.content_type, answer.url)
        return RootRead(answer.etag, len(answer.body), serials)

    async def _similar(self, project: NormalizedName) -> tuple[str, ...]:
        """Names that upstream has and that look like this one, where its root index is cheap to ask."""
        if self._asked is None:
            self._asked = asyncio.Event()
            try:
                self._names = await self._all_names()
            finally:
                self._asked.set()
        await self._asked.wait()
        self._hints -= 1
        if self._hints < 0:
            return ()
        from difflib import get_close_matches  # noqa: PLC0415 (for errors only)

        others = [name for name in self._names if name != project]  # a root index may list what has no page
        return tuple(get_close_matches(project, others, n=3, cutoff=0.75))

    async def _all_names(self) -> tuple[NormalizedName, ...]:
        try:
            return tuple((await self.root(None, ROOT_CAP)).serials or ())
        except AiomirrorError:
            return ()  # only a hint was asked for: the missing project is the error that is reported


def _serial(answer: Answer, page: ProjectPage) -> int | None:
    """The count of changes that came with the page, in a header or within."""
    stated = read_serial(answer.last_serial)
    return page.last_serial if stated is None else stated
