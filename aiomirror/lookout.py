"""What the root index says of all projects at once, where asking it costs less than asking each page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.errors import UpstreamError
from aiomirror.state import Root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.index import Index
    from aiomirror.state import State

FEW = 16
"""With fewer serials than this the root index is not worth a request."""
PAGE_COST = 1000
"""Bytes of root index that asking for one page less is worth: about what a conditional request costs."""


class Lookout:
    """The serials of an upstream's root index, asked for once at the most."""

    def __init__(self, index: Index, state: State) -> None:
        self._index, self._state = index, state
        self.root: str | None = None
        """Entity tag of the root index that was read, or that has not changed."""
        self._serials: Mapping[NormalizedName, int | None] = {}
        self._asked = False

    async def look(self, projects: int) -> None:
        """Ask the root index where that is worth it for so many projects."""
        if self._asked or min(projects, self._state.serials()) < FEW:
            return
        seen = self._state.root(self._index.shown)
        if seen is not None and seen.length > projects * PAGE_COST:
            return
        self._asked = True
        try:
            read = await self._index.root(seen.etag if seen else None, projects * PAGE_COST)
        except UpstreamError:
            return  # then each page is asked for, and says itself what is wrong with upstream
        self.root = read.etag
        if read.serials is not None:
            self._serials = read.serials
            self._state.save_root(self._index.shown, Root(read.etag, read.length))

    def is_current(self, project: NormalizedName, serial: int | None, root: str | None) -> bool:
        """Whether a page is still the one with this serial, which the root index tagged ``root`` had."""
        if serial is None:
            return False
        if self._serials:
            return self._serials.get(project) == serial
        return self.root is not None and self.root == root

    def tag_of(self, project: NormalizedName, serial: int | None) -> str | None:
        """The entity tag of the root index, unless it has another serial of the project."""
        if serial is None or (self._serials and self._serials.get(project) != serial):
            return None
        return self.root

    @property
    def new_root(self) -> str | None:
        """The entity tag of a root index that was read now, and whose serials are known by it."""
        return self.root if self._serials else None

    def confirm(self, projects: Sequence[NormalizedName]) -> None:
        """Note that what is known of these projects holds for the root index that was read."""
        if self.new_root is not None:
            self._state.confirm(projects, self.new_root)
