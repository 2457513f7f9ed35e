"""What a page of the Simple Repository API says, in the specification's own nouns.

The same values serve both ways: a reader makes them from an upstream's bytes, a renderer makes our own pages
from them.  They know nothing of networks, disks or policies.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from typing import Protocol, overload

import msgspec
from packaging.utils import NormalizedName  # noqa: TC002 (as above)

from aiomirror.simple.filenames import ParsedName, parse_filenames

Digests = Mapping[str, str]
"""Algorithm → digest, both lower case; only algorithms that hashlib guarantees."""


class ProjectFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file of a project page.

    ``filename`` is one plain path component; ``url`` is absolute on a page that was read and relative on one
    of ours, without fragment.
    """

    filename: str
    url: str
    hashes: Digests
    size: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    """The reason, "" for none given; None: not yanked."""
    upload_time: datetime | None = None
    """In UTC."""
    core_metadata: Digests | None = None
    """Digests of the ``.metadata`` sibling, empty when none are listed; None: the sibling is not offered."""
    provenance: str | None = None
    """Absolute https URL of the provenance object."""


class Candidate(Protocol):
    """What a choice among the files of a page goes by; a :class:`ProjectFile` is one."""

    @property
    def filename(self) -> str: ...  # noqa: D102 (all of these as ProjectFile has them)
    @property
    def hashes(self) -> Digests: ...  # noqa: D102
    @property
    def size(self) -> float | None: ...  # noqa: D102
    @property
    def requires_python(self) -> str | None: ...  # noqa: D102
    @property
    def yanked(self) -> str | None: ...  # noqa: D102
    @property
    def upload_time(self) -> datetime | None: ...  # noqa: D102


class Files(Sequence[ProjectFile]):
    """The files of a page where they are made when they are asked for; equal to any sequence of the same."""

    @property
    @abstractmethod
    def candidates(self) -> Sequence[Candidate]:
        """The same files as far as a choice needs them, without making any."""

    @property
    @abstractmethod
    def readings(self) -> Sequence[ParsedName | None]:
        """What the name of each says."""

    @property
    @abstractmethod
    def named(self) -> Mapping[str, ProjectFile]:
        """The files by name; looking at the names makes none."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class Listed(Files):
    """Files that are made, by name, and what their names say: a page is asked for both more than once."""

    def __init__(self, named: Mapping[str, ProjectFile], readings: Sequence[ParsedName | None]) -> None:
        self._named, self._readings = named, readings
        self._files = tuple(named.values())

    @property
    def candidates(self) -> Sequence[Candidate]:  # noqa: D102 (these as Files has them)
        return self._files

    @property
    def readings(self) -> Sequence[ParsedName | None]:  # noqa: D102
        return self._readings

    @property
    def named(self) -> Mapping[str, ProjectFile]:  # noqa: D102
        return self._named

    def __iter__(self) -> Iterator[ProjectFile]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> ProjectFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ProjectFile]: ...
    def __getitem__(self, index: int | slice) -> ProjectFile | Sequence[ProjectFile]:
        return self._files[index]


class ProjectStatus(msgspec.Struct, frozen=True):
    """PEP 792: ``marker`` is "active", "archived", "quarantined", "deprecated" or one we do not know."""

    marker: str = "active"
    reason: str | None = None


class ProjectPage(msgspec.Struct, frozen=True, kw_only=True):
    """A project page, whatever its format was."""

    project: NormalizedName
    files: Files | tuple[ProjectFile, ...]
    versions: tuple[str, ...] = ()
    """As listed (API 1.1 and later, JSON only); may name versions without files."""
    status: ProjectStatus = ProjectStatus()
    api_version: str = "1.0"
    last_serial: int | None = None
    """A count of the project's changes, where the index keeps one (not of the specification)."""
    warnings: tuple[str, ...] = ()
    """What was odd and passed over, a line each."""

    @property
    def candidates(self) -> Sequence[Candidate]:
        """The files as far as a choice needs them, which for a long page is much cheaper than ``files``."""
        return self.files if isinstance(self.files, tuple) else self.files.candidates

    @property
    def readings(self) -> Sequence[ParsedName | None]:
        """What the name of each candidate says; None: it is another project's."""
        if isinstance(self.files, tuple):
            return parse_filenames([file.filename for file in self.files], self.project)
        return self.files.readings

    @property
    def named(self) -> Mapping[str, ProjectFile]:
        """The files by name."""
        if isinstance(self.files, tuple):
            return {file.filename: file for file in self.files}
        return self.files.named


JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
ACCEPT = f"{JSON_TYPE}, {HTML_TYPE};q=0.2, text/html;q=0.01"
"""The Accept header that PEP 691 recommends; ``latest`` is not asked for."""
