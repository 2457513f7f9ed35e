"""Content types, and the text of an HTML page by the order of HTML5: byte order mark, header, meta, UTF-8."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_PARAMETER = re.compile(r";\s*charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE | re.ASCII)
_META = re.compile(rb"<meta[\s/][^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_WITHIN = 1_024
"""Bytes from the start of a page: where HTML5 looks for the declaration."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# The families of codecs that pages are written in.  The others that Python has are no charsets (base64, zlib,
# idna), or decode plain text to something else (utf-7, unicode_escape), which HTML5 forbids.
_CHARSETS = re.compile(
    r"utf-(?:8|16|32)|ascii|iso8859|cp\d|koi8|mac-|gb|hz|big5|euc|shift_jis|iso2022|johab|tis"
)


@lru_cache(maxsize=16)  # an index has one or two for all of its pages
def parse_content_type(header: str | None) -> tuple[str, str | None]:
    """Return the media type in lower case ("" when there is none), and the charset if one is stated."""
    media_type, _, _ = (header or "").partition(";")
    parameter = _PARAMETER.search(header or "")
    return media_type.strip().lower(), parameter and parameter[1]


def decode_html(body: bytes, charset: str | None) -> str:
    """Decode a page; ``charset`` is the header's.

    Never raises: an unknown charset gives way to the next rule, and bytes that cannot be decoded become
    U+FFFD, because the links around them are still good (C-CHAR-4).
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    return body.decode(_codec(charset) or _declared(body) or "utf-8", "replace")


def _declared(body: bytes) -> str | None:
    meta = _META.search(body[:_META_WITHIN])
    codec = _codec(meta[1].decode("ascii")) if meta else None
    # A page that can be read as ASCII so far is not UTF-16, whatever it says; HTML5 takes UTF-8 then.
    return None if codec and codec.startswith(("utf-16", "utf-32")) else codec


def _codec(label: str | None) -> str | None:
    """Return the name of Python's codec for a charset's label; None for none that pages may be written in."""
    try:
        name = codecs.lookup(label).name if label else ""
    except (LookupError, ValueError):
        return None
    return name if _CHARSETS.match(name) else None
