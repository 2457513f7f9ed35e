"""What mirrored source archives need to be built, and what that needs in turn, so that it can be done there.

Each set of build requirements is resolved by itself, as installers make an environment of its own for each
build: sets constrain neither each other nor what is installed, and what a person says of versions to be
installed constrains no set.  What a build needs may come as a source archive, too; so it goes on until no new
archives turn up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from packaging.specifiers import SpecifierSet

from aiomirror.closure import close
from aiomirror.dependencies.archives import Archive, archives
from aiomirror.dependencies.rules import excluded, resolution_of, rules_of
from aiomirror.dependencies.tally import Tally
from aiomirror.dependencies.values import Followed
from aiomirror.errors import UnknownProjectError, UpstreamError
from aiomirror.recorded import choices_in, demand_of, withdrawn
from aiomirror.requirements.building import read_build_requires
from aiomirror.requirements.values import LineError, Parsed, Wanted
from aiomirror.visit import Demand

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
    from typing import TypeVar

    from packaging.utils import NormalizedName

    from aiomirror.closure import Key
    from aiomirror.config import Config
    from aiomirror.dependencies.values import Upstream
    from aiomirror.index import PageRead
    from aiomirror.metadata import Found
    from aiomirror.progress import Reporter
    from aiomirror.recorded import Records
    from aiomirror.requirements.values import NotMirrored
    from aiomirror.resolution.engine import Resolution
    from aiomirror.targets import Target

    Item = TypeVar("Item")

METHOD = 2
"""To be raised when the same input would give another result."""
MAX_LEVELS = 50
"""How often what builds something is built itself; real chains have five links, a hostile one has no end."""

Meaning = frozenset[tuple[object, ...]]
"""A set of requirements, however they are written."""


class Builds:
    """Adds what builds need to what is wanted, once for each run."""

    def __init__(
        self,
        config: Config,
        targets: Sequence[Target],
        upstream: Upstream,
        records: Records,
        reporter: Reporter,
    ) -> None:
        self._config, self._targets, self._upstream = config, targets, upstream
        self._records, self._reporter = records, reporter

    async def followed(self, before: Followed, present: Collection[NormalizedName]) -> Followed:
        """``before`` with all that is added; ``present`` are the projects that are mirrored already.

        Raises:
            DestinationError: the mirror, which may hold archives, cannot be read.
        """
        named = bool(self._config.policy.targets)
        tally = Tally(before.desired, named=named)
        demand = self._demand(before)
        # What led here was found anew because some page has changed, and this rests on the same pages.
        record = None if before.resolution else await self._records.recall(demand)
        if record is not None:
            for choice in choices_in(record):
                tally.choose(choice)
            tally.warn(*record.content["warnings"])
            return replace(before, desired=tally.desired())
        resolution = before.resolution or resolution_of(self._config, (), self._targets, Parsed())
        building = _Building(self._config, self._targets, self._upstream, self._reporter, resolution, tally)
        building.pages.update(before.pages)
        await building.run()
        self._records.save(demand, building.pages, tally.content())
        for project in withdrawn(building.pages, tally.errors, present):
            tally.wants.setdefault(project, (Wanted(project, SpecifierSet(), text=project),))
        return Followed(tally.desired(), building.pages, resolution)

    def _demand(self, before: Followed) -> str:
        """A digest of all that the result follows from, but for what upstream has."""
        shown = self._upstream.index.shown
        asked = Demand.of(shown, self._config.policy_for, before.desired.wants)
        digests = sorted((one.project, one.digest) for one in asked)
        named, own = bool(self._config.policy.targets), sorted(self._config.projects.items())
        more = f"build {METHOD} {named} {digests} {excluded(self._config)} {own}"
        return demand_of(shown, Parsed(), rules_of(self._config), self._targets, more)


class _Environments(msgspec.Struct):
    """One set of requirements, and the archives that it builds, by name of the target."""

    requires: Sequence[Wanted]
    archives: dict[str, list[str]] = msgspec.field(default_factory=dict)


class _Building(msgspec.Struct):
    """What was read so far, and what was done about it."""

    config: Config
    targets: Sequence[Target]
    upstream: Upstream
    reporter: Reporter
    resolution: Resolution
    tally: Tally
    pages: dict[NormalizedName, PageRead] = msgspec.field(default_factory=dict)
    _requires: dict[Key, Sequence[Wanted]] = msgspec.field(default_factory=dict)
    _done: set[tuple[Meaning, str]] = msgspec.field(default_factory=set)

    async def run(self) -> None:
        """Look for archives in what was added last, until nothing is."""
        changed: Collection[NormalizedName] = tuple(self.tally.wants)
        for _ in range(MAX_LEVELS):
            found = await self._archives(changed)
            await self._each((one for one in found if _key(one) not in self._requires), self._read)
            changed = set()
            for environments in self._environments(found):
                changed |= await self._resolve(environments)
            if not changed:
                return
        names = ", ".join(sorted(changed))
        self.tally.warn(f"what builds {names} is not mirrored: there are {MAX_LEVELS} builds before")

    async def _archives(self, projects: Iterable[NormalizedName]) -> list[Archive]:
        """Those that are going to be mirrored of these projects, in a fixed order."""
        there = sorted(projects)
        await self._each((project for project in there if project not in self.pages), self._page)
        wanted = [(self.pages[one], self.tally.wants[one]) for one in there if one in self.pages]

        def choose() -> list[Archive]:
            return [
                archive
                for read, wants in wanted
                for archive in archives(
                    read.page, wants, self.config.policy_for(read.page.project), self.targets
                )
            ]

        return await asyncio.to_thread(choose)

    async def _page(self, project: NormalizedName) -> None:
        try:
            read = await self.upstream.index.page(project)
        except (UnknownProjectError, UpstreamError) as error:
            self.tally.errors[project, ""] = error
        else:
            assert read is not None, "nothing was known of it before"
            self.pages[project] = read

    async def _read(self, archive: Archive) -> None:
        """Find out what one archive is built with."""
        key = project, filename = _key(archive)
        self._requires[key] = ()
        try:
            found = await self.upstream.metadata.pyproject(archive.project, archive.file)
        except UpstreamError as error:
            self.tally.errors[key] = error
            return
        try:
            self._requires[key], elsewhere = _requires(found, filename)
        except LineError as error:
            why = f"what builds it is not known, for its pyproject.toml cannot be read: {error}"
            self.tally.warn(f"{project}: {filename}: {why}")
        else:
            self.tally.warn(*map(str, elsewhere))

    def _environments(self, found: Iterable[Archive]) -> list[_Environments]:
        """Each set of requirements on each target once."""
        sets: dict[Meaning, _Environments] = {}
        for archive in found:
            requires = self._requires[_key(archive)]
            meaning = frozenset(map(_meaning, requires))
            for name in archive.targets if requires else ():
                if (meaning, name) not in self._done:
                    archives = sets.setdefault(meaning, _Environments(requires)).archives
                    archives.setdefault(name, []).append(archive.file.filename)
        self._done |= {(meaning, name) for meaning, one in sets.items() for name in one.archives}
        return list(sets.values())

    async def _resolve(self, environments: _Environments) -> set[NormalizedName]:
        """Add what such environments hold; the projects of which that is more than was wanted before."""
        targets = [one for one in self.targets if one.name in environments.archives]
        self.upstream.index.keep(self.pages)  # so that none is asked for again
        closed = await close(
            self.resolution.beside(environments.requires, targets),
            self.upstream.index,
            self.upstream.metadata,
            jobs=self.config.jobs,
            told=self.reporter.resolving,
        )
        self.pages.update(closed.pages)
        return self.tally.add(closed, environments.archives)

    async def _each(self, items: Iterable[Item], act: Callable[[Item], Awaitable[None]]) -> None:
        """Act on all of them, on so many at a time as there may be transfers."""
        todo = deque(items)

        async def work() -> None:
            while todo:
                await act(todo.popleft())

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.config.jobs, len(todo))):
                group.create_task(work())


def _key(archive: Archive) -> Key:
    return archive.project, archive.file.filename


def _requires(found: Found, filename: str) -> tuple[list[Wanted], list[NotMirrored]]:
    """What an archive is built with; LineError says why that is not known."""
    if found.text is None and found.why:
        raise LineError(found.why)
    return read_build_requires(found.text, filename)


def _meaning(want: Wanted) -> tuple[object, ...]:
    return want.project, want.specifier, want.extras, str(want.marker or "")
