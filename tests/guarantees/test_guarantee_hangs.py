"""GUARANTEES, Liveness: G17, no answer and none that is missing can hang a run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import drip, raw_server, running, slow

from catalogue import JSON_TYPE
from faults import Chunked, Drip, Stall

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults import Fault
    from mirror import Mirror

SDIST = "foo-1.0.tar.gz"
FILE = f"/files/foo/{SDIST}"
LARGE = os.urandom(1_500_000)


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    mirror.upstream.add_file("foo", SDIST, content=LARGE)
    return mirror


def ends(mirror: Mirror, base: str, seconds: float = 30) -> str:
    """What a run against ``base`` says; TimeoutError when it does not end."""
    argv = ["-i", f"{base}/simple/", "-d", str(mirror.dest), "--timeout", "0.3", "--retries", "0"]
    with running([sys.executable, "-m", "aiomirror", "foo", *argv]) as process:
        try:
            _, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError("the run hangs") from None
    assert process.returncode in {1, 4}
    assert "Traceback" not in err
    return err


def asked(connection: socket.socket) -> None:
    connection.recv(65_536)


HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON_TYPE}\r\n".encode()


def dripping_page(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    drip(connection, b" ")


def dripping_chunks(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    drip(connection, b"1\r\n \r\n", 0.005)


def silent(connection: socket.socket) -> None:
    asked(connection)
    time.sleep(60)


def half_a_header(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD)
    time.sleep(60)


def flood_of_headers(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD)
    while True:
        connection.sendall(b"X-More: of them\r\n" * 1_000)


def endless_status_line(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(b"HTTP/1.1 200 ")
    while True:
        connection.sendall(b"O" * 10_000)


def flood_of_trailers(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n")
    while True:
        connection.sendall(b"X-More: of them\r\n" * 1_000)


@pytest.mark.parametrize(
    "talk",
    [
        dripping_page,
        dripping_chunks,
        slow(silent),
        half_a_header,
        flood_of_headers,
        slow(endless_status_line),
        slow(flood_of_trailers),
    ],
)
def test_G17_no_way_of_answering_a_page_hangs_the_run(
    mirror: Mirror, talk: Callable[[socket.socket], None]
) -> None:
    with raw_server(talk) as base:
        assert "error: foo: " in ends(mirror, base)


def dripping_headers(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"X-Slow: ")
    drip(connection, b"x")


def dripping_chunk_extension(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;")
    drip(connection, b"x")


def interim_answers(connection: socket.socket) -> None:
    asked(connection)
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize("talk", [dripping_headers, interim_answers])
def test_G17_nor_does_one_that_is_all_overhead(mirror: Mirror, talk: Callable[[socket.socket], None]) -> None:
    with raw_server(talk) as base:
        assert "error: foo: " in ends(mirror, base)


def test_G17_nor_one_whose_body_never_begins(mirror: Mirror) -> None:
    with raw_server(dripping_chunk_extension) as base:
        assert "error: foo: " in ends(mirror, base, 3)


def test_G17_a_connection_that_is_never_made(mirror: Mirror) -> None:
    """A listener whose queue is full lets a handshake wait for ever."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        err = ends(mirror, f"http://127.0.0.1:{full.getsockname()[1]}")
    assert "no connection within 0.3 s" in err or "no answer within 0.3 s" in err


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Stall(), "no answer within 0.3 s"),
        (Stall(1_000), "silent for 0.3 s"),
        (Drip(piece=1, pause=0.01), "slower than 1,000 bytes/s"),
        ((Drip(piece=1, pause=0.01), Chunked()), "slower than 1,000 bytes/s"),
    ],
    ids=str,
)
def test_G17_a_file_that_stalls_or_drips_is_broken_off(
    foo: Mirror, fault: Fault | tuple[Fault, ...], says: str
) -> None:
    foo.upstream.always(FILE, *(fault if isinstance(fault, tuple) else (fault,)))
    code = 4 if "no answer" in says else 1
    (line,) = foo.sync("foo", "--timeout", "0.3", "--retries", "0", code=code).errors()
    assert says in line


def test_G17_no_total_limit_breaks_a_big_file(foo: Mirror) -> None:
    """It takes several times the time-out, and is fast enough all along."""
    foo.upstream.always(FILE, Drip(piece=50_000, pause=0.03))
    foo.sync("foo", "--timeout", "0.3", "--retries", "0", "--min-rate", "100k")
    assert foo.path(SDIST).read_bytes() == LARGE
