"""Page → bytes: HTML and JSON from the same value, as the Simple Repository API 1.4 wants them.

Producers' rules are those of the living specification (PEPs 503 592 629 658 691 700 714 740 792 833), and of
what the installers were measured to trip over.  The rules that shape this file:

* Links are relative and are the percent-encoded file name, so the tree works below any prefix; ``file.url``
  is never looked at.
* HTML is ASCII, because static servers send it without a charset and some clients then decode Latin-1.
* JSON leaves optional keys out: uv refuses a page over most nulls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence  # noqa: TC003 (msgspec reads annotations at run time)
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import UNSET, UnsetType

from aiomirror.simple import published

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName

    from aiomirror.simple.published import Listing
    from aiomirror.simple.values import Digests, ProjectFile, ProjectPage, ProjectStatus

API_VERSION = "1.4"
"""Both forms; PEP 833 freezes HTML here, whatever JSON becomes."""

REPLACEMENT = "\ufffd"
"""Published where the text has what the form cannot carry."""

_SURROGATE = re.compile("[\ud800-\udfff]")
# A numeric reference to any of these is a parse error in HTML.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
# Nearly every text there is; to look is a fifth of the price of replacing.
_PLAIN = re.compile(r"[ !#-%(-;=?-~]*")
_LINE_BREAK = re.compile("\r\n?")


# JSON


class _Meta(msgspec.Struct, rename="kebab"):
    api_version: str = API_VERSION


class _Status(msgspec.Struct):
    status: str
    reason: str | UnsetType = UNSET


class _File(msgspec.Struct, rename="kebab", gc=False):
    filename: str
    url: str
    hashes: dict[str, str]
    size: int
    requires_python: str | UnsetType = UNSET
    yanked: Literal[True] | str | UnsetType = UNSET
    upload_time: datetime | UnsetType = UNSET
    core_metadata: dict[str, str] | Literal[True] | UnsetType = UNSET
    provenance: str | UnsetType = UNSET


class _Page(msgspec.Struct, rename="kebab"):
    meta: _Meta
    name: str
    versions: Sequence[str]
    files: list[_File]
    project_status: _Status | UnsetType = UNSET


class _RootProject(msgspec.Struct):
    name: str


class _Root(msgspec.Struct):
    meta: _Meta
    projects: list[_RootProject]


def render_json(page: ProjectPage, listing: Listing | None = None) -> bytes:
    """The page in PEP 691's form; ``listing`` is what it offers, where that has been made already.

    Raises ValueError if a file has no sha256 or no size, or is there twice: mistakes of the caller.
    """
    listing = listing or published.listing(page)
    status = published.status(page.status)
    return _encode(
        _Page(
            meta=_Meta(),
            name=page.project,
            versions=listing.versions,
            files=[_json_file(file) for file in listing.files],
            project_status=_Status(status[0], _text(status[1]) or UNSET) if status else UNSET,
        )
    )


def render_root_json(projects: Iterable[NormalizedName]) -> bytes:
    """The root index in PEP 691's form: each project once, sorted."""
    return _encode(_Root(_Meta(), [_RootProject(name) for name in sorted(set(projects))]))


