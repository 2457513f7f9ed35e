"""Moving bytes: retries, resumption, verification and what is not fetched again, through whole runs."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from catalogue import sha256
from faults import (
    Body,
    Chunked,
    Cut,
    Etag,
    Extra,
    Header,
    IgnoreRange,
    NoEtag,
    Reset,
    Stall,
    Status,
    UntilClose,
    WrongBytes,
)
from mirror import Mirror
from tls import server_context, write_pem
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults import Fault

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"
CONTENT = random.Random(1).randbytes(3000)
QUICK = ("--timeout", "0.2")


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    """The mirror, with one file upstream."""
    mirror.upstream.add_file("foo", SDIST, content=CONTENT)
    return mirror


# -- again


@pytest.mark.parametrize(
    "fault",
    [
        *(Status(status) for status in (408, 425, 429, 500, 502, 503, 504)),
        Status(503, 0),
        Status(429, "0"),
        Status(503, "Mon, 01 Jan 2001 00:00:00 GMT"),
        Reset(),
        Reset(1000),
        Cut(0),
        Cut(1000),
        Stall(),
        Stall(1000),
        WrongBytes(),
        Body(b""),
        Body(CONTENT[:-1]),
    ],
    ids=str,
)
def test_a_passing_fault_is_tried_again(foo: Mirror, fault: Fault) -> None:
    foo.upstream.fault(FILE, fault)
    ran = foo.sync("foo", *QUICK)
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert len(foo.upstream.file_requests()) == 2
    assert ran.err == "foo: 1 file fetched (3.0 kB)\n"  # nothing that a person has to know of


@pytest.mark.parametrize("fault", [Status(503), Reset(), Cut(20), Stall()], ids=str)
def test_pages_are_tried_again_as_well(foo: Mirror, fault: Fault) -> None:
    foo.upstream.fault(PAGE, fault)
    foo.sync("foo", *QUICK)
    assert foo.files() == {SDIST}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 410, 451])
def test_what_will_not_pass_is_not_tried_again(foo: Mirror, status: int) -> None:
    foo.upstream.always(FILE, Status(status))
    (line,) = foo.sync("foo", "--retries", "3", code=1).errors()
    assert line.startswith(f"foo: {SDIST}: HTTP {status}")
    assert len(foo.upstream.file_requests()) == 1


def test_an_upstream_that_wants_to_be_left_alone_for_a_day(foo: Mirror) -> None:
    foo.upstream.always(FILE, Status(503, 86_400))
    (line,) = foo.sync("foo", "--retries", "3", code=1).errors()
    assert "asks to come back in 86,400 s" in line
    assert len(foo.upstream.file_requests()) == 1


def test_a_fault_in_one_file_does_not_touch_the_others(foo: Mirror) -> None:
    foo.upstream.add_file("foo", WHEEL)
    foo.upstream.always(FILE, Status(404))
    foo.sync("foo", code=1)
    assert foo.listed("foo") == [WHEEL]


# -- resumption


def ranges(mirror: Mirror) -> list[str | None]:
    return [request.headers.get("range") for request in mirror.upstream.file_requests()]


@pytest.mark.parametrize("fault", [Cut(1000), Reset(1000), Stall(1000)], ids=str)
def test_a_broken_transfer_resumes(foo: Mirror, fault: Fault) -> None:
    foo.upstream.fault(FILE, fault)
    ran = foo.sync("foo", *QUICK)
    assert ranges(foo) == [None, "bytes=1000-"]
    assert foo.upstream.file_requests()[1].headers["if-range"] == foo.upstream.blobs[FILE].etag
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert ran.report["totals"]["received"] == len(CONTENT)  # nothing came twice


@pytest.mark.parametrize("again", [IgnoreRange(), Etag('"another"')], ids=str)
def test_an_answer_that_is_not_the_rest_starts_over(foo: Mirror, again: Fault) -> None:
    foo.upstream.fault(FILE, Cut(1000), again)
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT


@pytest.mark.parametrize("tag", [NoEtag(), Etag('W/"weak"')], ids=str)
def test_without_a_strong_tag_nothing_is_resumed(foo: Mirror, tag: Fault) -> None:
    foo.upstream.fault(FILE, (Cut(1000), tag))
    foo.sync("foo")
    assert ranges(foo) == [None, None]
    assert foo.path(SDIST).read_bytes() == CONTENT


def test_what_was_resumed_is_verified_whole(foo: Mirror) -> None:
    foo.upstream.fault(FILE, (WrongBytes(), Cut(1000)))  # the rest is right, and the first part is not
    foo.sync("foo", "--retries", "2")
    assert ranges(foo) == [None, "bytes=1000-", None]
    assert foo.path(SDIST).read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [Chunked(), UntilClose()], ids=str)
def test_a_file_of_unannounced_length(foo: Mirror, fault: Fault) -> None:
    foo.upstream.always(FILE, fault)
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT


def test_files_are_stored_as_they_are_sent(mirror: Mirror) -> None:
    body = mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(FILE, Header("Content-Encoding", "gzip"))
    mirror.sync("foo")
    assert mirror.path(SDIST).read_bytes() == body
    (request,) = mirror.upstream.file_requests()
    assert request.headers["accept-encoding"] == "identity"


# -- what is not right is not published


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (WrongBytes(), "sha256 is "),
        (Body(CONTENT[:-1]), "2,999 bytes, not 3,000"),
        (Body(b""), "0 bytes, not 3,000"),
        (Extra(), "longer than the 3,000 bytes that upstream lists"),
        ((Extra(), Chunked()), "longer than the 3,000 bytes that upstream lists"),
    ],
    ids=str,
)
def test_a_wrong_file_is_not_published(foo: Mirror, fault: Fault | tuple[Fault, ...], says: str) -> None:
    foo.upstream.always(FILE, *(fault if isinstance(fault, tuple) else (fault,)))
    ran = foo.sync("foo", code=1)
    (line,) = ran.errors()
    assert line.startswith(f"foo: {SDIST}: {says}")
    assert not foo.files()
    (file,) = ran.report["files"]
    assert (file["status"], file["filename"]) == ("failed", SDIST)


@pytest.mark.parametrize("size", [2999, 3001, 0])
def test_a_wrong_size_in_the_listing(mirror: Mirror, size: int) -> None:
    mirror.upstream.add_file("foo", SDIST, content=CONTENT, size=size)
    (line,) = mirror.sync("foo", code=1).errors()
    assert f"{size:,}" in line
    assert not mirror.files()


def test_a_wrong_digest_in_the_listing(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, content=CONTENT, hashes={"sha256": "0" * 64})
    (line,) = mirror.sync("foo", code=1).errors()
    assert line == f"foo: {SDIST}: sha256 is {sha256(CONTENT)}, not {'0' * 64}"
    assert not mirror.files()


# -- files of which upstream lists no digest


@pytest.fixture
def secure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mirror]:
    """A mirror of an upstream that speaks TLS."""
    pem = write_pem(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with Upstream(tls=server_context(pem)) as upstream:
        yield Mirror(tmp_path, upstream, capsys)


NOTICE = f"foo: {SDIST}: taken without a digest from upstream"


@pytest.mark.parametrize("args", [[], ["--allow-unhashed"]])
def test_without_a_digest_over_https(secure: Mirror, args: list[str]) -> None:
    secure.upstream.add_file("foo", SDIST, content=CONTENT, hashes={})
    assert secure.sync("foo", *args).warnings() == [NOTICE]
    assert secure.entry("foo", SDIST).hashes == {"sha256": sha256(CONTENT)}
    secure.upstream.clear()
    secure.sync("foo", *args)
    assert not secure.upstream.file_requests()


def test_without_a_digest_over_http(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, content=CONTENT, hashes={})
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith(f"foo: {SDIST}: upstream lists no digest of it, and it comes over plain http")
    assert "--allow-unhashed" in line
    assert mirror.sync("foo", "--allow-unhashed").warnings() == [NOTICE]
    assert mirror.entry("foo", SDIST).hashes == {"sha256": sha256(CONTENT)}


@pytest.mark.parametrize("args", [[], ["--allow-unhashed"]])
def test_digests_can_be_required(secure: Mirror, args: list[str]) -> None:
    secure.upstream.add_file("foo", SDIST, content=CONTENT, hashes={})
    secure.upstream.add_file("foo", WHEEL)
    (line,) = secure.sync("foo", "--require-hashes", *args, code=1).errors()
    assert line == f"foo: {SDIST}: upstream lists no digest of it"
    assert secure.files() == {WHEEL}


# -- what is held


def lose_the_state(mirror: Mirror) -> None:
    for path in (mirror.dest / ".aiomirror").glob("state*"):
        path.unlink()


def touch(mirror: Mirror) -> None:
    os.utime(mirror.path(SDIST))


def nothing(_: Mirror) -> None:
    pass


@pytest.mark.parametrize("between", [nothing, lose_the_state, touch])
def test_a_file_that_is_held_and_right_costs_no_request(
    foo: Mirror, between: Callable[[Mirror], None]
) -> None:
    foo.upstream.add_file("foo", WHEEL, core_metadata=True)
    foo.sync("foo")
    before = foo.path(SDIST).stat().st_ino, foo.contents()
    foo.upstream.clear()
    between(foo)
    ran = foo.sync("foo")
    assert foo.upstream.paths() == [PAGE]
    assert (foo.path(SDIST).stat().st_ino, foo.contents()) == before
    assert ran.report["totals"]["held"] == 2
    assert ran.report["totals"]["received"] == ran.report["totals"]["fetched"] == 0


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def change(path: Path) -> None:
    path.write_bytes(bytes(len(path.read_bytes())))


def link(path: Path) -> None:
    path.rename(path.with_name("moved-aside"))
    path.symlink_to("moved-aside")


DAMAGE = [truncate, empty, remove, change, link]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("between", [nothing, lose_the_state])
def test_a_damaged_file_is_fetched_again(
    foo: Mirror, damage: Callable[[Path], None], between: Callable[[Mirror], None]
) -> None:
    foo.sync("foo")
    damage(foo.path(SDIST))
    between(foo)
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert not foo.path(SDIST).is_symlink()
    assert len(foo.upstream.file_requests()) == 2


def test_a_damaged_file_is_mended_though_another_version_is_asked_for(foo: Mirror) -> None:
    foo.sync("foo")
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    empty(foo.path(SDIST))
    foo.sync("foo")
    assert foo.path(SDIST).read_bytes() == CONTENT
    assert foo.files() == {SDIST, "foo-2.0.tar.gz"}


def test_a_damaged_file_that_upstream_no_longer_has(foo: Mirror) -> None:
    foo.sync("foo")
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    foo.upstream.remove_file("foo", SDIST)
    truncate(foo.path(SDIST))
    (line,) = foo.sync("foo", code=5).errors()
    assert line == f"foo: {SDIST}: damaged or missing, and upstream has no copy"
    assert foo.listed("foo") == ["foo-2.0.tar.gz"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_sibling_is_made_again_without_a_request(
    mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    mirror.upstream.add_file("foo", WHEEL)
    mirror.sync("foo")
    before = mirror.contents()
    damage(mirror.path(f"{WHEEL}.metadata"))
    mirror.upstream.clear()
    mirror.sync("foo")
    assert mirror.upstream.paths() == [PAGE]
    assert {name: body for name, body in mirror.contents().items() if "moved" not in name} == before


def test_a_damaged_sibling_of_a_source_archive_is_fetched_again(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, core_metadata=True, metadata=b"Name: foo\n")
    mirror.sync("foo")
    remove(mirror.path(f"{SDIST}.metadata"))
    mirror.upstream.clear()
    mirror.sync("foo")
    assert [request.path for request in mirror.upstream.file_requests()] == [f"{FILE}.metadata"]
    assert mirror.entry("foo", SDIST).core_metadata is not None


@pytest.mark.parametrize("name", [SDIST, WHEEL])
def test_a_lost_sibling_of_a_file_that_upstream_no_longer_lists(mirror: Mirror, name: str) -> None:
    mirror.upstream.add_file("foo", name, core_metadata=True, metadata=b"Name: foo\n")
    mirror.sync("foo")
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz")
    mirror.upstream.remove_file("foo", name)
    remove(mirror.path(f"{name}.metadata"))
    ran = mirror.sync("foo")  # nobody is asked for it: only the wheel itself has another
    assert not ran.warnings()
    assert (mirror.entry("foo", name).core_metadata is not None) is (name == WHEEL)


@pytest.mark.parametrize("lost", [["index.v1_json"], ["index.html"], ["index.v1_json", "index.html"]])
def test_a_lost_page_is_written_again(foo: Mirror, lost: list[str]) -> None:
    foo.sync("foo")
    before = foo.contents()
    for name in lost:
        remove(foo.dest / "foo" / name)
        remove(foo.dest / name)
    foo.upstream.clear()
    foo.sync("foo")
    assert foo.contents() == before
    assert not foo.upstream.file_requests()


def test_a_file_that_a_killed_run_left_without_a_page_is_taken_as_it_is(foo: Mirror) -> None:
    (foo.dest / "foo").mkdir(parents=True)
    (foo.dest / "foo" / SDIST).write_bytes(CONTENT)
    foo.sync("foo")
    assert not foo.upstream.file_requests()
    assert foo.listed("foo") == [SDIST]
