"""Names to addresses, without those of this machine's own link.

A cloud's metadata service hands out credentials to whoever can ask it, and any name may lead there.  What is
looked at here is what is connected to, so that a name cannot mean one thing when it is looked at and another
when it is used.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

from aiomirror.http.origins import hostname, is_link_local

if TYPE_CHECKING:
    from collections.abc import Container


class LinkLocalNameError(OSError):
    """A name, all of whose addresses are of the own link."""


class GuardedResolver(AbstractResolver):
    """As ``resolver``, but link-local addresses are kept for the hosts that the person ``named``.

    A proxy looks up the names of what it is asked for itself; here its own is seen, and nothing else.
    """

    def __init__(self, resolver: AbstractResolver, named: Container[str]) -> None:
        self._resolver, self._named = resolver, named

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses that may be connected to.

        Raises:
            LinkLocalNameError: there are others only.
            OSError: there are none at all.
        """
        found = await self._resolver.resolve(host, port, family)
        if hostname(host) in self._named:
            return found
        kept = [address for address in found if not is_link_local(address["host"])]
        if found and not kept:
            raise LinkLocalNameError(None, "all addresses are link-local")
        return kept

    async def close(self) -> None:
        """Close what the addresses come from."""
        await self._resolver.close()
