"""How the value of a setting is read: what a text has to be, and what TOML may have in its place.

A kind has one reader, of text.  A value of TOML that is of one of the kind's own types is read by its text:
``32`` as "32", ``true`` as "true".
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from aiomirror.config.times import before, duration, moment
from aiomirror.requirements.documents import document_kind
from aiomirror.requirements.parse import is_file_argument, read_requirement
from aiomirror.requirements.values import LineError, brief, excerpt
from aiomirror.targets.matrix import CURRENT
from aiomirror.targets.platforms import parse_platform
from aiomirror.targets.pythons import parse_python

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomirror.requirements import NotMirrored, Wanted

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DIGITS = 30
"""Of a number; what has more is a slip, and would become infinite at some point."""
MAX_BITS = 8192
"""Of a number that is written in decimal: Python refuses to write 4,300 digits."""
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9._-]{1,80}", re.IGNORECASE | re.ASCII)
_TRUTH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class Kind(msgspec.Struct, frozen=True):
    """What values a setting has."""

    accepts: str
    """What follows "takes" in an error."""
    parse: Callable[[str], Any]
    """ValueError for a text that is no such value."""
    native: tuple[type, ...] = (str,)
    """The types of TOML that it may have; of each item where it is a list."""
    many: bool = False
    """A list, its items separated by white space in the environment."""
    explains: bool = False
    """Whether what ``parse`` raises says what is wrong, better than ``accepts``; credentials masked."""
    is_path: Callable[[str], bool] = lambda _: False
    """Whether a value is a path, which in a file is relative to the file's folder."""

    def read(self, value: object, origin: str) -> Any:  # noqa: ANN401 (each kind has its own type)
        """The value, ``origin`` being where it was said.

        Raises:
            ValueError: a sentence that begins with ``origin``.
        """
        text = as_text(value)
        try:
            return self.parse(text)
        except ValueError as error:
            if self.explains:
                raise ValueError(f"{origin}: {error}") from None
            raise self.refusal(value, origin) from None

    def refusal(self, value: object, origin: str) -> ValueError:
        """That ``origin`` has a value that is not accepted."""
        if self.explains and isinstance(value, str):
            return ValueError(f"{origin} takes {self.accepts}")
        shown = (
            "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else as_text(value)
        )
        return ValueError(f"{origin} takes {self.accepts}, not {excerpt(shown)}")


def as_text(value: object) -> str:
    """A value of TOML as the environment would have it."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return hex(value)  # which is none of the numbers that are accepted
    return str(value).lower() if isinstance(value, bool) else str(value)


def truth(text: str) -> bool:
    """Whether a text says yes; ValueError if it says neither yes nor no."""
    found = _TRUTH.get(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is neither yes nor no")
    return found


def byte_count(text: str) -> int:
    """A number of bytes as people write it: "500", "500k", "1.5 GB", "20MiB".

    Raises:
        ValueError: it is nothing of the kind.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", text, re.IGNORECASE | re.ASCII)
    if found is None or found[2].lower() not in _BYTES or len(found[1]) > MAX_DIGITS:
        raise ValueError(f"{text!r} is no number of bytes; 500000, 500k, 1.5GB and 20MiB are")
    return int(float(found[1]) * _BYTES[found[2].lower()])


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number within bounds, both included."""

    def parse(text: str) -> int:
        if len(text) > MAX_DIGITS or not re.fullmatch(r"[+-]?\d+", text.strip(), re.ASCII):
            raise ValueError(text)
        value = int(text)
        if value < least or (most is not None and value > most):
            raise ValueError(text)
        return value

    accepts = f"a whole number from {least}" if most is None else f"{least} to {most}"
    return Kind(accepts, parse, (int,))


def choice(*words: str) -> Kind:
    """One of several words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind(" or ".join(words), parse)


def _seconds(text: str) -> float:
    value = float(text)
    # NaN is not at least anything; no limit is infinite.
    if not 0.001 <= value < math.inf:  # noqa: PLR2004 (a millisecond)
        raise ValueError(text)
    return value


def _wait(text: str) -> float:
    """Seconds; "" and "true" are without end, "false" is not at all."""
    if not text:
        return math.inf
    if text.lower() in _TRUTH and not text.isdigit():
        return math.inf if truth(text) else 0.0
    try:
        return duration(text).total_seconds()
    except ValueError:
        value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def _grace(text: str) -> float:
    """Seconds."""
    return duration(text).total_seconds()


