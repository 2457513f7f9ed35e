"""Certificates for servers on loopback and their clients, made anew by authorities that nobody else knows."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """One authority, and files in ``folder`` of what it has issued; ``pem`` is its own certificate."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._authority, self._folder, self._name = trustme.CA(), folder, name
        self.pem = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.pem)

    def issue(self, *names: str) -> Path:
        """A certificate for these hosts or people, with its key."""
        path = self._folder / f"{self._name}-{names[0]}.pem"
        self._authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def server(self, *names: str, clients: bool = False) -> ssl.SSLContext:
        """For ``Upstream(tls=…)``; ``clients``: it asks for a certificate of this authority."""
        context = server_context(self.issue(*(names or ("127.0.0.1",))))
        if clients:
            context.load_verify_locations(self.pem)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def write_pem(folder: Path) -> Path:
    """A certificate for 127.0.0.1, its key and its authority; as SSL_CERT_FILE it makes clients trust it."""
    authority = trustme.CA()
    path = folder / "upstream.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    authority.cert_pem.write_to_path(path, append=True)
    return path


def server_context(pem: Path) -> ssl.SSLContext:
    """For ``Upstream(tls=…)``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context
