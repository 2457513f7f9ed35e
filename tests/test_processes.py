"""Jobs that are spread over processes: both ends of a real channel, one in a thread with its own loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from aiomirror.config import Config
from aiomirror.errors import DestinationError
from aiomirror.fetch import Fetched, Fetcher
from aiomirror.http import Client, HttpSettings
from aiomirror.plan import FetchPolicy, FileJob
from aiomirror.processes import Crew, crew, forking, helper
from aiomirror.processes.channel import Channel
from aiomirror.processes.crew import Load
from aiomirror.processes.messages import Warned
from aiomirror.progress import Silent
from aiomirror.report import Status
from aiomirror.simple.values import ProjectFile
from aiomirror.store import Store
from catalogue import sha256
from exchange import split
from faults import Cut, Stall, Status as Refused, WrongBytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiomirror.processes.messages import Message
    from aiomirror.report import Outcome
    from faults import Fault
    from upstream import Upstream
    from wire import Request

JOBS = 4
SECTION = 1000


class Noted(Silent):
    """What a reporter is told of each file."""

    def __init__(self) -> None:
        self.received_of: dict[str, int] = {}
        self.ended_as: dict[str, list[Status | None]] = {}
        self.warnings: list[str] = []

    def started(self, job: FileJob) -> None:
        self.received_of[job.file.filename] = 0

    def received(self, job: FileJob, count: int) -> None:
        self.received_of[job.file.filename] += count
        assert 0 <= self.received_of[job.file.filename] <= (job.file.size or 0)

    def ended(self, job: FileJob, outcome: Outcome | None) -> None:
        self.ended_as.setdefault(job.file.filename, []).append(None if outcome is None else outcome.status)

    def warned(self, text: str) -> None:
        self.warnings.append(text)


class Spread:
    """A crew of this process and one helper, over which every file is spread: to this one the first."""

    def __init__(self, the_crew: Crew, client: Client, noted: Noted, there: socket.socket) -> None:
        self.crew, self.client, self.noted, self.there = the_crew, client, noted, there

    async def run(self, *jobs: FileJob) -> list[Fetched]:
        return await asyncio.gather(*map(self.crew.run, jobs))

    @asynccontextmanager
    async def busy(self, upstream: Upstream, wanted: FileJob) -> AsyncIterator[None]:
        """This process is at work on a file that does not come, so that the next one is the helper's."""
        came = meeting(upstream, wanted, Stall())
        running = asyncio.create_task(self.crew.run(wanted))
        await came.wait()
        try:
            yield
        finally:
            running.cancel()


@asynccontextmanager
async def spread(dest: Path, upstream: Upstream, **options: Any) -> AsyncIterator[Spread]:  # noqa: ANN401 (of Config)
    config = replace(Config(index_url=upstream.url, dest=dest, jobs=JOBS, jobs_at_first=None), **options)
    here, there = socket.socketpair()
    noted = Noted()
    serving = asyncio.create_task(asyncio.to_thread(helper.serve, there, config, 2, None))
    async with Store(dest, processes=2) as store, Client(HttpSettings.of(config)) as client:
        fetcher = Fetcher(client, store, config.fetch, noted, noted.warned)
        whole = Crew(fetcher, [here], client=client, store=store, reporter=noted, warn=noted.warned)
        async with whole:
            yield Spread(whole, client, noted, there)
        await serving  # it ends with the crew


