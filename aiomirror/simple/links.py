"""Links on a page: where they lead, what file they name, which digests they carry.

Only http and https lead anywhere.  What cannot be read leads nowhere instead of failing the page; a digest
that cannot be read refuses its file, because dropping it would take the file unverified.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from aiomirror.digests import DIGEST_LENGTHS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from aiomirror.simple.values import Digests


class DigestError(ValueError):
    """A digest that cannot be one of its algorithm, or two that contradict each other (C-HASH-4)."""


class Link(NamedTuple):
    """Where a link leads: ``url`` is absolute, ASCII, and has neither fragment nor credentials."""

    url: str
    fragment: str


MAX_URL = 8_192
"""Characters; what is longer leads nowhere: few servers take it, and parts of it take quadratic time."""

# Nearly every link of a large page has one of these two shapes, and need not be taken apart for its parts.
_SEGMENT = r"[A-Za-z0-9%+@!~_-][A-Za-z0-9%+@!~._-]*"  # no leading dot: dot segments go the long way
_ABSOLUTE = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,4})?/[A-Za-z0-9%+@!~._/-]*")
_RELATIVE = re.compile(rf"((?:\.\./){{0,8}}|\./|/)((?:{_SEGMENT}/)*{_SEGMENT})")

_BAD_HOST = re.compile(r"[\x00-\x20\x7f\"%<>\\^`{|}]")
_MAX_HOST = 254  # one above the limit of the DNS; encoding a name takes time with the square of its length
_EDGES = "".join(map(chr, range(0x21)))  # what HTML strips around a URL: C0 control characters and space
_INSIDE = str.maketrans("", "", "\t\r\n")  # and within it
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~"
_QUERY_CHARACTERS = _PATH_CHARACTERS + "?[]"


def resolve(base: str, href: str) -> Link | None:
    """Return where ``href`` leads from ``base``, an absolute URL; None when that is nowhere (C-URL-1..6).

    Percent-encoding stays as it is written; characters that no URL may contain are encoded.
    """
    if len(href) > MAX_URL:
        return None
    path, _, fragment = href.strip(_EDGES).partition("#")
    if _ABSOLUTE.fullmatch(path):
        return Link(path, fragment)
    if match := _RELATIVE.fullmatch(path):
        folder = _folder(base, match[1])
        return None if folder is None else Link(folder + match[2], fragment)
    return _resolve(base, href.strip(_EDGES).translate(_INSIDE))


def is_absolute(url: str) -> bool:
    """Whether ``url`` is what ``resolve`` would return for it, told at a glance: False need not mean no."""
    return len(url) <= MAX_URL and _ABSOLUTE.fullmatch(url) is not None


def filename_of(url: str) -> str:
    """Return the last component of a URL's path, percent-decoded (C-HTML-3); nothing vouches for it yet.

    Bytes that are not UTF-8 become lone surrogates, which no safe file name contains.
    """
    path = url.partition("//")[2].partition("#")[0].partition("?")[0]
    name = path.rpartition("/")[2] if "/" in path else ""
    return unquote(name, errors="surrogateescape") if "%" in name else name


def fragment_digests(fragment: str) -> dict[str, str]:
    """Read the ``name=value`` items of a URL's fragment, ``&`` between them; they may hold no digest at all.

    A name with two values gets ``&``, which is no digest of any algorithm, so that the contradiction is
    found where digests are checked.
    """
    items: dict[str, str] = {}
    for item in fragment.split("&") if fragment else ():
        name, _, value = item.partition("=")
        if items.setdefault(name, value) != value:
            items[name] = "&"
    return items


def read_digests(listed: Mapping[str, str | None]) -> Digests:
    """Keep the digests of known algorithms, in lower case (C-HASH-1..3); raise DigestError for a bad one."""
    digests: dict[str, str] = {}
    for name, value in listed.items():
        algorithm = name.lower()
        length = DIGEST_LENGTHS.get(algorithm)
        if length is None or not value:
            continue
        digest = value.lower()
        try:  # fromhex admits spaces, which the second length betrays
            well_formed = len(digest) == length == 2 * len(bytes.fromhex(digest))
        except ValueError:
            well_formed = False
        if not well_formed:
            raise DigestError(f"malformed {algorithm} digest")
        if digests.setdefault(algorithm, digest) != digest:
            raise DigestError(f"two {algorithm} digests")
    return digests


@lru_cache(maxsize=64)
def _folder(base: str, prefix: str) -> str | None:
    """Return the URL of the folder that ``prefix`` names (none, ``./``, ``/``, ``../``…), with its slash."""
    link = _resolve(base, prefix or ".")
    return None if link is None else link.url


def _resolve(base: str, href: str) -> Link | None:
    try:
        parts = urlsplit(urljoin(base, href))
        url = _web_url(parts)
    except ValueError:  # unbalanced brackets, a port out of range, characters that cannot be encoded
        return None
    return None if url is None else Link(url, parts.fragment)


def _web_url(parts: SplitResult) -> str | None:
    """Put a URL together again without credentials and fragment; None when it is no http or https URL."""
    if parts.scheme not in {"http", "https"} or not parts.hostname or _BAD_HOST.search(parts.hostname):
        return None
    port = parts.port  # raises ValueError when out of range
    host = parts.netloc.rpartition("@")[2]
    if not host.isascii():
        host = parts.hostname[:_MAX_HOST].encode("idna").decode() + (f":{port}" if port is not None else "")
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    return urlunsplit((parts.scheme, host, path, quote(parts.query, safe=_QUERY_CHARACTERS), ""))
