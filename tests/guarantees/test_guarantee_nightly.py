"""GUARANTEES as a nightly run meets them: whole runs, in which several promises hold at once."""

from __future__ import annotations

import base64
import json
import logging
import socket
import sys
from typing import TYPE_CHECKING, Any

import keyring
import pytest
from guarantee_runs import check_served, command, run, running, slow, until
from keyring.backends import fail

from builders import make_wheel
from catalogue import sha256
from faults import Redirect, Reset, Stall, Status
from file_keyring import FileKeyring
from upstream import Upstream, basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults import Fault
    from mirror import Mirror, Ran
    from wire import Request

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"
MANY = 200
NAMES = [f"p{number}" for number in range(MANY)]


@pytest.fixture
def other() -> Iterator[Upstream]:
    """A second origin."""
    with Upstream() as started:
        yield started


# -- an upstream that goes away


def many(mirror: Mirror, version: str) -> None:
    for name in NAMES:
        filename = f"{name}-{version}.tar.gz"
        mirror.upstream.add_file(name, filename, content=filename.encode())


def resets_after(upstream: Upstream, answers: int) -> None:
    """So many answers, and then none to anybody."""
    heard = 0

    def count(_: Request) -> Fault | None:
        nonlocal heard
        heard += 1
        return Reset() if heard > answers else None

    upstream.on_request = count


def refusing() -> str:
    """The address of an index that is not there any more."""
    with Upstream() as ended:
        return ended.url


@pytest.mark.parametrize("answers", [slow(-1), slow(0), 37, slow(300)])
def test_G15_an_upstream_that_is_gone_is_given_up(mirror: Mirror, answers: int) -> None:
    """The number of requests has a bound far below that of the projects; what is there stays."""
    many(mirror, "1")
    mirror.sync(*NAMES)
    before = mirror.contents()
    many(mirror, "2")
    url = refusing() if answers < 0 else mirror.upstream.url
    resets_after(mirror.upstream, answers)
    options = ("--all-versions", "--keep-going", "--prune", "--grace", "0d", "-j", "8")
    ran = mirror.sync(*NAMES, "-i", url, *options, code=4)
    assert ran.report["totals"]["requests"] <= answers + 50
    assert any("given up after 8 failures in a row" in line for line in ran.errors())
    assert check_served(mirror) >= MANY
    files = {name: body for name, body in before.items() if name.endswith(".gz")}
    assert mirror.contents().items() >= files.items()
    assert before.keys() <= mirror.contents().keys()


@pytest.mark.parametrize("fault", [Status(503, 0), slow(Status(429, 0))])
def test_G15_nor_is_one_that_answers_with_failures_alone_asked_for_ever(mirror: Mirror, fault: Fault) -> None:
    many(mirror, "1")
    mirror.sync(*NAMES)
    before = mirror.identities()
    many(mirror, "2")
    mirror.upstream.clear()
    mirror.upstream.on_request = lambda _: fault
    ran = mirror.sync(*NAMES, "--keep-going", "-j", "8", code=4)
    assert len(mirror.upstream.requests) <= 50
    assert any("given up after 8 failures in a row" in line for line in ran.errors())
    assert mirror.identities() == before


# -- Retry-After


