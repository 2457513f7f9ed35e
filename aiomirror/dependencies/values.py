"""What comes of following dependencies, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.desired import Desired
    from aiomirror.index import Index, PageRead
    from aiomirror.lookout import Lookout
    from aiomirror.metadata import Metadata
    from aiomirror.resolution.engine import Resolution


class Followed(msgspec.Struct, frozen=True):
    """What is wanted so far, and what it was found with; neither pages nor a resolution, if it was known."""

    desired: Desired
    pages: Mapping[NormalizedName, PageRead] = msgspec.field(default_factory=dict)
    resolution: Resolution | None = None


class Upstream(msgspec.Struct, frozen=True):
    """All that upstream is asked."""

    index: Index
    lookout: Lookout
    metadata: Metadata
