"""Files that come in several sections at once: verified as a whole, whatever came first."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import DestinationError, DigestMismatchError, SizeMismatchError, first_of
from aiomirror.store import Store, stretch
from aiomirror.store.stretch import BATCH
from receiving import DISKS, NAME, leftovers, mirror_on, published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiomirror.plan import FileRecord
    from aiomirror.store import Partial

SECTION = 3 * BATCH // 2
CONTENT = bytes(range(251)) * (5 * SECTION // 251 + 1) + b"the end"
SPANS = [(start, min(SECTION, len(CONTENT) - start)) for start in range(0, len(CONTENT), SECTION)]
PIECE = 50_000


@pytest.fixture(params=DISKS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """A mirror on a disk of each kind."""
    async with mirror_on(tmp_path, request.param, monkeypatch, stride=PIECE, leeway=SECTION) as store:
        yield store


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def asked(store: Store, expected: bytes = CONTENT) -> Partial:
    return store.partial("six", NAME, hashes={"sha256": digest(expected)}, size=len(expected))


async def fill(sink: stretch.Stretch, content: bytes) -> None:
    """The rest of a section."""
    for start in range(sink.received, len(content), PIECE):
        await sink.write(content[start : start + PIECE])


def sections(partial: Partial, content: bytes = CONTENT) -> list[tuple[stretch.Stretch, bytes]]:
    return [(partial.section(start, count), content[start : start + count]) for start, count in SPANS]


async def receive(partial: Partial, content: bytes = CONTENT) -> FileRecord:
    async with asyncio.TaskGroup() as group:
        for sink, part in sections(partial, content):
            group.create_task(fill(sink, part))
    return await partial.commit()


async def test_sections_that_come_at_once(store: Store) -> None:
    record = await receive(asked(store))
    assert published(store) == CONTENT
    assert record == await store.digest("six", NAME)
    assert leftovers(store) == []


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [1, 0, 3, 2, 5, 4], [0, 5, 1, 2, 3, 4]])
async def test_sections_that_come_out_of_order(store: Store, order: list[int]) -> None:
    partial = asked(store)
    opened = sections(partial)
    for number in order:
        await fill(*opened[number])
    await partial.commit()
    assert published(store) == CONTENT


@pytest.mark.parametrize("store", ["behind", "slow"], indirect=True)
async def test_what_has_no_gap_before_it_is_hashed_meanwhile(store: Store) -> None:
    partial = asked(store)
    first, *others, last = sections(partial)
    for opened in others:
        await fill(*opened)
    await partial._writer.settled()
    assert partial._draft._hashed == 0
    await fill(*first)
    await fill(*last)
    await partial._writer.settled()
    assert partial._draft._hashed >= SPANS[-1][0]
    await partial.commit()
    assert published(store) == CONTENT


async def test_little_is_held_in_memory(store: Store) -> None:
    partial = asked(store)
    for sink, part in sections(partial):
        for start in range(0, len(part), PIECE):
            await sink.write(part[start : start + PIECE])
            assert sink._buffered <= BATCH + PIECE
    assert all(sink._buffered == 0 for sink in partial._sections)
    await partial.commit()


async def test_g1_a_wrong_digest_is_not_published_and_can_be_received_anew(store: Store) -> None:
    partial = asked(store)
    with pytest.raises(DigestMismatchError):
        await receive(partial, CONTENT[:SECTION] + b"x" + CONTENT[SECTION + 1 :])
    assert published(store) is None
    assert leftovers(store) == []
    for start in range(0, len(CONTENT), PIECE):
        await partial.write(CONTENT[start : start + PIECE])
    await partial.commit()
    assert published(store) == CONTENT


@pytest.mark.parametrize("missing", [0, 2, 5])
async def test_g1_a_file_with_a_gap_is_not_published(store: Store, missing: int) -> None:
    partial = asked(store)
    opened = sections(partial)
    del opened[missing]
    for sink, part in opened:
        await fill(sink, part)
    with pytest.raises(SizeMismatchError):
        await partial.commit()
    assert published(store) is None
    assert leftovers(store) == []


async def test_restart_forgets_the_sections(store: Store) -> None:
    partial = asked(store)
    for sink, part in sections(partial)[1:]:
        await fill(sink, bytes(len(part)))
    await partial.restart()
    assert leftovers(store) == []
    await receive(partial)
    assert published(store) == CONTENT


async def test_a_broken_section_is_continued(store: Store) -> None:
    partial = asked(store)
    opened = sections(partial)
    for sink, part in reversed(opened):
        await fill(sink, part[: len(part) // 3])
    for sink, part in opened:
        await fill(sink, part)
    await partial.commit()
    assert published(store) == CONTENT


@pytest.mark.parametrize("limit", [1, SECTION, 3 * SECTION + 5, len(CONTENT) - 1])
async def test_g8_a_refusal_of_the_disk_leaves_nothing(store: Store, limit: int) -> None:
    partial = asked(store)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises((DestinationError, ExceptionGroup)) as caught:
            await receive(partial)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    error = caught.value
    assert str(first_of(error) if isinstance(error, ExceptionGroup) else error).endswith("file too large")
    await partial.discard()
    assert leftovers(store) == []
    assert published(store) is None


async def test_a_file_that_is_made_shorter_meanwhile_is_not_published(store: Store) -> None:
    partial = asked(store)
    first, *others = sections(partial)
    for opened in others:
        await fill(*opened)
    await partial._writer.settled()
    (name,) = leftovers(store)
    os.truncate(store.dest / ".aiomirror/partial" / name, 1)
    with pytest.raises(DestinationError, match="became shorter while it was written"):
        await _committed(partial, first)
    await partial.discard()
    assert leftovers(store) == []


async def _committed(partial: Partial, last: tuple[stretch.Stretch, bytes]) -> None:
    await fill(*last)
    await partial.commit()


async def test_it_is_whole_or_absent_wherever_it_is_cancelled(tmp_path: Path) -> None:
    seen, steps, done = set(), 0, False
    while not done:
        async with Store(tmp_path / str(steps)) as store:
            task = asyncio.create_task(_discarding(store))
            done = await _cancelled_after(steps, task)
        seen.add(published(store))
        assert leftovers(store) == []
        steps += 1 + steps // 8
    assert seen == {None, CONTENT}


async def _discarding(store: Store) -> None:
    async with asked(store) as partial:
        await receive(partial)


async def _cancelled_after(steps: int, task: asyncio.Task[None]) -> bool:
    """Cancel the task after so many turns of the loop; whether it was done before."""
    for _ in range(steps):
        await asyncio.sleep(0)
    done = not task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return done


async def test_no_byte_is_lost_or_doubled_when_sections_are_cancelled(store: Store) -> None:
    partial = asked(store)
    opened = sections(partial)

    async def rest() -> None:
        async with asyncio.TaskGroup() as group:
            for sink, part in opened:
                group.create_task(fill(sink, part))

    steps = 0
    while any(sink.received < len(part) for sink, part in opened):
        await _cancelled_after(steps, asyncio.create_task(rest()))
        steps = (steps + 1) % 40
    await partial.commit()
    assert published(store) == CONTENT
