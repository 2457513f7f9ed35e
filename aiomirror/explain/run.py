"""The whole of ``aiomirror explain``: names in, answers out."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import time
from collections import defaultdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError
from aiomirror.explain.facts import METADATA, Known, Terms, facts, is_distribution
from aiomirror.explain.text import moment, told
from aiomirror.explain.values import Answer, Explanation
from aiomirror.holdings import own_page
from aiomirror.progress import printable
from aiomirror.pruning import PrunePolicy
from aiomirror.report import Problem
from aiomirror.state import State
from aiomirror.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from aiomirror.explain.values import ProjectFacts
    from aiomirror.progress import Reporter
    from aiomirror.pruning import Tombstone
    from aiomirror.targets import Target

GRACE = PrunePolicy().grace
ALIKE = 0.7
"""From which likeness on, of 1, a known name may be what was meant."""
MAX_SIMILAR = 3
_DASHES = re.compile("[-_]")
_UNKNOWN = 1
"""The exit code where nothing is known of a name."""


async def explain(
    dest: Path,
    names: Sequence[str],
    reporter: Reporter,
    *,
    grace: float = GRACE,
    targets: Sequence[Target] = (),
    excluded: Collection[NormalizedName] = (),
) -> Explanation:
    """Tell of projects and files why they are in the mirror at ``dest``, or are not.

    A name is a project's, a file's, or both with a slash between them.  ``grace`` is in seconds; of each
    wheel is told which of ``targets`` would take it; ``excluded`` are the projects that the configuration
    leaves out.  The headline of what is returned is the text for people.

    Raises:
        DestinationError: the folder is not there, or cannot be read.
    """
    report = Explanation(destination=str(dest))
    began = time.monotonic()
    if not await asyncio.to_thread(dest.is_dir):
        raise DestinationError(str(dest), os.strerror(errno.ENOENT))
    async with Store(dest, create=False, writable=False) as store:
        with State.open(store.state_path, writable=False) as state:
            for warning in state.warnings:
                report.warnings.append(warning)
                reporter.warned(warning)
            explainer = await _Explainer.opened(store, state, Terms(grace, targets), frozenset(excluded))
            for name in names:
                answer, why = await explainer.answer(name)
                report.answers.append(answer)
                if not answer.is_known:
                    problem = Problem(f"{printable(name)}: {why}", _UNKNOWN)
                    report.problems.append(problem)
                    reporter.failed(problem)
    report.seconds = time.monotonic() - began
    report.complete = True
    report.headline = told(report.answers) or "nothing is known of what was asked"
    return report


class _Explainer:
    """Answers from an open state and its tree."""

    def __init__(
        self,
        store: Store,
        state: State,
        terms: Terms,
        excluded: frozenset[NormalizedName],
        folders: Iterable[NormalizedName],
    ) -> None:
        self._store, self._state, self._terms, self._excluded = store, state, terms, excluded
        self._projects = {*folders, *state.desired.projects(), *excluded}
        self._asked: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for project, text, origin in state.desired.asked():
            self._asked[project].append((text, origin))
        runs = state.desired.runs()
        self._noted = bool(self._asked) or any(run.verb == "sync" and run.complete for run in runs)
        self._stones: defaultdict[str, dict[str, Tombstone]] = defaultdict(dict)
        for (project, filename), stone in state.desired.tombstones().items():
            self._stones[project][filename] = stone

    @classmethod
    async def opened(
        cls, store: Store, state: State, terms: Terms, excluded: frozenset[NormalizedName]
    ) -> _Explainer:
        return cls(store, state, terms, excluded, await store.folders())

    async def answer(self, name: str) -> tuple[Answer, str]:
        """What is known of a name; where that is nothing, also why not, and what may have been meant."""
        nearest: ProjectFacts | None = None
        for project, filename in _readings(name):
            if project not in self._projects:
                continue
            known = await self._known(project)
            if (found := facts(known, self._terms, filename)) is not None:
                return Answer(name, found, filename), ""
            if is_distribution(filename, project):
                nearest = nearest or facts(known, self._terms)
        if nearest is None:
            return await self._unknown(name)
        similar = _similar(name.rpartition("/")[2], {file.filename for file in nearest.files})
        return Answer(name, similar=similar), f"{_unlisted(nearest)}{_hint(similar)}"

    async def _unknown(self, name: str) -> tuple[Answer, str]:
        """Nothing is known of a name; some of the similar ones may be folders of which nothing is, either."""
        meant = canonicalize_name(name)
        likely = [canonicalize_name(one) for one in _similar(meant, self._projects - {meant})]
        told = [one for one in likely if facts(await self._known(one), self._terms) is not None]
        similar: tuple[str, ...] = tuple(told)
        what = "a folder in which there is nothing of the mirror's" if meant in self._projects else ""
        return Answer(name, similar=similar), f"{what or 'the mirror knows nothing of it'}{_hint(similar)}"

    async def _known(self, project: NormalizedName) -> Known:
        state, desired = self._state, self._state.desired
        remembered = state.recall([project])[project]
        return Known(
            project=project,
            stats=await self._store.survey(project),
            page=await own_page(self._store, project),
            records=remembered.records,
            settled=remembered.settled,
            visited=desired.visited(project),
            left_out=desired.left_out(project) or {},
            stones=self._stones.get(project, {}),
            troubles=desired.troubles(project),
            asked=self._asked.get(project, ()),
            noted=self._noted,
            excluded=project in self._excluded,
        )


def _readings(name: str) -> Iterator[tuple[NormalizedName, str]]:
    """What a name may mean, the likeliest first: project and file name, "" for the project itself."""
    folder, slash, filename = name.rstrip("/").rpartition("/")
    filename = filename.removesuffix(METADATA)
    if slash:
        yield canonicalize_name(folder.rpartition("/")[2]), filename
    yield canonicalize_name(filename), ""
    # Which dash ends the project's name only the projects can tell; the longest name is the likeliest.
    for dash in reversed([*_DASHES.finditer(filename)]):
        yield canonicalize_name(filename[: dash.start()]), filename


def _similar(name: str, known: Iterable[str]) -> tuple[str, ...]:
    return tuple(get_close_matches(name, sorted(known), n=MAX_SIMILAR, cutoff=ALIKE))


def _hint(similar: Sequence[str]) -> str:
    return f"; did you mean {', '.join(map(printable, similar))}?" if similar else ""


def _unlisted(project: ProjectFacts) -> str:
    """Of a file that nothing is known of, though its project is known."""
    if project.read is None:
        return f"nothing is known of such a file of {project.project}"
    return (
        f"upstream did not list it when the page of {project.project} was last read, {moment(project.read)}"
    )
