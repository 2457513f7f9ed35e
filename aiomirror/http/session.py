"""Requests: redirects, credentials, proxies and certificates, up to the headers of an answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from aiomirror.errors import GivenUpError, RedirectError, StatusError, UnreachableError, UpstreamError
from aiomirror.http.body import Body
from aiomirror.http.credentials import Credential
from aiomirror.http.exchange import Exchanges
from aiomirror.http.hosts import GIVEN_UP, Host, Hosts
from aiomirror.http.origins import masked, parse
from aiomirror.http.pace import Pace
from aiomirror.http.places import Places
from aiomirror.http.problems import FOREIGN, unanswered
from aiomirror.http.redirects import FOLLOWED, redirected
from aiomirror.http.resolver import GuardedResolver
from aiomirror.http.terms import Terms
from aiomirror.http.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.abc import AbstractResolver

    from aiomirror.errors import AiomirrorError
    from aiomirror.http.places import Place
    from aiomirror.http.values import HttpSettings

UNAUTHORIZED = 401


class Session:
    """A pool of connections; an async context manager.

    ``resolver`` looks up names; None: the system does.
    """

    def __init__(
        self,
        settings: HttpSettings,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings, self._clock, self._sleep = settings, clock, sleep
        self._resolver = resolver
        self._watch = Watch(settings.timeout)
        self.places = Places(settings.at_first or settings.connections, settings.connections, self._watch)
        self._pace = Pace(settings.rate, clock, sleep) if settings.rate else None
        self.resting: Callable[[str, float], None] | None = None
        """Who is told when a host asks to be let alone: its origin, and until when by the clock."""

    @property
    def requests(self) -> int:
        """Requests sent, redirects and repetitions among them."""
        return self._exchanges.requests

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._terms = Terms.settled(settings)
        self._hosts = Hosts(self._terms.host, self._told)
        self._guard = GuardedResolver(self._resolver or aiohttp.DefaultResolver(), self._terms.named)
        self._exchanges = Exchanges(self._guard, settings.timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.close()
        await self._exchanges.close()
        await self._guard.close()

    def _told(self, origin: str, until: float) -> None:
        if self.resting is not None:
            self.resting(origin, until)

    def rest(self, origin: str, until: float) -> None:
        """Let the host of this origin alone so long, by the clock: another session was asked to."""
        self._hosts.of(parse(origin)).rest(until)

    async def lend(self, *, anew: bool) -> None:
        """Have one place fewer, when one is free, for another session has it from now on.

        ``anew``: for the first time, so that it will have a connection more, and this one has one fewer.
        """
        await self.places.less()
        if anew:
            self._exchanges.shed()

    def remember(self, url: str) -> None:
        """Keep the credentials in an address that the person wrote, for its origin."""
        if "@" in url:
            parsed = parse(url)
            self._terms.credentials.remember(parsed)
            self._hosts.of(parsed).credential = self._terms.credentials.of(parsed)

    def answered(self, url: str) -> bool:
        """Whether the origin of ``url`` has answered anything in this run."""
        host = self._hosts.known(url)
        return host is not None and host.answered

    def given_up(self, url: str) -> bool:
        """Whether nothing more is asked of the origin of ``url`` in this run."""
        host = self._hosts.known(url)
        return host is not None and host.given_up

    def failed(self, error: AiomirrorError) -> None:
        """Note that an operation failed for good with this error, of a kind that may mean a host is down."""
        down = isinstance(error, UnreachableError) or (isinstance(error, StatusError) and error.transient)
        if down and isinstance(error, UpstreamError) and (host := self._hosts.known(error.url)) is not None:
            host.failed()

    async def open(self, url: str, headers: Mapping[str, str], *, trusted: bool = False) -> Body:
        """The answer to a GET, whatever its status, after redirects; enter it at once.

        ``trusted`` addresses come from the person, others from upstream.

        Raises:
            UpstreamError: not an address that is asked.
            RedirectError: a redirect that is not followed.
            UnreachableError: no answer, or a host that is given up.
            StatusError: of a proxy.
        """
        host, target, header = self._hosts.locate(url)
        linked = None if header is None else Credential(header, "the link")
        named = self._terms.named
        if trusted:
            named.add(host.hostname)
        elif host.link_local and host.hostname not in named:
            raise RedirectError(masked(target), "a link-local address")
        home = host
        seen: list[URL] = []
        while True:
            body = await self._sent(host, target, headers, linked if host is home else None)
            if body.status == UNAUTHORIZED and host.own and await self._unlocked(host, body):
                continue
            if body.status not in FOLLOWED:
                return body
            async with body:
                seen.append(URL(target, encoded=True))
                there = redirected(seen, body.headers.get("Location"), named)
                await body.drain()
            host, target = self._hosts.of(there), str(there)

    async def _unlocked(self, host: Host, body: Body) -> bool:
        """Whether the keyring has what the host wants; its refusal is left then."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(body)
            if not await self._terms.unlock(host, body.credential):
                stack.pop_all()
                return False
            await body.drain()
            return True

    async def _sent(
        self, host: Host, url: str, headers: Mapping[str, str], linked: Credential | None
    ) -> Body:
        """One request, without redirects, in a place of its own until its answer is left."""
        place = await self._place(host)
        credential = host.credential or linked
        if credential is not None:
            headers = {**headers, "Authorization": credential.header}
        try:
            _check_worth_asking(host, url)
            began = self._clock()
            response = await self._exchanges.get(host, url, headers, place.guard)
        except BaseException as error:
            place.leave()
            if isinstance(error, FOREIGN):
                raise unanswered(error, masked(url), self._settings.timeout) from error
            raise
        if response.reused:
            self.places.answered(self._clock() - began)
        host.heard(response.status)
        return Body(response, self._settings, self._clock, place, self._pace, credential=credential)

    async def _place(self, host: Host) -> Place:
        """A place, when the host is not to be let alone; it may ask for that while a place is waited for."""
        heeded = 0.0
        while True:
            until = host.rests_until
            if until > heeded and (rest := until - self._clock()) > 0:
                await self._sleep(rest)
            heeded = until
            place = await self.places.take(host)
            if host.rests_until <= heeded:
                return place
            place.leave()


def _check_worth_asking(host: Host, url: str) -> None:
    if host.given_up:
        raise GivenUpError(masked(url), f"given up after {GIVEN_UP} failures in a row")
