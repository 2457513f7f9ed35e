"""One project looked at: what is known of it, upstream's page, and what follows from the two.

The order of looking is the cheapest first.  A project that an earlier run settled, whose files and pages are
as that run left them, and of which the same is asked, is asked of upstream only whether its page has changed;
not even that where upstream's root index has a serial for each project, and asking it once costs less.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.errors import ShrunkPageError
from aiomirror.holdings import PAGES, holdings
from aiomirror.plan import Holdings, Settled, Visited, plan_project
from aiomirror.pruning import has_shrunk
from aiomirror.requirements.values import FormatControl
from aiomirror.selection import select
from aiomirror.state.reasons import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from packaging.utils import NormalizedName

    from aiomirror.index import Index, PageRead
    from aiomirror.lookout import Lookout
    from aiomirror.plan import ProjectPlan, Remembered
    from aiomirror.requirements.values import Wanted
    from aiomirror.selection import Policy, Selection
    from aiomirror.simple.values import ProjectPage
    from aiomirror.state import State
    from aiomirror.store import Store

METHOD = 1
"""To be raised when other files would be chosen of the same page: what is settled is looked at anew then."""
NO_FORMATS = FormatControl()
CHUNK = 1024
"""Projects that are looked up at once: a hop and a query cost more than what they do for one project, and the
first look lasts about as long as the root index takes to come, which is asked for meanwhile.
"""


class Demand(msgspec.Struct, frozen=True):
    """What is asked of one project; ``digest`` tells it from what was asked another time."""

    project: NormalizedName
    wants: tuple[Wanted, ...]
    policy: Policy
    digest: str

    @classmethod
    def of(
        cls,
        index_url: str,
        policy_for: Callable[[NormalizedName], Policy],
        wants: Mapping[NormalizedName, tuple[Wanted, ...]],
    ) -> list[Demand]:
        """The demands of a run; ``index_url`` without credentials, which change nothing of what is asked."""
        rules = f"{METHOD} {index_url}"
        begun = cache(lambda policy, *formats: hashlib.sha256(f"{rules} {_text(policy)} {formats}".encode()))
        demands = []
        for project, asked in wants.items():
            policy = policy_for(project)
            # Of the formats only what they mean to this project.
            formats = policy.formats.wheels(project), policy.formats.sources(project)
            digest = begun(policy, *formats).copy()
            digest.update("".join(map(_asked, asked)).encode())
            demands.append(cls(project, asked, policy, digest.hexdigest()))
        return demands


def _asked(want: Wanted) -> str:
    locked = sorted((name, sorted(hashes)) for name, hashes in want.files.items())
    return f"{want.text} {want.specifier} {want.targets} {sorted(want.hashes)}{locked}"


def _text(policy: Policy) -> str:
    """The policy as two runs would write it: without formats, which as sets of names have no order."""
    targets = [
        (one.name, one.python_full_version, one.platform, sorted(one.environment.items()))
        for one in policy.targets
    ]
    return f"{replace(policy, formats=NO_FORMATS, targets=())} {targets}"


class Visit(msgspec.Struct, frozen=True):
    """A project that was looked at, and what to do; ``settled`` is what to remember once that is done."""

    page: ProjectPage
    selection: Selection
    plan: ProjectPlan
    settled: Settled
    visited: Visited | None
    """None for a page that is not to be compared with: a quarantined project's."""


class Agenda:
    """The projects of a run in their order, each with what is known of it when nothing has changed here.

    Those of which it is known that nothing has changed upstream either do not come: ``unchanged`` is told.
    """

    def __init__(
        self,
        demands: Iterable[Demand],
        visitor: Visitor,
        state: State,
        unchanged: Callable[[Remembered], None],
    ) -> None:
        self._visitor, self._state, self._unchanged = visitor, state, unchanged
        self._todo = deque(demands)
        self._looked: deque[tuple[Demand, Remembered | None]] = deque()
        self._looking = asyncio.Lock()

    async def next(self) -> tuple[Demand, Remembered | None] | None:
        """The next project whose page has to be asked for; None when there is none."""
        while self._looked or await self.look():
            demand, known = self._looked.popleft()
            if known is None or not self._visitor.is_current(known):
                return demand, known
            self._unchanged(known)
        return None

    def __len__(self) -> int:
        """How many projects nobody has asked for yet."""
        return len(self._looked) + len(self._todo)

    def rest(self) -> list[NormalizedName]:
        """The projects that nobody has asked for yet."""
        return [demand.project for demand, _ in self._looked] + [demand.project for demand in self._todo]

    async def look(self) -> bool:
        """See what is here of the next projects; whether there are any.  Upstream need not have answered."""
        async with self._looking:
            if not self._looked and self._todo:
                await self._look()
        return bool(self._looked)

    async def _look(self) -> None:
        chunk = list(islice(self._todo, CHUNK))
        known = self._state.recall([demand.project for demand in chunk])
        same = [
            known[demand.project]
            for demand in chunk
            if (settled := known[demand.project].settled) and settled.demand == demand.digest
        ]
        intact = await self._visitor.intact(same)
        for demand in chunk:
            self._looked.append((demand, known[demand.project] if demand.project in intact else None))
            self._todo.popleft()


