"""Politeness towards one host, and giving up on it: what one request learns, the others heed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import AiomirrorError, GivenUpError, StatusError, UnreachableError
from aiomirror.http import Client, HttpSettings
from aiomirror.http.hosts import GIVEN_UP
from aiomirror.http.pace import Pace
from aiomirror.http.places import HEARD
from aiomirror.http.watch import Guard, Watch
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, PAGE, PATH, Memory, Naps, fetched, running
from faults import Stall, Status
from upstream import Upstream

if TYPE_CHECKING:
    from faults import Fault
    from wire import Request


# -- Retry-After


async def test_retry_after_holds_for_every_request_to_the_host(
    upstream: Upstream, url: str, page: str
) -> None:
    upstream.fault(PAGE, Status(503, "90"))
    naps = Naps()
    async with running(HttpSettings(retries=0), naps) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
        assert (await fetched(client, url)).data == CONTENT
    (nap,) = naps
    assert 85 < nap <= 90


async def test_retry_after_holds_for_those_that_wait_for_a_place(upstream: Upstream, page: str) -> None:
    upstream.fault(PAGE, Status(503, "90"))
    naps = Naps()
    async with running(HttpSettings(connections=1, retries=0), naps) as client:
        asked = [client.get_page(page, accept=ACCEPT) for _ in range(3)]
        refused, *answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(refused, StatusError)
    assert [getattr(answer, "status", None) for answer in answers] == [200, 200]
    (nap,) = naps
    assert 85 < nap <= 90


async def test_retry_after_is_of_no_concern_to_other_hosts(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(503, "90"))
    naps = Naps()
    with Upstream() as other:
        other.add_file("a", NAME, content=CONTENT)
        async with running(HttpSettings(retries=0), naps) as client:
            with pytest.raises(StatusError):
                await client.get_page(page, accept=ACCEPT)
            await client.get_page(other.url + "a/", accept=ACCEPT)
    assert naps == []


async def test_a_wait_that_is_too_long_is_nobodys(upstream: Upstream, url: str, page: str) -> None:
    upstream.fault(PAGE, Status(503, "86400"))
    naps = Naps()
    async with running(HttpSettings(retries=0), naps) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
        await fetched(client, url)
    assert naps == []


# -- giving up


async def ask(client: Client, url: str, times: int) -> list[AiomirrorError]:
    errors = []
    for _ in range(times):
        try:
            await client.get_page(url, accept=ACCEPT)
        except AiomirrorError as error:
            errors.append(error)
    return errors


async def test_a_host_that_is_away_is_given_up() -> None:
    with Upstream() as other:
        gone = other.url
    naps = Naps()
    async with running(HttpSettings(retries=1), naps) as client:
        errors = await ask(client, gone, GIVEN_UP + 3)
        assert client.requests == 2 * GIVEN_UP
    assert [type(error) for error in errors] == [UnreachableError] * GIVEN_UP + [GivenUpError] * 3
    assert errors[-1].exit_code == 4
    assert f"given up after {GIVEN_UP} failures in a row" in str(errors[-1])
    assert len(naps) == GIVEN_UP


async def test_a_host_that_only_fails_is_given_up(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(502))
    async with running(HttpSettings(retries=1)) as client:
        await ask(client, page, GIVEN_UP + 3)
    assert len(upstream.requests) == 2 * GIVEN_UP


async def test_one_answer_among_failures_is_enough_to_go_on(upstream: Upstream, url: str, page: str) -> None:
    upstream.always(PAGE, Status(502))
    async with running(HttpSettings(retries=0)) as client:
        for _ in range(3):
            await ask(client, page, GIVEN_UP - 1)
            await fetched(client, url)
    assert len(upstream.requests) == 3 * GIVEN_UP


async def test_refusals_are_answers(upstream: Upstream, page: str) -> None:
    upstream.always(PAGE, Status(404))
    async with running() as client:
        errors = await ask(client, page, 2 * GIVEN_UP)
    assert {type(error) for error in errors} == {StatusError}


async def test_other_hosts_are_not_given_up_with_it(upstream: Upstream, url: str) -> None:
    with Upstream() as other:
        gone = other.url
    async with running(HttpSettings(retries=0)) as client:
        await ask(client, gone, GIVEN_UP + 1)
        assert (await fetched(client, url)).data == CONTENT


async def test_attempts_end_when_their_host_is_given_up(upstream: Upstream, page: str) -> None:
    """Those that wait for another try learn of it, too."""
    upstream.always(PAGE, Status(503))
    async with running(HttpSettings(retries=5)) as client:
        await asyncio.gather(*(ask(client, page, 1) for _ in range(GIVEN_UP)))
        before = len(upstream.requests)
        await ask(client, page, 1)
    assert len(upstream.requests) == before == 6 * GIVEN_UP


# -- connections


@pytest.mark.parametrize(
    "settings", [HttpSettings(connections=3), HttpSettings(connections=8, per_host=3)], ids=["all", "host"]
)
async def test_no_more_connections_than_agreed(upstream: Upstream, url: str, settings: HttpSettings) -> None:
    async with running(settings) as client:
        await asyncio.gather(*(fetched(client, url) for _ in range(30)))
    assert len({request.connection for request in upstream.requests}) <= 3
    assert len(upstream.requests) == 30


@pytest.mark.parametrize(
    ("round_trip", "most", "places"),
    [(0.0, 64, 2), (0.0021, 64, 6), (0.0201, 64, 42), (0.0201, 30, 30), (60.0, 64, 64)],
)
async def test_a_far_upstream_gets_more_connections(
    upstream: Upstream, url: str, round_trip: float, most: int, places: int
) -> None:
    """As many as are served in one round trip, beyond those of the beginning."""
    ticks = itertools.count()
    clock = lambda: next(ticks) * round_trip  # noqa: E731 (each look at it is a round trip after the last)
    asked, loop = asyncio.Semaphore(0), asyncio.get_running_loop()

    def stalled(request: Request) -> Fault:
        loop.call_soon_threadsafe(asked.release)
        return Stall()

    settings = HttpSettings(connections=most, at_first=2, timeout=600, min_rate=0)
    async with Client(settings, clock=clock) as client:
        for _ in range(1 + HEARD):  # the first makes the connection
            await fetched(client, url)
        upstream.on_request = stalled
        before = len(upstream.requests)
        stuck = [asyncio.create_task(fetched(client, url)) for _ in range(places + 8)]
        for _ in range(places):
            await asked.acquire()
        # The others wait for a place: a request that gets one comes at once.
        stuck.pop(0).cancel()
        await asked.acquire()
        assert len(upstream.requests) - before == places + 1
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_connections_that_were_asked_for_are_not_made_more(upstream: Upstream, url: str) -> None:
    async with Client(HttpSettings(connections=3), clock=itertools.count().__next__) as client:
        for _ in range(2 * HEARD):
            await fetched(client, url)
        await asyncio.gather(*(fetched(client, url) for _ in range(30)))
    assert len({request.connection for request in upstream.requests}) == 3


async def test_one_host_leaves_connections_for_others(upstream: Upstream, url: str) -> None:
    asked = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def stalled(request: Request) -> Fault | None:
        if request.path == PATH:
            loop.call_soon_threadsafe(asked.release)
            return Stall()
        return None

    upstream.on_request = stalled
    with Upstream() as other:
        other.add_file("a", NAME, content=CONTENT)
        async with running(HttpSettings(connections=4, per_host=3)) as client:
            stuck = [asyncio.create_task(fetched(client, url)) for _ in range(5)]
            for _ in range(3):
                await asked.acquire()
            assert (await fetched(client, other.file_url("a", NAME))).data == CONTENT
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)


# -- deadlines


async def test_a_deadline_ends_a_wait_and_no_more() -> None:
    guard = Watch(0.04).guard()
    with pytest.raises(TimeoutError), guard.within(0.04):
        await asyncio.Event().wait()
    with guard.within(60):
        await asyncio.sleep(0)
    guard.close()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_cancellation_from_elsewhere_is_no_time_out() -> None:
    waiting = asyncio.Event()

    async def wait() -> None:
        guard = watch.guard()
        with contextlib.closing(guard), guard.within(60):
            waiting.set()
            await asyncio.Event().wait()

    watch = Watch(60)
    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.close()


async def test_both_at_once_are_a_cancellation() -> None:
    """A task that is told to end while its wait is being broken off has to end."""

    async def wait() -> None:
        guard = watch.guard()
        guards.append(guard)
        with contextlib.closing(guard), guard.within(0):
            waiting.set()
            await asyncio.Event().wait()

    guards: list[Guard] = []
    waiting, watch = asyncio.Event(), Watch(60)
    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    guards[0].look(asyncio.get_running_loop().time() + 1)
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.close()


# -- rate


async def test_the_rate_is_shared_by_all_transfers(upstream: Upstream, url: str) -> None:
    naps = Naps()
    async with running(HttpSettings(rate=1000), naps) as client:
        sinks = [await fetched(client, url) for _ in range(3)]
    assert all(sink.data == CONTENT for sink in sinks)
    assert sum(naps) == pytest.approx(3 * len(CONTENT) / 1000, rel=0.05)


async def test_a_rate_is_no_slowness_of_the_peer(upstream: Upstream, url: str) -> None:
    settings = HttpSettings(timeout=0.2, min_rate=1_000_000, rate=50_000, retries=0)
    sink = Memory()
    async with Client(settings) as client:
        await client.download(url, sink, cap=len(CONTENT))
    assert sink.data == CONTENT


async def test_what_was_not_used_of_a_rate_is_not_saved_up() -> None:
    naps, now = [], [100.0]

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    pace = Pace(10, lambda: now[0], sleep)
    await pace.take(20)
    now[0] += 1000
    await pace.take(20)
    await pace.take(20)
    assert naps == [2, 2, 4]
