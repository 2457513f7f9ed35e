"""One file job in, one outcome out: fetch, verify, store, and the core metadata beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from aiomirror.errors import AiomirrorError, DestinationError, SizeMismatchError, TooLargeError, UnhashedError
from aiomirror.plan import HeldFile
from aiomirror.report import Outcome, Problem, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomirror.http import Client, Section
    from aiomirror.plan import FetchPolicy, FileJob, FileRecord
    from aiomirror.progress import Reporter
    from aiomirror.simple.values import Digests
    from aiomirror.store import Partial, Store

UNLISTED_CAP = 16 * 2**30
"""Bytes at which a file breaks off that upstream lists without a size, when no --max-file-size is given."""
METADATA_CAP = 16 * 2**20
"""Bytes of a ``.metadata`` sibling."""


class Fetched(Struct, frozen=True, gc=False):
    """The outcome of a job, with the file when it is on disk and the problem when it is not."""

    outcome: Outcome
    held: HeldFile | None = None
    problem: Problem | None = None
    unsettled: bool = False
    """Whether something failed in passing that the next run may get."""


class _Counted:
    """A sink that tells the reporter what passes through."""

    def __init__(self, partial: Partial, job: FileJob, reporter: Reporter) -> None:
        self._partial, self._job, self._reporter = partial, job, reporter
        self.received = 0
        """Bytes that the reporter takes to be there."""
        self.total = 0
        """Bytes that came over the network, those of broken attempts included."""

    async def write(self, data: bytes) -> None:
        self.count(len(data))
        await self._partial.write(data)

    def section(self, start: int, count: int) -> _CountedSection:
        return _CountedSection(self, self._partial.section(start, count))

    def count(self, more: int) -> None:
        """Add bytes to what came."""
        self.received += more
        self.total += more
        self._reporter.received(self._job, more)

    async def restart(self) -> None:
        self._reporter.received(self._job, -self.received)
        self.received = 0
        await self._partial.restart()


class _CountedSection:
    """A section of such a sink."""

    def __init__(self, whole: _Counted, section: Section) -> None:
        self._whole, self._section = whole, section

    @property
    def received(self) -> int:
        return self._section.received

    async def write(self, data: bytes) -> None:
        self._whole.count(len(data))
        await self._section.write(data)


class Fetcher:
    """Runs jobs: what upstream can cause becomes an outcome, what makes the destination useless is raised."""

    def __init__(
        self,
        client: Client,
        store: Store,
        policy: FetchPolicy,
        reporter: Reporter,
        warn: Callable[[str], None],
    ) -> None:
        self._client, self._store, self._policy = client, store, policy
        self._reporter, self._warn = reporter, warn

    async def run(self, job: FileJob) -> Fetched:
        """Fetch the file, unless it is held already, and see to its metadata.

        Raises:
            DestinationError: nothing can be written any more.
        """
        self._reporter.started(job)
        outcome = None
        try:
            fetched = await self._run(job)
            outcome = fetched.outcome
        finally:
            self._reporter.ended(job, outcome)
        return fetched

    async def _run(self, job: FileJob) -> Fetched:
        if job.held is not None:
            metadata, unsettled = await self._metadata(job)
            held = HeldFile(job.held.record, job.held.hashes, metadata)
            return Fetched(_outcome(job, Status.HELD), held, unsettled=unsettled)
        partial = self._store.partial(
            job.project, job.file.filename, hashes=job.file.hashes, size=job.file.size, accepted=job.accepted
        )
        sink = _Counted(partial, job, self._reporter)
        try:
            self._vouch(job)
            record, metadata = await self._transfer(job, partial, sink)
        except DestinationError:
            raise
        except AiomirrorError as error:
            return self._not_taken(job, error, sink.total)
        finally:
            await partial.discard()
        unsettled = False
        if metadata is None:
            metadata, unsettled = await self._upstreams_metadata(job)
        if metadata is None and job.replaces:
            await self._remove_metadata(job)
        held = HeldFile(record, {**job.file.hashes, "sha256": record.sha256}, metadata)
        return Fetched(_outcome(job, Status.FETCHED, record, sink.total), held, unsettled=unsettled)

    def _vouch(self, job: FileJob) -> None:
        """Refuse a file for which nothing vouches; warn where only the connection does."""
        if job.file.hashes or job.accepted:
            return
        if self._policy.require_hashes:
            raise UnhashedError(job.project, job.file.filename, "upstream lists no digest of it")
        if not job.file.url.startswith("https:") and not self._policy.allow_unhashed:
            why = "upstream lists no digest of it, and it comes over plain http; --allow-unhashed takes it"
            raise UnhashedError(job.project, job.file.filename, why)
        self._warn(f"{job.project}: {job.file.filename}: taken without a digest from upstream")

    def _not_taken(self, job: FileJob, error: AiomirrorError, received: int) -> Fetched:
        unlisted = job.file.size is None and self._policy.max_file_size is not None
        if unlisted and isinstance(error, TooLargeError):
            why = f"larger than --max-file-size ({self._policy.max_file_size:,} bytes)"
            return Fetched(_outcome(job, Status.SKIPPED, received=received, why=why))
        problem = Problem.of(error, job.project, job.file.filename)
        return Fetched(_outcome(job, Status.FAILED, received=received, why=problem.message), problem=problem)

    async def _transfer(
        self, job: FileJob, partial: Partial, sink: _Counted
    ) -> tuple[FileRecord, FileRecord | None]:
        """The file, and of a wheel its own metadata where that is what upstream announces."""
        url, size = job.file.url, job.file.size
        if size is None:
            transfer = self._client.transfer(url, sink, cap=self._policy.max_file_size or UNLISTED_CAP)
        else:
            transfer = self._client.listed(url, sink, size=size)

        async def attempt() -> tuple[FileRecord, FileRecord | None]:
            try:
                await transfer.attempt()
            except TooLargeError as error:
                if size is None:
                    raise
                await sink.restart()
                raise SizeMismatchError(job.project, job.file.filename, size, None) from error
            if job.file.filename.endswith(".whl"):
                return await partial.commit_with_metadata(job.file.core_metadata or {})
            return await partial.commit(), None

        return await self._client.retrying(attempt)

    async def _metadata(self, job: FileJob) -> tuple[FileRecord | None, bool]:
        """Put the core metadata beside a file that is held: the wheel's own where it is what is announced.

        PEP 658 has the sibling byte for byte the METADATA of the wheel, which is here and verified, so one
        request is saved; only a wheel that cannot be read, or says something else, makes upstream be asked.
        """
        made = await self._own_metadata(job, job.file.core_metadata or {})
        return (made, False) if made is not None else await self._upstreams_metadata(job)

    async def _upstreams_metadata(self, job: FileJob) -> tuple[FileRecord | None, bool]:
        """Upstream's sibling of a file whose own metadata is not what is announced; None when nothing is.

        Where upstream has not got it either, the wheel is right: its digest was.  The second value: whether
        it only failed in passing.
        """
        if job.file.core_metadata is None:
            return None, False
        try:
            return await self._fetch_metadata(job, job.file.core_metadata), False
        except DestinationError:
            raise
        except AiomirrorError as error:
            made = await self._own_metadata(job, {})
            instead = "the wheel's own is" if made else "none is"
            self._warn(f"{job.project}: {job.file.filename}: {instead} offered as core metadata: {error}")
            return made, made is None and error.transient

    async def _remove_metadata(self, job: FileJob) -> None:
        """Remove the core metadata of the bytes that this file had before."""
        name = f"{job.file.filename}.metadata"
        stat = (await self._store.survey(job.project)).get(name)
        if stat is not None:
            await self._store.remove(job.project, {name: stat})

    async def _own_metadata(self, job: FileJob, expected: Digests) -> FileRecord | None:
        if not job.file.filename.endswith(".whl"):
            return None
        return await self._store.make_metadata(job.project, job.file.filename, expected=expected)

    async def _fetch_metadata(self, job: FileJob, offered: Digests) -> FileRecord:
        partial = self._store.partial(job.project, f"{job.file.filename}.metadata", hashes=offered)
        transfer = self._client.transfer(metadata_url(job.file.url), partial, cap=METADATA_CAP)

        async def attempt() -> FileRecord:
            await transfer.attempt()
            return await partial.commit()

        try:
            return await self._client.retrying(attempt)
        finally:
            await partial.discard()


def metadata_url(url: str) -> str:
    """PEP 658: the file's URL without query and fragment, and ``.metadata`` after it."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path}.metadata", query="", fragment="").geturl()


def _outcome(
    job: FileJob, status: Status, record: FileRecord | None = None, received: int = 0, why: str = ""
) -> Outcome:
    record = record or (job.held.record if job.held else None)
    return Outcome(
        project=job.project,
        filename=job.file.filename,
        status=status,
        size=record.stat.size if record else job.file.size,
        received=received,
        sha256=record.sha256 if record else job.file.hashes.get("sha256"),
        why=why,
    )
