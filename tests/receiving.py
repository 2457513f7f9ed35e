"""A mirror that receives one file, on disks of each kind."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiomirror.store import Store, stretch
from aiomirror.store.hops import Hops

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

NAME = "six-1.0.tar.gz"
DISKS = ("prompt", "behind", "crowded", "slow")
"""A prompt disk, where digests come at the end, lag behind or have no processor to, and a slow one."""
CROWD = 10_000
"""More processes than any machine has processors for."""
_SECONDS = itertools.count(0.0, 60.0)


def slow_disk() -> float:
    """A clock by which each piece of work takes far longer than a disk that is as fast as memory."""
    return next(_SECONDS)


@asynccontextmanager
async def mirror_on(
    dest: Path, disk: str, monkeypatch: pytest.MonkeyPatch, *, stride: int, leeway: int
) -> AsyncIterator[Store]:
    """A mirror on such a disk; ``stride`` and ``leeway`` are for digests that lag behind."""
    if disk == "behind":
        monkeypatch.setattr(stretch, "STRIDE", stride)
        monkeypatch.setattr(stretch, "LEEWAY", leeway)
    async with Store(dest) as store:
        clock = slow_disk if disk == "slow" else time.perf_counter
        store._hops = Hops(clock, processes=CROWD if disk == "crowded" else 0)
        await store._hops.quick(bool)
        assert store._hops.prompt is (disk != "slow")
        yield store


def leftovers(store: Store) -> list[str]:
    """The names of what has no final name."""
    return [path.name for path in (store.dest / ".aiomirror/partial").iterdir()]


def published(store: Store) -> bytes | None:
    """The file's content; None when it is not there."""
    path = store.dest / "six" / NAME
    return path.read_bytes() if path.exists() else None
