"""Very large files through whole runs; here they are small, and so is what counts as large."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from exchange import split
from faults import Cut, Etag, Extra, IgnoreRange, Status, WrongBytes

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror
    from wire import Request

SDIST = "foo-1.0.tar.gz"
FILE = f"/files/foo/{SDIST}"
SECTION = 1000
CONTENT = random.Random(1).randbytes(9500)
THIRD = "bytes=2000-2999"


@pytest.fixture
def foo(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The mirror, with one large file upstream."""
    split(monkeypatch, SECTION)
    mirror.upstream.add_file("foo", SDIST, content=CONTENT)
    return mirror


def ranges(mirror: Mirror) -> list[str | None]:
    return [request.headers.get("range") for request in mirror.upstream.file_requests()]


def meet(mirror: Mirror, part: str, *faults: Fault) -> None:
    """The first requests for this part meet these faults, one each."""
    waiting = list(faults)

    def choose(request: Request) -> Fault | None:
        return waiting.pop(0) if waiting and request.headers.get("range") == part else None

    mirror.upstream.on_request = choose


@pytest.mark.parametrize("args", [[], ["--jobs", "1"], ["--limit-rate", "1M"]])
def test_a_large_file_comes_in_sections(foo: Mirror, args: list[str]) -> None:
    ran = foo.sync("foo", *args)
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert len(ranges(foo)) == 10
    assert ran.report["totals"]["received"] == len(CONTENT)
    assert ran.err == "foo: 1 file fetched (9.5 kB)\n"
    if "--jobs" in args:
        assert {request.connection for request in foo.upstream.requests} == {1}


def test_files_without_a_size_come_in_one_stream(foo: Mirror) -> None:
    foo.upstream.add_file("foo", SDIST, content=CONTENT, size=None)
    foo.sync("foo")
    assert ranges(foo) == [None]


def test_a_broken_section_is_continued(foo: Mirror) -> None:
    meet(foo, THIRD, Cut(300))
    ran = foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert ranges(foo)[-1] == "bytes=2300-2999"
    assert ran.report["totals"]["received"] == len(CONTENT)  # nothing came twice


@pytest.mark.parametrize("fault", [Etag('"another"'), IgnoreRange(), Status(416)], ids=str)
def test_what_does_not_fit_comes_as_a_whole(foo: Mirror, fault: Fault) -> None:
    meet(foo, THIRD, fault)
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert ranges(foo)[-1] is None


def test_a_wrong_section_is_found_and_all_of_it_comes_anew(foo: Mirror) -> None:
    meet(foo, THIRD, WrongBytes())
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT
    last = foo.upstream.file_requests()[-1]
    assert "range" not in last.headers
    assert last.headers["cache-control"] == "no-cache"


def test_a_wrong_digest_in_the_listing(foo: Mirror) -> None:
    foo.upstream.add_file("foo", SDIST, content=CONTENT, hashes={"sha256": "0" * 64})
    (line,) = foo.sync("foo", code=1).errors()
    assert line.startswith(f"foo: {SDIST}: sha256 is ")
    assert not foo.files()


@pytest.mark.parametrize(
    ("size", "says"),
    [(9499, "longer than the 9,499 bytes that upstream lists"), (9501, "9,500 bytes, not 9,501")],
)
def test_a_wrong_size_in_the_listing(foo: Mirror, size: int, says: str) -> None:
    foo.upstream.add_file("foo", SDIST, content=CONTENT, size=size)
    (line,) = foo.sync("foo", code=1).errors()
    assert line == f"foo: {SDIST}: {says}"
    assert not foo.files()


def test_a_longer_file_than_listed(foo: Mirror) -> None:
    foo.upstream.always(FILE, Extra())
    (line,) = foo.sync("foo", code=1).errors()
    assert line == f"foo: {SDIST}: longer than the 9,500 bytes that upstream lists"
    assert not foo.files()
