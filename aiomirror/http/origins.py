"""Which credentials and which proxy go with a request; addresses as they may be shown.

A password is sent to the origin (scheme, host, port) that it was given for and nowhere else, whatever
redirects say and whatever pages link to.
"""

from __future__ import annotations

import base64
import ipaddress
import netrc
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from yarl import URL

from aiomirror.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = re.compile(r"[!-~]+")


def masked(url: str | URL) -> str:
    """The address for people to read: without user and password, fragment, and what the query says.

    A query may hold the signature of a signed URL.  What cannot be parsed is not shown at all: a password
    with a slash in it, not percent-encoded, looks like a host and a port that is no number.
    """
    try:
        parts = urlsplit(str(url))
        _ = parts.port
    except ValueError:
        return "an address that cannot be read"
    query = "?…" if parts.query else ""
    if not parts.netloc:
        return f"{parts.scheme}:{parts.path}".rpartition("@")[2].lstrip(":") + query
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def parse(url: str) -> URL:
    """The address as aiohttp takes it, percent-encoding untouched: ``%2B`` may be part of a signature.

    Raises:
        UpstreamError: it is not an absolute http or https URL.
    """
    try:
        # Spaces, control characters and letters beyond ASCII are no part of a URL; yarl encodes those.
        parsed = URL(url, encoded=_PLAIN.fullmatch(url) is not None)
        if parsed.scheme in {"http", "https"} and parsed.host and parsed.port is not None:
            return parsed.with_fragment(None) if "#" in url else parsed
    except ValueError:
        pass
    raise UpstreamError(masked(url), "not a usable http or https address")


def link_local(url: URL) -> bool:
    """Whether the host is an address of this machine's own link, such as a cloud's metadata service."""
    return _is_link_local(url.host or "")


@lru_cache(maxsize=1024)  # thousands of requests go to a few hosts
def _is_link_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # IPv4 in IPv6's clothes leads to the same place
    return bool((mapped or address).is_link_local)


def origin(url: URL) -> str:
    """Scheme, host and port."""
    return f"{url.scheme}://{url.host}:{url.port}".lower()


def userinfo(url: URL) -> str | None:
    """The Authorization header that ``user:password@`` stands for; None when there is none."""
    if url.raw_user is None and url.raw_password is None:
        return None
    return _basic(url.user or "", url.password or "")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Credentials:
    """Authorization headers by origin, and by host from the person's netrc file."""

    def __init__(self, by_host: Mapping[str, str]) -> None:
        self._by_origin: dict[str, str] = {}
        self._by_host = by_host

    def remember(self, url: URL) -> None:
        """Keep what a URL that the person wrote says about its own origin."""
        if (header := userinfo(url)) is not None:
            self._by_origin[origin(url)] = header

    def header(self, url: URL) -> str | None:
        """The Authorization header for a request to this address."""
        if not self._by_origin and not self._by_host:
            return None
        return self._by_origin.get(origin(url)) or self._by_host.get(url.host or "")


def read_netrc() -> Mapping[str, str]:
    """Authorization headers by host, from the file that NETRC names or from ``~/.netrc``.

    A ``default`` entry is left out: upstream chooses hosts, and would be sent it.
    """
    try:
        path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        hosts = netrc.netrc(path).hosts
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        # Not there, not readable, no home at all (cron), or damaged: as if there were none.
        return {}
    return {
        host: _basic(login or "", password or "")
        for host, (login, _, password) in hosts.items()
        if host != "default"
    }


class Proxies:
    """The proxies of the environment, by the scheme of what is asked; "all" for the rest.

    They are looked up once: aiohttp's ``trust_env`` sends two threads to look with every request, which costs
    as much as the request does.
    """

    def __init__(self, proxies: Mapping[str, str]) -> None:
        self._proxies = {scheme: proxy for scheme, proxy in proxies.items() if proxy}
        self._bypassed: dict[str, bool] = {}

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
        parsed = URL(proxy if "://" in proxy else f"http://{proxy}")
        if parsed.scheme not in {"http", "https"}:
            # Going round a proxy that somebody set would show them to whoever they hide from.
            raise UpstreamError(masked(url), f"proxies of the kind {parsed.scheme!r} are not supported")
        return parsed

    def _bypass(self, host: str) -> bool:
        if host not in self._bypassed:
            self._bypassed[host] = bool(proxy_bypass(host))
        return self._bypassed[host]
