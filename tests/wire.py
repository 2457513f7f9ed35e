"""HTTP/1.1 over a plain socket, so that an answer can be broken at any byte; only what the tests need."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from faults import End, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

LINGER = 0.03  # seconds between the last byte and the break, so that the client has read that byte


@dataclass
class Request:
    """What was asked: header names in lower case, ``path`` unquoted and without query, as ``target`` is not.

    ``status`` is what was answered, 0 as long as nothing was.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int
    """Which connection it came on, counted from 1."""
    status: int = 0
    path: str = field(init=False)

    def __post_init__(self) -> None:
        # A target in absolute form is what a proxy is asked for.
        self.path = unquote(urlsplit(self.target).path)


class Server:
    """A server in a thread with a loop of its own, so that synchronous tests can use it as well."""

    def __init__(self, answer: Callable[[Request], Reply], context: ssl.SSLContext | None = None) -> None:
        self._answer, self._context = answer, context
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Ends every connection, the stalled ones as well."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            self._protocol, "127.0.0.1", 0, ssl=self._context, backlog=1024
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=1 << 20)
        return asyncio.StreamReaderProtocol(reader, self._connected)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one of start_server complains on cancellation in some versions of Python.
        self._connections += 1
        task = asyncio.ensure_future(self._talk(reader, writer, self._connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            while (request := await _read_request(reader, number)) is not None:
                reply = self._answer(request)
                if reply.stop_after != -1:
                    request.status = reply.status
                await _send(writer, request, reply)
                if not await self._go_on(reader, writer, reply.end):
                    break
        # abort, not close: nothing is owed to a client that is stalled or gone.
        if not writer.is_closing():
            writer.transport.abort()

    async def _go_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: End) -> bool:
        if end is End.KEEP:
            return True
        if end is End.STALL:
            await reader.read()  # returns when the client closes
            return False
        await asyncio.sleep(LINGER)
        if end is End.RESET:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()
        return False


async def _read_request(reader: asyncio.StreamReader, number: int) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    return Request(method, target, {name.strip().lower(): value.strip() for name, value in pairs}, number)


async def _send(writer: asyncio.StreamWriter, request: Request, reply: Reply) -> None:
    if reply.stop_after == -1:
        return
    body = b"" if request.method == "HEAD" else reply.body
    if reply.status == 0:  # the fault Raw
        writer.write(body)
    else:
        length = len(body)
        body = body[: reply.stop_after] if reply.stop_after is not None else body
        await _send_http(writer, reply, body, length)
    await writer.drain()


async def _send_http(writer: asyncio.StreamWriter, reply: Reply, body: bytes, length: int) -> None:
    head = _head(reply, length)
    if not reply.piece and not reply.chunked:
        writer.write(head + body)
        return
    writer.write(head)
    step = reply.piece or max(len(body) // 3, 1)
    for start in range(0, len(body), step):
        piece = body[start : start + step]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
        await writer.drain()
        await asyncio.sleep(reply.pause)
    if reply.chunked and len(body) == length:
        writer.write(b"0\r\n\r\n")


def _head(reply: Reply, length: int) -> bytes:
    reason = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else "Odd"
    headers = dict(reply.headers)
    if reply.send_length and reply.status not in {204, 304}:
        headers["Content-Length"] = str(length)
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif not reply.send_length:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def conditional(reply: Reply, request: Request) -> None:
    """What RFC 9110 makes of a 200 when the request has validators or a Range with If-Range."""
    etag, modified = reply.headers.get("ETag"), reply.headers.get("Last-Modified")
    if _not_modified(request, etag, modified):
        reply.status, reply.body = 304, b""
        return
    if not reply.ranges:
        return
    reply.headers["Accept-Ranges"] = "bytes"
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    fresh = request.headers.get("if-range", etag) == etag and not (etag or "").startswith("W/")
    if wanted is None or not fresh:
        return
    _cut_range(reply, int(wanted[1]), int(wanted[2]) if wanted[2] else None)


def _not_modified(request: Request, etag: str | None, modified: str | None) -> bool:
    if "if-none-match" in request.headers:
        return etag is not None and etag in request.headers["if-none-match"].split(", ")
    return modified is not None and request.headers.get("if-modified-since") == modified


def _cut_range(reply: Reply, first: int, last: int | None) -> None:
    size = len(reply.body)
    last = size - 1 if last is None else min(last, size - 1)
    if first >= size or first > last:
        reply.status, reply.body = 416, b""
        reply.headers["Content-Range"] = f"bytes */{size}"
        return
    reply.status, reply.body = 206, reply.body[first : last + 1]
    reply.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
