"""aiohttp's exceptions in our own words: the one place where they are translated."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from aiomirror.errors import (
    RedirectError,
    StatusError,
    TransferError,
    UnreachableError,
    UntrustedError,
    UpstreamError,
)
from aiomirror.http.resolver import LinkLocalNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_WAIT = 120.0  # seconds of Retry-After that are waited; who asks for more is taken for out of service

FOREIGN = (
    aiohttp.ClientError,
    aiohttp.http_exceptions.HttpProcessingError,
    OSError,
    asyncio.TimeoutError,
    ValueError,
)
"""What a request or a read may raise; ValueError is what becomes of an address that aiohttp cannot use."""


def _connecting(error: aiohttp.ClientConnectorError, _: float) -> str:
    # asyncio's own text is "Connect call failed" and an address, which says less than the number does.
    number = error.os_error.errno or 0
    return f"cannot connect: {os.strerror(number)}" if number > 0 else "cannot connect"


_STRANGE = "the answer is not HTTP, or its headers are too large"
_BEFORE: tuple[tuple[type[BaseException], type[UpstreamError], str | Callable[..., str]], ...] = (
    (aiohttp.ClientConnectorCertificateError, UntrustedError, "the certificate is not trusted"),
    (ssl.SSLCertVerificationError, UntrustedError, "the certificate is not trusted"),
    (aiohttp.ClientConnectorSSLError, UnreachableError, "no TLS connection can be agreed on"),
    (aiohttp.ClientConnectorDNSError, UnreachableError, "no such host"),
    (aiohttp.ClientProxyConnectionError, UnreachableError, "cannot connect to the proxy"),
    (aiohttp.ClientConnectorError, UnreachableError, _connecting),
    (aiohttp.ConnectionTimeoutError, UnreachableError, lambda _, s: f"no connection within {s:g} s"),
    (asyncio.TimeoutError, UnreachableError, lambda _, s: f"no answer within {s:g} s"),
    (aiohttp.InvalidURL, UpstreamError, "not a usable address"),
    (aiohttp.ClientResponseError, UnreachableError, "the proxy's answer is not HTTP"),
    (aiohttp.http_exceptions.HttpProcessingError, UnreachableError, _STRANGE),
    (aiohttp.ClientConnectionError, UnreachableError, "the connection broke before an answer"),
    (aiohttp.ClientError, UnreachableError, "no answer"),
    (OSError, UnreachableError, "the connection broke before an answer"),
    (ValueError, UpstreamError, "not a usable address"),
)
_DURING: tuple[tuple[type[BaseException], type[UpstreamError], str | Callable[..., str]], ...] = (
    (asyncio.TimeoutError, TransferError, lambda _, s: f"silent for {s:g} s"),
    (aiohttp.ClientPayloadError, TransferError, "cut short"),
    (aiohttp.ClientConnectionError, TransferError, "the connection broke"),
    (OSError, TransferError, "the connection broke"),
)


def unanswered(error: BaseException, url: str, timeout: float) -> UpstreamError:
    """What went wrong before there were headers; ``timeout`` in seconds, ``url`` masked."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        wanted = f": {_SAID[PROXY]}" if error.status == PROXY else ""
        return StatusError(url, error.status, f"from the proxy{wanted}")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if isinstance(error.os_error, LinkLocalNameError):
            return RedirectError(url, "a name that leads to a link-local address")
        if urlsplit(url).hostname not in {None, error.host}:
            return UnreachableError(url, f"no such host: {error.host}, the proxy's")
    return _translated(_BEFORE, error, url, timeout)


def broken(error: BaseException, url: str, timeout: float) -> UpstreamError:
    """What went wrong within the body."""
    return _translated(_DURING, error, url, timeout)


def _translated(
    table: tuple[tuple[type[BaseException], type[UpstreamError], str | Callable[..., str]], ...],
    error: BaseException,
    url: str,
    timeout: float,
) -> UpstreamError:
    for foreign, ours, why in table:
        if isinstance(error, foreign):
            return ours(url, why if isinstance(why, str) else why(error, timeout))
    return TransferError(url, f"not HTTP ({type(error).__name__})")


def refused(url: str, status: int, reason: str, headers: Mapping[str, str], hint: str = "") -> StatusError:
    """The error for a status that is not the one that was hoped for; ``hint`` is what may help."""
    wait = retry_after(headers)
    said = _SAID.get(status, reason)
    if hint:
        said = f"{said}; {hint}".lstrip("; ")
    if wait is not None and wait > LONGEST_WAIT:
        said = f"{said}, asks to come back in {wait:,.0f} s".lstrip(", ")
    return StatusError(url, status, said, wait)


PROXY = 407
_SAID = {
    300: "Multiple Choices: no common content type",
    406: "Not Acceptable: no common content type",
    PROXY: "Proxy Authentication Required, user and password in the proxy's URL",
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110, 10.2.3); None: nothing usable is said."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    moment = _moment(text)
    if moment is None:
        return None
    # By the server's own clock, where it says what that shows: ours may be off.
    now = _moment(headers.get("Date", ""))
    return max(moment - (time.time() if now is None else now), 0.0)


def _moment(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
