"""The keyring: asked when the index refuses and nothing else is known, and never otherwise."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backends import fail
from msgspec.structs import replace
from yarl import URL

from aiomirror.errors import StatusError
from aiomirror.http import HttpSettings
from aiomirror.http.keyrings import Keyring, look_up, services
from aiomirror.simple.values import ACCEPT
from exchange import CONTENT, NAME, fetched, running
from faults import Redirect, Status
from file_keyring import FileKeyring, LockedKeyring
from upstream import Upstream, basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

NO_KEYRING = fail.Keyring()  # type: ignore[no-untyped-call] # (keyring's own)


@pytest.fixture
def held(tmp_path: Path, upstream: Upstream) -> Iterator[FileKeyring]:
    """A keyring that has the password of the index, under its address."""
    upstream.credentials = ("me", "s3cret")
    path = tmp_path / "keyring.json"
    path.write_text(json.dumps({upstream.url: {"me": "s3cret", "you": "other"}}))
    backend = FileKeyring(path)
    with instead(backend):
        yield backend


@contextmanager
def instead(backend: KeyringBackend) -> Iterator[None]:
    """This backend for a while, and then none: those of the machine are never looked for."""
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.set_keyring(NO_KEYRING)


def asking(upstream: Upstream, userinfo: str = "") -> HttpSettings:
    return HttpSettings(index_url=upstream.url.replace("://", f"://{userinfo}"), keyring=True)


def sent(upstream: Upstream) -> list[str | None]:
    return [request.headers.get("authorization") for request in upstream.requests]


async def test_it_is_asked_after_a_refusal_and_once(upstream: Upstream, page: str, held: FileKeyring) -> None:
    async with running(asking(upstream)) as client:
        await client.get_page(page, accept=ACCEPT)
        assert (await fetched(client, upstream.file_url("a", NAME))).data == CONTENT
    assert sent(upstream) == [None, basic("me", "s3cret"), basic("me", "s3cret")]
    assert held.asked == [(upstream.url, None)]


async def test_many_refusals_are_one_question(upstream: Upstream, page: str, held: FileKeyring) -> None:
    async with running(asking(upstream)) as client:
        answers = await asyncio.gather(*(client.get_page(page, accept=ACCEPT) for _ in range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    assert held.asked == [(upstream.url, None)]


async def test_a_user_without_a_password(upstream: Upstream, page: str, held: FileKeyring) -> None:
    named = page.replace("://", "://me@")
    async with running(asking(upstream, "me@")) as client:
        await client.get_page(named, accept=ACCEPT)
        await client.get_page(named, accept=ACCEPT)
    assert sent(upstream) == [basic("me", ""), basic("me", "s3cret"), basic("me", "s3cret")]
    assert held.asked == [(upstream.url, "me")]


async def test_what_it_has_may_be_wrong(upstream: Upstream, page: str, held: FileKeyring) -> None:
    async with running(asking(upstream, "you@")) as client:
        with pytest.raises(StatusError, match="credentials from keyring were sent to"):
            await client.get_page(page, accept=ACCEPT)
    assert sent(upstream) == [basic("you", ""), basic("you", "other")]


async def test_no_refusal_no_question(upstream: Upstream, page: str, held: FileKeyring) -> None:
    upstream.credentials = None
    async with running(asking(upstream)) as client:
        await client.get_page(page, accept=ACCEPT)
    assert held.asked == []


@pytest.mark.parametrize("status", [403, 404])
async def test_nor_after_another_refusal(
    upstream: Upstream, page: str, held: FileKeyring, status: int
) -> None:
    upstream.always("/simple/a/", Status(status))
    async with running(asking(upstream)) as client:
        with pytest.raises(StatusError):
            await client.get_page(page, accept=ACCEPT)
    assert held.asked == []


@pytest.mark.parametrize("known", ["url", "token"])
async def test_nor_when_there_is_something_else(
    upstream: Upstream, page: str, held: FileKeyring, known: str
) -> None:
    settings = (
        asking(upstream, "me:wrong@")
        if known == "url"
        else HttpSettings(index_url=upstream.url, keyring=True, tokens={upstream.base: "wrong"})
    )
    async with running(settings) as client:
        with pytest.raises(StatusError, match="401"):
            await client.get_page(page, accept=ACCEPT)
    assert len(upstream.requests) == 1
    assert held.asked == []


async def test_nor_unless_told_to(upstream: Upstream, page: str, held: FileKeyring) -> None:
    async with running(HttpSettings(index_url=upstream.url)) as client:
        with pytest.raises(StatusError, match="no credentials known"):
            await client.get_page(page, accept=ACCEPT)
    assert held.asked == []


async def test_nor_for_hosts_that_upstream_chose(
    upstream: Upstream, held: FileKeyring, tmp_path: Path
) -> None:
    upstream.credentials = None
    async with Upstream() as other:
        other.credentials = ("me", "s3cret")
        other.add_file("a", NAME, content=CONTENT)
        upstream.always("/out", Redirect(other.url))
        async with running(asking(upstream)) as client:
            with pytest.raises(StatusError, match="401"):
                await fetched(client, other.file_url("a", NAME))
            with pytest.raises(StatusError, match="401"):
                await client.get_page(upstream.base + "/out", accept=ACCEPT)
        assert sent(other) == [None, None]
    assert held.asked == []


async def test_nothing_in_it(upstream: Upstream, page: str, held: FileKeyring, tmp_path: Path) -> None:
    (tmp_path / "keyring.json").write_text("{}")
    async with running(replace(asking(upstream), connections=1)) as client:
        for _ in range(2):
            with pytest.raises(StatusError, match="no credentials known"):
                await client.get_page(page, accept=ACCEPT)
        assert sent(upstream) == [None, None]
        # Each refusal has left its place, and left it once.
        upstream.credentials = None
        await asyncio.gather(*(client.get_page(page, accept=ACCEPT) for _ in range(8)))
    assert len({request.connection for request in upstream.requests}) == 1
    host = URL(upstream.url).host_port_subcomponent
    assert held.asked == [(name, None) for name in (upstream.url, upstream.url.rstrip("/"), host)]


def test_what_an_index_may_be_called() -> None:
    assert services(URL("https://me@index.example/simple#x")) == (
        "https://index.example/simple",
        "https://index.example/simple/",
        "index.example",
    )


# -- keyrings that fail


async def test_a_backend_that_fails(
    upstream: Upstream, page: str, held: FileKeyring, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiomirror")
    with instead(NO_KEYRING):
        async with running(asking(upstream, "me@")) as client:
            with pytest.raises(StatusError, match="credentials from the URL were sent"):
                await client.get_page(page, accept=ACCEPT)
    assert caplog.messages == ["the keyring cannot be asked: NoKeyringError"]


def test_no_keyring_installed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiomirror")
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert look_up(["https://index.example/"], None) is None
    assert caplog.messages == ["there is no keyring to ask; it comes with the extra aiomirror[keyring]"]


async def test_a_keyring_that_waits_for_somebody(caplog: pytest.LogCaptureFixture) -> None:
    """All who wait go on without it, and no later one waits anew."""
    caplog.set_level(logging.INFO, "aiomirror")
    locked = LockedKeyring()
    with instead(locked):
        asked = Keyring(["https://index.example/"], patience=0.05)
        assert set(await asyncio.gather(asked.credential(None), asked.credential(None))) == {None}
        assert await asked.credential(None) is None
        locked.unlocked.set()
    assert caplog.messages == ["the keyring has not answered within 0.05 s; going on without it"]


async def test_cancelling_one_who_waits_leaves_the_others(upstream: Upstream) -> None:
    locked = LockedKeyring()
    with instead(locked):
        asked = Keyring(["https://index.example/"])
        first, second = (asyncio.create_task(asked.credential(None)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        locked.unlocked.set()
        assert await second is None


async def test_cancelling_a_request_that_waits_for_it(upstream: Upstream, page: str) -> None:
    upstream.credentials = ("me", "s3cret")
    locked = LockedKeyring()
    settings = HttpSettings(index_url=upstream.url, keyring=True, connections=1)
    with instead(locked):
        async with running(settings) as client:
            task = asyncio.create_task(client.get_page(page, accept=ACCEPT))
            await asyncio.to_thread(locked.waiting.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            upstream.credentials = None
            # There is one connection; had it not been freed, this would wait for ever.
            assert (await client.get_page(page, accept=ACCEPT)).status == 200
        locked.unlocked.set()


# -- as it is in life

RUN = """
import asyncio, sys
from aiomirror.http import Client, HttpSettings
from aiomirror.simple.values import ACCEPT

