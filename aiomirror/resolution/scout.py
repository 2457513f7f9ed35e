"""Looking ahead: what a target is likely to need, requirement by requirement, without resolving anything.

A resolver that stops at each missing text asks for one thing at a time.  The scout follows every requirement
on its own to the version that it would take, so that all that lies at the same depth is asked for at once.
What it asks for in vain, because requirements on one project together admit something else, is little.

Sent to every version that a requirement admits, it walks the whole closure of ``Rules.all_matching``.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import islice
from typing import TYPE_CHECKING

from aiomirror.resolution.matching import matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName

    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.library import Key
    from aiomirror.resolution.releases import Release
    from aiomirror.resolution.view import Offer, View

    Step = tuple[Dependency, int, Release | None]
    """A requirement, the depth of what it leads to, and whose it is; None: a root."""

MAX_AHEAD = 32
"""Versions of one project whose metadata is asked for at once."""


class Scout:
    """Follows requirements on one target; ``every``: to all versions that they admit, not only the best."""

    def __init__(self, view: View, *, every: bool = False) -> None:
        self.dead_ends: dict[Dependency, Release | None] = {}
        """Requirements that nothing on the target satisfies, and whose they are."""
        # With ``every``; otherwise nobody asks.
        self.reached: dict[Release, Offer] = {}
        self.extras: defaultdict[Release, set[str]] = defaultdict(set)
        self.origins: dict[Release, tuple[Dependency, Release | None]] = {}
        """What first led to a version."""
        self._view = view
        self._every = every
        self._limit = view.library.rules.max_depth
        self._seen: dict[Dependency, int] = {}
        self._expanded: dict[tuple[Release, str], int] = {}
        self._queue: deque[Step] = deque()
        self._waiting: defaultdict[Key, list[Step]] = defaultdict(list)
        self._misses: defaultdict[NormalizedName, int] = defaultdict(int)
        self.visit(view.roots, 0, None)

    def visit(self, dependencies: Iterable[Dependency], depth: int, source: Release | None) -> None:
        """Put requirements on the way; ``depth`` is that of what they lead to."""
        for one in dependencies:
            known = self._seen.get(one)
            if known is None or (self._limit is not None and depth < known):
                self._seen[one] = depth
                self._queue.append((one, depth, source))

    def wake(self, key: Key) -> None:
        """Go on, in the next run, where this page or text was waited for."""
        self._queue.extend(self._waiting.pop(key, ()))

    def run(self) -> None:
        """Go as far as what was read allows; what is missing becomes a need of the library."""
        while self._queue:
            self._follow(self._queue.popleft())

    def _follow(self, step: Step) -> None:
        dependency, depth, source = step
        if not self._view.has_page(dependency.project):
            self._waiting[dependency.project, ""].append(step)
            return
        offers = self._offers(dependency)
        unread = None
        for offer in offers:
            if offer.facts is None:
                unread = self._view.library.need_facts(offer.release, offer.asked)
            else:
                if self._every:
                    self._note(offer, dependency, source)
                self.expand(offer, dependency.extras, depth)
        if unread is not None:  # one of them is enough to come back for: most come together
            self._waiting[unread].append(step)
        elif not offers:
            self.dead_ends.setdefault(dependency, source)

    def _offers(self, dependency: Dependency) -> list[Offer]:
        project = dependency.project
        if self._every:
            return list(matches(self._view, project, [dependency]))
        demands = dict.fromkeys((dependency, *self._view.roots_on(project)))
        return list(islice(matches(self._view, project, demands), 1))

    def _note(self, offer: Offer, dependency: Dependency, source: Release | None) -> None:
        self.origins.setdefault(offer.release, (dependency, source))
        self.reached[offer.release] = offer
        self.extras[offer.release].update(("", *dependency.extras))

    def expand(self, offer: Offer, extras: Iterable[str], depth: int) -> None:
        """Follow the dependencies of a version whose metadata was read; ``depth`` is its own."""
        assert offer.facts is not None
        release = offer.release
        for extra in ("", *extras):
            known = self._expanded.get((release, extra))
            if known is None or (self._limit is not None and depth < known):
                self._expanded[release, extra] = depth
                if self._limit is None or depth < self._limit:
                    self.visit(self._view.dependencies(offer.facts, extra), depth + 1, release)

    def ask(self, offer: Offer, *, wide: bool = False) -> None:
        """Ask for metadata that an attempt lacks; of a project that is back for more, for ever more at once.

        An attempt that goes from version to version would otherwise wait for each of them.  ``wide``: for as
        many as there may be, at once.
        """
        project = offer.release.project
        ahead = MAX_AHEAD if wide else min(2 ** self._misses[project], MAX_AHEAD)
        self._misses[project] += 1
        releases = self._view.releases(project).newest_first
        self._view.library.need_facts(offer.release, offer.asked)
        start = releases.index(offer.release) + 1
        for release in releases[start : start + ahead - 1]:
            other = self._view.offer(release)
            if other is not None and other.facts is None:
                self._view.library.need_facts(release, other.asked)
