"""One large file from a real socket to a real disk: what the reporter is told, and cancellation anywhere."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.fetch import Fetched, Fetcher
from aiomirror.plan import FetchPolicy, FileJob
from aiomirror.progress import Silent
from aiomirror.report import Status
from aiomirror.simple.values import ProjectFile
from aiomirror.store import Store, stretch
from catalogue import sha256
from exchange import running, split
from faults import Cut, Etag, IgnoreRange, WrongBytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from faults import Fault
    from upstream import Upstream

NAME = "foo-1.0.tar.gz"
CONTENT = random.Random(1).randbytes(3_000_000)
PATH = f"/files/foo/{NAME}"
SECTION = 400_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that matters of a very large file happens to a small one, too."""
    split(monkeypatch, SECTION)
    monkeypatch.setattr(stretch, "STRIDE", stretch.BATCH)


class Counting(Silent):
    """Adds up what it is told of a file."""

    received_in_all = 0

    def received(self, job: FileJob, count: int) -> None:
        self.received_in_all += count
        assert 0 <= self.received_in_all <= (job.file.size or 0)


@asynccontextmanager
async def fetching(dest: Path, counting: Counting) -> AsyncIterator[Fetcher]:
    async with Store(dest) as store, running() as client:
        yield Fetcher(client, store, FetchPolicy(), counting, lambda _: None)


def job(upstream: Upstream) -> FileJob:
    upstream.add_file("foo", NAME, content=CONTENT)
    file = ProjectFile(
        filename=NAME,
        url=upstream.file_url("foo", NAME),
        hashes={"sha256": sha256(CONTENT)},
        size=len(CONTENT),
    )
    return FileJob(canonicalize_name("foo"), file)


@pytest.mark.parametrize(
    "faults",
    [
        (),
        (Cut(1000), Cut(300_000)),
        (Cut(1000), IgnoreRange()),
        (Cut(1000), Etag('"another"')),
        (WrongBytes(),),
        (IgnoreRange(), WrongBytes()),
        ((IgnoreRange(), Cut(500_000)), Cut(300_000)),
    ],
    ids=str,
)
async def test_the_reporter_sees_the_bytes_that_are_there(
    upstream: Upstream, tmp_path: Path, faults: tuple[Fault | tuple[Fault, ...], ...]
) -> None:
    wanted, counting = job(upstream), Counting()
    upstream.fault(PATH, *faults)
    async with fetching(tmp_path, counting) as fetcher:
        fetched = await fetcher.run(wanted)
    assert fetched.outcome.status is Status.FETCHED
    assert counting.received_in_all == len(CONTENT)
    assert (tmp_path / "foo" / NAME).read_bytes() == CONTENT


async def test_it_is_whole_or_absent_wherever_it_is_cancelled(upstream: Upstream, tmp_path: Path) -> None:
    wanted, seen = job(upstream), set()
    task: asyncio.Task[Fetched] | None = None
    steps = 0
    while task is None or task.cancelled():
        dest = tmp_path / str(steps)
        async with fetching(dest, Counting()) as fetcher:
            task = asyncio.create_task(fetcher.run(wanted))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert not list((dest / ".aiomirror/partial").iterdir())
        path = dest / "foo" / NAME
        seen.add(path.read_bytes() if path.exists() else None)
        steps += 1 + steps // 4
    assert seen == {None, CONTENT}
