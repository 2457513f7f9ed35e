"""Requests: redirects, credentials, proxies and certificates, up to the headers of an answer."""

from __future__ import annotations

import asyncio
import platform
import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.request import getproxies

import aiohttp

from aiomirror import __version__
from aiomirror.errors import RedirectError, UpstreamError
from aiomirror.http.body import Body
from aiomirror.http.origins import (
    Credentials,
    Proxies,
    link_local,
    masked,
    origin,
    parse,
    read_netrc,
    userinfo,
)
from aiomirror.http.problems import FOREIGN, unanswered
from aiomirror.http.redirects import FOLLOWED, redirected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yarl import URL

    from aiomirror.http.values import HttpSettings

USER_AGENT = f"aiomirror/{__version__} {platform.python_implementation()}/{platform.python_version()}"
READ_SIZE = 64 * 1024  # bytes buffered of each answer before the peer is held up
HEADER_PATIENCE = 2  # times the time-out: for all of the headers, which silence alone would not bound
HEADER_CAP = 16 * 1024  # bytes of a status line, and of each header


class _Trace:
    """What aiohttp tells of one request: that it goes out, and whether over a connection that served before.

    From then on its answer's headers have ``seconds`` to be complete.
    """

    __slots__ = ("limit", "reused", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.reused = False
        self.limit: asyncio.Timeout | None = None

    def begin(self, *, reused: bool) -> None:
        """It has a connection."""
        self.reused = reused
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.seconds)


class Session:
    """A pool of connections; an async context manager."""

    def __init__(self, settings: HttpSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._answered: set[str] = set()
        self.requests = 0
        """Requests sent, redirects and repetitions on dead connections among them."""

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._credentials, self._proxies = Credentials(read_netrc()), Proxies(getproxies())
        # sock_connect and not connect: waiting for a free place in the pool is not the peer's fault.
        timeout = aiohttp.ClientTimeout(sock_connect=settings.timeout, sock_read=settings.timeout)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.connections),
            timeout=timeout,
            headers={"User-Agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a .tar.gz labelled as gzip would be stored as a tar
            read_bufsize=READ_SIZE,
            max_line_size=HEADER_CAP,
            max_field_size=HEADER_CAP,
            trace_configs=[self._tracing()],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def remember(self, url: str) -> None:
        """Keep the credentials in an address that the person wrote, for its origin."""
        self._credentials.remember(parse(url))

    def answered(self, url: str) -> bool:
        """Whether the origin of ``url`` has answered anything in this run."""
        try:
            return origin(parse(url)) in self._answered
        except UpstreamError:
            return False

    async def open(self, url: str, headers: Mapping[str, str], *, trusted: bool = False) -> Body:
        """The answer to a GET, whatever its status, after redirects; enter it at once.

        ``trusted`` addresses come from the person, others from upstream.

        Raises:
            UpstreamError: not an address that is asked.
            RedirectError: a redirect that is not followed.
            UnreachableError: no answer.
            StatusError: of a proxy.
        """
        given = parse(url)
        own = userinfo(given)
        target = given.with_user(None) if own is not None else given
        if link_local(target) and not trusted:
            raise RedirectError(masked(target), "a link-local address")
        home, seen = origin(target), [target]
        while True:
            body = await self._sent(target, headers, own if origin(target) == home else None)
            if body.status not in FOLLOWED:
                return body
            async with body:
                target = redirected(seen, body.headers.get("Location"))
                await body.drain()
            seen.append(target)

    async def _sent(self, url: URL, headers: Mapping[str, str], own: str | None) -> Body:
        """One request, without redirects.

        A server may have closed an idle connection when the request is on its way; that says nothing about
        the next one, so it is repeated until a new connection has been tried.
        """
        options = self._options(url, headers, own)
        trace = _Trace(self._settings.timeout * HEADER_PATIENCE)
        for _ in range(self._settings.connections + 1):
            trace.reused = False
            try:
                async with asyncio.timeout(None) as trace.limit:
                    response = await self._session.get(url, trace_request_ctx=trace, **options)
            except FOREIGN as error:
                if trace.reused and isinstance(
                    error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
                ):
                    continue
                raise unanswered(error, masked(url), self._settings.timeout) from error
            self._answered.add(origin(url))
            return Body(response, self._settings, self._clock)
        raise unanswered(aiohttp.ServerDisconnectedError(), masked(url), self._settings.timeout)

    def _options(self, url: URL, headers: Mapping[str, str], own: str | None) -> dict[str, Any]:
        """The keywords of a request: what differs from one origin to the next."""
        authorization = self._credentials.header(url) or own
        if authorization is not None:
            headers = {**headers, "Authorization": authorization}
        options: dict[str, Any] = {"headers": headers, "allow_redirects": False}
        if url.scheme == "https":
            options["ssl"] = self._certificates
        if (proxy := self._proxies.proxy(url)) is not None:
            options["proxy"] = proxy
        return options

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """The system's; read when the first https address is asked, for it takes a while."""
        return ssl.create_default_context()

    def _tracing(self) -> aiohttp.TraceConfig:
        async def reused(_: object, context: Any, __: object) -> None:  # noqa: ANN401 (aiohttp's)
            self.requests += 1
            context.trace_request_ctx.begin(reused=True)

        async def created(_: object, context: Any, __: object) -> None:  # noqa: ANN401 (aiohttp's)
            self.requests += 1
            context.trace_request_ctx.begin(reused=False)

        config = aiohttp.TraceConfig()
        config.on_connection_reuseconn.append(reused)
        config.on_connection_create_end.append(created)
        return config
