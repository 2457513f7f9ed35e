"""Links on a page: where they lead, what file they name, which digests they carry.

Only http and https lead anywhere.  What cannot be read leads nowhere instead of failing the page; a digest
that cannot be read refuses its file, because dropping it would take the file unverified.
"""

from __future__ import annotations

import re
from functools import lru_cache
from string import ascii_letters, digits
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from aiomirror.digests import DIGEST_LENGTHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
_PORT = r"(?::[0-9]{1,4}|:[1-5][0-9]{4})?"  # surely in range
_ABSOLUTE = re.compile(rf"https?://[A-Za-z0-9.-]+{_PORT}/[A-Za-z0-9%+@!~._/-]*")
_SEGMENT = r"[A-Za-z0-9%+@!~_-][A-Za-z0-9%+@!~._-]*"  # no leading dot: dot segments go the long way
_NAME = re.compile(_SEGMENT)
_FOLDER = re.compile(rf"((?:\.\./){{0,8}}|\./|/)((?:{_SEGMENT}/)*)")

# The same shapes, for all links of a page at once.
_ROOT = re.compile(rf"https?://[A-Za-z0-9.-]+{_PORT}/")
_IN_PATHS = f"{ascii_letters}{digits}%+@!~._/-"
_FOLDERS = 64

_SHA256 = re.compile(r"[0-9a-f]{64}")
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
    url = _plain_url(base, path)
    return _resolve(base, href.strip(_EDGES).translate(_INSIDE)) if url is None else Link(url, fragment)


def resolve_url(base: str, href: str) -> str | None:
    """Return the URL alone of what ``resolve`` returns."""
    if len(href) <= MAX_URL and (url := _plain_url(base, href)) is not None:
        return url
    link = resolve(base, href)
    return None if link is None else link.url


def are_plain(base: str, hrefs: Sequence[str]) -> bool:
    """Whether all of ``hrefs`` are links that :func:`resolve_url` need not take apart; False if in doubt.

    It looks at all of them at once: for a long list that takes a third of the time of asking for each.
    """
    if max(map(len, hrefs)) > MAX_URL:
        return False
    text = "".join(hrefs)
    if root := _ROOT.match(text):  # so all have to begin with the same
        rest = text.replace(root[0], "")
        return is_made_of(rest, _IN_PATHS) and all(href.startswith(root[0]) for href in hrefs)
    folders, starts = set(), set()
    for href in hrefs:
        at = href.rfind("/") + 1
        folders.add(href[:at])
        starts.add(href[at : at + 1])
    few = len(folders) <= _FOLDERS and all(_folder(base, folder) is not None for folder in folders)
    return few and starts.isdisjoint({"", "."}) and is_made_of(text, _IN_PATHS)


def is_plain_folder(base: str, path: str) -> bool:
    """Whether ``path`` is a folder of which the same holds, whatever plain name of a file follows it."""
    return _folder(base, path) is not None


def is_made_of(text: str, characters: str) -> bool:
    """Whether ``text`` has none but these ASCII characters, which no search for them tells as fast."""
    return text.isascii() and not text.encode().translate(None, characters.encode())


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
    """Keep the digests of known algorithms, in lower case (C-HASH-1..3); raise DigestError for a bad one.

    Where they are all that is listed, as they are for nearly every file, the answer is ``listed`` itself.
    """
    if len(listed) == 1 and (value := listed.get("sha256")) and _SHA256.fullmatch(value):
        return cast("Digests", listed)
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


def _plain_url(base: str, path: str) -> str | None:
    """Where a path of one of the usual shapes leads; None for any other shape."""
    if _ABSOLUTE.fullmatch(path):
        return path
    up, slash, name = path.rpartition("/")
    if _NAME.fullmatch(name) is None or (folder := _folder(base, up + slash)) is None:
        return None
    return folder + name


@lru_cache(maxsize=_FOLDERS)  # the files of a page are in few folders, often in one
def _folder(base: str, path: str) -> str | None:
    """The URL of the folder at ``path``, which is empty or ends with a slash; None for an unusual shape."""
    if (match := _FOLDER.fullmatch(path)) is None:
        return None
    up, down = match.groups()
    if _ABSOLUTE.fullmatch(base) and "/." not in base and base.find("//", len("https://")) < 0:
        return _ascended(base, up) + down
    link = _resolve(base, up or ".")
    return None if link is None else link.url + down


def _ascended(base: str, up: str) -> str:
    """RFC 3986, 5.2, for what has the usual shape: the long way takes ten times as long, for every page.

    What is behind the last slash of ``base`` counts for nothing, and ``..`` at the root leads to the root.
    """
    root = base.index("/", len("https://"))
    end = root if up == "/" else base.rindex("/")
    for _ in range(up.count("../")):
        end = max(root, base.rfind("/", 0, end))
    return base[: end + 1]


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