async def run(url, seconds):
    async with Client(HttpSettings(index_url=url, keyring=True)) as client, asyncio.timeout(seconds):
        print((await client.get_page(url, accept=ACCEPT)).status)

try:
    asyncio.run(run(sys.argv[1], float(sys.argv[2])))
except TimeoutError:
    print("late")
"""


def living(upstream: Upstream, backend: str, file: Path, seconds: float) -> tuple[str, str]:
    """What a process of its own says on its two streams."""
    environ = os.environ | {
        "PYTHON_KEYRING_BACKEND": f"file_keyring.{backend}",
        "PYTHONPATH": str(Path(__file__).parent),
        "FILE_KEYRING": str(file),
    }
    command = [sys.executable, "-c", RUN, upstream.url, str(seconds)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout, done.stderr


def test_a_backend_that_the_environment_names(upstream: Upstream, held: FileKeyring, tmp_path: Path) -> None:
    assert living(upstream, "FileKeyring", tmp_path / "keyring.json", 60) == ("200\n", "")
    assert sent(upstream) == [None, basic("me", "s3cret")]


def test_a_process_does_not_outlive_its_run(upstream: Upstream, tmp_path: Path) -> None:
    """The thread that waits for the keyring is not waited for."""
    upstream.credentials = ("me", "s3cret")
    assert living(upstream, "LockedKeyring", tmp_path / "none", 0.1) == ("late\n", "")