@pytest.fixture(autouse=True)
def all_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is spread, not only what is worth it."""
    monkeypatch.setattr("aiomirror.plan.LONG", 1)


def job(upstream: Upstream, project: str, content: bytes | None = None, **listed: Any) -> FileJob:  # noqa: ANN401 (of ProjectFile)
    name = f"{project}-1.0.tar.gz"
    content = content or name.encode() * 500
    upstream.add_file(project, name, content=content)
    file = ProjectFile(
        filename=name,
        url=upstream.file_url(project, name),
        hashes={"sha256": sha256(content)},
        size=len(content),
    )
    return FileJob(canonicalize_name(project), replace(file, **listed))


def jobs(upstream: Upstream, count: int = 12) -> list[FileJob]:
    return [job(upstream, f"p{number}") for number in range(count)]


def small_and_large(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> tuple[FileJob, FileJob]:
    """One file that comes in one stream, and one that comes in sections."""
    split(monkeypatch, SECTION)
    return job(upstream, "small", b"s" * 500), job(upstream, "large", bytes(range(256)) * 40)


def meeting(upstream: Upstream, wanted: FileJob, *faults: Fault) -> asyncio.Event:
    """The first requests for this file meet these faults; what is set when the first of them comes."""
    loop, came, waiting = asyncio.get_running_loop(), asyncio.Event(), list(faults)

    def choose(request: Request) -> Fault | None:
        if request.path != upstream.file_path(wanted.project, wanted.file.filename) or not waiting:
            return None
        loop.call_soon_threadsafe(came.set)
        return waiting.pop(0)

    upstream.on_request = choose
    return came


def received(dest: Path) -> set[str]:
    """The names of all that a crew has put on disk, complete or not."""
    partial = (path for path in (dest / ".aiomirror/partial").rglob("*") if path.is_file())
    return {path.name for path in (*dest.glob("p*/*"), *partial)}


def stalling(upstream: Upstream, after: int = 0) -> asyncio.Event:
    """No answer gets beyond so many bytes; what is set when every place has a request."""
    loop, enough = asyncio.get_running_loop(), asyncio.Event()

    def stall(request: Request) -> Fault:
        if len(upstream.requests) == JOBS:
            loop.call_soon_threadsafe(enough.set)
        return Stall(after)

    upstream.on_request = stall
    return enough


# -- what is shared


async def test_jobs_are_spread_and_their_outcomes_come_back(upstream: Upstream, tmp_path: Path) -> None:
    wanted = jobs(upstream)
    async with spread(tmp_path, upstream) as both:
        outcomes = [fetched.outcome for fetched in await both.run(*wanted)]
        assert {outcome.status for outcome in outcomes} == {Status.FETCHED}
        assert [outcome.filename for outcome in outcomes] == [one.file.filename for one in wanted]
        own, every = both.client.requests, both.crew.requests
        assert every == len(upstream.requests) == len(wanted)
        assert 0 < own < every
    for one in wanted:
        path = tmp_path / one.project / one.file.filename
        assert sha256(path.read_bytes()) == one.file.hashes["sha256"]
    assert both.noted.received_of == {one.file.filename: one.file.size for one in wanted}
    assert all(ended == [Status.FETCHED] for ended in both.noted.ended_as.values())
    assert received(tmp_path) == {one.file.filename for one in wanted}


async def test_the_record_is_that_of_the_file(upstream: Upstream, tmp_path: Path) -> None:
    wanted = jobs(upstream, 2)
    async with spread(tmp_path, upstream) as both:
        for one, fetched in zip(wanted, await both.run(*wanted), strict=True):
            stat = (tmp_path / one.project / one.file.filename).stat()
            assert fetched.held is not None
            assert fetched.held.record.sha256 == one.file.hashes["sha256"]
            found = fetched.held.record.stat
            assert (found.size, found.mtime_ns, found.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)


async def test_no_more_requests_are_on_their_way_than_one_process_would_have(
    upstream: Upstream, tmp_path: Path
) -> None:
    enough = stalling(upstream)
    async with spread(tmp_path, upstream) as both:
        running = asyncio.gather(*map(both.crew.run, jobs(upstream)))
        await enough.wait()
        own = both.client.requests
        running.cancel()
        await asyncio.wait([running])
    assert len(upstream.requests) == JOBS
    assert own == JOBS // 2


async def test_every_place_comes_back(upstream: Upstream, tmp_path: Path) -> None:
    async with spread(tmp_path, upstream) as both:
        await both.run(*jobs(upstream))
        async with asyncio.timeout(30):
            for _ in range(JOBS):
                await both.client.lend_place(anew=False)


async def test_places_lent_are_connections_lost(upstream: Upstream, tmp_path: Path) -> None:
    """Those that this process has opened are not kept beside those of the helper."""
    async with spread(tmp_path, upstream) as both:
        first = jobs(upstream, JOBS)
        upstream_pages = [both.client.get_page(upstream.url, accept="text/html") for _ in range(JOBS)]
        await asyncio.gather(*upstream_pages)
        await both.run(*first)
        idle = sum(len(route.idle) for route in both.client._session._exchanges._routes.values())
        assert idle <= JOBS // 2


async def test_a_very_large_file_has_several_connections_there_too(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = small_and_large(upstream, monkeypatch)
    async with spread(tmp_path, upstream, jobs=16) as both, both.busy(upstream, small):
        fetched = await both.crew.run(large)
    assert fetched.outcome.status is Status.FETCHED
    path = upstream.file_path("large", large.file.filename)
    assert len({request.connection for request in upstream.requests if request.path == path}) > 1


async def test_a_very_large_file_may_be_its_first_job(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = small_and_large(upstream, monkeypatch)
    async with spread(tmp_path, upstream, jobs=16) as both, both.busy(upstream, small):
        for _ in range(14):  # all but one, so that it is lent the others later
            await both.client.lend_place(anew=False)
        second = asyncio.create_task(both.crew.run(large))
        for _ in range(100):
            await asyncio.sleep(0)
        assert both.client._session.places._free.locked()
        for _ in range(14):
            both.client.add_place()
        fetched = await second
    assert fetched.outcome.status is Status.FETCHED
    assert not both.noted.warnings


@pytest.mark.parametrize("number", [0, 1], ids=["here", "there"])
async def test_a_host_that_wants_rest_gets_it_from_every_process(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    heeded: list[tuple[bool, str]] = []
    heed = Client.rest

    def rest(client: Client, origin: str, until: float) -> None:
        heeded.append((threading.current_thread() is threading.main_thread(), origin))
        heed(client, origin, until)

    monkeypatch.setattr(Client, "rest", rest)
    wanted = jobs(upstream, 2)
    async with spread(tmp_path, upstream, retries=1) as both:
        await both.run(*wanted)
        upstream.clear()
        meeting(upstream, wanted[number], Refused(429, retry_after="1"))
        outcomes = [fetched.outcome.status for fetched in await both.run(*wanted)]
        assert outcomes == [Status.FETCHED] * 2
    assert (number == 1, upstream.base) in heeded


async def test_what_a_helper_says_of_a_file(upstream: Upstream, tmp_path: Path) -> None:
    policy = FetchPolicy(allow_unhashed=True)
    first, second = job(upstream, "a"), job(upstream, "b", hashes={})
    async with spread(tmp_path, upstream, fetch=policy) as both:
        await both.run(first, second)
    assert both.noted.warnings == ["b: b-1.0.tar.gz: taken without a digest from upstream"]


@pytest.mark.parametrize("told", [0, helper.TOLD])
async def test_an_attempt_that_begins_anew_is_counted_so(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: float
) -> None:
    monkeypatch.setattr(helper, "TOLD", told)
    first, second = jobs(upstream, 2)
    async with spread(tmp_path, upstream) as both:
        meeting(upstream, second, Cut(1000), WrongBytes())
        _, fetched = await both.run(first, second)
    assert fetched.outcome.status is Status.FETCHED
    assert fetched.outcome.received > (second.file.size or 0)
    assert both.noted.received_of[second.file.filename] == second.file.size


async def test_a_problem_is_the_same_from_there(upstream: Upstream, tmp_path: Path) -> None:
    first, second = (job(upstream, name, b"right", hashes={"sha256": "0" * 64}) for name in ("one", "two"))
    async with spread(tmp_path, upstream, retries=0) as both:
        here, there = await both.run(first, second)
    assert here.problem is not None
    assert there.problem is not None
    assert there.problem.message == here.problem.message.replace("one", "two")
    assert there.problem.exit_code == here.problem.exit_code


# -- what goes wrong


async def test_a_helper_that_is_lost_is_replaced(upstream: Upstream, tmp_path: Path) -> None:
    first, second, third = jobs(upstream, 3)
    async with spread(tmp_path, upstream) as both:
        came = meeting(upstream, second, Stall())
        running = asyncio.gather(both.crew.run(first), both.crew.run(second))
        await came.wait()
        both.there.shutdown(socket.SHUT_RDWR)
        assert [fetched.outcome.status for fetched in await running] == [Status.FETCHED] * 2
        assert both.noted.ended_as[second.file.filename] == [None, Status.FETCHED]
        assert (await both.crew.run(third)).outcome.status is Status.FETCHED
        async with asyncio.timeout(30):
            for _ in range(JOBS):  # what it was lent is free
                await both.client.lend_place(anew=False)
    assert both.noted.warnings == [
        "a process that fetched files has ended before its time; the others do its work"
    ]


async def test_one_that_is_lost_before_it_begins_is_replaced_as_well(
    upstream: Upstream, tmp_path: Path
) -> None:
    async with spread(tmp_path, upstream) as both:
        both.there.shutdown(socket.SHUT_RDWR)
        assert {fetched.outcome.status for fetched in await both.run(*jobs(upstream))} == {Status.FETCHED}
        assert both.crew.requests == both.client.requests


async def test_a_destination_that_fails_there_fails_here(upstream: Upstream, tmp_path: Path) -> None:
    first, second = jobs(upstream, 2)
    async with spread(tmp_path, upstream) as both:
        (tmp_path / second.project).write_text("no folder")
        await both.crew.run(first)
        async with both.busy(upstream, first):
            with pytest.raises(DestinationError, match=second.project):
                await both.crew.run(second)


async def test_a_bug_there_is_a_bug_here(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Buggy(Fetcher):
        async def run(self, job: FileJob) -> NoReturn:
            raise ZeroDivisionError

    monkeypatch.setattr(helper, "Fetcher", Buggy)
    first, second = jobs(upstream, 2)
    async with spread(tmp_path, upstream) as both, both.busy(upstream, first):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            await both.crew.run(second)


async def test_a_cancelled_run_leaves_nothing(upstream: Upstream, tmp_path: Path) -> None:
    enough = stalling(upstream, 300)
    async with spread(tmp_path, upstream) as both:
        running = asyncio.gather(*map(both.crew.run, jobs(upstream)))
        await enough.wait()
        running.cancel()
        await asyncio.wait([running])
    assert not received(tmp_path)


async def test_one_that_is_asked_for_nothing_ends_as_well(upstream: Upstream, tmp_path: Path) -> None:
    async with spread(tmp_path, upstream) as both:
        pass
    assert both.crew.requests == 0


async def test_the_mirror_is_held_until_every_process_has_let_go(upstream: Upstream, tmp_path: Path) -> None:
    here, there = socket.socketpair()
    with here, there:
        async with Store(tmp_path) as store:
            store.share_lock(here)
            _, descriptors, *_ = socket.recv_fds(there, 1, 1)
        async with Store.joined(tmp_path, descriptors[0], processes=2):
            (apart,) = (tmp_path / ".aiomirror/partial").iterdir()
            with pytest.raises(DestinationError, match="another run holds this mirror"):
                await Store(tmp_path).__aenter__()
            assert apart.is_dir()
        assert not apart.exists()
        async with Store(tmp_path):
            pass


# -- the channel


async def test_messages_come_whole_however_they_are_cut() -> None:
    got: list[Message] = []
    channel = Channel(got.append, lambda: None)
    sent: list[bytes] = []
    left = asyncio.Event()

    class Taking(asyncio.WriteTransport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))
            left.set()

        def is_closing(self) -> bool:
            return False

    channel.connection_made(Taking())
    messages = [Warned("x" * length) for length in (0, 1, 300, 70_000)]
    for message in messages:
        channel.send(message)
    await left.wait()
    [data] = sent  # all of one turn at once
    for step in (1, 7, len(data)):
        got.clear()
        for start in range(0, len(data), step):
            channel.data_received(data[start : start + step])
        assert got == messages


# -- who takes part


@pytest.mark.parametrize(("share", "full"), [(0.0, False), (0.9, False), (0.98, True)])
def test_a_process_that_has_no_time_left(share: float, *, full: bool) -> None:
    seconds = {"passed": 100.0, "worked": 7.0}
    load = Load(lambda: seconds["passed"], lambda: seconds["worked"])
    for _ in range(3):
        assert not load.is_full()  # of a window that is not over nothing is known
        seconds["passed"] += crew.WINDOW * 1.01
        seconds["worked"] += crew.WINDOW * 1.01 * share
        assert load.is_full() is full


async def test_small_files_stay_here_while_there_is_time(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiomirror.plan.LONG", 2**20)
    monkeypatch.setattr(crew, "BUSY", 2.0)
    async with spread(tmp_path, upstream) as both:
        await both.run(*jobs(upstream))
        assert both.crew.requests == both.client.requests
        monkeypatch.setattr(crew, "BUSY", -1.0)
        monkeypatch.setattr(crew, "WINDOW", 0.0)
        await both.run(*[job(upstream, f"q{number}") for number in range(12)])
        assert both.crew.requests > both.client.requests


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 3),
        ({"jobs": 32}, 3),
        ({"jobs": 31}, 2),
        ({"jobs": 16}, 1),
        ({"jobs": 15}, 0),
        ({"jobs": 1}, 0),
        ({"processes": 2}, 1),
        ({"processes": 1}, 0),
        ({"processes": 8}, 5),
        ({"dry_run": True}, 0),
        ({"limit_rate": 1000}, 0),
        ({"per_host": 63}, 0),
        ({"jobs": 32, "per_host": 32}, 3),
    ],
    ids=str,
)
def test_how_many_take_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], count: int
) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 6)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    config = replace(Config(index_url="", dest=tmp_path), **options)
    assert forking.useful(config) == count


def test_nobody_is_forked_where_it_is_not_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 6)
    config = Config(index_url="", dest=tmp_path)
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert forking.useful(config) == 0
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert forking.useful(config) == 0


def test_one_that_may_be_asked_for_a_password_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 6)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    config = Config(index_url="", dest=tmp_path)
    assert forking.useful(replace(config, connection=replace(config.connection, keyring=True))) == 0


def test_a_system_without_room_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(forking, "cores", lambda: 6)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "fork", fork)
    opened = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (to be counted)
    with forking.Helpers(Config(index_url="", dest=tmp_path), None) as helpers:
        assert not helpers.connections
        [warning] = helpers.warnings
    assert warning.startswith("fetching in 1 instead of 4 processes: ")
    assert len(os.listdir("/proc/self/fd")) == opened  # noqa: PTH208 (as above)


def test_one_that_cannot_write_ends_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The process that holds the mirror tells of it, be it of the end of this one."""

    def serve(*_: object) -> None:
        raise DestinationError("/mirror", "no space left on device")

    monkeypatch.setattr(forking, "cores", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(forking, "serve", serve)
    with forking.Helpers(Config(index_url="", dest=tmp_path), None) as helpers:
        (connection,) = helpers.connections
        assert connection.recv(1) == b""
    assert capfd.readouterr().err == ""
