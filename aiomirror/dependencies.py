"""The stage that turns requirements into what is wanted of each project, dependencies included."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aiomirror.closure import close
from aiomirror.errors import AiomirrorError, ConflictError, FileError, UnknownProjectError, UpstreamError
from aiomirror.recorded import demand_of, from_record, still_holds, to_record
from aiomirror.requirements.values import Wanted
from aiomirror.resolution import Cutoff, Resolution, Rules
from aiomirror.selection import demands
from aiomirror.targets import default_matrix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.closure import Closed, Key
    from aiomirror.config import Config
    from aiomirror.index import Index
    from aiomirror.lookout import Lookout
    from aiomirror.metadata import Metadata
    from aiomirror.progress import Reporter
    from aiomirror.requirements.values import Parsed
    from aiomirror.resolution import Choice, Conflict
    from aiomirror.state import ClosureRecord, Closures

MAX_RELAXED = 8
"""Times that a resolution for the default targets is tried again without what does not go there."""

Trouble = tuple[AiomirrorError, str, str]
"""An error, and the project and the file that it is about, or "" for either."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What a run is to mirror: wants by project, and what is to be said of how they came about."""

    wants: Mapping[NormalizedName, tuple[Wanted, ...]]
    problems: tuple[Trouble, ...] = ()
    warnings: tuple[str, ...] = ()
    complete: bool = True
    """Whether all was read that the choice rests on."""
    unverified: Mapping[Key, str] = field(default_factory=dict)
    """By project and file: sha256 of metadata that was read in parts, which the file's own has to have."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """All that upstream is asked."""

    index: Index
    lookout: Lookout
    metadata: Metadata


class Dependencies:
    """Follows the dependencies of what is asked for, once for each run."""

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        closures: Closures,
        reporter: Reporter,
    ) -> None:
        self._config, self._upstream = config, upstream
        self._closures, self._reporter = closures, reporter

    async def desired(self, parsed: Parsed, present: Collection[NormalizedName]) -> Desired:
        """What is wanted of each project; ``present`` are those that are mirrored already.

        Without targets the closure is taken over the default ones, and what cannot be had on some of these
        is no failure; on targets that were named it is.

        Raises:
            DestinationError: the mirror, which may hold metadata, cannot be read.
        """
        following, named = self._config.following, self._config.policy.targets
        # A lock file is closed already, and says itself which files.
        roots = [one for one in parsed.wanted if not one.files]
        if not roots or not (following.enabled or named):
            return Desired(demands(parsed.wanted, parsed.constraints))
        targets = named or default_matrix()
        outcome = partial(_Outcome, self._config, parsed, present=present, count=len(targets))
        demand = demand_of(
            self._upstream.index.shown, parsed, self._rules(), targets, f"{sorted(self._excluded())}"
        )
        record = self._closures.recall(demand)
        if record is not None and await self._holds(demand, record):
            closed, avoided = from_record(record)
            return outcome(closed, avoided).desired(roots)
        resolution = Resolution(roots, targets, self._rules(), parsed.constraints, parsed.overrides)
        for project in self._excluded():
            resolution.page(project, None, "the configuration excludes it")
        closed, avoided = await self._closed(resolution, roots, strict=bool(named))
        if (record := to_record(closed, avoided, self._upstream.lookout.root)) is not None:
            self._closures.save(demand, record)
        self._upstream.index.keep(
            {
                # Of a page that is not to be compared with an earlier one the bytes are needed no more.
                project: read if project in present else replace(read, body=b"")
                for project, read in closed.pages.items()
            }
        )
        return outcome(closed, avoided).desired(roots)

    async def _holds(self, demand: str, record: ClosureRecord) -> bool:
        """Whether nothing has changed of what an earlier closure rests on."""
        await self._upstream.lookout.look(len(record.pages))
        holds = await still_holds(record, self._upstream.index, self._upstream.lookout, self._config.jobs)
        root = self._upstream.lookout.new_root
        if holds and root is not None and all(one.serial is not None for one in record.pages.values()):
            self._closures.confirm(demand, root)
        return holds

    def _excluded(self) -> list[NormalizedName]:
        return [project for project, rules in self._config.projects.items() if rules.exclude]

    def _rules(self) -> Rules:
        policy, following = self._config.policy, self._config.following
        formats, moments = policy.formats, {}
        for project in self._config.projects:
            own = self._config.policy_for(project)
            moments[project] = own.exclude_newer
            for kind in ("only_binary", "no_binary"):
                if project in getattr(own.formats, kind) - getattr(formats, kind):
                    formats = formats.then((kind, project))
        return Rules(
            prereleases=policy.prereleases,
            formats=formats,
            max_file_size=policy.max_file_size,
            max_depth=following.max_depth if following.enabled else 0,
            all_matching=following.all_matching,
            exclude_newer=Cutoff(policy.exclude_newer, moments),
        )

    async def _closed(
        self, resolution: Resolution, roots: Sequence[Wanted], *, strict: bool
    ) -> tuple[Closed, list[Conflict]]:
        """The closure, and the conflicts that were got round by leaving roots out on single targets."""
        own = {one.project for one in roots}
        dropped: defaultdict[str, set[NormalizedName]] = defaultdict(set)
        avoided: list[Conflict] = []
        closed = await self._close(resolution)
        pages, errors, unverified = dict(closed.pages), dict(closed.errors), dict(closed.unverified)
        for _ in range(MAX_RELAXED):
            conflicts = [one for one in closed.closure.conflicts if own.intersection(one.projects)]
            if strict or not conflicts:
                break
            avoided += conflicts
            for conflict in conflicts:
                for name in conflict.targets:
                    dropped[name] |= own.intersection(conflict.projects)
            resolution = resolution.without(dropped)
            closed = await self._close(resolution)
            pages |= closed.pages
            errors |= closed.errors
            unverified |= closed.unverified
        return replace(closed, pages=pages, errors=errors, unverified=unverified), avoided

    async def _close(self, resolution: Resolution) -> Closed:
        return await close(
            resolution,
            self._upstream.index,
            self._upstream.metadata,
            jobs=self._config.jobs,
            told=self._reporter.resolving,
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of following the dependencies, on its way to what is wanted."""

    config: Config
    parsed: Parsed
    closed: Closed
    avoided: Sequence[Conflict]
    present: Collection[NormalizedName]
    count: int
    """How many targets there are."""

    def desired(self, roots: Sequence[Wanted]) -> Desired:
        """What is wanted."""
        plain = demands(roots, self.parsed.constraints)
        locked = [one for one in self.parsed.wanted if one.files]
        wants = demands(locked, self.parsed.constraints)
        for project, choices in self.closed.closure.chosen.items():
            chosen = tuple(self._want(one, plain.get(project, ())) for one in choices)
            wants[project] = (*wants.get(project, ()), *chosen)
        for project, asked in plain.items():
            if self._is_visited_anyway(project) or self.config.policy_for(project).latest != 1:
                wants[project] = (*wants.get(project, ()), *asked)
        for project in self._withdrawn():
            wants.setdefault(project, plain.get(project) or (Wanted(project, SpecifierSet(), text=project),))
        problems = (*self._conflicts(), *self._unread(), *self._refused())
        return Desired(
            wants,
            problems,
            (*self.closed.closure.warnings, *self._left_out()),
            complete=not any(isinstance(error, UpstreamError) for error in self.closed.errors.values()),
            unverified=self.closed.unverified,
        )

    def _want(self, choice: Choice, roots: Sequence[Wanted]) -> Wanted:
        hashes = [one.hashes for one in roots]
        return Wanted(
            choice.project,
            # By its text: "==1.0" would be 1.0+local, too.
            SpecifierSet(f"==={choice.version}"),
            extras=frozenset(choice.extras),
            hashes=frozenset().union(*hashes) if all(hashes) else frozenset(),
            text=choice.chain,
            targets=choice.targets if self.config.policy.targets else (),
        )

    def _is_visited_anyway(self, project: NormalizedName) -> bool:
        """Whether a root has no part in the closure, so that its page has to say what is the matter."""
        if project in self.closed.closure.chosen or self.config.policy.targets:
            return False
        return any(one.alone and project in one.projects for one in self.avoided)

    def _withdrawn(self) -> Iterator[NormalizedName]:
        """Mirrored projects that upstream has deleted or quarantined, of those that were asked about."""
        for project, read in self.closed.pages.items():
            if read.page.status.marker == "quarantined" and project in self.present:
                yield project
        for (name, _), error in self.closed.errors.items():
            if isinstance(error, UnknownProjectError) and name in self.present:
                yield canonicalize_name(name)

    def _conflicts(self) -> Iterator[Trouble]:
        """The conflicts that cannot be got round: on targets that were named, or on all of them."""
        for one in self.closed.closure.conflicts:
            yield ConflictError(one.why, one.targets), "", ""
        for one in self.avoided:
            if len(one.targets) == self.count and not one.alone:
                yield ConflictError(one.why, one.targets), "", ""

    def _left_out(self) -> Iterator[str]:
        for one in self.avoided:
            if len(one.targets) < self.count:
                yield f"left out where it does not go: {ConflictError(one.why, one.targets)}"

    def _unread(self) -> Iterator[Trouble]:
        for (project, filename), error in self.closed.errors.items():
            if isinstance(error, UpstreamError):
                yield error, project, filename

    def _refused(self) -> Iterator[Trouble]:
        for one in self.closed.closure.refused:
            if (one.project, one.filename) not in self.closed.errors:
                yield FileError(one.project, one.filename, one.why), one.project, one.filename
