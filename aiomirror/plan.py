"""What is wanted against what is held: files to fetch, files to keep."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs
from packaging.utils import NormalizedName  # noqa: TC002 (as above)

from aiomirror.errors import ChangedError, DamagedError, FileError
from aiomirror.simple.values import Digests, ProjectFile  # noqa: TC001 (as above)

if TYPE_CHECKING:
    from aiomirror.selection import Chosen
    from aiomirror.simple.values import ProjectPage, ProjectStatus

JobKey = tuple[str, str]
"""Project and file name."""

LONG = 2**20
"""Bytes from which on a file fills the line; of a smaller one most is the wait for its answer."""


class FetchPolicy(msgspec.Struct, frozen=True):
    """What a file must be before it is taken."""

    max_file_size: int | None = None
    """In bytes."""
    require_hashes: bool = False
    allow_unhashed: bool = False
    """Also over plain http, where nothing else vouches for the bytes."""
    accept_changed: bool = False
    """Whether other bytes under a known name are taken, and pages that have lost most of their files."""


# Of some of these a run makes one for each file or project of the mirror, be it changed or not; what has no
# circles is nothing for the collector.


class FileStat(msgspec.Struct, frozen=True, gc=False):
    """What one ``stat`` says of a file: enough to notice that it is not the one of last time."""

    size: int
    mtime_ns: int
    inode: int


NO_STAT = FileStat(-1, 0, 0)
"""What no file has: the record of one that was right once, so that its digest is known until it is again."""


class FileRecord(msgspec.Struct, frozen=True, gc=False):
    """A file that was verified: its bytes had this digest when its ``stat`` was this."""

    filename: str
    sha256: str
    stat: FileStat


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A visit to a project that left nothing to do, and what upstream's page was then.

    While the page and the ``demand`` (a digest of what is asked) stay the same, a visit would do nothing.
    """

    demand: str
    digest: str
    """sha256 of the page's bytes."""
    etag: str | None = None
    last_modified: str | None = None
    serial: int | None = None
    """Upstream's count of changes to the project, where it keeps one."""
    root: str | None = None
    """Entity tag of the root index that had this serial."""
    wanted: tuple[str, ...] = ()
    left_out: Mapping[str, int] = msgspec.field(default_factory=dict)


class Remembered(msgspec.Struct, frozen=True):
    """What earlier runs established of a project: the files that its page lists, and the pages themselves."""

    project: NormalizedName
    records: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    settled: Settled | None = None
    local: frozenset[str] = frozenset()
    """Files that are not known to be upstream's: put there by hand, or before the state was lost.

    The state sees to that itself; it is told which are upstream's.
    """


class Visited(msgspec.Struct, frozen=True, gc=False):
    """What the last visit that was obeyed found of a project, settled or not."""

    seen: int
    """When, in seconds since 1970; a run that found nothing changed has seen the same."""
    listed: int
    """How many files upstream's page had."""
    wanted_by: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """File name → the texts of the requirements that chose it."""
    left_out: bytes = b""
    """Why nothing chose which files, as the state keeps it: a hundredth of the page, which many of these wait
    to be written with.  Not read back with the rest, for it is rarely asked; empty where nothing is known."""


class HeldFile(msgspec.Struct, frozen=True, gc=False):
    """A file on disk whose bytes are known now; ``hashes`` are of those bytes, sha256 among them."""

    record: FileRecord
    hashes: Digests
    metadata: FileRecord | None = None
    """The ``.metadata`` sibling, when it is there and right."""


class Holdings(msgspec.Struct, frozen=True):
    """What the mirror has of one project.

    ``listed`` is what our own page says, ``files`` what is on disk; ``fresh`` are the records that earlier
    runs did not leave, so that they can be kept.
    """

    listed: Mapping[str, ProjectFile] = msgspec.field(default_factory=dict)
    files: Mapping[str, HeldFile] = msgspec.field(default_factory=dict)
    strays: frozenset[str] = frozenset()
    """Files named as upstream's are, that are not what upstream lists, and that the mirror did not make."""
    fresh: tuple[FileRecord, ...] = ()
    published: bool = False
    """Whether there is a page of the project."""
    unlisted: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    """Files and siblings that earlier runs made and that neither our page nor upstream's lists any more."""
    local: frozenset[str] = frozenset()
    """Files that nobody has seen to be upstream's so far."""
    wrong: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    """Of files that are not right, that our page lists no more and upstream does: what they were once."""

    def damaged(self) -> list[str]:
        """Files that our page names and that are not, or not as it says, on disk."""
        return [
            name
            for name, file in self.listed.items()
            if (held := self.files.get(name)) is None or held.record.sha256 != file.hashes.get("sha256")
        ]


