"""The upstream index: project pages in, under one name each."""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING

from aiomirror.errors import AiomirrorError, StatusError, UnknownProjectError
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.values import ACCEPT

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.http import Client
    from aiomirror.simple.values import ProjectPage

ROOT_CAP = 4 * 2**20
"""Bytes of a root index that are read for the sake of a better error message; a longer one is not read."""
GONE = {404, 410}


class Index:
    """A Simple Repository API index at ``url``; pages are asked for under the normalised name."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/") + "/"
        self._names: tuple[NormalizedName, ...] = ()
        self._asked: asyncio.Event | None = None

    async def page(self, project: NormalizedName) -> ProjectPage:
        """The project's page.

        Raises:
            UnknownProjectError: upstream has no such project.
            UpstreamError: it cannot be read.
        """
        try:
            answer = await self._client.get_page(f"{self._url}{project}/", accept=ACCEPT)
        except StatusError as error:
            if error.status not in GONE:
                raise
            raise UnknownProjectError(project, await self._similar(project)) from error
        return read_page(answer.body, answer.content_type, answer.url, project)

    async def _similar(self, project: NormalizedName) -> tuple[str, ...]:
        """Names that upstream has and that look like this one, where its root index is cheap to ask."""
        if self._asked is None:
            self._asked = asyncio.Event()
            try:
                self._names = await self._all_names()
            finally:
                self._asked.set()
        await self._asked.wait()
        return tuple(difflib.get_close_matches(project, self._names, n=3, cutoff=0.75))

    async def _all_names(self) -> tuple[NormalizedName, ...]:
        try:
            answer = await self._client.get_page(self._url, accept=ACCEPT, cap=ROOT_CAP)
            return read_root(answer.body, answer.content_type, answer.url)
        except AiomirrorError:
            return ()  # only a hint was asked for: the missing project is the error that is reported
