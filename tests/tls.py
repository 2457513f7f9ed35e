"""Certificates for a server on loopback, made anew by an authority that nobody else knows."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


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
