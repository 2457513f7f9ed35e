"""The stage that drives a resolution: what it asks for, how often, and what it makes of failures."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from aiomirror.closure import Closed, close
from aiomirror.errors import DestinationError, StatusError, UnknownProjectError
from aiomirror.index import Index, PageRead
from aiomirror.metadata import Metadata
from aiomirror.requirements.parse import read_requirement
from aiomirror.requirements.values import Wanted
from aiomirror.resolution import Needs, Rules
from aiomirror.resolution.engine import Resolution
from aiomirror.store import Store
from aiomirror.targets import parse_targets
from builders import make_sdist, make_wheel, zip_bytes
from catalogue import sha256
from exchange import running
from faults import Stall, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from aiomirror.plan import Settled
    from upstream import Upstream
    from wire import Request

TARGETS = parse_targets(["3.11", "3.13"], ["linux", "windows"])


def resolution(*roots: str, rules: Rules | None = None) -> Resolution:
    return Resolution(list(_wanted(roots)), TARGETS, rules or Rules())


def _wanted(texts: tuple[str, ...]) -> Iterator[Wanted]:
    for text in texts:
        value = read_requirement(text, "r.txt:1")
        assert isinstance(value, Wanted)
        yield value


def add(upstream: Upstream, name: str, version: str, *requires: str, announced: bool = True) -> None:
    """A wheel that requires these."""
    content = make_wheel(name, version, requires=requires)
    upstream.add_file(name, f"{name}-{version}-py3-none-any.whl", content=content, core_metadata=announced)


class Counting(Index):
    """Notes how many pages are being read at a time."""

    active = most = 0

    async def page(self, project: NormalizedName, since: Settled | None = None) -> PageRead | None:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            return await super().page(project, since)
        finally:
            self.active -= 1


@dataclass
class Closing:
    """What a closure is made with."""

    index: Counting
    metadata: Metadata

    async def close(self, *roots: str, jobs: int = 4, rules: Rules | None = None) -> Closed:
        return await close(resolution(*roots, rules=rules), self.index, self.metadata, jobs=jobs)


@asynccontextmanager
async def opened(upstream: Upstream, dest: Path) -> AsyncIterator[Closing]:
    async with Store(dest, writable=False) as store, running() as client:
        yield Closing(Counting(client, upstream.url), Metadata(client, store))


@pytest.fixture
async def closing(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Closing]:
    async with opened(upstream, tmp_path / "mirror") as one:
        yield one


def versions(closed: Closed) -> dict[str, list[str]]:
    return {name: [one.version for one in choices] for name, choices in closed.closure.chosen.items()}


async def test_each_page_and_each_text_is_asked_for_once(upstream: Upstream, closing: Closing) -> None:
    add(upstream, "top", "1", "left", "right>=1")
    add(upstream, "left", "1", "base>=1", "win ; sys_platform == 'win32'")
    add(upstream, "right", "2", "base<2")
    for version in ("1", "2"):
        add(upstream, "base", version)
    add(upstream, "win", "1")
    closed = await closing.close("top")
    assert versions(closed) == {"base": ["1"], "left": ["1"], "right": ["2"], "top": ["1"], "win": ["1"]}
    assert not closed.closure.conflicts
    assert (closed.errors, closed.unverified) == ({}, {})
    paths = upstream.paths()
    assert len(paths) == len(set(paths))
    read = {path.rsplit("/")[-1] for path in paths if path.endswith(".metadata")}
    assert {f"{name}-py3-none-any.whl.metadata" for name in ("top-1", "right-2", "base-1", "win-1")} < read
    assert sorted(closed.pages) == sorted(closed.closure.chosen)
    assert [file.filename for file in closed.pages[canonicalize_name("win")].page.files] == [
        "win-1-py3-none-any.whl"
    ]


async def test_what_no_digest_vouches_for_is_noted(upstream: Upstream, closing: Closing) -> None:
    content = zip_bytes(
        {"a/noise": bytes(range(256)) * 1000, "a-1.dist-info/METADATA": b"Name: a\nVersion: 1\n"}
    )
    wheel = "a-1-py3-none-any.whl"
    upstream.add_file("a", wheel, content=content, hashes={})
    upstream.add_file("b", "b-1.tar.gz", content=make_sdist("b", "1", requires=["a"]))
    closed = await closing.close("b")
    assert versions(closed) == {"a": ["1"], "b": ["1"]}
    assert closed.unverified == {("a", wheel): sha256(b"Name: a\nVersion: 1\n")}


async def test_what_is_not_there(upstream: Upstream, closing: Closing) -> None:
    add(upstream, "top", "2", "gone")
    add(upstream, "top", "1")
    upstream.add_file("top", "top-3-py3-none-any.whl", content=b"no wheel")
    closed = await closing.close("top")
    assert versions(closed) == {"top": ["1"]}
    assert {key: type(error) for key, error in closed.errors.items()} == {("gone", ""): UnknownProjectError}
    assert [one.filename for one in closed.closure.refused] == ["top-3-py3-none-any.whl"]


async def test_what_upstream_does_not_answer_is_kept_as_an_error(
    upstream: Upstream, closing: Closing
) -> None:
    add(upstream, "top", "1", "page")
    add(upstream, "page", "1")
    add(upstream, "text", "2", announced=False)
    add(upstream, "text", "1")
    upstream.always("/simple/page/", Status(500))
    upstream.always("/files/text/text-2-py3-none-any.whl", Status(503))
    closed = await closing.close("top", "text")
    wheel = ("text", "text-2-py3-none-any.whl")
    assert {key: type(error) for key, error in closed.errors.items()} == {
        ("page", ""): StatusError,
        wheel: StatusError,
    }
    assert "HTTP 500" in closed.closure.conflicts[0].why
    assert [(one.project, one.filename) for one in closed.closure.refused] == [wheel]


@pytest.mark.parametrize("jobs", [1, 3])
async def test_so_many_requests_at_a_time(upstream: Upstream, closing: Closing, jobs: int) -> None:
    names = [f"p{number}" for number in range(20)]
    for name in names:
        add(upstream, name, "1")
    assert sorted(versions(await closing.close(*names, jobs=jobs))) == sorted(names)
    assert closing.index.most == jobs


async def test_every_matching_version(upstream: Upstream, closing: Closing) -> None:
    for version in ("1", "2", "3"):
        add(upstream, "top", version, f"base=={version}")
        add(upstream, "base", version)
    closed = await closing.close("top<3", rules=Rules(all_matching=True))
    assert versions(closed) == {"base": ["2", "1"], "top": ["2", "1"]}


async def test_it_tells_how_far_it_has_come(upstream: Upstream, closing: Closing) -> None:
    add(upstream, "top", "1", "base")
    add(upstream, "base", "1")
    heard: list[tuple[int, int, int]] = []
    await close(
        resolution("top"), closing.index, closing.metadata, jobs=2, told=lambda *counts: heard.append(counts)
    )
    assert heard[0] == (0, 0, 1)
    assert heard == sorted(heard)
    assert heard[-1] == (2, 1, 4)


async def test_a_mirror_that_cannot_be_read_ends_it(upstream: Upstream, tmp_path: Path) -> None:
    for name in ("top", "other"):
        add(upstream, name, "1")
        (tmp_path / name).write_bytes(b"")
    async with opened(upstream, tmp_path) as closing:
        with pytest.raises(DestinationError):
            await closing.close("top", "other")


async def test_cancelled_while_upstream_is_silent(upstream: Upstream, closing: Closing) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    upstream.always("/simple/top/", Stall())

    def note(_: Request) -> None:
        loop.call_soon_threadsafe(asked.set)

    upstream.on_request = note
    before = asyncio.all_tasks()
    task = asyncio.create_task(closing.close("top"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_cancelled_while_the_resolver_is_at_work(closing: Closing) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Busy(Resolution):
        def advance(self) -> Needs:
            began.set()
            go_on.wait()
            return Needs()

    task = asyncio.create_task(close(Busy((), (), Rules()), closing.index, closing.metadata, jobs=2))
    try:
        await asyncio.to_thread(began.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        go_on.set()


async def test_a_fault_of_our_own_is_not_hidden(closing: Closing) -> None:
    class Broken(Resolution):
        def advance(self) -> Needs:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await close(Broken((), (), Rules()), closing.index, closing.metadata, jobs=2)
    assert caught.group_contains(ZeroDivisionError)
