"""Everything that was read so far, once for all targets, and everything that is still missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aiomirror.requirements.values import LineError
from aiomirror.resolution.dependencies import Dependency, read_dependency
from aiomirror.resolution.metadata import CoreMetadata, read_metadata
from aiomirror.resolution.releases import Releases, read_releases
from aiomirror.resolution.values import MetadataNeed, Needs, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName

    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.values import Rules
    from aiomirror.simple.values import ProjectFile, ProjectPage

Key = tuple["NormalizedName", str]
"""Project and file name; with "" for the file name, the page of the project."""


class Facts(msgspec.Struct, frozen=True, eq=False):
    """A metadata text, its requirements read.  There is one object for all files that say the same."""

    requires: tuple[Dependency, ...]
    core: CoreMetadata


UNKNOWN = Facts((), CoreMetadata((), frozenset(), None, static=False))
"""Of a source archive whose dependencies only a build can tell."""


class Unfolding:
    """The releases of an iterator, taken from it when first asked for and kept for the next to ask."""

    def __init__(self, source: Iterator[Release]) -> None:
        self._source = source
        self._known: list[Release] = []

    def __iter__(self) -> Iterator[Release]:
        known = self._known
        at = 0
        while True:
            if at == len(known):
                release = next(self._source, None)
                if release is None:
                    return
                known.append(release)
            yield known[at]
            at += 1


class StoppedError(Exception):
    """Nobody waits for the result any more."""


class Library:
    """Pages, metadata and needs.  What is asked for here and not there becomes a need."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.stopped = False
        """Whether to end soon, in whatever thread this is used."""
        self.refused: dict[Key, Refusal] = {}
        self.admitted: dict[tuple[NormalizedName, frozenset[Dependency]], Unfolding] = {}
        """What requirements on one project admit together, in the order of :class:`Releases`."""
        self._pages: dict[NormalizedName, Releases] = {}
        self._facts: dict[Key, Facts | None] = {}
        self._missing: dict[Key, ProjectFile | None] = {}
        self._releases: dict[Key, Release] = {}
        self._same: dict[CoreMetadata, Facts] = {}
        self._dependencies: dict[str, Dependency] = {}

    def has_page(self, project: NormalizedName) -> bool:
        """Whether the project's page was read; if not, it is needed."""
        if project in self._pages:
            return True
        self._missing.setdefault((project, ""), None)
        return False

    def releases(self, project: NormalizedName) -> Releases:
        """Of a project whose page was read."""
        return self._pages[project]

    def has_facts(self, release: Release, file: ProjectFile) -> bool:
        """Whether the file's metadata was read, or refused."""
        return (release.project, file.filename) in self._facts

    def facts(self, release: Release, file: ProjectFile) -> Facts | None:
        """Of a file whose metadata was read; None: it is refused."""
        return self._facts[release.project, file.filename]

    def need_facts(self, release: Release, file: ProjectFile) -> Key:
        """Note that the metadata of this file is needed; return the key that it will come under."""
        key = (release.project, file.filename)
        self._missing.setdefault(key, file)
        self._releases[key] = release
        return key

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is here."""
        return not self._missing

    def needs(self) -> Needs:
        """What is missing, sorted."""
        pages = tuple(sorted(project for project, filename in self._missing if not filename))
        metadata = sorted((key, file) for key, file in self._missing.items() if file is not None)
        return Needs(pages, tuple(MetadataNeed(key[0], file) for key, file in metadata))

    def put_page(self, project: NormalizedName, page: ProjectPage | None, why: str) -> Key:
        """Take a page; the first one of a project counts."""
        key = (project, "")
        self._missing.pop(key, None)
        if project not in self._pages:
            self._pages[project] = Releases(absent=why) if page is None else read_releases(page, self.rules)
        return key

    def put_metadata(self, project: NormalizedName, filename: str, text: bytes | None, why: str) -> Key:
        """Take a metadata text that was asked for; the first one of a file counts."""
        key = (project, filename)
        if self._missing.pop(key, None) is None:
            return key
        try:
            self._facts[key] = None if text is None else self._read(text, self._releases[key])
        except LineError as error:
            self._facts[key], why = None, str(error)
        if self._facts[key] is None:
            self.refused[key] = Refusal(project, filename, why)
        return key

    def _read(self, text: bytes, release: Release) -> Facts:
        core = read_metadata(text, release)
        facts = self._same.get(core)
        if facts is None:
            requires = tuple(dict.fromkeys(map(self._dependency, core.requires)))
            facts = self._same[core] = Facts(requires, core)
        return facts

    def _dependency(self, text: str) -> Dependency:
        dependency = self._dependencies.get(text)
        if dependency is None:
            dependency = self._dependencies[text] = read_dependency(text)
        return dependency
