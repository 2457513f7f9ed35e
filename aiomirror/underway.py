"""A project between its page and ours: jobs out, files coming in, and the page that is to say so."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.errors import DestinationError
from aiomirror.plan import HeldFile
from aiomirror.publish import Publication

if TYPE_CHECKING:
    from aiomirror.fetch import Fetched
    from aiomirror.plan import FileJob, ProjectPlan, Settled, Visited
    from aiomirror.store import Store


class UnderWay:
    """One project on its way."""

    def __init__(self, plan: ProjectPlan, settled: Settled | None, visited: Visited | None) -> None:
        self._plan = plan
        self._out = {job.file.filename: job for job in plan.fetch}
        self._facts = dict(plan.facts)
        self.publication = Publication(
            project=plan.project,
            status=plan.status,
            facts=self._facts,
            held=dict(plan.keep),
            fresh=list(plan.fresh),
            damaged=list(plan.damaged),
            published=plan.published,
            settled=settled,
            unlisted=plan.unlisted,
            mirrored={*plan.mirrored},
            visited=visited,
        )

    @property
    def pending(self) -> bool:
        """Whether any of its jobs is still out."""
        return bool(self._out)

    def without_replaced(self) -> Publication | None:
        """What is to be published before any file gets other bytes; None where none will.

        A page and a file cannot change in one step, and no link may lead to bytes that it does not state.
        """
        if not self._plan.replaced:
            return None
        return replace(self.publication, held=dict(self._plan.keep), settled=None)

    def take(self, job: FileJob, fetched: Fetched) -> bool:
        """Have what came of a job on the page; whether the file is one that was asked for."""
        name = job.file.filename
        if fetched.held is not None:
            self._add(fetched.held, job)
        elif (old := self._plan.replaced.get(name)) is not None:
            # The other bytes could not be had, and these are still there.
            held, self._facts[name] = old
            self.publication.add(held)
        if fetched.held is None or fetched.unsettled:
            self.publication.settled = None  # the next run has to look again
        del self._out[name]
        return job.held is None or name in self._plan.wanted

    def _add(self, held: HeldFile, job: FileJob) -> None:
        self.publication.add(held)
        if job.held is None:
            self.publication.mirrored.add(job.file.filename)

    async def recover(self, store: Store) -> None:
        """Of a run that is ended, have on the page what came whole and nobody was told of any more.

        Files get their names in threads and other processes, which are not waited for.
        """
        self.publication.settled = None
        for name, job in self._out.items():
            with suppress(DestinationError):  # what cannot be read is not listed
                found = await store.verified(
                    job.project, name, hashes=job.file.hashes, size=job.file.size, accepted=job.accepted
                )
                if found is not None and job.file.hashes:
                    self._add(HeldFile(*found), job)
