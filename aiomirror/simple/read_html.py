"""HTML pages (PEP 503 and its successors, frozen at version 1.4 by PEP 833).

lxml's parser calls a target for each element and builds no tree.  It is fed text, never bytes, so that the
charset is decided by our rules alone, and it is the only parser tried that stayed linear on hostile pages.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from lxml import etree

from aiomirror.errors import MalformedPageError, WrongProjectError
from aiomirror.simple.build import Entry, PageBuilder
from aiomirror.simple.charset import decode_html
from aiomirror.simple.links import filename_of, fragment_digests, resolve
from aiomirror.simple.notes import Notes, shown
from aiomirror.simple.values import ProjectStatus
from aiomirror.simple.versioning import check_api_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.simple.values import ProjectPage

MAX_DEPTH = 200
"""Elements open at once.  For each end tag that fits none of them the parser looks at all of them, so without
a limit 50,000 open elements and as many stray end tags take seconds."""

ELEMENTS_PER_FILE = 10
"""Of a page that lists as many files as it may; real ones have two, a link and a line break."""

MAX_PROJECTS = 2_000_000
"""Links of a root index; the largest real one has a third of that.  For as many it takes ten seconds."""
ELEMENTS_PER_PROJECT = 3
"""As above: there are so many projects that less of each has to do."""

_CHUNK = 1 << 16
"""Characters per feeding: an error in the target is noticed at the end of a chunk only."""

# A link that can lead to a page: not one that sorts a web server's listing, nor one of another scheme.
_PAGE = re.compile(r"\s*(?:https?:|(?![a-z][a-z0-9+.-]*:)[^?#\s])", re.IGNORECASE)

TargetT = TypeVar("TargetT", bound="_Target")
T = TypeVar("T")


class _TooMuchError(Exception):
    """More of something than a page of links has; ``str()`` says of what."""


class _Target:
    """Collects what a page says: anchors with an href, the base, meta tags.

    Of repeated ones the first counts, except for anchors.  ``max_links``: how many of those a page may have,
    each with so many elements, itself among them; None: any number.
    """

    _kind = "files"

    def __init__(self, max_links: int | None, elements_per_link: int = ELEMENTS_PER_FILE) -> None:
        self.anchors: list[Mapping[str, str]] = []
        self.base: str | None = None
        self.meta: dict[str, str] = {}
        self._depth = self._elements = 0
        self._max_links = sys.maxsize if max_links is None else max_links
        self._max_elements = self._max_links * elements_per_link

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuchError(f"more than {MAX_DEPTH} elements inside one another")
        self._elements += 1
        if self._elements > self._max_elements:
            raise _TooMuchError(f"the page has more than {self._max_elements:,} elements")
        if tag == "a" and "href" in attributes:
            if len(self.anchors) == self._max_links:
                raise _TooMuchError(f"the page lists more than {self._max_links:,} {self._kind}")
            self.anchors.append(attributes)
        elif tag == "meta" and "name" in attributes:
            self.meta.setdefault(attributes["name"].strip().lower(), attributes.get("content", "").strip())
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")

    def end(self, _tag: str) -> None:
        self._depth -= 1

    def close(self) -> None:
        """Do nothing: the parser wants it, and what was collected is read from the target itself."""


class _RootTarget(_Target):
    """Collects the text of each anchor as well, in the anchors' order and in pieces."""

    _kind = "projects"

    def __init__(self) -> None:
        super().__init__(MAX_PROJECTS, ELEMENTS_PER_PROJECT)
        self.texts: list[list[str]] = []
        self._in_anchor = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        super().start(tag, attributes)
        if len(self.texts) < len(self.anchors):
            self.texts.append([])
            self._in_anchor = True

    def data(self, text: str) -> None:
        if self._in_anchor:
            self.texts[-1].append(text)

    def end(self, tag: str) -> None:
        super().end(tag)
        self._in_anchor = self._in_anchor and tag != "a"


