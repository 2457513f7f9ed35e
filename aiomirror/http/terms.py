"""On what terms each host is talked to: credentials, proxy and certificates, out of the person's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiomirror.errors import ConfigError, UpstreamError
from aiomirror.http.certificates import Certificates, TrustedHosts
from aiomirror.http.credentials import Credentials, read_netrc
from aiomirror.http.hosts import Host
from aiomirror.http.keyrings import Keyring, services
from aiomirror.http.origins import hostname, origin, parse
from aiomirror.http.proxies import Proxies, usable

if TYPE_CHECKING:
    from yarl import URL

    from aiomirror.http.credentials import Credential
    from aiomirror.http.values import HttpSettings


class Terms:
    """The terms of one session; :meth:`settled` makes them."""

    def __init__(
        self,
        settings: HttpSettings,
        certificates: Certificates,
        trusted: TrustedHosts,
        credentials: Credentials,
        index: URL | None,
    ) -> None:
        self._per_host = settings.per_host if settings.per_host < settings.connections else None
        self._proxies = Proxies.told(settings.proxy)
        self._certificates, self._trusted = certificates, trusted
        self.credentials = credentials
        self.named: set[str] = set()
        """The hosts that the person named; they may be link-local."""
        self._own = None if index is None else origin(index)
        self._keyring = Keyring(services(index)) if index is not None and settings.keyring else None
        if index is not None:
            self.named.add(hostname(index.raw_host or ""))
            credentials.remember(index)

    @classmethod
    def settled(cls, settings: HttpSettings) -> Self:
        """What the settings, the environment and the person's netrc file come to.

        Raises:
            ConfigError: with everything in the settings that cannot be used.
        """
        problems: list[str] = []
        if settings.proxy:
            try:
                usable(settings.proxy)
            except ConfigError as error:
                problems += [f"--proxy: {problem}" for problem in error.problems]
        certificates = Certificates(settings.cert, settings.client_cert)
        trusted = TrustedHosts(settings.trusted_hosts)
        problems += trusted.problems + certificates.problems()
        if problems:
            raise ConfigError(*problems)

        def private(url: URL) -> bool:
            return url.scheme == "https" or url in trusted

        index = _parsed(settings.index_url)
        credentials = Credentials(settings.tokens, read_netrc(), private, index)
        return cls(settings, certificates, trusted, credentials, index)

    def host(self, url: URL) -> Host:
        """What is to be known of an origin that was not asked before.

        Raises:
            UpstreamError: its proxy is of a kind that aiohttp does not speak to.
        """
        own = origin(url) == self._own
        proxy, tls = self._proxies.proxy(url), None
        if proxy is not None:
            self.named.add(hostname(proxy.raw_host or ""))
        tls_proxy = proxy is not None and proxy.scheme == "https"
        if url.scheme == "https" or tls_proxy:
            # aiohttp talks to such a proxy by the same certificates, and nobody said to trust that.
            checked = tls_proxy or url not in self._trusted
            tls = self._certificates.context(own=own and not tls_proxy, checked=checked)
        return Host(url, self.credentials.of(url), self._per_host, proxy=proxy, tls=tls, own=own)

    async def unlock(self, host: Host, sent: Credential | None) -> bool:
        """Whether more is known of the index's origin, now that it has refused what was sent.

        The keyring is asked if that was nothing, or a name without a password.
        """
        if self._keyring is None or (sent is not None and sent.user is None):
            return False
        found = await self._keyring.credential(None if sent is None else sent.user)
        if found is None:
            return False
        self.credentials.unlock(host.name, found)
        host.credential = found
        return True


def _parsed(index_url: str) -> URL | None:
    """None where there is none, or none that can be asked, which the first request will say."""
    try:
        return parse(index_url)
    except UpstreamError:
        return None
