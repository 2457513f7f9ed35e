"""GUARANTEES, Liveness: G14 to G16, G20 and G21.  Hangs and bounds (G17 to G19) have files of their own."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import slow
from hypothesis import given, strategies as st

from aiomirror.http.transfer import continues
from faults import (
    Body,
    Chunked,
    Cut,
    Etag,
    Extra,
    Gzip,
    HangUp,
    Header,
    IgnoreRange,
    Raw,
    Reset,
    Stall,
    Status,
    WrongBytes,
    content_type,
)

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror

SDIST = "foo-1.0.tar.gz"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"
NEW_YEAR = "Mon, 01 Jan 2001 00:00:"
LARGE = os.urandom(1_500_000)


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    mirror.upstream.add_file("foo", SDIST, content=LARGE)
    return mirror


# -- G14


def test_G14_a_fault_in_one_file_or_project_does_not_touch_the_others(mirror: Mirror) -> None:
    """Two projects of each kind of fault among sixty, and one file of three: all the rest is there."""
    names = [f"p{number}" for number in range(60)]
    for name in names:
        for version in ("1", "2", "3"):
            mirror.upstream.add_file(name, f"{name}-{version}.tar.gz", content=f"{name}{version}".encode())
    broken: list[Fault] = [
        Status(500),
        Status(403),
        Status(404),
        Reset(),
        Cut(10),
        Body(b"{"),
        content_type("text/plain"),
        Raw(b"\x00" * 99),
    ]
    bad_pages = dict(zip(names, [*broken, *broken], strict=False))
    for name, fault in bad_pages.items():
        mirror.upstream.always(f"/simple/{name}/", fault)
    bad_files = dict(zip(names[16:], [WrongBytes(), Status(404), Cut(1), Reset(1), Body(b"")], strict=False))
    for name, fault in bad_files.items():
        mirror.upstream.always(f"/files/{name}/{name}-2.tar.gz", fault)
    ran = mirror.sync(*names, "--all-versions", "--keep-going", "--retries", "0", "-j", "4", code=1)
    assert mirror.files() == {
        f"{name}-{version}.tar.gz"
        for name in names[16:]
        for version in ("1", "2", "3")
        if not (name in bad_files and version == "2")
    }
    assert {line.split(":")[0] for line in ran.errors()} == {*bad_pages, *bad_files}
    assert len(ran.errors()) == len(bad_pages) + len(bad_files)


# -- G15


@pytest.mark.parametrize(
    "fault",
    [
        Status(503),
        slow(Reset()),
        Cut(1_000_000),
        Stall(1_000_000),
        WrongBytes(),
        slow(Body(b"")),
        slow((Chunked(), Cut(1_000_000))),
    ],
    ids=str,
)
def test_G15_what_passes_is_tried_again_the_body_included(
    foo: Mirror, fault: Fault | tuple[Fault, ...]
) -> None:
    foo.upstream.fault(FILE, fault)
    foo.upstream.fault(PAGE, Cut(30))
    foo.sync("foo", "--timeout", "0.3")
    assert foo.path(SDIST).read_bytes() == LARGE
    assert len(foo.upstream.file_requests()) == 2


@pytest.mark.parametrize("fault", [(Extra(),), (Extra(), Chunked()), (Body(b"<p>Sorry!" * 200_000),)])
def test_G15_nor_is_one_answer_that_is_too_long_the_last_word(foo: Mirror, fault: tuple[Fault, ...]) -> None:
    foo.upstream.fault(FILE, fault)
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == LARGE


@pytest.mark.parametrize("retries", [0, 1])
def test_G15_and_there_is_a_bound(foo: Mirror, retries: int) -> None:
    foo.upstream.always(FILE, Status(503, 0))
    foo.sync("foo", "--retries", str(retries), code=1)
    assert len(foo.upstream.file_requests()) == retries + 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("path", [PAGE, FILE])
def test_G15_what_stays_is_not_tried_again(foo: Mirror, path: str, status: int) -> None:
    foo.upstream.always(path, Status(status, 0))
    foo.sync("foo", "--retries", "3", code=3 if path == PAGE and status in {404, 410} else 1)
    assert foo.upstream.paths().count(path) == 1


def test_G15_dead_kept_alive_connections_cost_no_retry(mirror: Mirror) -> None:
    names = [f"p{number}" for number in range(40)]
    for name in names:
        mirror.upstream.add_file(name, f"{name}-1.tar.gz", content=name.encode())
    mirror.upstream.on_request = lambda _: HangUp()
    mirror.sync(*names, "-j", "8", "--retries", "0")
    assert len(mirror.files()) == 40


# -- G16


@pytest.mark.parametrize(
    ("path", "fault", "heard"),
    [
        slow(PAGE, (Status(503, 1),), (1.0, 2.1)),
        (FILE, (Status(503, f"{NEW_YEAR}01 GMT"), Header("Date", f"{NEW_YEAR}00 GMT")), (1.0, 2.1)),
        (PAGE, (Status(503, f"{NEW_YEAR}00 GMT"),), (0.0, 1.1)),
        (FILE, (Status(429, 0),), (0.0, 1.1)),
        (FILE, (Status(503, "soon"),), (0.0, 0.3)),
        (PAGE, (Status(503, "-1"),), (0.0, 0.3)),
    ],
)
def test_G16_retry_after_is_obeyed(
    foo: Mirror,
    path: str,
    fault: tuple[Fault, ...],
    heard: tuple[float, float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aiomirror")
    foo.upstream.fault(path, fault)
    foo.sync("foo")
    (wait,) = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert isinstance(wait, float)
    assert heard[0] <= wait <= heard[1]
    assert foo.upstream.paths().count(path) == 2


@pytest.mark.parametrize("said", [86_400, "9" * 30, "Fri, 31 Dec 2100 00:00:00 GMT"])
@pytest.mark.parametrize("path", [PAGE, FILE])
def test_G16_a_day_is_an_error(foo: Mirror, path: str, said: str | int) -> None:
    foo.upstream.always(path, Status(429, said))
    (line,) = foo.sync("foo", "--retries", "5", code=1).errors()
    assert "asks to come back in" in line
    assert foo.upstream.paths().count(path) == 1


# -- G20


def ranges(mirror: Mirror) -> list[tuple[str | None, str | None]]:
    requests = mirror.upstream.file_requests()
    return [(request.headers.get("range"), request.headers.get("if-range")) for request in requests]


def test_G20_a_broken_download_resumes_with_the_tag_of_the_answer_that_began_it(foo: Mirror) -> None:
    foo.upstream.fault(FILE, Cut(900_000), Reset(200_000))
    ran = foo.sync("foo", "--retries", "3")
    etag = foo.upstream.blobs[FILE].etag
    assert ranges(foo) == [(None, None), ("bytes=900000-", etag), ("bytes=1100000-", etag)]
    assert ran.report["totals"]["received"] == len(LARGE)


@pytest.mark.parametrize(
    "again",
    [
        IgnoreRange(),
        Etag('"another"'),
        Status(416),
        (Header("Content-Range", "bytes 0-1499999/1500000"),),
        (Header("Content-Range", "bytes 900001-1499999/1500000"),),
        (Header("Content-Range", "bytes 900000-1499998/1500000"),),
        (Header("Content-Range", None),),
    ],
    ids=str,
)
def test_G20_what_does_not_fit_falls_back_to_the_whole(foo: Mirror, again: Fault | tuple[Fault, ...]) -> None:
    foo.upstream.fault(FILE, Cut(900_000), again)
    foo.sync("foo", "--retries", "3")
    assert foo.path(SDIST).read_bytes() == LARGE


def test_G20_a_partial_is_never_trusted_without_the_hash(foo: Mirror) -> None:
    foo.upstream.fault(FILE, (WrongBytes(), Cut(900_000)))
    foo.sync("foo", "--retries", "2")
    assert [asked_for for asked_for, _ in ranges(foo)] == [None, "bytes=900000-", None]
    assert foo.path(SDIST).read_bytes() == LARGE


NUMBERS = st.integers(min_value=0, max_value=10**20)


@given(
    NUMBERS,
    st.tuples(NUMBERS, NUMBERS, st.one_of(NUMBERS.map(str), st.just("*"))),
    st.sampled_from(["bytes ", "BYTES ", "bytes  ", "items ", "bytes="]),
    st.booleans(),
)
def test_G20_no_content_range_but_the_exact_one_continues(
    held: int,
    stated: tuple[int, int, str],
    unit: str,
    exact: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    first, last, total = stated
    if exact:
        first, total = held, str(last + 1)
    fits = continues(206, {"Content-Range": f"{unit}{first}-{last}/{total}"}, held, '"tag"')
    if fits:
        assert first == held
        assert total in {"*", str(last + 1)}
        assert unit.lower() == "bytes "
    else:
        possible = first == held and total in {"*", str(last + 1)} and unit.lower() == "bytes "
        assert not possible or max(first, last, int(total.replace("*", "0"))) >= 10**18


@given(st.text(max_size=60))
def test_G20_no_content_range_raises(text: str) -> None:
    assert not continues(206, {"Content-Range": text}, 7, '"tag"') or text.strip().lower().startswith(
        "bytes 7-"
    )


# -- G21


@pytest.mark.parametrize("fault", [Header("Content-Encoding", "gzip"), Header("Content-Encoding", "br")])
def test_G21_the_stored_file_is_the_bytes_as_sent(mirror: Mirror, fault: Fault) -> None:
    body = mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(FILE, fault)
    mirror.sync("foo")
    assert mirror.path(SDIST).read_bytes() == body
    assert [request.headers["accept-encoding"] for request in mirror.upstream.file_requests()] == ["identity"]


def test_G21_a_server_that_compresses_all_the_same_is_not_undone(foo: Mirror) -> None:
    foo.upstream.always(FILE, Gzip())
    foo.sync("foo", code=1)
    assert not foo.files()
