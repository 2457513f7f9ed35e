"""Files on their way to their names: verified first, whole or not at all, whatever is cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import DestinationError, DigestMismatchError, SizeMismatchError
from aiomirror.store import Store, stretch as stretches
from aiomirror.store.digests import Expectation
from aiomirror.store.draft import Draft
from aiomirror.store.hops import Hops, T
from aiomirror.store.partial import Partial
from aiomirror.store.stretch import BATCH
from receiving import DISKS, NAME, leftovers, mirror_on, published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aiomirror.plan import FileRecord

SMALL = b"a small file"
LARGE = bytes(range(251)) * (5 * BATCH // 251) + b"the end"
"""More than the batches that wait, and no multiple of one."""


@pytest.fixture(params=DISKS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """A mirror on a disk of each kind."""
    async with mirror_on(tmp_path, request.param, monkeypatch, stride=BATCH, leeway=BATCH) as store:
        yield store


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, content).hexdigest()


async def feed(partial: Partial, content: bytes, piece: int = 50_000) -> None:
    for start in range(partial.received, len(content), piece):
        await partial.write(content[start : start + piece])


async def receive(partial: Partial, content: bytes) -> FileRecord:
    await feed(partial, content)
    assert partial.received == len(content)
    return await partial.commit()


@pytest.mark.parametrize("content", [b"", SMALL, LARGE, LARGE[: 2 * BATCH]], ids=len)
async def test_a_file_gets_its_name_and_its_record(store: Store, content: bytes) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(content)}, size=len(content))
    record = await receive(partial, content)
    assert published(store) == content
    assert record == await store.digest("six", NAME)
    assert leftovers(store) == []


async def test_a_small_file_does_not_touch_the_disk_before_it_is_whole(store: Store) -> None:
    partial = store.partial("six", NAME, hashes={})
    await partial.write(SMALL)
    assert leftovers(store) == []
    assert published(store) is None
    await partial.commit()
    assert published(store) == SMALL


class _CountingHops(Hops):
    hops = 0

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        self.hops += 1
        return await super().run(work, *arguments)

    async def busy(self, work: Callable[..., T], *arguments: object) -> T:
        self.hops += 1
        return await super().busy(work, *arguments)

    async def quick(self, work: Callable[..., T], *arguments: object) -> T:
        self.hops += self.prompt  # otherwise it is one more that is run
        return await super().quick(work, *arguments)


@pytest.mark.parametrize("size", [0, 25_000, BATCH - 1, BATCH, 5 * BATCH])
async def test_a_file_costs_one_hop_for_each_batch_and_one_to_commit(store: Store, size: int) -> None:
    counting = _CountingHops(store._hops._clock)
    await Hops.quick(counting, bool)
    written = size // BATCH
    hashed = max(0, written - 1) if counting.prompt and stretches.STRIDE == BATCH else 0
    draft = Draft(store._tree, "six", NAME, Expectation({}))
    async with Partial(counting, draft) as partial:
        for _ in range(size // 1024):
            await partial.write(bytes(1024))
        await partial.write(bytes(size % 1024))
        await partial.commit()
    counting.close()
    assert counting.hops == written + hashed + 1


@pytest.mark.parametrize("store", ["prompt", "behind"], indirect=True)
async def test_a_file_that_is_made_shorter_meanwhile_is_not_published(store: Store) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(LARGE)})
    await partial.write(LARGE)
    (name,) = leftovers(store)
    os.truncate(store.dest / ".aiomirror/partial" / name, 1)
    with pytest.raises(DestinationError, match="became shorter while it was written"):
        await partial.commit()
    assert leftovers(store) == []
    await receive(partial, LARGE)
    assert published(store) == LARGE


async def test_a_large_file_grows_without_its_name_and_is_private(store: Store) -> None:
    partial = store.partial("six", NAME, hashes={})
    await feed(partial, LARGE)
    (name,) = leftovers(store)
    temporary = store.dest / ".aiomirror/partial" / name
    assert temporary.stat().st_mode & 0o777 == 0o600
    assert "six" not in name
    assert published(store) is None
    await partial.discard()
    assert leftovers(store) == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=len)
async def test_g1_a_wrong_digest_is_not_published(store: Store, content: bytes) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(b"another")}, size=len(content))
    with pytest.raises(DigestMismatchError) as caught:
        await receive(partial, content)
    error = caught.value
    assert (error.project, error.filename, error.algorithm) == ("six", NAME, "sha256")
    assert (error.expected, error.actual) == (digest(b"another"), digest(content))
    assert published(store) is None
    assert leftovers(store) == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=len)
async def test_g1_a_wrong_size_is_told_before_a_wrong_digest(store: Store, content: bytes) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(b"another")}, size=7)
    with pytest.raises(SizeMismatchError) as caught:
        await receive(partial, content)
    assert (caught.value.expected, caught.value.actual) == (7, len(content))
    assert published(store) is None
    assert leftovers(store) == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=len)
async def test_g15_after_a_wrong_digest_it_can_be_received_anew(store: Store, content: bytes) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(content)})
    with pytest.raises(DigestMismatchError):
        await receive(partial, content[:-1] + b"x")
    assert partial.received == 0
    assert (await receive(partial, content)).sha256 == digest(content)
    assert published(store) == content


async def test_g1_every_listed_digest_must_match(store: Store) -> None:
    hashes = {"sha256": digest(SMALL), "md5": digest(b"another", "md5")}
    with pytest.raises(DigestMismatchError, match="md5 is"):
        await receive(store.partial("six", NAME, hashes=hashes), SMALL)
    assert published(store) is None


async def test_g2_a_listing_with_md5_alone_still_gives_a_sha256(store: Store) -> None:
    record = await receive(store.partial("six", NAME, hashes={"md5": digest(SMALL, "md5")}), SMALL)
    assert record.sha256 == digest(SMALL)


async def test_g1_an_algorithm_that_is_not_there_is_a_mismatch(store: Store) -> None:
    for algorithm in ("whirlpool", "shake_128"):
        with pytest.raises(DigestMismatchError, match="is unknown, not 00"):
            await receive(store.partial("six", NAME, hashes={algorithm: "00"}), SMALL)


async def test_one_of_the_accepted_digests_must_match(store: Store) -> None:
    other, right = ("sha256", digest(b"other")), ("sha512", digest(SMALL, "sha512"))
    partial = store.partial("six", NAME, hashes={}, accepted=frozenset([other]))
    with pytest.raises(DigestMismatchError, match=f"sha256 is {digest(SMALL)}, not {other[1]}"):
        await receive(partial, SMALL)
    partial = store.partial("six", NAME, hashes={}, accepted=frozenset([other, right, ("whirlpool", "00")]))
    assert (await receive(partial, SMALL)).sha256 == digest(SMALL)


async def test_accepted_digests_do_not_stand_for_the_listed_ones(store: Store) -> None:
    accepted = frozenset([("sha256", digest(SMALL))])
    partial = store.partial("six", NAME, hashes={"md5": digest(b"other", "md5")}, accepted=accepted)
    with pytest.raises(DigestMismatchError, match="md5"):
        await receive(partial, SMALL)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=len)
async def test_restart_forgets_what_came(store: Store, content: bytes) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(content)}, size=len(content))
    await feed(partial, b"rubbish" + content)
    await partial.restart()
    assert partial.received == 0
    assert leftovers(store) == []
    await receive(partial, content)
    assert published(store) == content


async def test_a_file_of_that_name_is_replaced(store: Store) -> None:
    for content in (LARGE, SMALL):
        await receive(store.partial("six", NAME, hashes={}), content)
        assert published(store) == content


async def test_leaving_the_context_discards_what_was_not_committed(store: Store) -> None:
    async def broken() -> None:
        async with store.partial("six", NAME, hashes={}) as partial:
            await feed(partial, LARGE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    assert leftovers(store) == []
    async with store.partial("six", NAME, hashes={}) as partial:
        await receive(partial, LARGE)
    assert published(store) == LARGE


async def test_many_files_at_once(store: Store) -> None:
    contents = {f"six-{number}.tar.gz": LARGE[number:] for number in range(40)}

    async def one(name: str, content: bytes) -> None:
        async with store.partial("six", name, hashes={"sha256": digest(content)}) as partial:
            await receive(partial, content)

    await asyncio.gather(*(one(*item) for item in contents.items()))
    assert {path.name: path.read_bytes() for path in (store.dest / "six").iterdir()} == contents
    assert leftovers(store) == []


# The disk refuses


class _Limit:
    """No file of this process may grow beyond so many bytes: as good as a full disk."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.mark.parametrize("limit", [1, BATCH // 2, BATCH, 3 * BATCH + 5, len(LARGE) - 1])
