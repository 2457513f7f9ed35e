"""An upstream that fails a fifth of all answers, in every way that may pass; the run ends complete."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import main
from faults import (
    Body,
    Chunked,
    Cut,
    Etag,
    Extra,
    HangUp,
    IgnoreRange,
    NoEtag,
    Raw,
    Reset,
    Stall,
    Status,
    UntilClose,
    WrongBytes,
)

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror
    from wire import Request

SHARE = 0.2
"""Of all answers that fail."""
SIZES = (0, 1, 300, 5_000, 70_000, 600_000)


def anything(chance: random.Random) -> list[Fault]:
    """One of each kind of fault that the next attempt may be spared, for pages and files alike."""
    return [
        *(Status(status, chance.choice([None, 0])) for status in (408, 425, 429, 500, 502, 503, 504)),
        Reset(),
        Reset(chance.randrange(2_000)),
        Cut(0),
        Cut(chance.randrange(1, 100_000)),
        Stall(),
        Stall(chance.randrange(2_000)),
        HangUp(),
        Chunked(),
        UntilClose(),
        NoEtag(),
        Etag('W/"weak"'),
        Etag('"another"'),
        Raw(b""),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
    ]


FILES_ALONE: list[Fault] = [WrongBytes(), Body(b""), Body(b"<html>Sorry!</html>"), Extra(), IgnoreRange()]


@dataclass
class Chaos:
    """Chooses a fault for one answer in five, by its path and how often that was asked: whatever the order of
    the requests, the same answers fail.

    Of wrong bytes there is one answer to a file: twice is upstream's own word.
    """

    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    wronged: set[str] = field(default_factory=set)

    def __call__(self, request: Request) -> Fault | None:
        self.asked[request.path] += 1
        chance = random.Random(f"{self.seed} {request.path} {self.asked[request.path]}")
        if chance.random() >= SHARE:
            return None
        kinds = anything(chance)
        if request.path.startswith("/files/") and request.path not in self.wronged:
            kinds += FILES_ALONE
        fault = chance.choice(kinds)
        if isinstance(fault, WrongBytes | Body | Extra):
            self.wronged.add(request.path)
        self.tried[str(fault).partition("(")[0]] += 1
        return fault


def chaos(mirror: Mirror, projects: int, seed: int) -> Chaos:
    chance = random.Random(seed)
    names = [f"p{number}" for number in range(projects)]
    expected = {}
    for name in names:
        for version in range(chance.randrange(1, 4)):
            filename = f"{name}-{version}.zip"
            body = chance.randbytes(chance.choice(SIZES))
            expected[filename] = mirror.upstream.add_file(name, filename, content=body)
        mirror.upstream.add_file(name, f"{name}-0-py3-none-any.whl", core_metadata=True)
    mirror.upstream.on_request = chooser = Chaos(seed)
    args = ("--all-versions", "--timeout", "0.3", "--retries", "12")
    mirror.sync(*names, *args, code=0)
    assert {name: mirror.path(name).read_bytes() for name in expected} == expected
    assert len(mirror.files()) == len(expected) + projects
    held = mirror.identities()
    mirror.upstream.clear()
    mirror.sync(*names, *args, code=0)
    assert mirror.identities() == held
    assert not mirror.upstream.file_requests()
    return chooser


def test_G15_thirty_projects_behind_a_chaotic_upstream(mirror: Mirror) -> None:
    chooser = chaos(mirror, 30, 1)
    assert sum(chooser.tried.values()) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_G15_two_hundred_projects_behind_a_chaotic_upstream(mirror: Mirror, seed: int) -> None:
    chooser = chaos(mirror, 200, seed)
    assert sum(chooser.tried.values()) > 150
    print(sorted(chooser.tried.items()))  # noqa: T201 (the figures of the long suite)


@pytest.mark.slow
@pytest.mark.parametrize("follows", [False, True])
def test_G8_chaos_and_another_run_and_another(mirror: Mirror, *, follows: bool) -> None:
    """With no retries at all each run gets some way, and what one has got the next does not fetch again."""
    chance = random.Random(7)
    names = [f"p{number}" for number in range(60)]
    for name in names:
        content = None if follows else chance.randbytes(3_000)
        mirror.upstream.add_file(name, f"{name}-1.zip", content=content)
    mirror.upstream.on_request = Chaos(7)
    held: set[str] = set()
    for _ in range(30):
        mirror.upstream.clear()
        where = ["-i", mirror.upstream.url, "-d", str(mirror.dest)]
        argv = [*names, *where, "--retries", "0", "--timeout", "0.3", "--keep-going"]
        code = main([*argv, *([] if follows else ["--no-deps"])])
        mirror.check()
        asked = {request.path.rpartition("/")[2] for request in mirror.upstream.file_requests()}
        assert not asked & held
        assert held <= mirror.files()
        held = mirror.files()
        assert (code == 0) <= (len(held) == 60)
        if len(held) == 60:
            break
    mirror.upstream.on_request = None
    mirror.upstream.clear()
    mirror.follows = follows
    mirror.sync(*names)
    assert not mirror.upstream.file_requests()
