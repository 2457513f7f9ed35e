"""What pages say against each other and against the disk: values in, findings out, no file is touched."""

from __future__ import annotations

import html
import re
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from aiomirror.simple.filenames import FileKind, parse_filename
from aiomirror.simple.notes import shown
from aiomirror.simple.values import ProjectFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord
    from aiomirror.simple.values import Digests, ProjectPage
    from aiomirror.store import Folder, Hashed

METADATA = ".metadata"
_MANY = 5
"""Names that are listed in one line; of a page that has lost a thousand files, one line is enough."""
_HREF = re.compile(rb"""<a\b[^>]*?\bhref\s*=\s*["']?([^"'>\s]*)""", re.IGNORECASE)


class Kind(Enum):
    """What is damaged, which is what decides how it can be mended."""

    FILE = "a listed file"
    METADATA = "the core metadata beside a file"
    PAGE = "a page, of a project or of the root"
    STRAY = "something that aiomirror did not make, and does not remove"


class Finding(msgspec.Struct, frozen=True):
    """One damage; ``filename`` is empty where a whole folder is meant, ``project`` where the root is."""

    kind: Kind
    project: str
    filename: str
    what: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.project, self.filename, self.what)))


def one_page(page: ProjectPage, form: str, base: str) -> Iterator[Finding]:
    """What is wrong with one form of a page in itself; ``base`` is the URL that it was read against."""

    def finding(what: str) -> Finding:
        return Finding(Kind.PAGE, page.project, form, what)

    yield from map(finding, page.warnings)
    for file in page.files:
        within = file.url.startswith(base)
        if not within or unquote(file.url.removeprefix(base)) != file.filename:
            where = shown(urlsplit(file.url)._replace(netloc="", scheme="").geturl() or "/")
            leaves = "elsewhere" if within else "out of the folder"
            yield finding(f"the link of {file.filename} leads {leaves}, to {where}")
        if "sha256" not in file.hashes:
            yield finding(f"no sha256 of {file.filename}")


def two_forms(pages: Mapping[str, ProjectPage]) -> Iterator[Finding]:
    """Where the two forms of a page say different things, a finding of the second form."""
    (first, one), (form, other) = pages.items()

    def finding(what: str) -> Finding:
        return Finding(Kind.PAGE, one.project, form, what)

    ours, theirs = (page.named for page in (one, other))
    if missing := ours.keys() - theirs.keys():
        yield finding(f"does not list {several(missing)}, which {first} does")
    if added := theirs.keys() - ours.keys():
        yield finding(f"lists {several(added)}, which {first} does not")
    for name in sorted(ours.keys() & theirs.keys()):
        for what, read in _FACTS.items():
            if (here := read(theirs[name])) != (there := read(ours[name])):
                yield finding(f"{what} of {name} is {_said(here)}, and {_said(there)} in {first}")
    if one.status != other.status:
        says = [_said(status.marker, status.reason) for status in (other.status, one.status)]
        yield finding(f"the project's status is {says[0]}, and {says[1]} in {first}")


_FACTS: Mapping[str, Callable[[ProjectFile], str | None]] = {
    "sha256": lambda file: file.hashes.get("sha256"),
    "requires-python": lambda file: file.requires_python,
    "the yanked mark": lambda file: file.yanked,
    "core metadata": lambda file: (
        None if file.core_metadata is None else file.core_metadata.get("sha256", "")
    ),
}
"""What both forms of a page say of a file; sizes and times are in one of them only."""


def _said(*values: str | None) -> str:
    return " ".join("absent" if value is None else shown(value) for value in values)


def several(names: Iterable[str]) -> str:
    """The names in one line, or the first and how many more there are."""
    first, *_ = ordered = sorted(names)
    if len(ordered) > _MANY:
        return f"{first} and {len(ordered) - 1:,} more"
    return ", ".join(ordered)