async def test_g8_a_refusal_of_the_disk_leaves_nothing(store: Store, limit: int) -> None:
    partial = store.partial("six", NAME, hashes={"sha256": digest(LARGE)})
    with _Limit(limit), pytest.raises(DestinationError) as caught:
        await receive(partial, LARGE)
    assert str(caught.value) == f"{store.dest}/six/{NAME}: file too large"
    assert leftovers(store) == []
    await partial.restart()
    await receive(partial, LARGE)
    assert published(store) == LARGE


async def test_after_a_refusal_nothing_but_a_restart_helps(store: Store) -> None:
    partial = store.partial("six", NAME, hashes={})
    with _Limit(BATCH // 2), pytest.raises(DestinationError):
        await feed(partial, LARGE)
    with pytest.raises(DestinationError):
        await partial.commit()
    assert published(store) is None
    await partial.restart()
    await receive(partial, SMALL)
    assert published(store) == SMALL


# Cancellation


async def cancelled_after(steps: int, task: asyncio.Task[object]) -> bool:
    """Cancel the task after so many turns of the loop; whether it was still under way."""
    for _ in range(steps):
        await asyncio.sleep(0)
    under_way = task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return under_way


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=len)
async def test_a_file_is_whole_or_absent_wherever_it_is_cancelled(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "STRIDE", BATCH)

    async def one(store: Store) -> None:
        async with store.partial("six", NAME, hashes={}) as partial:
            await receive(partial, content)

    seen, steps, under_way = set(), 0, True
    while under_way:
        dest = tmp_path / str(steps)
        async with Store(dest) as store:
            under_way = await cancelled_after(steps, asyncio.create_task(one(store)))
        seen.add(published(store))
        assert leftovers(store) == []
        steps += 1 + steps // 8
    assert seen == {None, content}


async def test_no_byte_is_lost_or_doubled_when_writes_are_cancelled(store: Store) -> None:
    # A transfer that times out inside a write is resumed from what was received.
    partial = store.partial("six", NAME, hashes={"sha256": digest(LARGE)}, size=len(LARGE))
    cancellations, steps = 0, 0
    while partial.received < len(LARGE):
        cancellations += await cancelled_after(steps, asyncio.create_task(feed(partial, LARGE)))
        steps = (steps + 1) % 40
    assert cancellations
    await partial.commit()
    assert published(store) == LARGE


async def test_a_mirror_that_is_left_in_the_middle_leaves_no_partials(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        for number in range(5):
            await feed(store.partial("six", f"six-{number}.tar.gz", hashes={}), LARGE)
        assert len(leftovers(store)) == 5
    assert leftovers(store) == []
