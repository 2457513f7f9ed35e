"""GUARANTEES, Liveness: G18, memory and disk are bounded, and G19, HTML is read in linear time."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import OneOf, options, raw_server, run_measured, slow

from catalogue import HTML_TYPE, JSON_TYPE
from faults import Chunked, Extra, GzipBomb, HugeHeader, Redirect

if TYPE_CHECKING:
    import socket

    from faults import Fault
    from mirror import Mirror

SDIST = "foo-1.0.tar.gz"
FILE, PAGE = f"/files/foo/{SDIST}", "/simple/foo/"
MIB = 2**20
IDLE = 120 * MIB
"""What a run that does next to nothing may have at its peak; it is about 70 MiB."""
PAGE_CAP = 64 * MIB


def measured(mirror: Mirror, *args: str, code: int) -> tuple[list[str], int]:
    ran, peak = run_measured(options(mirror, "--retries", "0", *args))
    assert ran.code == code, ran.err
    mirror.check()
    return ran.errors(), peak


# -- pages


@pytest.mark.parametrize("kind", [JSON_TYPE, slow(HTML_TYPE)])
def test_G18_a_compressed_bomb_is_not_unpacked(mirror: Mirror, kind: str) -> None:
    mirror.upstream.add_page("foo", b"", kind)
    bomb = GzipBomb(250 * MIB)
    mirror.upstream.always(PAGE, bomb)
    (line,), peak = measured(mirror, "foo", code=1)
    assert "larger than 67,108,864 bytes" in line
    assert peak < IDLE + 2 * PAGE_CAP


def test_G18_nor_one_that_unpacks_to_nothing_for_ever(mirror: Mirror) -> None:
    """Empty blocks of deflate: bytes that come, and none that come out."""
    empty = zlib.compressobj(wbits=31)
    start = empty.compress(b"{") + empty.flush(zlib.Z_FULL_FLUSH)
    blocks = b"\x00\x00\x00\xff\xff" * 200_000

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON_TYPE}\r\nContent-Encoding: gzip\r\n\r\n"
        connection.sendall(head.encode() + start)
        while True:
            connection.sendall(blocks)

    with raw_server(talk) as base:
        (line,), peak = measured(mirror, "foo", "-i", f"{base}/simple/", code=1)
    assert "larger than" in line
    assert peak < IDLE + PAGE_CAP


@pytest.mark.parametrize(
    "framing", [slow(b"Transfer-Encoding: chunked"), slow(b"Content-Length: 9000000000"), b"X-None: 1"]
)
def test_G18_a_page_of_gigabytes_is_broken_off(mirror: Mirror, framing: bytes) -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + framing + b"\r\n\r\n")
        block = b" " * MIB
        block = b"%x\r\n%s\r\n" % (MIB, block) if framing.startswith(b"T") else block
        while sent < 9_000 * MIB:
            connection.sendall(block)
            sent += MIB

    with raw_server(talk) as base:
        (line,), peak = measured(mirror, "foo", "-i", f"{base}/simple/", code=1)
    assert "larger than 67,108,864 bytes" in line
    assert sent < 2 * PAGE_CAP
    assert peak < IDLE + 2 * PAGE_CAP


@pytest.mark.slow
def test_G18_many_such_pages_at_once(mirror: Mirror) -> None:
    """The cap is for each page, and as many are read at once as there are jobs."""
    names = [f"p{number}" for number in range(4)]
    for name in names:
        mirror.upstream.add_page(name, b"", JSON_TYPE)
        mirror.upstream.always(f"/simple/{name}/", GzipBomb(70 * MIB))
    lines, peak = measured(mirror, *names, "--keep-going", "-j", "2", code=1)
    assert len(lines) == len(names)
    assert peak < IDLE + 2 * 2 * PAGE_CAP


@pytest.mark.parametrize("kind", [slow(JSON_TYPE), HTML_TYPE])
def test_G18_and_G19_a_page_of_very_many_links(mirror: Mirror, kind: str) -> None:
    mirror.upstream.add_file("foo", SDIST)
    good = {**mirror.upstream.projects["foo"].files[0]}
    good["url"] = mirror.upstream.file_url("foo", SDIST)
    if kind == JSON_TYPE:
        entry = json.dumps({"filename": "bar-1.zip", "url": "x", "hashes": {}})
        page = '{"files":[' + ",".join([json.dumps(good), *[entry] * 99_999]) + "]}"
    else:
        link = f'<a href="{good["url"]}#sha256={good["hashes"]["sha256"]}">x</a>'
        page = link + "<a href=x/bar-1.zip>x</a>\n" * 99_999
    mirror.upstream.add_page("foo", page.encode(), kind)
    lines, peak = measured(mirror, "foo", code=0)
    assert not lines
    assert mirror.files() == {SDIST}
    assert peak < IDLE + 16 * len(page)


@pytest.mark.parametrize("kind", [JSON_TYPE, HTML_TYPE])
def test_G18_a_page_of_more_links_than_are_read_is_refused(mirror: Mirror, kind: str) -> None:
    mirror.upstream.add_project("foo")
    names = (f"foo-1.{number}.zip" for number in range(900_000))
    if kind == JSON_TYPE:
        page = (
            '{"files":[' + ",".join(f'{{"filename":"{n}","url":"{n}","hashes":{{}}}}' for n in names) + "]}"
        )
    else:
        page = "".join(f"<a href={name}>{name}</a>\n" for name in names)
    assert len(page) < PAGE_CAP
    mirror.upstream.add_page("foo", page.encode(), kind)
    mirror.upstream.add_file("bar", "bar-1.zip")
    (line,), peak = measured(mirror, "foo", "bar", code=1)
    assert line.startswith("foo: the page lists ")
    assert "100,000" in line
    assert mirror.files() == {"bar-1.zip"}
    assert peak < IDLE + 16 * len(page)


Made = Callable[[], bytes]
"""A page, made when it is asked for: each process of the tests would hold all of them to its end."""
VALUES: dict[str, tuple[Made, str]] = {
    "numbers": (lambda: b'{"files":[' + b"0," * 4_000_000 + b"0]}", JSON_TYPE),
    "lists": (lambda: b'{"files":[],"x":[' + b"[]," * 4_000_000 + b"0]}", JSON_TYPE),
    "empty files": (lambda: b'{"files":[' + b"{}," * 2_000_000 + b"{}]}", JSON_TYPE),
    "lines": (lambda: b"<a href=foo-1.zip>x</a>" + b"<br>" * 4_000_000, HTML_TYPE),
    "paragraphs": (lambda: b"<a href=foo-1.zip>x</a>" + b"<p>" * 4_000_000, HTML_TYPE),
}


@pytest.mark.parametrize("kind", VALUES)
def test_G18_a_page_of_more_values_than_are_read_is_refused(mirror: Mirror, kind: str) -> None:
    made, content_type = VALUES[kind]
    body = made()
    mirror.upstream.add_page("foo", body, content_type)
    (line,), peak = measured(mirror, "foo", code=1)
    assert "the page " in line
    assert ",000 " in line
    assert peak < IDLE + 30 * len(body)


DEEP: dict[str, Made] = {
    "lists": lambda: b"[" * 20_000_000,
    "closed lists": lambda: b'{"files":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "objects": lambda: b'{"a":' * 1_000_000,
    "number": lambda: b'{"files":[],"x":' + b"9" * 10_000_000 + b"}",
    "size": lambda: (
        b'{"files":[{"filename":"foo-1.zip","url":"x","hashes":{},"size":' + b"9" * 1_000_000 + b"}]}"
    ),
    "version": lambda: b'{"files":[{"filename":"foo-' + b"9" * 10_000_000 + b'.zip","url":"x","hashes":{}}]}',
    "address": lambda: (
        b'{"files":[{"filename":"foo-1.zip","url":"http://' + b"[" * 10_000_000 + b'","hashes":{}}]}'
    ),
    "surrogates": lambda: b'"' + b"\\ud800" * 3_000_000 + b'"',
}


@pytest.mark.parametrize("kind", DEEP)
def test_G18_deep_or_huge_json(mirror: Mirror, kind: str) -> None:
    mirror.upstream.add_page("foo", DEEP[kind](), JSON_TYPE)
    ran = mirror.sync("foo", "--retries", "0", code=OneOf(1, 3))
    assert len(ran.errors()) == 1
    assert max(map(len, ran.err.splitlines())) < 1_000


@pytest.mark.parametrize("kind", [slow("lists"), "surrogates"])
def test_G18_and_it_takes_memory_in_proportion(mirror: Mirror, kind: str) -> None:
    body = DEEP[kind]()
    mirror.upstream.add_page("foo", body, JSON_TYPE)
    ran, peak = run_measured(options(mirror, "foo", "--retries", "0"))
    assert ran.code in {1, 3}
    assert peak < IDLE + 20 * len(body)


@pytest.mark.parametrize(
    "unit",
    [
        b"<!--",
        b"<!-- x --!",
        b"<a href=",
        b'<a href="',
        b"<a " + b"x " * 100,
        b"<div>",
        b"</div>",
        b"<table><tr><td>",
        b"<a>",
        b"<b><i><p>",
        b"<![CDATA[",
        b"<!DOCTYPE [",
        b"<?",
        b"<script>",
        b"<textarea>",
        b"<select><option>",
        b"&",
        b"&#x",
        b"&amp",
        b"<",
        b"\x00",
        b"<base href=x>",
        b"<meta name='pypi:repository-version' content='1.",
        b"<a href='foo-1.zip#sha256=",
    ],
    ids=str,
)
def test_G19_hostile_html_is_read_in_linear_time(mirror: Mirror, unit: bytes) -> None:
    """Four megabytes of it: what is quadratic takes hours, and the run would not come to its end."""
    mirror.upstream.add_page("foo", unit * (4 * MIB // len(unit)), "text/html")
    ran = mirror.sync("foo", "--retries", "0", "--timeout", "60", code=OneOf(1, 3))
    assert len(ran.errors()) == 1


# -- headers, redirects, files


def test_G18_a_header_above_the_cap(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(PAGE, HugeHeader(200_000))
    (line,), peak = measured(mirror, "foo", code=4)
    assert "headers are too large" in line
    assert peak < IDLE


def test_G18_redirects_are_few(mirror: Mirror) -> None:
    for number in range(20):
        mirror.upstream.always(f"/hop/{number}", Redirect(f"/hop/{number + 1}"))
    mirror.upstream.always(PAGE, Redirect("/hop/0"))
    (line,) = mirror.sync("foo", code=1).errors()
    assert "more than 5 redirects" in line
    assert len(mirror.upstream.requests) == 6


@pytest.mark.parametrize(
    ("faults", "size"),
    [((Extra(30 * MIB),), -1), ((Extra(30 * MIB), Chunked()), -1), ((Extra(30 * MIB), Chunked()), None)],
)
def test_G18_a_file_is_broken_off_at_its_listed_size_or_the_largest_allowed(
    mirror: Mirror, faults: tuple[Fault, ...], size: int | None
) -> None:
    mirror.upstream.add_file("foo", SDIST, content=os.urandom(2 * MIB), size=size)
    mirror.upstream.add_file("bar", "bar-1.zip")
    mirror.upstream.always(FILE, *faults)
    cap = ["--max-file-size", "2MiB"] if size is None else []
    ran = mirror.sync("foo", "bar", *cap, code=0 if cap else 1)
    assert mirror.files() == {"bar-1.zip"}
    (outcome,) = (one for one in ran.report["files"] if one["filename"] == SDIST)
    assert outcome["status"] == ("skipped" if cap else "failed")
    assert outcome.get("received", 0) <= 2 * MIB


def test_G18_a_large_file_is_never_whole_in_memory(mirror: Mirror) -> None:
    for name in ("foo", "bar"):
        mirror.upstream.add_file(name, f"{name}-1.0.tar.gz", content=bytes(90 * MIB))
    _, peak = measured(mirror, "foo", "bar", "--timeout", "30", code=0)
    assert peak < IDLE
