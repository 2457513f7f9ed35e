"""Whose certificates are believed, and which one is shown.

The authorities are those of the system, as Python's ``ssl`` finds them (the variables SSL_CERT_FILE and
SSL_CERT_DIR count there), or in their place those of ``cert``.  The certificate of ``client_cert`` is shown
to the index's origin alone: it tells who asks.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, NoReturn

from yarl import URL

from aiomirror.errors import ConfigError
from aiomirror.http.origins import hostname

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?", re.IGNORECASE)


class Certificates:
    """The TLS contexts of one session, made when needed: the system's authorities take 50 ms to read."""

    def __init__(self, cert: Path | None, client_cert: Path | None) -> None:
        self._cert, self._client_cert = cert, client_cert
        self._contexts: dict[tuple[bool, bool], ssl.SSLContext] = {}

    def problems(self) -> list[str]:
        """What is wrong with the files; looked at before anything is asked."""
        found: list[str] = []
        try:
            if self._cert is not None:
                _believing(self._cert)
        except ConfigError as error:
            found.extend(error.problems)
        try:
            if self._client_cert is not None:
                _show(_unchecked(), self._client_cert)
        except ConfigError as error:
            found.extend(error.problems)
        return found

    def context(self, *, own: bool, checked: bool) -> ssl.SSLContext:
        """For the index's own origin, or any other; ``checked`` False: whatever certificate it has.

        Raises:
            ConfigError: a file that cannot be used any more.
        """
        key = own and self._client_cert is not None, checked
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._made(*key)
        return context

    def _made(self, own: bool, checked: bool) -> ssl.SSLContext:  # noqa: FBT001 (the key of a table)
        context = _believing(self._cert) if checked else _unchecked()
        if own and self._client_cert is not None:
            _show(context, self._client_cert)
        return context


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _believing(authorities: Path | None) -> ssl.SSLContext:
    if authorities is None:
        return ssl.create_default_context()
    option = f"--cert {authorities}"
    try:
        return ssl.create_default_context(cafile=authorities)
    except ssl.SSLError:
        raise ConfigError(f"{option}: there are no certificates in PEM form in it") from None
    except OSError as error:
        raise ConfigError(f"{option}: cannot read it: {error.strerror}") from error


def _show(context: ssl.SSLContext, path: Path) -> None:
    option = f"--client-cert {path}"

    def passphrase() -> NoReturn:
        # OpenSSL would ask for it on the terminal, and a nightly run has none.
        raise ConfigError(f"{option}: its key is encrypted, and nobody can be asked for the passphrase")

    try:
        context.load_cert_chain(path, password=passphrase)
    except ssl.SSLError:
        raise ConfigError(f"{option}: not a certificate and its key, both in PEM form") from None
    except OSError as error:
        raise ConfigError(f"{option}: cannot read it: {error.strerror}") from error


class TrustedHosts:
    """The hosts whose certificates are not looked at: ``host`` for all its ports, or ``host:port``."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts: set[tuple[str, int | None]] = set()
        self.problems: list[str] = []
        """Those that are neither, in words."""
        for host in hosts:
            if _HOST.fullmatch(host):
                url = URL(f"https://{host}")
                self._hosts.add((hostname(url.raw_host or ""), url.explicit_port))
            else:
                self.problems.append("--trusted-host: neither HOST nor HOST:PORT")

    def __contains__(self, url: URL) -> bool:
        host = hostname(url.raw_host or "")
        return (host, None) in self._hosts or (host, url.port) in self._hosts