def _encode(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _json_file(file: ProjectFile) -> _File:
    return _File(
        filename=file.filename,
        url=published.link(file.filename),
        hashes=published.digests(file.hashes),
        size=file.size or 0,  # checked: never None
        requires_python=_text(file.requires_python) or UNSET,
        # An empty reason is "not yanked" to pip and pdm: without a reason the value is true.
        yanked=UNSET if file.yanked is None else _text(file.yanked) or True,
        upload_time=_utc(file.upload_time) if file.upload_time else UNSET,
        core_metadata=UNSET if file.core_metadata is None else published.digests(file.core_metadata) or True,
        provenance=published.provenance(file) or UNSET,
    )


def _utc(moment: datetime) -> datetime:
    """What msgspec writes as ``yyyy-mm-ddThh:mm:ss[.ffffff]Z``: pip, pdm and uv fail on other forms."""
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(text: str | None) -> str | None:
    """The text as UTF-8 can carry it."""
    return text if text is None or text.isascii() else _SURROGATE.sub(REPLACEMENT, text)


# HTML

_DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="pypi:repository-version" content="{version}">{metas}
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{note}{links}</body>
</html>
"""

# For the people who look at a page; installers do not.  It shows what the anchors' attributes say, for an
# anchor has to stay whole, with nothing but the file's name in it.
_STYLE = (
    ":root{color-scheme:light dark;font:1rem/1.6 system-ui,sans-serif}"
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.4rem}"
    "a{text-decoration:none;overflow-wrap:anywhere}a:hover{text-decoration:underline}"
    "a::after{color:gray;display:inline-block;font-size:.8em;white-space:pre}"
    '[data-requires-python]::after{content:"  Python " attr(data-requires-python)}'
    "[data-yanked]{color:gray;text-decoration:line-through}"
    '[data-yanked]::before{content:"yanked ";color:#b33;display:inline-block;white-space:pre}'
)


def render_html(page: ProjectPage, listing: Listing | None = None) -> bytes:
    """The page in PEP 503's form; ``listing`` is what it offers, where that has been made already.

    Raises ValueError if a file has no sha256 or no size, or is there twice: mistakes of the caller.
    """
    listing = listing or published.listing(page)
    metas, note = _status(page.status)
    return _document(page.project, map(_anchor, listing.files), metas=metas, note=note)


def render_root_html(projects: Iterable[NormalizedName]) -> bytes:
    """The root index in PEP 503's form: each project once, sorted."""
    # The slash matters: object stores do not redirect, and links would resolve one level too high.  In a
    # normalised name there is nothing that either a URL or a document would have to encode.
    links = [f'<a href="{name}/">{name}</a><br>\n' for name in sorted(set(projects))]
    return _document("Simple index", links)


def _document(title: str, links: Iterable[str], *, metas: str = "", note: str = "") -> bytes:
    text = _DOCUMENT.format(
        version=API_VERSION,
        metas=metas,
        title=_escape(title),
        style=_STYLE,
        note=note,
        links="".join(links),
    )
    return text.encode("ascii", "xmlcharrefreplace")


def _status(status: ProjectStatus) -> tuple[str, str]:
    """The ``<meta>`` elements for clients, and a line for people; both empty for what goes without saying."""
    said = published.status(status)
    if said is None:
        return "", ""
    marker, reason = map(_escape, said)
    metas = f'\n<meta name="pypi:project-status" content="{marker}">'
    if not reason:
        return metas, f"<p><strong>{marker}</strong></p>\n"
    metas += f'\n<meta name="pypi:project-status-reason" content="{reason}">'
    return metas, f"<p><strong>{marker}</strong>: {reason}</p>\n"


def _anchor(file: ProjectFile) -> str:
    name = file.filename
    link = published.link(name)
    text = name if link is name else _escape(name)  # what no URL need encode, no document need escape
    return f'<a href="{link}#sha256={file.hashes["sha256"]}"{_attributes(file)}>{text}</a><br>\n'


def _attributes(file: ProjectFile) -> str:
    attributes = ""
    if file.requires_python:
        attributes += f' data-requires-python="{_escape(file.requires_python)}"'
    if file.yanked is not None:
        # Always with a value: pip and pdm install a yanked file whose attribute has none.
        attributes += f' data-yanked="{_escape(file.yanked)}"'
    if file.core_metadata is not None:
        # pip 22.3 to 23.1 know the older name only (PEP 714).
        digest = _escape(_metadata_digest(file.core_metadata))
        attributes += f' data-core-metadata="{digest}" data-dist-info-metadata="{digest}"'
    if provenance := published.provenance(file):
        attributes += f' data-provenance="{_escape(provenance)}"'
    return attributes


def _metadata_digest(digests: Digests) -> str:
    """``algorithm=hex``, of which HTML has room for one; "true" where the sibling's digest is not known."""
    if "sha256" in digests:
        return f"sha256={digests['sha256']}"
    return next((f"{name}={digest}" for name, digest in published.digests(digests).items()), "true")


def _escape(text: str) -> str:
    """Escaped once, for an element's text or a quoted attribute; what is not ASCII is left to the encoder."""
    return text if _PLAIN.fullmatch(text) else _escaped(text)


@lru_cache(maxsize=256)  # a project has few requires-python and few reasons for all of its files
def _escaped(text: str) -> str:
    text = _UNFIT.sub(REPLACEMENT, _LINE_BREAK.sub("\n", text))
    return escape(text).replace("\n", "&#10;").replace("\t", "&#9;")
