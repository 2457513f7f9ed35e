"""Requirements in, what is wanted of each project out."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.closure import close
from aiomirror.dependencies.outcome import Outcome, installed_of_locks, without_markers
from aiomirror.dependencies.rules import excluded, resolution_of, rules_of
from aiomirror.dependencies.values import Followed
from aiomirror.desired import Desired
from aiomirror.recorded import Records, closure_in, content_of, demand_of
from aiomirror.selection import demands
from aiomirror.targets import default_matrix

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.closure import Closed
    from aiomirror.config import Config
    from aiomirror.dependencies.values import Upstream
    from aiomirror.progress import Reporter
    from aiomirror.requirements.values import Parsed, Wanted
    from aiomirror.resolution import Conflict
    from aiomirror.resolution.engine import Resolution
    from aiomirror.state import Closures

MAX_RELAXED = 8
"""Times that a resolution for the default targets is tried again without what does not go there."""


class Dependencies:
    """Follows the dependencies of what is asked for, once for each run."""

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        closures: Closures,
        reporter: Reporter,
    ) -> None:
        self._config, self._upstream, self._reporter = config, upstream, reporter
        self._records = Records(closures, upstream.index, upstream.lookout, config.jobs)
        self._targets = config.policy.targets or default_matrix()

    async def desired(self, parsed: Parsed, present: Collection[NormalizedName]) -> Desired:
        """What is wanted of each project; ``present`` are those that are mirrored already.

        Without targets the closure is taken over the default ones, and what cannot be had on some of these
        is no failure; on targets that were named it is.

        Raises:
            DestinationError: the mirror, which may hold metadata, cannot be read.
        """
        followed = await self._followed(parsed, present)
        if self._config.following.build:
            from aiomirror.dependencies.builds import Builds  # noqa: PLC0415 (seldom asked for)

            builds = Builds(self._config, self._targets, self._upstream, self._records, self._reporter)
            followed = await builds.followed(followed, present)
        self._upstream.index.keep(
            {
                # Of a page that is not to be compared with an earlier one the bytes are needed no more.
                project: read if project in present else replace(read, body=b"")
                for project, read in followed.pages.items()
            }
        )
        return followed.desired

    async def _followed(self, parsed: Parsed, present: Collection[NormalizedName]) -> Followed:
        config, targets = self._config, self._targets
        named = bool(config.policy.targets)
        # A lock file is closed already, and says itself which files.
        roots = [one for one in parsed.wanted if not one.files]
        if not roots or not (config.following.enabled or named):
            wants = demands(parsed.wanted, parsed.constraints)
            locked = installed_of_locks(parsed.wanted, config.policy.targets)
            warnings = tuple(without_markers(config, parsed.wanted))
            return Followed(Desired(wants, warnings=warnings, installed=locked))
        outcome = partial(Outcome, config, parsed, present=present, targets=targets)
        more = f"{sorted(excluded(config))}"
        demand = demand_of(self._upstream.index.shown, parsed, rules_of(config), targets, more)
        if (record := await self._records.recall(demand)) is not None:
            closed, avoided = closure_in(record)
            return Followed(outcome(closed, avoided).desired(roots))
        resolution = resolution_of(config, roots, targets, parsed)
        closed, avoided = await self._closed(resolution, roots, strict=named)
        self._records.save(demand, closed.pages, content_of(closed, avoided))
        return Followed(outcome(closed, avoided).desired(roots), closed.pages, resolution)

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
