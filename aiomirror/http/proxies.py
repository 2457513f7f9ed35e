"""Through which proxy an address is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from aiomirror.errors import ConfigError, UpstreamError
from aiomirror.http.origins import UNUSABLE, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SPOKEN = frozenset({"http", "https"})


class Proxies:
    """Proxies by the scheme of what is asked, "all" for the rest; ``bypassed`` tells of "host:port".

    They are looked up once: aiohttp's ``trust_env`` sends two threads to look with every request, which costs
    as much as the request does.
    """

    def __init__(self, proxies: Mapping[str, str], bypassed: Callable[[str], object] = proxy_bypass) -> None:
        self._proxies = {scheme: proxy for scheme, proxy in proxies.items() if proxy}
        self._bypassed, self._known = bypassed, dict[str, bool]()

    @classmethod
    def told(cls, proxy: str | None) -> Proxies:
        """For everything the one that the person named, "" being none; else those of the environment."""
        if proxy is None:
            return cls(getproxies())
        return cls({"all": proxy}, lambda _: False)

    def proxy(self, url: URL) -> URL | None:
        """The proxy for this address, with its credentials; None: straight there.

        Raises:
            UpstreamError: the proxy is of a kind that aiohttp does not speak to.
        """
        if not self._proxies:
            return None
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or self._bypass(f"{url.host}:{url.port}"):
            return None
        try:
            return usable(proxy)
        except ConfigError as error:
            # Going round a proxy that somebody set would show them to whoever they hide from.
            raise UpstreamError(masked(url), str(error)) from None

    def _bypass(self, host: str) -> bool:
        if host not in self._known:
            self._known[host] = bool(self._bypassed(host))
        return self._known[host]


def usable(proxy: str) -> URL:
    """The address of a proxy, http where no scheme is written.

    Raises:
        ConfigError: it is of a kind that aiohttp does not speak to, or no address.
    """
    try:
        parsed = URL(proxy if "://" in proxy else f"http://{proxy}")
        if parsed.scheme not in SPOKEN:
            raise ConfigError(f"proxies of the kind {parsed.scheme!r} are not supported")
        if parsed.host and parsed.port:
            return parsed
    except UNUSABLE:
        pass
    raise ConfigError("the proxy's address cannot be used")