class FileJob(msgspec.Struct, frozen=True, gc=False):
    """One file to fetch, as upstream lists it, or (``held``) only its metadata to make.

    ``accepted`` are the ``(algorithm, digest)`` pairs that the requirements admit, one of which the bytes
    must have; empty: any.
    """

    project: NormalizedName
    file: ProjectFile
    accepted: frozenset[tuple[str, str]] = frozenset()
    held: HeldFile | None = None
    replaces: bool = False
    """Whether other bytes had this name; what was beside them is of no use beside these."""

    @property
    def key(self) -> JobKey:
        """What tells the jobs of a run apart."""
        return self.project, self.file.filename

    @property
    def size(self) -> int:
        """Bytes that are to come, as upstream lists them; 0 where it does not."""
        return 0 if self.held is not None else self.file.size or 0

    @property
    def is_long(self) -> bool:
        """Whether it is the bytes that take the time."""
        return self.size >= LONG


class ProjectPlan(msgspec.Struct, frozen=True):
    """What to do about one project, and what its page will say of the files that stay."""

    project: NormalizedName
    status: ProjectStatus
    fetch: tuple[FileJob, ...] = ()
    keep: Mapping[str, HeldFile] = msgspec.field(default_factory=dict)
    """Wanted or not, these are right and stay on the page."""
    wanted: frozenset[str] = frozenset()
    facts: Mapping[str, ProjectFile] = msgspec.field(default_factory=dict)
    """What upstream says of each file that may stand on the page; our own page where upstream is silent."""
    fresh: tuple[FileRecord, ...] = ()
    damaged: tuple[FileRecord, ...] = ()
    """Listed files that are not right now; their digests stay known until they are."""
    published: bool = False
    problems: tuple[FileError, ...] = ()
    unlisted: Mapping[str, FileRecord] = msgspec.field(default_factory=dict)
    """Ours, on disk, and on no page."""
    local: frozenset[str] = frozenset()
    """Ours or not, these are not known to be upstream's, so nothing speaks for removing them."""
    mirrored: frozenset[str] = frozenset()
    """Of those that are kept these are upstream's, as its page says."""
    replaced: Mapping[str, tuple[HeldFile, ProjectFile] | None] = msgspec.field(default_factory=dict)
    """Files of which upstream now has other bytes, which are fetched: no page may list them meanwhile.

    What is held of each until then, and what our page says of it; None where that is damaged.
    """

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as upstream says."""
        return sum(job.size for job in self.fetch)


def plan_project(
    page: ProjectPage, chosen: tuple[Chosen, ...], holdings: Holdings, *, accept_changed: bool = False
) -> ProjectPlan:
    """Subtract what is held from what is chosen; nothing that is right is fetched, nothing held is dropped.

    A listed file that is damaged is fetched again when upstream still lists the same bytes, wanted or not.
    A file of which upstream lists other bytes stays as it is, unless those are to be taken.
    """
    wanted = {one.file.filename: one for one in chosen}
    planner = _Planner(page, holdings, wanted, accept_changed=accept_changed)
    for name in sorted({*planner.wanted, *holdings.listed, *holdings.files}):
        planner.consider(name)
    return planner.plan()


class _Planner:
    """Goes through the files of one project."""

    def __init__(
        self, page: ProjectPage, holdings: Holdings, wanted: Mapping[str, Chosen], *, accept_changed: bool
    ) -> None:
        self._page, self._holdings, self.wanted = page, holdings, wanted
        self._accept_changed = accept_changed
        self._upstream = page.named
        self._damaged = set(holdings.damaged())
        self._facts = dict(holdings.listed)
        self._unlisted = dict(holdings.unlisted)
        self._fetch: list[FileJob] = []
        self._keep: dict[str, HeldFile] = {}
        self._replaced: dict[str, tuple[HeldFile, ProjectFile] | None] = {}
        self._mirrored: set[str] = set()
        self._problems: list[FileError] = []

    def consider(self, name: str) -> None:
        """Decide about a file that is wanted, listed by us or on disk."""
        ours = self._holdings.listed.get(name)
        held = None if ours is not None and name in self._damaged else self._holdings.files.get(name)
        file, held = self._current(name, ours, held)
        if file is not None:
            self._facts[name] = file
        if held is None and file is None:
            if ours is not None:
                self._problem(DamagedError, name, "damaged or missing, and upstream has no copy")
        elif name in self._holdings.strays:
            why = "a file of this name is there that is not upstream's and not the mirror's; it is left alone"
            self._problem(FileError, name, why)
        elif held is None:
            assert file is not None
            replaces = name in self._replaced
            self._fetch.append(FileJob(self._page.project, file, self._accepted(name), replaces=replaces))
        elif name in self._facts:
            self._hold(name, held, upstream=file is not None)
        else:
            # Ours, and on no page, and upstream's words are of other bytes: there is nothing to list it with.
            self._set_aside(held)

    def _current(
        self, name: str, ours: ProjectFile | None, held: HeldFile | None
    ) -> tuple[ProjectFile | None, HeldFile | None]:
        """What upstream has of these bytes, and what is held; where they are not the same, one is None."""
        file = self._upstream.get(name)
        known = held.hashes if held else ours.hashes if ours else {}
        if file is None or (conflict := _conflict(file, known)) is None:
            return file, held
        if self._accept_changed:
            self._replaced[name] = (held, ours) if held is not None and ours is not None else None
            self._set_aside(held)
            return file, None
        self._problems.append(ChangedError(self._page.project, name, *conflict))
        return None, held

    def _hold(self, name: str, held: HeldFile, *, upstream: bool) -> None:
        accepted = self._accepted(name)
        if accepted and not accepted & set(held.hashes.items()):
            self._problem(FileError, name, "its digest is none that the requirement lists")
        self._keep[name] = held
        if upstream:
            self._mirrored.add(name)
        self._fetch += _metadata_job(self._page, self._facts[name], held, upstream=upstream)

    def _set_aside(self, held: HeldFile | None) -> None:
        """Remember that it is ours, though no page lists it."""
        if held is not None:
            self._unlisted |= {one.filename: one for one in (held.record, held.metadata) if one is not None}

    def _accepted(self, name: str) -> frozenset[tuple[str, str]]:
        return self.wanted[name].accepted if name in self.wanted else frozenset()

    def _problem(self, kind: type[FileError], name: str, why: str) -> None:
        self._problems.append(kind(self._page.project, name, why))

    def plan(self) -> ProjectPlan:
        """All that was decided."""
        return ProjectPlan(
            project=self._page.project,
            status=self._page.status,
            fetch=tuple(self._fetch),
            keep=self._keep,
            wanted=frozenset(self.wanted),
            facts=self._facts,
            fresh=self._holdings.fresh,
            damaged=(
                *self._holdings.wrong.values(),
                *(
                    FileRecord(name, ours.hashes["sha256"], NO_STAT)
                    for name, ours in self._holdings.listed.items()
                    if name in self._damaged and "sha256" in ours.hashes
                ),
            ),
            published=self._holdings.published,
            problems=tuple(self._problems),
            unlisted=self._unlisted,
            local=self._holdings.local - self._mirrored,
            mirrored=frozenset(self._mirrored),
            replaced=self._replaced,
        )


def _conflict(file: ProjectFile, known: Digests) -> tuple[str, str] | None:
    """Our digest and upstream's, where they have an algorithm in common and differ."""
    for algorithm in file.hashes.keys() & known.keys():
        if file.hashes[algorithm] != known[algorithm]:
            return f"{algorithm} {known[algorithm]}", f"{algorithm} {file.hashes[algorithm]}"
    return None


def _metadata_job(page: ProjectPage, file: ProjectFile, held: HeldFile, *, upstream: bool) -> list[FileJob]:
    """A job for the sibling that a held file lacks, where there can be one.

    Of a file that is not, or no longer, ``upstream``'s only the wheel itself has it: our page's URL leads
    nowhere.
    """
    if not upstream and held.metadata is None:
        file = structs.replace(file, core_metadata=None)
    possible = file.filename.endswith(".whl") or file.core_metadata is not None
    return [FileJob(page.project, file, held=held)] if held.metadata is None and possible else []
