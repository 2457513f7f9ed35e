"""JSON pages (PEP 691 and its successors).

A page whose every value has the type that the specification gives it is decoded straight into structs, which
takes milliseconds for thousands of files.  Any other is read the long way: decoded by the standard library,
which forgives lone surrogates and a byte order mark, then brought into the same structs key by key, a warning
for each value of a wrong type (J-SYN-3).  Unknown keys are ignored at every level (J-KEY-3).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Never, TypeVar

import msgspec
from packaging.utils import canonicalize_name

from aiomirror.errors import MalformedPageError, WrongProjectError
from aiomirror.simple.build import Entry, PageBuilder
from aiomirror.simple.notes import Notes, shown
from aiomirror.simple.plain import LONG, PlainEntry, plain_files
from aiomirror.simple.values import ProjectStatus
from aiomirror.simple.versioning import check_api_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.simple.values import ProjectPage

LAST_SERIAL = "_last-serial"
"""Private to some indexes: a number that grows with each change of a project, as a number or as text."""
LARGEST_SERIAL = 2**63 - 1
"""SQLite's largest number."""

COMMAS_PER_FILE = 30
"""Of a page that lists as many files as it may; real ones have fewer than 20, those in texts counted."""

T = TypeVar("T")
StructT = TypeVar("StructT", bound=msgspec.Struct)


class _Status(msgspec.Struct):
    status: str | None = None
    state: str | None = None  # what PEP 792 calls it where it contradicts itself
    reason: str | None = None


class _Meta(msgspec.Struct, rename="kebab"):
    api_version: str | int | float | None = None
    project_status: _Status | str | None = None  # an example of the specification has it here (C-STAT-4)
    last_serial: Any = msgspec.field(default=None, name=LAST_SERIAL)


class _Page(msgspec.Struct, rename="kebab"):
    files: list[Entry]
    meta: _Meta | None = None
    name: str | None = None
    versions: list[str] | None = None
    project_status: _Status | str | None = None


class _Project(msgspec.Struct):
    name: str | None = None
    last_serial: Any = msgspec.field(default=None, name=LAST_SERIAL)


class _Root(msgspec.Struct):
    projects: list[_Project]
    meta: _Meta | None = None


class _LongPage(_Page, rename="kebab"):
    files: list[PlainEntry]  # type: ignore[assignment]


_PAGE = msgspec.json.Decoder(_Page)
_LONG_PAGE = msgspec.json.Decoder(_LongPage)
_ROOT = msgspec.json.Decoder(_Root)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json_page(
    body: bytes, url: str, project: NormalizedName, max_files: int | None = None
) -> ProjectPage:
    """Read a project page; raises ApiVersionError, MalformedPageError or WrongProjectError."""
    # Each value of a list or an object but the first has a comma before it, so this bounds what is built of a
    # page, whatever its shape is, before anything is.
    most = len(body) if max_files is None else max_files * COMMAS_PER_FILE
    if len(body) > most and body.count(b",") > most:
        _fail(url, f"the page has more than {most:,} values")
    notes = Notes()
    long = _decode(_LONG_PAGE, body, url) if len(body) >= LONG else None
    if long is not None:
        _check_number(long.files, url, max_files)  # before any of them is looked at
    files = plain_files(long.files, url, project) if long is not None else None
    page: _Page | _LongPage | None = long if files is not None else _decode(_PAGE, body, url)
    if page is None:
        page = _lenient_page(_load(body, url), url, notes, max_files)
    _check_number(page.files, url, max_files)
    meta = page.meta or _Meta()
    api_version, ahead = check_api_version(meta.api_version, url)
    if ahead:
        notes.add(ahead)
    _check_name(page.name, url, project, notes)
    builder = PageBuilder(project, url, notes)
    if files is None:
        for entry in page.files:
            builder.add(entry)
    return builder.page(
        files=files,
        versions=tuple(page.versions or ()),
        status=_status(page.project_status) or _status(meta.project_status) or ProjectStatus(),
        api_version=api_version,
        last_serial=read_serial(meta.last_serial),
    )


def read_json_root(body: bytes, url: str) -> list[tuple[str, int | None]]:
    """Return the names as listed, with their serials; raises ApiVersionError or MalformedPageError."""
    root = _decode(_ROOT, body, url) or _lenient_root(_load(body, url), url)
    check_api_version(root.meta and root.meta.api_version, url)
    return [(project.name, read_serial(project.last_serial)) for project in root.projects if project.name]


def read_serial(stated: object) -> int | None:
    """The serial, if it is one; no specification says what it must be, so nothing else is odd about it."""
    if isinstance(stated, str) and stated.isascii() and stated.isdecimal() and len(stated) < 20:  # noqa: PLR2004
        stated = int(stated)
    if isinstance(stated, int) and not isinstance(stated, bool) and 0 <= stated <= LARGEST_SERIAL:
        return stated
    return None


def _check_number(files: Sequence[object], url: str, max_files: int | None) -> None:
    if max_files is not None and len(files) > max_files:
        _fail(url, f"the page lists {len(files):,} files, and {max_files:,} at most are read")


