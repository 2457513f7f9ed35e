"""Bytes and their content type → page.  A pure core: no requests, no redirects, no files, no policy.

What the upstream sent is read as far as it can be read without guessing.  Single odd values and entries are
passed over with a line in ``ProjectPage.warnings``; a body that is not the page of the project that was asked
for, in a version that we know, is an error and never an empty page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from aiomirror.errors import ContentTypeError
from aiomirror.simple.build import MAX_FILES
from aiomirror.simple.charset import parse_content_type
from aiomirror.simple.notes import shown
from aiomirror.simple.read_json import read_json_page, read_json_root
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName

    from aiomirror.simple.values import ProjectPage

_HTML_TYPES = frozenset({HTML_TYPE, "text/html"})
_VALID_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def read_page(
    body: bytes,
    content_type: str | None,
    url: str,
    project: NormalizedName,
    *,
    max_files: int | None = MAX_FILES,
) -> ProjectPage:
    """Read the page of ``project``.

    ``url`` is where the body finally came from, without credentials: links are relative to it, and errors
    quote it.  Only distribution files are kept, and only those whose names are safe and ``project``'s own.
    A page that lists more than ``max_files`` is malformed, whatever they are; None: any number.
    Raises ContentTypeError, ApiVersionError, MalformedPageError or WrongProjectError.
    """
    media_type, charset = parse_content_type(content_type)
    if media_type == JSON_TYPE:
        return read_json_page(body, url, project, max_files)
    if media_type in _HTML_TYPES:
        from aiomirror.simple.read_html import read_html_page  # noqa: PLC0415 (lxml takes its time; JSON is usual)

        return read_html_page(body, charset, url, project, max_files)
    raise _unsupported(content_type, url)


def read_root(body: bytes, content_type: str | None, url: str) -> dict[NormalizedName, int | None]:
    """Read the projects of an index: normalised names in the order listed, with the serials that it has.

    What is no valid name is dropped (C-ROOT-2).  Raises ContentTypeError, ApiVersionError or
    MalformedPageError.
    """
    media_type, charset = parse_content_type(content_type)
    listed: Iterable[tuple[str, int | None]]
    if media_type == JSON_TYPE:
        listed = read_json_root(body, url)
    elif media_type in _HTML_TYPES:
        from aiomirror.simple.read_html import read_html_root  # noqa: PLC0415 (as above)

        listed = ((name, None) for name in read_html_root(body, charset, url))
    else:
        raise _unsupported(content_type, url)
    projects: dict[NormalizedName, int | None] = {}
    for name, serial in listed:
        if _VALID_NAME.fullmatch(name):
            projects.setdefault(canonicalize_name(name), serial)
    return projects


def _unsupported(content_type: str | None, url: str) -> ContentTypeError:
    what = f"content type {shown(content_type)}" if content_type else "no content type"
    return ContentTypeError(url, f"{what}, where the Simple API has {JSON_TYPE} or text/html")
