"""The origins that a run talks to: what goes with every request to each, and how each is doing."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiomirror.errors import UpstreamError
from aiomirror.http.origins import hostname, link_local, origin, parse, userinfo

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from yarl import URL

    from aiomirror.http.credentials import Credential

GIVEN_UP = 8  # operations in a row that failed for good, before the rest is not tried
MOST = 1024  # beginnings of addresses that are known by heart; upstream chooses them
TOO_MANY, FAULT = 429, 500

_PATH = re.compile(r"/[!\"$-~]*")
"""Nothing to encode, and no fragment."""


class Host:
    """One origin.

    ``tls`` is what counts for its certificates, and a proxy's.  ``own`` is for the index's origin.
    """

    def __init__(
        self,
        url: URL,
        credential: Credential | None,
        connections: int | None,
        *,
        proxy: URL | None = None,
        tls: ssl.SSLContext | None = None,
        own: bool = False,
    ) -> None:
        self.name, self.hostname = origin(url), hostname(url.raw_host or "")
        self.link_local = link_local(url)
        self.proxy, self.tls, self.credential, self.own = proxy, tls, credential, own
        self.free = None if connections is None else asyncio.Semaphore(connections)
        """Places for requests to it; None: no fewer than there are in all."""
        self.answered = False
        """Whether it has answered anything in this run."""
        self.rests_until = 0.0
        """By the session's clock: it has asked to be left alone so long."""
        self.told: Callable[[str, float], None] | None = None
        """Who wants to know when it asks for that: its name, and until when."""
        self._failures = 0

    @property
    def given_up(self) -> bool:
        """Whether so much failed in a row that the rest of the run does without it."""
        return self._failures >= GIVEN_UP

    def rest(self, until: float) -> None:
        """Let it alone so long, by the session's clock."""
        if until > self.rests_until:
            self.rests_until = until
            if self.told is not None:
                self.told(self.name, until)

    def heard(self, status: int) -> None:
        """It has answered; that it is well, unless it says otherwise."""
        self.answered = True
        if status < FAULT and status != TOO_MANY:
            self._failures = 0

    def failed(self) -> None:
        """An operation failed although it was tried as often as is allowed."""
        self._failures += 1


class Hosts:
    """Finds the host of an address; ``made`` makes what is not known yet.

    ``told`` is told when one asks to be let alone, by its name and until when.
    """

    def __init__(self, made: Callable[[URL], Host], told: Callable[[str, float], None]) -> None:
        self._made, self._told = made, told
        self._by_origin: dict[str, Host] = {}
        self._by_beginning: dict[str, Host] = {}

    def locate(self, url: str) -> tuple[Host, str, str | None]:
        """The host of an address, the address without credentials and fragment, and these credentials.

        They are as an Authorization header, None where there are none.

        Raises:
            UpstreamError: it is not an absolute http or https URL.
        """
        # Thousands of addresses begin alike, and what was checked of one beginning need not be again.
        slash = url.find("/", len("https://"))
        beginning = url[:slash]
        host = self._by_beginning.get(beginning)
        if host is not None and _PATH.fullmatch(url, slash):
            return host, url, None
        parsed = parse(url)
        host, header = self.of(parsed), userinfo(parsed)
        if slash > 0 and beginning.isascii() and header is None and len(self._by_beginning) < MOST:
            self._by_beginning[beginning] = host
        return host, str(parsed if header is None else parsed.with_user(None)), header

    def of(self, url: URL) -> Host:
        """The host of an address that was parsed."""
        name = origin(url)
        host = self._by_origin.get(name)
        if host is None:
            host = self._by_origin[name] = self._made(url)
            host.told = self._told
        return host

    def known(self, url: str) -> Host | None:
        """The host of an address, if anything was asked of it."""
        try:
            return self._by_origin.get(origin(parse(url)))
        except UpstreamError:
            return None