def before_reading(file: ProjectFile, folder: Folder) -> str | None:
    """What is wrong with a file as far as its folder tells, ``file`` being what its page says of it."""
    name = file.filename
    if name in folder.links:
        where = ", out of the mirror or nowhere" if folder.links[name] else ""
        return f"is a symbolic link{where}"
    if name in folder.others:
        return "is no regular file"
    stat = folder.stats.get(name)
    if stat is None:
        return "is missing"
    if file.size is not None and stat.size != file.size:
        return f"{'truncated: ' if stat.size < file.size else ''}{stat.size:,} bytes, not {file.size:,}"
    return None


def after_reading(expected: Digests, hashed: Hashed) -> str | None:
    """What is wrong with the bytes."""
    if hashed.record is None:
        return hashed.why
    if "sha256" not in expected:
        return "its page states no sha256 of it"
    for algorithm, digest in expected.items():
        if hashed.hashes.get(algorithm) != digest:
            return f"{algorithm} is {hashed.hashes.get(algorithm)}, not {digest}"
    return None


def why_no_page(folder: Folder, form: str) -> str:
    """Why there is no content of a page."""
    if form in folder.stats:
        return "is longer than a page of ours can be"
    return before_reading(ProjectFile(filename=form, url=form, hashes={}), folder) or "is missing"


def by_record(file: ProjectFile, record: FileRecord | None, folder: Folder) -> FileRecord | None:
    """The record, if it vouches for the file: its ``stat`` is the one of then, its digest the page's."""
    if record is None or record.stat != folder.stats.get(file.filename):
        return None
    return record if file.hashes.get("sha256") == record.sha256 else None


def from_records(records: Mapping[str, FileRecord], project: NormalizedName) -> dict[str, ProjectFile]:
    """What a page that nobody can read any more listed, as far as the state remembers."""
    return {
        name: ProjectFile(
            filename=name,
            url=name,
            hashes={"sha256": record.sha256},
            core_metadata={"sha256": beside.sha256} if (beside := records.get(name + METADATA)) else None,
        )
        for name, record in records.items()
        if is_distribution(name, project)
    }


def is_distribution(name: str, project: NormalizedName) -> bool:
    """Whether a file of this name would be listed, were it in order."""
    parsed = parse_filename(name, project)
    return parsed is not None and parsed.kind is not FileKind.OTHER


def strays(folder: Folder, project: str, listed: Collection[str]) -> Iterator[Finding]:
    """What a server would show that no page lists; links that stay inside are left to who made them."""
    for name in sorted(name for name, leaves in folder.links.items() if leaves and name not in listed):
        yield Finding(Kind.STRAY, project, name, "a symbolic link that leads out of the mirror, or nowhere")
    for name in folder.copies:
        what = "a compressed copy that is not of the page; a server that prefers it shows what was"
        yield Finding(Kind.STRAY, project, name, what)


def unlisted(folder: Folder, project: NormalizedName, listed: Collection[str]) -> list[str]:
    """The distributions in a folder that no page lists, other projects' too."""
    # A name that is no distribution's belongs to no project; one that parses as nobody's is another's.
    return sorted(
        name
        for name in folder.stats.keys() - set(listed)
        if (parsed := parse_filename(name, project)) is None or parsed.kind is not FileKind.OTHER
    )


def root_page(
    form: str, body: bytes, names: Collection[NormalizedName], pages: Collection[NormalizedName]
) -> Iterator[Finding]:
    """The root index in one form, which lists ``names``, against the projects that have ``pages``."""
    if missing := set(pages) - set(names):
        yield Finding(Kind.PAGE, "", form, f"does not list {several(missing)}")
    if gone := set(names) - set(pages):
        yield Finding(Kind.PAGE, "", form, f"lists {several(gone)}, of which there is no page")
    if form.endswith(".html"):
        hrefs = {html.unescape(href.decode(errors="replace")) for href in _HREF.findall(body)}
        if strange := hrefs - {f"{name}/" for name in names}:
            yield Finding(Kind.PAGE, "", form, f"has links elsewhere: {several(map(shown, strange))}")