def read_html_page(
    body: bytes, charset: str | None, url: str, project: NormalizedName, max_files: int | None = None
) -> ProjectPage:
    """Read a project page; raises ApiVersionError, MalformedPageError or WrongProjectError.

    HTML does not say whose page it is: one whose files are all of other projects is another project's.
    """
    target = _parse(_Target(max_files), body, charset, url)
    notes = Notes()
    api_version, ahead = check_api_version(target.meta.get("pypi:repository-version"), url)
    if ahead:
        notes.add(ahead)
    base = _base(target.base, url, notes)
    builder = PageBuilder(project, base, notes)
    for attributes in target.anchors:
        if (entry := _entry(attributes, base, notes)) is not None:
            builder.add(entry)
    if builder.strangers and not builder.own:
        raise WrongProjectError(url, f"the page lists files of other projects, and none of {project}")
    marker = target.meta.get("pypi:project-status", "").lower() or ProjectStatus().marker
    status = ProjectStatus(marker, target.meta.get("pypi:project-status-reason") or None)
    return builder.page(versions=(), status=status, api_version=api_version)


def read_html_root(body: bytes, charset: str | None, url: str) -> list[str]:
    """Return the text of each link to a project; raises ApiVersionError or MalformedPageError."""
    target = _parse(_RootTarget(), body, charset, url)
    check_api_version(target.meta.get("pypi:repository-version"), url)
    links = zip(target.anchors, target.texts, strict=True)
    return ["".join(text).strip().removesuffix("/") for anchor, text in links if _PAGE.match(anchor["href"])]


def _parse(target: TargetT, body: bytes, charset: str | None, url: str) -> TargetT:
    text = decode_html(body, charset)
    if "<" not in text or text.lstrip().startswith(("{", "[")):
        # Nothing that a mirror holds may be dropped because of a body that is not a page at all.
        raise MalformedPageError(url, "the page is not HTML, though its content type says so")
    # The stub asks for handlers that lxml itself does without.
    parser = etree.HTMLParser(target=target, huge_tree=True)  # type: ignore[arg-type]
    try:
        for start in range(0, len(text), _CHUNK):
            parser.feed(text[start : start + _CHUNK])
        parser.close()
    except _TooMuchError as error:
        raise MalformedPageError(url, str(error)) from None
    except (etree.LxmlError, ValueError) as error:
        raise MalformedPageError(url, f"the page cannot be parsed: {error}") from error
    return target


def _base(href: str | None, url: str, notes: Notes) -> str:
    """Return what relative links are relative to: a ``<base>``, itself relative to the page (C-URL-3)."""
    if href is None:
        return url
    link = resolve(url, href)
    if link is None:
        notes.add(f"base {shown(href)} ignored")
        return url
    return link.url


def _entry(attributes: Mapping[str, str], base: str, notes: Notes) -> Entry | None:
    """Return what an anchor lists; None when it leads to no file."""
    href = attributes["href"]
    link = resolve(base, href)
    if not (name := filename_of(f"///{href}" if link is None else link.url)):
        return None
    if link is None:  # the builder warns of it if it looks like a distribution
        return Entry(filename=name, url=href)
    return Entry(
        filename=name,
        url=link.url,
        hashes=dict(fragment_digests(link.fragment)),
        size=_optional(attributes, "data-size", int, notes),
        requires_python=attributes.get("data-requires-python"),
        yanked=attributes.get("data-yanked", False) or "data-yanked" in attributes,
        upload_time=_optional(attributes, "data-upload-time", datetime, notes),
        core_metadata=_metadata(attributes.get("data-core-metadata")),
        dist_info_metadata=_metadata(attributes.get("data-dist-info-metadata")),
        provenance=attributes.get("data-provenance"),
    )


def _metadata(value: str | None) -> bool | dict[str, str | None] | None:
    """Read a metadata attribute: a digest, "true" or "false"; anything else counts as "true" (C-META-1)."""
    if value is None or "=" not in value:
        return None if value is None else value.strip().lower() != "false"
    return dict(fragment_digests(value.strip()))


def _optional(attributes: Mapping[str, str], name: str, kind: type[T], notes: Notes) -> T | None:
    """Return the value of an attribute that no specification has; None, with a warning, when malformed."""
    value = attributes.get(name)
    if not value:
        return None
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        notes.add(f"{name} {shown(value)} ignored")
        return None
