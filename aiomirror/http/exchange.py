"""One GET on one connection: what is sent, and the answer up to its headers.

aiohttp's connector, its connections and its parser do the work; its client session does not.  That prepares
each request for whatever a program may want of one, cookies to uploads, and takes two thirds of the processor
time of a small file's transfer, for which nothing of it is used here.  Connections that wait for a request do
so here, too, not in the connector's pool.
"""

from __future__ import annotations

import re
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp.client_reqrep import ClientRequest
from msgspec import Struct
from yarl import URL

from aiomirror.http.agent import user_agent

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from aiohttp.abc import AbstractResolver
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader
    from multidict import CIMultiDictProxy

    from aiomirror.http.hosts import Host
    from aiomirror.http.watch import Guard

    Answer = tuple[RawResponseMessage, StreamReader]

READ_SIZE = 256 * 1024
"""Bytes, as many as uvloop reads at once; the peer is held up when twice as many wait to be read."""
HEADER_CAP = 16 * 1024  # bytes of a status line, and of each header
PATIENCE = 3  # times the time-out: to connect; a proxy, a name and a handshake each have their own within it
LONGEST_LENGTH = 20  # digits of a number of bytes: zeros before it may be many
KEPT = 15.0  # seconds that a connection may have waited for its next request; servers close idle ones
MOST_WAITING = 64  # connections that wait: those to many hosts, which each are asked once, must not pile up
INTERIM, SWITCHING, FINAL = 100, 101, 200
_UNSENDABLE = re.compile(r"[\0\r\n]")
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What aiohttp makes of bytes that are not UTF-8."""


class Response:
    """An answer whose headers are here; to be left, or closed."""

    __slots__ = (
        "_connection",
        "_reason",
        "_route",
        "content",
        "headers",
        "length",
        "reused",
        "status",
        "url",
    )

    def __init__(
        self, route: _Route, connection: Connection, url: str, answer: Answer, *, reused: bool
    ) -> None:
        message, self.content = answer
        self._route, self._connection, self.url = route, connection, url
        self.reused = reused
        """Whether it came on a connection that was there already."""
        self.status, self._reason = message.code, message.reason
        self.headers = _texts(message.headers)
        """By name in any case; of a repeated one the first."""
        length = self.headers.get("Content-Length", "")
        self.length = int(length) if length.isdecimal() and len(length) <= LONGEST_LENGTH else None
        """Bytes, as announced; None when nothing is, as with a transfer coding: both are refused."""

    @property
    def reason(self) -> str:
        """For people; what is no text is not in it."""
        return _NO_TEXT.sub("?", self._reason or "")

    def leave(self) -> None:
        """Give the connection back; it serves again when all of the answer has come."""
        protocol = self._connection.protocol
        if protocol is None or protocol.should_close:
            self._connection.close()
        else:
            self._route.idle.append((monotonic(), self._connection))


class _Route(Struct):
    """How to one origin: aiohttp uses nothing else of ``request``; ``constant`` are headers.

    ``idle`` are the connections that wait for a request, each with the time since when.  To take one of
    them back out of aiohttp's pool takes a tenth of a small file's request.
    """

    request: ClientRequest
    constant: str
    idle: list[tuple[float, Connection]] = msgspec.field(default_factory=list)

    def waiting(self) -> Connection | None:
        """The connection that was used last, out of those that still wait.

        One on which something came meanwhile is none of them: it would be taken for the next answer.
        """
        while self.idle:
            since, connection = self.idle.pop()
            protocol = connection.protocol
            usable = protocol is not None and protocol.is_connected() and not protocol.should_close
            if usable and monotonic() - since <= KEPT:
                return connection
            connection.close()
        return None


class Exchanges:
    """The connections of a session; made where a loop runs, and to be closed.

    ``timeout`` in seconds is for each connection, and for the headers of each answer.
    """

    def __init__(self, resolver: AbstractResolver, timeout: float) -> None:
        # Without a limit: a request has a place before it asks for a connection.
        self._connector = aiohttp.TCPConnector(limit=0, resolver=resolver)
        self._timeout, self._limits = timeout, aiohttp.ClientTimeout(sock_connect=timeout)
        self._routes: dict[str, _Route] = {}
        self.requests = 0
        """Requests sent, or tried to send, repetitions among them."""

    async def close(self) -> None:
        """Close every connection."""
        for route in self._routes.values():
            for _, connection in route.idle:
                connection.release()  # the connector waits until those that it knows are closed
            route.idle.clear()
        await self._connector.close()

    def shed(self) -> None:
        """Close one of the connections that wait for a request, if any does: the one that has longest."""
        idle = [route.idle for route in self._routes.values() if route.idle]
        if idle:
            _, connection = min(idle, key=_since).pop(0)
            connection.close()

    async def get(self, host: Host, url: str, headers: Mapping[str, str], guard: Guard) -> Response:
        """The answer to one GET, redirects too; connected anew where no connection waits.

        A server may have closed a connection that waited when the request is on its way; that says nothing
        about the next one, so it is repeated until a new connection has been tried.  ``url`` has neither
        credentials nor a fragment.

        Raises:
            aiohttp.ClientError: no connection, or one that broke.
            aiohttp.http_exceptions.HttpProcessingError: the answer is not HTTP, or its headers are too large.
            OSError: of a system call.
            TimeoutError: no answer in time; aiohttp.ConnectionTimeoutError: no connection.
            ValueError: something that cannot be sent.
        """
        route = self._route(host, url)
        message = partial(_message, route, host, url, headers)
        while (connection := route.waiting()) is not None:
            self.requests += 1
            try:
                answer = await self._answer(connection, message, guard)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                continue
            return Response(route, connection, url, answer, reused=True)
        self.requests += 1
        if sum(len(route.idle) for route in self._routes.values()) >= MOST_WAITING:
            self.shed()
        try:
            with guard.within(self._timeout * PATIENCE):
                connection = await self._connector.connect(route.request, [], self._limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        answer = await self._answer(connection, message, guard)
        return Response(route, connection, url, answer, reused=False)

    async def _answer(self, connection: Connection, message: Callable[[], bytes], guard: Guard) -> Answer:
        """What comes back for a message; the connection is closed when that is nothing."""
        try:
            protocol, transport = _open(connection)
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,  # a .tar.gz labelled as gzip would be stored as a tar
                read_bufsize=READ_SIZE,
                max_line_size=HEADER_CAP,
                max_field_size=HEADER_CAP,
            )
            transport.write(message())
            with guard.within(self._timeout):
                return await _final(protocol)
        except BaseException:
            connection.close()
            raise

    def _route(self, host: Host, url: str) -> _Route:
        route = self._routes.get(host.name)
        if route is None:
            request = ClientRequest(
                "GET", URL(url, encoded=True).origin(), proxy=host.proxy, ssl=host.tls or True
            )
            constant = f"Host: {request.headers['Host']}\r\nUser-Agent: {user_agent()}\r\n"
            route = self._routes[host.name] = _Route(request, constant)
        return route


def _since(idle: list[tuple[float, Connection]]) -> float:
    return idle[0][0]


def _texts(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Without those that are no text: neither the state nor a report could hold them."""
    if all(map(str.isascii, headers.values())):
        return headers
    texts = headers.copy()
    for name, value in headers.items():
        if _NO_TEXT.search(value):
            texts.popall(name, None)
    return texts


def _open(connection: Connection) -> tuple[ResponseHandler, asyncio.Transport]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ServerDisconnectedError
    return protocol, transport


def _message(route: _Route, host: Host, url: str, headers: Mapping[str, str]) -> bytes:
    """The request as it is sent (RFC 9112, 3)."""
    slash = url.find("/", len("https://"))
    target = "/" if slash < 0 else url[slash:]
    if host.proxy is not None and url.startswith("http:"):
        target = url
        # The connector leaves what the proxy wants to know with its request.
        if (authorization := route.request.headers.get("Proxy-Authorization")) is not None:
            headers = {**headers, "Proxy-Authorization": authorization}
    if _UNSENDABLE.search("".join((target, *headers.values()))):
        raise ValueError("what would end a line")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"GET {target} HTTP/1.1\r\n{route.constant}{lines}\r\n".encode()


async def _final(protocol: ResponseHandler) -> Answer:
    """The answer after those that only announce one (RFC 9110, 15.2)."""
    while True:
        message, content = await protocol.read()
        if not INTERIM <= message.code < FINAL or message.code == SWITCHING:
            return message, content