class Visitor:
    """Looks at projects; asks upstream and the disk, changes neither.

    ``now`` is in seconds since 1970.  With ``accept_changed`` a page that has lost most of its files is
    believed, and what upstream lists under a known name is taken, whatever it is.
    """

    def __init__(
        self, index: Index, lookout: Lookout, store: Store, state: State, *, now: int, accept_changed: bool
    ) -> None:
        self._index, self._lookout, self._store, self._state = index, lookout, store, state
        self._now, self._accept_changed = now, accept_changed
        self.present: frozenset[NormalizedName] = frozenset()
        """The projects that had a folder when the run began."""
        self._published: set[NormalizedName] = set()

    async def look_around(self) -> None:
        """See what is here."""
        self.present = frozenset(await self._store.folders())

    async def intact(self, known: Collection[Remembered]) -> set[NormalizedName]:
        """The projects of which every file and page that is remembered is as it was."""
        found = await self._store.intact(known) if known else set()
        self._published.update(
            one.project for one in known if one.project in found and not PAGES.keys().isdisjoint(one.records)
        )
        return found

    async def published(self) -> set[NormalizedName]:
        """The projects that have a page; those that were found to be intact are not looked at again."""
        others = self.present - self._published
        return self._published.union(await self._store.projects(others) if others else ())

    def is_current(self, known: Remembered) -> bool:
        """Whether the root index says that upstream's page is still the one that is remembered."""
        settled = known.settled
        return settled is not None and self._lookout.is_current(known.project, settled.serial, settled.root)

    async def visit(self, demand: Demand, known: Remembered | None) -> Visit | None:
        """What to do about a project; None when nothing is.

        Raises:
            UnknownProjectError: upstream has no such project.
            UpstreamError: its page cannot be read.
            ShrunkPageError: its page has lost most of its files.
        """
        read = await self._index.page(demand.project, known.settled if known else None)
        if read is None:
            return None
        upstream = read.page.named
        held = Holdings()
        if self.is_present(demand.project):
            held = await holdings(self._store, self._state, demand.project, upstream)
            self._check(read, held)
        selection = select(read.page, demand.wants, demand.policy)
        plan = plan_project(read.page, selection.chosen, held, accept_changed=self._accept_changed)
        found = Settled(
            demand=demand.digest,
            digest=read.digest,
            etag=read.validators.etag,
            last_modified=read.validators.last_modified,
            serial=read.serial,
            root=self._lookout.tag_of(demand.project, read.serial),
            wanted=tuple(sorted(plan.wanted)),
            left_out=selection.counts(),
        )
        wanted_by = {one.file.filename: one.wanted_by for one in selection.chosen}
        visited = Visited(self._now, len(upstream), wanted_by, packed(selection.left_out))
        withheld = read.page.status.marker == "quarantined"
        return Visit(read.page, selection, plan, found, None if withheld else visited)

    def is_present(self, project: NormalizedName) -> bool:
        """Whether the project had a folder when the run began."""
        return project in self.present

    def others(self, projects: Collection[NormalizedName]) -> frozenset[NormalizedName]:
        """The folders that were there when the run began, but for those of these projects."""
        return self.present.difference(projects)

    def _check(self, read: PageRead, held: Holdings) -> None:
        """Raise ShrunkPageError for a page that is not believed; only where there is something to lose."""
        page = read.page
        if self._accept_changed or page.status.marker == "quarantined" or not held.listed:
            return
        before = has_shrunk(page, self._state.desired.visited(page.project), held.listed)
        if before is not None:
            raise ShrunkPageError(page.project, len(page.files), before, read.body, read.content_type)
