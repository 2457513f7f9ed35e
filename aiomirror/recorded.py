"""A closure that an earlier run found, taken again while nothing that it rests on has changed.

A resolution follows from the requirements and from pages and metadata; metadata of a file never changes.  So
while every page that was read for it is the same, it is, too, and one conditional request for each page, or
one for the root index where that has serials, saves it all.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from packaging.utils import canonicalize_name

from aiomirror.closure import Closed
from aiomirror.errors import UnknownProjectError, UpstreamError
from aiomirror.plan import Settled
from aiomirror.resolution import Choice, Closure, Conflict, Refusal
from aiomirror.state import ClosureRecord, PageMark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.closure import Key
    from aiomirror.errors import AiomirrorError
    from aiomirror.index import Index, PageRead
    from aiomirror.lookout import Lookout
    from aiomirror.requirements.values import Parsed, Wanted
    from aiomirror.resolution import Rules
    from aiomirror.state import Closures
    from aiomirror.targets import Target

METHOD = 3
"""To be raised when the same input would give another closure."""


def demand_of(index_url: str, parsed: Parsed, rules: Rules, targets: Sequence[Target], more: str = "") -> str:
    """A digest of all that a closure follows from, but for what upstream has."""
    digest = hashlib.sha256(f"{METHOD} {index_url} {more}".encode())
    formats = sorted(rules.formats.no_binary), sorted(rules.formats.only_binary)
    cutoffs = rules.exclude_newer.everywhere, sorted(rules.exclude_newer.projects.items())
    bounds = rules.admission, sorted(rules.projects.items()), rules.max_depth, rules.max_rounds
    digest.update(f"{rules.all_matching} {formats} {bounds} {cutoffs}".encode())
    for target in targets:
        tags = hashlib.sha256(" ".join(target.fitting).encode()).hexdigest()
        digest.update(f"{target.name} {sorted(target.environment.items())} {tags}".encode())
    for part in (parsed.wanted, parsed.constraints, parsed.overrides):
        digest.update(b"\n")
        for want in part:
            digest.update(_text(want).encode())
    return digest.hexdigest()


def _text(want: Wanted) -> str:
    hashes, files = sorted(want.hashes), sorted(want.files)
    return (
        f"{want.project} {want.specifier} {sorted(want.extras)} {want.marker} {hashes} {want.origin} {files}"
    )


def content_of(closed: Closed, avoided: Collection[Conflict]) -> dict[str, Any] | None:
    """What to remember of a closure; None of one that does not rest on complete answers."""
    closure = closed.closure
    hindering, passed_over = closed.refused(avoided)
    if closed.errors or closure.conflicts or hindering:
        return None  # there is something to be said of it each time
    return {
        "chosen": [asdict(one) for choices in closure.chosen.values() for one in choices],
        "avoided": [asdict(one) for one in avoided],
        "warnings": closure.warnings,
        "refused": [asdict(one) for one in passed_over],
    }


def _mark(read: PageRead) -> PageMark:
    return PageMark(read.digest, read.validators.etag, read.validators.last_modified, read.serial)


def closure_in(record: ClosureRecord) -> tuple[Closed, list[Conflict]]:
    """The closure, and the conflicts that were got round."""
    chosen: dict[NormalizedName, list[Choice]] = {}
    for one in choices_in(record):
        chosen.setdefault(one.project, []).append(one)
    closure = Closure(
        {project: tuple(choices) for project, choices in chosen.items()},
        warnings=tuple(record.content["warnings"]),
        refused=tuple(Refusal(**one) for one in record.content["refused"]),
    )
    return Closed(closure, {}, {}, {}), [Conflict(**_tuples(one)) for one in record.content["avoided"]]


def choices_in(record: ClosureRecord) -> list[Choice]:
    """What was chosen, in its order."""
    return [Choice(**_tuples(one)) for one in record.content["chosen"]]


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def withdrawn(
    pages: Mapping[NormalizedName, PageRead],
    errors: Mapping[Key, AiomirrorError],
    present: Collection[NormalizedName],
) -> Iterator[NormalizedName]:
    """Mirrored projects that upstream has deleted or quarantined, of those that were asked about."""
    for project, read in pages.items():
        if read.page.status.marker == "quarantined" and project in present:
            yield project
    for (name, _), error in errors.items():
        if isinstance(error, UnknownProjectError) and name in present:
            yield canonicalize_name(name)


class Records:
    """What earlier runs found, as far as it holds still; asks for ``jobs`` pages at a time."""

    def __init__(self, closures: Closures, index: Index, lookout: Lookout, jobs: int) -> None:
        self._closures, self._index, self._lookout, self._jobs = closures, index, lookout, jobs

    async def recall(self, demand: str) -> ClosureRecord | None:
        """What was found for this demand, if nothing has changed of what it rests on."""
        record = self._closures.recall(demand)
        if record is None:
            return None
        await self._lookout.look(len(record.pages))
        if not await self._still_holds(record):
            return None
        root = self._lookout.new_root
        if root is not None and all(one.serial is not None for one in record.pages.values()):
            self._closures.confirm(demand, root)
        return record

    def save(
        self, demand: str, pages: Mapping[NormalizedName, PageRead], content: Mapping[str, Any] | None
    ) -> None:
        """Remember what was found and the pages that it rests on, unless there is nothing to remember."""
        # Of what is withdrawn there is something to be said each time.
        if content is None or any(read.page.status.marker == "quarantined" for read in pages.values()):
            return
        marks = {project: _mark(read) for project, read in pages.items()}
        self._closures.save(demand, ClosureRecord(marks, self._lookout.root, content))

    async def _still_holds(self, record: ClosureRecord) -> bool:
        """Whether every page is as it was."""
        index, lookout = self._index, self._lookout
        same = {
            name for name, mark in record.pages.items() if lookout.is_current(name, mark.serial, record.root)
        }
        index.note_unchanged({name: record.pages[name].digest for name in same})
        todo = [name for name in record.pages if name not in same]
        changed = False

        async def work() -> None:
            nonlocal changed
            while todo and not changed:
                name = todo.pop()
                try:
                    changed = not await _is_same(index, name, record.pages[name]) or changed
                except (UpstreamError, UnknownProjectError):
                    changed = True  # and is told when it is asked for again

        async with asyncio.TaskGroup() as group:
            for _ in range(self._jobs):
                group.create_task(work())
        return not changed


async def _is_same(index: Index, project: NormalizedName, mark: PageMark) -> bool:
    read = await index.page(project, Settled("", mark.digest, mark.etag, mark.last_modified))
    if read is not None:
        index.keep({project: read})
        return False
    index.note_unchanged({project: mark.digest})
    return True
