"""The API version that a page states: a minor version ahead is warned of, another major version fails."""

from __future__ import annotations

import re

from aiomirror.errors import ApiVersionError
from aiomirror.simple.notes import shown

NEWEST = (1, 4)
"""The newest version whose rules this package knows."""

DEFAULT = "1.0"
"""What a page that states no version has (C-VER-1)."""

_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)


def check_api_version(stated: object, url: str) -> tuple[str, str | None]:
    """Return a page's version as "1.x", and the warning that it deserves, if any.

    ``stated`` is None when the page says nothing, and anything but text is malformed.  Raises ApiVersionError
    (C-VER-4, C-VER-5).
    """
    if stated is None:
        return DEFAULT, None
    match = _VERSION.fullmatch(stated.strip()) if isinstance(stated, str) else None
    if match is None:
        raise ApiVersionError(url, f"the API version {shown(stated)} cannot be read")
    major, minor = int(match[1]), int(match[2])
    if major != NEWEST[0]:
        raise ApiVersionError(url, f"API version {major}.{minor} is not supported, only {NEWEST[0]}.x is")
    version = f"{major}.{minor}"
    if minor <= NEWEST[1]:
        return version, None
    known = ".".join(map(str, NEWEST))
    return version, f"the page has API version {version}, newer than {known}: parts of it may be ignored"