def _limit(text: str) -> tuple[float, int]:
    """How much may be removed: a share of all files, from 0 to 1, and a number of files."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?)\s*%", text.strip(), re.ASCII)
    if found is None:
        return 0.0, int(whole(0).parse(text))
    share = float(found[1]) / 100
    if share > 1:
        raise ValueError(text)
    return share, 0


def _times(text: str) -> int:
    """How often a switch is given; a plain yes is once."""
    text = text.strip().lower()
    return int(_TRUTH[text]) if text in _TRUTH else int(whole(0, 9).parse(text))


def checked_url(text: str) -> str:
    """The address of an index; ValueError, without its text, for what cannot be one."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # whose text may quote what was a password
        raise ValueError("the index URL cannot be read; a password in it has to be percent-encoded") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the index must be an http or https URL, such as https://index.example/simple/")
    if "?" in text or "#" in text:  # behind which the name of a project would mean nothing
        raise ValueError("the index must be a URL without a query and a fragment (? and #)")
    return text


def _proxy(text: str) -> str:
    """The address of a proxy, http where no scheme is written; "" is none.  ValueError without its text."""
    if not text:
        return ""
    address = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:  # as above
        raise ValueError("the proxy cannot be read; a password in it has to be percent-encoded") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the proxy must be an http or https URL, such as http://proxy.example:3128")
    return address


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("neither HOST nor HOST:PORT")  # without its text, which may be a URL with a password
    return text


def _when(text: str) -> datetime | timedelta | Literal[False]:
    """A point in time, how long ago it is, or False for never."""
    if text.lower() in _TRUTH and not truth(text):
        return False
    when = moment(text)
    before(when, EPOCH)  # no clock is earlier: what can be counted back from here can be from any "now"
    return when


def _python(text: str) -> str:
    """The spelling, once it proves to be one."""
    if text.strip().lower() != CURRENT:
        parse_python(brief(text))
    return text


def _platform(text: str) -> str:
    """The same of a platform."""
    if text.strip().lower() != CURRENT:
        parse_platform(brief(text))
    return text


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(text)
    return text


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("a path is missing")
    if text.startswith("~/"):  # the shell's, and a folder of this name is never what is meant
        raise ValueError(text)
    return text


def _lock(text: str) -> str:
    if text != "-" and document_kind(text) != "pylock":  # which nobody, this program included, would read
        raise ValueError(text)
    return _path(text)


def _requirement(text: str) -> Wanted | NotMirrored | str:
    """A requirement without an origin, or the path of a file of them."""
    if is_file_argument(text):
        return _path(text)
    try:
        return read_requirement(text, "")
    except LineError as error:
        raise ValueError(f"{brief(text)!r}: {error}") from None


def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(text) from error


def _is_local(text: str) -> bool:
    """Whether a path is one of this machine's, and not standard input or an address."""
    return text != "-" and ":/" not in text and not text.lower().startswith("file:")


def _is_local_file(text: str) -> bool:
    return is_file_argument(text) and _is_local(text)


FLAG = Kind("true or false", truth, (bool,))
TIMES = Kind("0 to 9, or true", _times, (int, bool))
SECONDS = Kind("seconds, 0.001 or more", _seconds, (int, float))
BYTES = Kind("a number of bytes, as 500000, 500k, 1.5GB or 20MiB", byte_count, (int, str))
WAIT = Kind("seconds, a duration such as 90m, or true", _wait, (int, float, str, bool))
URL = Kind("the URL of an index", checked_url, explains=True)
PROXY = Kind("the URL of a proxy", _proxy, explains=True)
HOSTS = Kind("hosts, each HOST or HOST:PORT", _host, many=True, explains=True)
PATH = Kind("a path (~ is the shell's)", _path, is_path=_is_local)
LOCK = Kind("a path that ends in pylock.toml or pylock.NAME.toml, or -", _lock, is_path=_is_local)
PATHS = Kind("paths (~ is the shell's)", _path, many=True, is_path=_is_local)
WORDS = Kind("words", str, many=True)
NAMES = Kind("names of projects, or :all:", str, many=True)
REQUIREMENTS = Kind("requirements", _requirement, many=True, explains=True, is_path=_is_local_file)
SPECIFIER = Kind("a version specifier, as >=4,<6", _specifier)
GRACE = Kind("a duration, as 7d, 12h, 2 weeks or P7D", _grace)
WHEN = Kind(
    "a point in time, as 2026-03-31, 2026-03-31T12:00:00Z or 7d (ago), or false",
    _when,
    (str, date, datetime, bool),
)
PYTHON = Kind('a Python in quotes, as "3.12", "cp313t" or "current"', _python, explains=True)
PYTHONS = replace(PYTHON, many=True)
PLATFORM = Kind('a platform, as "linux", "win_amd64" or "current"', _platform, explains=True)
PLATFORMS = replace(PLATFORM, many=True)
LABEL = Kind("a name of letters, digits, dots, dashes and underscores", _label)
LIMIT = Kind("a number of files, or 0% to 100% of them", _limit, (int, str))