def test_G16_what_one_request_is_told_the_others_heed(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    """A second in which the whole host is left alone, whoever asks."""
    caplog.set_level(logging.INFO, "aiomirror")
    names = NAMES[:30]
    for name in names:
        mirror.upstream.add_file(name, f"{name}-1.zip")
    mirror.upstream.fault("/simple/p0/", Status(429, 1))
    mirror.sync(*names, "-j", "4")
    assert len(mirror.files()) == len(names)
    waits = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert [wait for wait in waits if isinstance(wait, float) and wait >= 0.9]
    (refused,) = [at for at, one in enumerate(mirror.upstream.requests) if one.status == 429]
    # The requests of the other readers were under way when it was said; none was sent after them.
    began = [one.path for one in mirror.upstream.requests[refused + 1 :]]
    assert len(began) >= len(names)


def test_G16_a_host_that_is_full_for_a_day_is_no_concern_of_another(mirror: Mirror, other: Upstream) -> None:
    body = other.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", SDIST, content=body, url=other.file_url("foo", SDIST))
    mirror.upstream.add_file("bar", "bar-1.zip")
    other.always(FILE, Status(429, 86_400))
    (line,) = mirror.sync("foo", "bar", "--keep-going", "--retries", "5", code=1).errors()
    assert line.startswith(f"foo: {SDIST}: ")
    assert mirror.files() == {"bar-1.zip"}
    assert len(other.requests) == 1


# -- the lock


def test_G10_a_run_that_waits_begins_when_the_other_is_killed(mirror: Mirror) -> None:
    for name in ("foo", "bar"):
        mirror.upstream.add_file(name, f"{name}-1.zip")
    mirror.upstream.fault("/simple/foo/", Stall())
    with running(command(mirror, "foo", "--timeout", "60")) as first:
        until(lambda: bool(mirror.upstream.requests))
        with running(command(mirror, "foo", "bar", "--wait", "60")) as second:
            assert second.stderr is not None
            line = second.stderr.readline()
            assert f"another run holds this mirror (process {first.pid} on " in line
            assert mirror.upstream.paths() == ["/simple/foo/"]
            first.kill()
            _, err = second.communicate(timeout=60)
            assert second.returncode == 0
            assert "error" not in err
    mirror.check()
    assert mirror.files() == {"foo-1.zip", "bar-1.zip"}


def test_G10_a_prune_and_a_repair_do_not_begin_beside_a_run(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", "foo-1.zip")
    mirror.sync("foo")
    before = mirror.identities()
    mirror.upstream.add_file("foo", "foo-2.zip")
    mirror.upstream.clear()
    mirror.upstream.fault("/simple/foo/", Stall())
    with running(command(mirror, "foo", "--timeout", "60")) as first:
        until(lambda: bool(mirror.upstream.requests))
        for verb in ("prune", "verify"):
            extra = ["--repair", "-i", mirror.upstream.url] if verb == "verify" else []
            argv = [*command(mirror)[:3], verb, "-d", str(mirror.dest), *extra]
            ran = run(argv)
            assert ran.code == 6, ran.err
            assert f"(process {first.pid} on " in ran.err
    assert mirror.identities() == before


# -- what is taken away, and what is taken


def test_G11_nothing_is_pruned_while_one_project_has_no_answer(mirror: Mirror) -> None:
    prune = ("--prune", "--grace", "0d", "--keep-going")
    for name in ("foo", "bar", "baz"):
        mirror.upstream.add_file(name, f"{name}-1.zip")
    mirror.sync("foo", "bar", "baz")
    before = mirror.identities()
    mirror.upstream.always("/simple/bar/", Status(500))
    ran = mirror.sync("foo", "bar", *prune, code=1)
    assert any("nothing is removed" in line for line in ran.warnings())
    assert mirror.identities() == before
    mirror.upstream.always("/simple/bar/")
    mirror.sync("foo", "bar", *prune)
    assert mirror.files() == {"foo-1.zip", "bar-1.zip"}


def test_G3_other_bytes_are_taken_only_when_that_is_asked_for(mirror: Mirror) -> None:
    """And then they are checked as any others are."""
    mirror.upstream.add_file("foo", SDIST, content=b"first")
    mirror.sync("foo")
    mirror.upstream.add_file("foo", SDIST, content=b"second")
    (line,) = mirror.sync("foo", code=1).errors()
    assert "upstream now lists" in line
    mirror.upstream.fault(FILE, Status(404))
    mirror.sync("foo", "--accept-changed", code=1)
    assert mirror.path(SDIST).read_bytes() == b"first"
    mirror.sync("foo", "--accept-changed")
    assert mirror.path(SDIST).read_bytes() == b"second"
    assert mirror.entry("foo", SDIST).hashes["sha256"] == sha256(b"second")
    mirror.upstream.clear()
    mirror.sync("foo")
    assert not mirror.upstream.file_requests()


@pytest.mark.parametrize("lost", [False, True])
def test_G4_no_metadata_outlives_the_bytes_that_it_is_of(mirror: Mirror, *, lost: bool) -> None:
    """A wheel that was replaced by one without metadata has none, be our page there or not."""
    mirror.upstream.add_file("foo", WHEEL)
    mirror.sync("foo")
    assert mirror.entry("foo", WHEEL).core_metadata
    mirror.upstream.add_file("foo", WHEEL, content=b"no archive")
    mirror.sync("foo", "--accept-changed")
    assert not mirror.path(WHEEL).with_name(f"{WHEEL}.metadata").exists()
    if lost:
        for page in (mirror.dest / "foo").glob("index.*"):
            page.unlink()
    mirror.sync("foo==1.0")
    assert mirror.entry("foo", WHEEL).core_metadata is None


# -- where requests go, and what they carry


@pytest.mark.parametrize("redirect", [False, True])
def test_G24_a_name_that_leads_to_the_own_link_costs_its_file_alone(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, *, redirect: bool
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # which does not ask Python for names
    looked_up = []
    known = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> list[Any]:  # noqa: ANN401
        looked_up.append(host)
        if host == "meta.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]
        return known(host, port, *args, **options)

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    target = "http://meta.example/latest/foo-1.0.tar.gz"
    body = mirror.upstream.add_file("foo", SDIST)
    if redirect:
        mirror.upstream.always(FILE, Redirect(target))
    else:
        mirror.upstream.add_file("foo", SDIST, content=body, url=target)
    mirror.upstream.add_file("foo", WHEEL)
    (line,) = mirror.sync("foo", "--keep-going", code=1).errors()
    assert "a name that leads to a link-local address" in line
    assert mirror.files() == {WHEEL}
    assert looked_up.count("meta.example") == 1


TOKEN = "tok3n/of+the=index"
SHOWN = (TOKEN, "tok3n", base64.b64encode(TOKEN.encode()).decode())


def keeps(mirror: Mirror, ran: Ran) -> None:
    """No secret in anything that was said or written: output, report, pages, state, partial files."""
    written = b"\n".join(path.read_bytes() for path in mirror.folder.rglob("*") if path.is_file())
    for text in (ran.out, ran.err, json.dumps(ran.report), written.decode(errors="replace")):
        for secret in SHOWN:
            assert secret not in text


def apart(mirror: Mirror, other: Upstream) -> None:
    """An index whose files are elsewhere, but for a wheel that is with it and a file that it redirects."""
    wheel = make_wheel("foo", "1.0")
    mirror.upstream.add_file("foo", WHEEL, content=wheel, core_metadata=True)
    body = other.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", SDIST, content=body, url=other.file_url("foo", SDIST))
    moved = other.add_file("foo", "foo-1.0.zip")
    mirror.upstream.add_file("foo", "foo-1.0.zip", content=moved)
    mirror.upstream.always("/files/foo/foo-1.0.zip", Redirect(f"{other.base}/files/foo/foo-1.0.zip"))


EXTRAS: list[list[str]] = [[], ["-v", "--log-format", "json"], ["--debug", "-v"], ["--dry-run"]]


@pytest.mark.parametrize("extra", EXTRAS, ids=" ".join)
def test_G25_a_token_is_for_the_index_and_appears_nowhere(
    mirror: Mirror, other: Upstream, monkeypatch: pytest.MonkeyPatch, extra: list[str]
) -> None:
    apart(mirror, other)
    monkeypatch.setenv("AIOMIRROR_TOKEN", TOKEN)
    ran = mirror.sync("foo", *extra)
    assert "--dry-run" in extra or mirror.files() == {SDIST, WHEEL, "foo-1.0.zip"}
    sent = {request.headers.get("authorization") for request in mirror.upstream.requests}
    assert sent == {f"Bearer {TOKEN}"}
    assert "--dry-run" in extra or len(other.requests) == 2
    assert not any("authorization" in request.headers for request in other.requests)
    keeps(mirror, ran)


@pytest.mark.parametrize("path", [PAGE, f"/files/foo/{WHEEL}"])
@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_G25_nor_when_it_is_refused(
    mirror: Mirror, other: Upstream, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    apart(mirror, other)
    monkeypatch.setenv("AIOMIRROR_TOKEN", TOKEN)
    mirror.upstream.always(path, Status(status))
    missing = path == PAGE and status == 404
    ran = mirror.sync("foo", "--keep-going", "--retries", "0", "-v", "--debug", code=3 if missing else 1)
    assert not any("authorization" in request.headers for request in other.requests)
    keeps(mirror, ran)


@pytest.mark.parametrize("extra", EXTRAS, ids=" ".join)
def test_G25_a_password_of_the_keyring_is_for_the_index_and_appears_nowhere(
    mirror: Mirror, other: Upstream, tmp_path_factory: pytest.TempPathFactory, extra: list[str]
) -> None:
    apart(mirror, other)
    mirror.upstream.credentials = ("me", TOKEN)
    path = tmp_path_factory.mktemp("outside") / "keyring.json"
    path.write_text(json.dumps({mirror.upstream.url: {"me": TOKEN}, other.base: {"me": "another"}}))
    keyring.set_keyring(FileKeyring(path))
    try:
        ran = mirror.sync("foo", "--keyring", *extra)
    finally:
        keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call] # (keyring's own)
    sent = {request.headers.get("authorization") for request in mirror.upstream.requests}
    assert sent == {None, basic("me", TOKEN)}  # none until it is asked for
    assert not any("authorization" in request.headers for request in other.requests)
    assert basic("me", TOKEN).split()[1] not in ran.out + ran.err
    keeps(mirror, ran)
