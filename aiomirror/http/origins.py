"""Addresses: as aiohttp takes them, as they may be shown, and what they say of where they lead."""

from __future__ import annotations

import base64
import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from yarl import URL

from aiomirror.errors import UpstreamError

UNUSABLE = (ValueError, IndexError)
"""What yarl makes of texts that are no addresses; IndexError of brackets before an @ that no host follows."""
_PLAIN = re.compile(r"[!-~]+")


def masked(url: str | URL) -> str:
    """The address for people to read: without user and password, fragment, and what the query says.

    A query may hold the signature of a signed URL.  What may not mean what it says is not shown at all: a
    password with a slash in it, not percent-encoded, looks like a port and a path.
    """
    try:
        parts = urlsplit(str(url))
        port = parts.port
    except ValueError:
        return "an address that cannot be read"
    if port is not None and "@" in f"{parts.path}?{parts.query}#{parts.fragment}":
        return "an address with an @ behind its port"
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
    except UNUSABLE:
        pass
    raise UpstreamError(masked(url), "not a usable http or https address")


def link_local(url: URL) -> bool:
    """Whether the host is an address of this machine's own link, such as a cloud's metadata service."""
    return is_link_local(url.host or "")


@lru_cache(maxsize=1024)  # thousands of requests go to a few hosts
def is_link_local(host: str) -> bool:
    """The same of a host alone; one that is a name is not looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # IPv4 in IPv6's clothes leads to the same place
    return bool((mapped or address).is_link_local)


def origin(url: URL) -> str:
    """Scheme, host and port."""
    return f"{url.scheme}://{url.host_subcomponent}:{url.port}".lower()


def hostname(host: str) -> str:
    """A host's name, as any spelling of it; without the dot that may end it."""
    return host.rstrip(".").lower()


def userinfo(url: URL) -> str | None:
    """The Authorization header that ``user:password@`` stands for; None when there is none."""
    if url.raw_user is None and url.raw_password is None:
        return None
    return basic(url.user or "", url.password or "")


def basic(user: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
