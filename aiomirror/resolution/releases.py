"""A project page as a resolver sees it: its versions, newest first, each with the files that may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiomirror.simple.filenames import (
    NO_BUILD,
    Build,
    FileKind,
    build_number,
    parse_filename,
    parse_version,
    version_key,
)

if TYPE_CHECKING:
    from datetime import datetime

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from aiomirror.resolution.values import Rules
    from aiomirror.simple.values import ProjectFile, ProjectPage


class Dist(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One file of a version."""

    file: ProjectFile
    tags: str = ""
    """The compressed tag set at the end of a wheel's name; "" for a source archive."""
    build: Build = NO_BUILD
    """A wheel's build number (PEP 427); of two wheels that fit alike the higher one is taken."""


class Release(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One version of a project; compared by identity, for there is one object per version and run."""

    project: NormalizedName
    text: str
    """The version as the first file name has it."""
    version: Version | None
    """None: not a version that PEP 440 knows."""
    wheels: list[Dist] = msgspec.field(default_factory=list)
    sources: list[Dist] = msgspec.field(default_factory=list)

    @property
    def prerelease(self) -> bool:
        """Whether it is one (PEP 440), a development release included."""
        return self.version is not None and self.version.is_prerelease

    def __str__(self) -> str:
        return f"{self.project} {self.text}"


class Releases(msgspec.Struct, frozen=True):
    """All of them, and what to say when there is none."""

    newest_first: tuple[Release, ...] = ()
    absent: str = ""
    """Why there is no page; "" where there is one."""


def read_releases(page: ProjectPage, rules: Rules) -> Releases:
    """What the rules leave of a page, whatever the target."""
    if page.status.marker == "quarantined":  # offers no files, whatever it lists (PEP 792)
        return Releases(absent="upstream has quarantined the project")
    releases: dict[object, Release] = {}
    cutoff = rules.exclude_newer.of(page.project)
    largest = rules.admission_of(page.project).max_file_size
    for file in page.files:
        parsed = parse_filename(file.filename, page.project)
        if parsed is None or parsed.version is None or not _in_time(file, cutoff):
            continue
        if largest is not None and (file.size or 0) > largest:
            continue
        version = parse_version(parsed.version)
        release = releases.get(version or parsed.version)
        if release is None:
            release = releases[version or parsed.version] = Release(page.project, parsed.version, version)
        if parsed.kind is FileKind.WHEEL and rules.formats.wheels(page.project):
            release.wheels.append(_wheel(file))
        elif parsed.kind is FileKind.SDIST and rules.formats.sources(page.project):
            release.sources.append(Dist(file))
    for release in releases.values():
        # The page's order means nothing.  Of several archives the common format first.
        release.wheels.sort(key=lambda dist: dist.file.filename)
        release.sources.sort(
            key=lambda dist: (not dist.file.filename.endswith(".tar.gz"), dist.file.filename)
        )
    usable = (one for one in releases.values() if one.wheels or one.sources)
    return Releases(tuple(sorted(usable, key=lambda one: version_key(one.text), reverse=True)))


def _in_time(file: ProjectFile, cutoff: datetime | None) -> bool:
    return cutoff is None or (file.upload_time is not None and file.upload_time < cutoff)


def _wheel(file: ProjectFile) -> Dist:
    tags = "-".join(file.filename.removesuffix(".whl").split("-")[-3:])
    return Dist(file, tags, build_number(file.filename))
