"""When pages are published: in batches, the last of which is small."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror import publish
from aiomirror.progress import Silent
from aiomirror.publish import Press, Publication, Publisher
from aiomirror.report import Report
from aiomirror.simple.values import ProjectStatus
from aiomirror.state import State
from aiomirror.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


class _Batches(Publisher):
    """Publishes, and remembers what came at once."""

    def __init__(self, store: Store, state: State) -> None:
        super().__init__(store, state)
        self.came: asyncio.Queue[list[str]] = asyncio.Queue()

    async def publish(self, batch: Sequence[Publication]) -> int:
        written = await super().publish(batch)
        self.came.put_nowait([one.project for one in batch])
        return written


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[_Batches]:
    async with Store(tmp_path / "mirror") as store:
        with State.open(store.state_path) as state:
            yield _Batches(store, state)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch begins because of the time."""
    monkeypatch.setattr(publish, "BATCH_SECONDS", 3600.0)
    monkeypatch.setattr(publish, "LEAST", 2)


def _ready(name: str) -> Publication:
    return Publication(canonicalize_name(name), ProjectStatus(), {}, {}, published=True)


async def test_half_is_published_while_the_other_half_is_fetched(publisher: _Batches, tmp_path: Path) -> None:
    coming = 3
    press = Press(publisher, Report(), Silent(), lambda: coming)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(press.run())
        for name in ("a", "b", "c"):
            press.put(_ready(name))
        assert await publisher.came.get() == ["a", "b", "c"]
        assert (tmp_path / "mirror/c/index.html").exists()
        coming = 1
        press.put(_ready("d"))
        press.put(_ready("e"))
        assert await publisher.came.get() == ["d", "e"]
        coming = 0
        press.put(_ready("f"))
        press.close()
        assert await publisher.came.get() == ["f"]


async def test_fewer_than_are_still_to_come_wait(publisher: _Batches) -> None:
    asked = asyncio.Event()

    def coming() -> int:
        asked.set()
        return 3

    press = Press(publisher, Report(), Silent(), coming)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(press.run())
        for name in ("a", "b"):
            press.put(_ready(name))
            await asked.wait()
            asked.clear()
        press.put(_ready("c"))
        assert await publisher.came.get() == ["a", "b", "c"]
        press.close()


async def test_what_became_ready_meanwhile_goes_in_one_batch(publisher: _Batches) -> None:
    press = Press(publisher, Report(), Silent(), lambda: 0)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for name in ("a", "b", "c", "d", "e"):
            press.put(_ready(name))
        group.create_task(press.run())
        assert await publisher.came.get() == ["a", "b", "c", "d", "e"]
        press.close()


async def test_a_batch_is_bounded(publisher: _Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MOST", 2)
    press = Press(publisher, Report(), Silent(), lambda: 9)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for name in ("a", "b", "c", "d", "e"):
            press.put(_ready(name))
        press.close()
        group.create_task(press.run())
        assert [await publisher.came.get() for _ in range(3)] == [["a", "b"], ["c", "d"], ["e"]]