def _check_name(name: str | None, url: str, project: NormalizedName, notes: Notes) -> None:
    if name is None:
        notes.add("the page does not say whose it is")
    elif canonicalize_name(name) != project:
        raise WrongProjectError(url, f"the page is of the project {shown(name)}, not {project}")


def _status(stated: _Status | str | None) -> ProjectStatus | None:
    if isinstance(stated, str):
        stated = _Status(status=stated)
    marker = (stated.status or stated.state or "").strip().lower() if stated else ""
    return ProjectStatus(marker, stated.reason or None) if stated and marker else None


# The long way


def _decode(decoder: msgspec.json.Decoder[T], body: bytes, url: str) -> T | None:
    """Return the typed page; None when it has to be read the long way."""
    try:
        return decoder.decode(body)
    except RecursionError:
        _fail(url, "JSON nested too deeply")
    except (msgspec.MsgspecError, ValueError):
        return None


def _load(body: bytes, url: str) -> dict[str, Any]:
    try:
        document = _scrubbed(json.loads(body, parse_constant=_refuse_constant))
    except RecursionError:
        _fail(url, "JSON nested too deeply")
    except ValueError:  # JSONDecodeError and UnicodeDecodeError are; so is int() of thousands of digits
        _fail(url, "the page is not JSON, though its content type says so")
    if not isinstance(document, dict):
        _fail(url, "the page is not a JSON object")
    return document


def _lenient_page(document: dict[str, Any], url: str, notes: Notes, max_files: int | None) -> _Page:
    meta = _lenient_meta(document, url, notes)
    files = document.get("files")
    if not isinstance(files, list):
        _fail(url, "the page has no list of files")
    _check_number(files, url, max_files)
    name = document.get("name")
    if name is not None and not isinstance(name, str):
        _fail(url, f"the project's name is {shown(name)}")
    status = {"project-status": document.get("project-status")}
    return _Page(
        files=list(_lenient_entries(files, notes)),
        meta=meta,
        name=name,
        versions=_lenient_versions(document.get("versions"), notes),
        project_status=_fitting(status, _Meta, "page", notes).project_status,
    )


def _lenient_root(document: dict[str, Any], url: str) -> _Root:
    meta = _lenient_meta(document, url, Notes())
    projects = document.get("projects")
    if not isinstance(projects, list):
        _fail(url, "the page has no list of projects")
    names = (project.get("name") for project in projects if isinstance(project, dict))
    return _Root(projects=[_Project(name) for name in names if isinstance(name, str)], meta=meta)


def _lenient_meta(document: dict[str, Any], url: str, notes: Notes) -> _Meta:
    """Check the version before anything else: a later major version may have another shape (C-VER-4)."""
    meta = document.get("meta")
    if meta is None:
        return _Meta()
    if not isinstance(meta, dict):
        _fail(url, f"meta is {shown(meta)}")
    check_api_version(meta.get("api-version"), url)
    return _fitting(meta, _Meta, "meta", notes)


def _lenient_versions(versions: object, notes: Notes) -> list[str]:
    if not isinstance(versions, list):
        if versions is not None:
            notes.add(f"versions {shown(versions)} ignored")
        return []
    texts = [version for version in versions if isinstance(version, str)]
    if len(texts) < len(versions):
        notes.add("versions that are no text ignored")
    return texts


def _lenient_entries(files: list[Any], notes: Notes) -> Iterator[Entry]:
    for listed in files:
        try:
            yield msgspec.convert(listed, Entry)
        except msgspec.ValidationError:
            entry = _lenient_entry(listed, notes)
            if entry is not None:
                yield entry


def _lenient_entry(listed: object, notes: Notes) -> Entry | None:
    if not isinstance(listed, dict):
        notes.add(f"{shown(listed)} among the files skipped")
        return None
    where = shown(listed.get("filename"))
    hashes = listed.get("hashes")
    if isinstance(hashes, dict):
        # The text of what is no text is no digest either, so a known algorithm refuses its file (C-HASH-4).
        listed = {**listed, "hashes": {key: _text(value) for key, value in hashes.items()}}
    elif hashes is not None:
        notes.add(f"{where} skipped: hashes {shown(hashes)}")
        return None
    return _fitting(listed, Entry, where, notes)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else shown(value)


def _fitting(listed: dict[str, Any], kind: type[StructT], where: str, notes: Notes) -> StructT:
    """Return the struct of those keys whose values have the right type, with a warning for each other."""
    fitting = {}
    for key in kind.__struct_encode_fields__:
        value = listed.get(key)
        try:
            msgspec.convert({key: value}, kind)
        except msgspec.ValidationError:
            notes.add(f"{where}: {key} {shown(value)} ignored")
        else:
            fitting[key] = value
    return msgspec.convert(fitting, kind)


def _scrubbed(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Replace lone surrogates, which no encoding and no file system takes, in all texts of a document."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(item) for key, item in value.items()}
    return value


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)  # NaN and the infinities, which Python admits and JSON does not have


def _fail(url: str, why: str) -> Never:
    raise MalformedPageError(url, why)
