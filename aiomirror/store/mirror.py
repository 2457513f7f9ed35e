"""The mirror's folder as the program uses it: open it, receive files, publish pages."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError, DigestMismatchError, LockedError, SizeMismatchError
from aiomirror.store import draft, inspection, reading, removal, siblings
from aiomirror.store.digests import Expectation
from aiomirror.store.hops import Hops
from aiomirror.store.lock import Lock, this_process
from aiomirror.store.pages import Pages
from aiomirror.store.partial import Partial
from aiomirror.store.tree import PRIVATE, Tree

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord, FileStat, Remembered
    from aiomirror.simple.values import Digests
    from aiomirror.store.inspection import Folder, Hashed, Tally
    from aiomirror.store.pages import PageWrite, Published

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What the system says of a folder that can be read and may not be written."""


class Store:
    """A mirror that is held: an async context manager, and everything that touches its files.

    ``hold`` is what another run is told about this one while it waits outside.  Without ``create`` the folder
    has to be there.  Without ``writable`` it need not be, nothing is changed or locked, and what writes must
    not be called.  With ``or_read`` that becomes of a folder that may not be written, but for the lock, which
    is taken where it can be; ``warnings`` tell of one that could not.  ``processes`` is how many use it, this
    one included, and keep a processor busy each.

    Every method may raise DestinationError, and ValueError for a name that is not one plain path component
    or, for a project, not normalised: the caller's mistake.
    """

    def __init__(
        self,
        dest: Path,
        *,
        hold: str | None = None,
        create: bool = True,
        writable: bool = True,
        or_read: bool = False,
        processes: int = 1,
    ) -> None:
        self.dest, self.writable = dest, writable
        self.warnings: tuple[str, ...] = ()
        self.state_path = dest / PRIVATE / "state.sqlite"
        self._create, self._or_read = create, or_read
        self._hold = this_process() if hold is None else hold
        self._tree = Tree(dest)
        self._lock, self._holds = Lock(), False
        self._hops = Hops(processes=processes)
        self._pages = Pages(self._hops, self._tree)

    @classmethod
    def joined(cls, dest: Path, lock: int, *, processes: int) -> Self:
        """A mirror that another process holds: ``lock`` is the descriptor that it has shared."""
        store = cls(dest, create=False, processes=processes)
        store._lock.join(lock)
        return store

    async def __aenter__(self) -> Self:
        """Make the folder, take the lock, clear what a killed run left, and see that files can be written.

        LockedError when another run holds the mirror.  No hop: there is nothing yet that it would delay.
        """
        try:
            if self.writable:
                self._take_or_read() if self._or_read else self._take()
            else:
                self._tree.open_to_read()
        except BaseException:
            self._close()
            raise
        return self

    def _take_or_read(self) -> None:
        try:
            self._take()
        except LockedError:
            raise
        except DestinationError as error:
            if _errno(error) not in _FORBIDDEN:
                raise
            self._only_read(error)

    def _only_read(self, why: DestinationError) -> None:
        """Go on without writing, with the lock if that can be had."""
        self.writable = self._holds = False
        self._tree.close()
        self._tree.open_to_read()
        if self._lock.held:
            return
        try:
            self._lock.look(self._tree)
        except LockedError:
            raise
        except DestinationError as error:
            # Where nobody can write, and no run has left a lock, none is under way.
            if (_errno(why), _errno(error)) != (errno.EROFS, errno.ENOENT):
                self.warnings = (f"{error}; read without the lock, so a run may change files meanwhile",)

    def _take(self) -> None:
        self._tree.open(create=self._create)
        if self._lock.held:  # joined: whoever shared it has seen to the rest
            self._tree.set_apart()
            return
        self._lock.take(self._tree, self._hold)
        self._holds = True
        self._tree.clear()
        self._tree.probe()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        # In this order: no thread may be at work on what is closed next, nor after the lock is released.
        self._hops.close()
        if self._holds:
            with suppress(DestinationError):  # Helpers that were killed may have left something.
                self._tree.clear()
        self._tree.close()
        self._lock.release()

    def share_lock(self, connection: socket.socket) -> None:
        """Send the lock through a Unix socket, with a byte: the mirror is held till all have let go."""
        self._lock.share(connection)

    def partial(
        self,
        project: str,
        filename: str,
        *,
        hashes: Digests,
        size: int | None = None,
        accepted: frozenset[tuple[str, str]] = frozenset(),
    ) -> Partial:
        """A file to be received, which must have every one of ``hashes``, ``size`` and one of ``accepted``.

        ``size`` is in bytes, ``accepted`` are ``(algorithm, digest)`` pairs, empty for any; digests in lower
        case.  An algorithm that hashlib does not have counts as a mismatch.
        """
        expected = Expectation(hashes, size, accepted)
        return Partial(self._hops, draft.Draft(self._tree, project, filename, expected))

    async def survey(self, project: str) -> Mapping[str, FileStat]:
        """The regular files in a project's folder, pages and siblings too; empty when there is no folder."""
        return await self._hops.quick(reading.survey, self._tree, project)

    async def digest(self, project: str, filename: str) -> FileRecord | None:
        """Hash what is on disk; None when it is not there or not a regular file."""
        found = await self.hash_file(project, filename, ())
        return found and found[0]

    async def verified(
        self,
        project: str,
        filename: str,
        *,
        hashes: Digests,
        size: int | None = None,
        accepted: frozenset[tuple[str, str]] = frozenset(),
    ) -> tuple[FileRecord, dict[str, str]] | None:
        """As :meth:`hash_file`, of a file that is as :meth:`partial` would have it; else None."""
        expected = Expectation(hashes, size, accepted)
        found = await self.hash_file(project, filename, expected.algorithms)
        if found is not None:
            with suppress(SizeMismatchError, DigestMismatchError):
                expected.check(project, filename, found[0].stat.size, found[1])
                return found
        return None

    async def hash_file(
        self, project: str, filename: str, algorithms: Collection[str]
    ) -> tuple[FileRecord, dict[str, str]] | None:
        """As :meth:`digest`, with the digests of ``algorithms`` (those that hashlib has) and sha256."""
        return await self._hops.run(reading.hash_file, self._tree, project, filename, algorithms)

    async def inspect(self, project: str | None, pages: Collection[str], cap: int) -> Folder:
        """Everything in a project's folder, or in the root for None, with the content of its ``pages``."""
        return await self._hops.run(inspection.inspect, self._tree, project, pages, cap)

    async def hash_files(
        self, project: str, wanted: Sequence[tuple[str, Collection[str]]], tally: Tally
    ) -> dict[str, Hashed]:
        """Hash several files in one hop, each with its algorithms; ``tally`` is called from the thread."""
        return await self._hops.run(inspection.hash_files, self._tree, project, wanted, tally)

    async def read(self, project: str | None, name: str, cap: int) -> bytes | None:
        """A page or a sibling, of the root for None; None when it is not there or over ``cap`` bytes."""
        return await self._hops.quick(reading.read, self._tree, project, name, cap)

    async def requires_python(self, project: str, filename: str) -> str | None:
        """The Requires-Python inside a wheel or a source archive, as written; None when there is none."""
        return await self._hops.run(reading.read_requires_python, self._tree, project, filename)

    async def source_member(self, project: str, filename: str, member: str, size: int) -> bytes | None:
        """A file in the top-level folder of a source archive; None unless that is here, of ``size`` bytes.

        Raises:
            Absent: the archive has none.
            Unreadable: there is none to be had.
        """
        return await self._hops.run(reading.read_source_member, self._tree, project, filename, member, size)

    async def make_metadata(
        self, project: str, filename: str, *, expected: Digests | None = None
    ) -> FileRecord | None:
        """Put a wheel's own METADATA beside it as ``<filename>.metadata``; the record of that.

        None, and nothing is written, when the wheel has none that can be read, or it does not have the
        digests ``expected``.
        """
        return await self._hops.run(siblings.make_metadata, self._tree, project, filename, expected or {})

    async def write_sibling(self, project: str, name: str, content: bytes) -> FileRecord:
        """Write a small file from its whole content, in place of one that differs."""
        return await self._hops.run(siblings.write_sibling, self._tree, project, name, content)

    async def intact(self, known: Collection[Remembered]) -> set[NormalizedName]:
        """The projects of which every file that is remembered still has its ``stat``, in one hop."""
        return await self._hops.run(reading.intact, self._tree, known)

    async def publish(self, batch: Sequence[PageWrite]) -> list[Published]:
        """Make the files of a batch durable, then replace the pages that differ; all pages as they then are.

        All files come before all pages of projects, those before the root's; a page that would not change is
        not touched.  A page that changes is at least a second younger than the one before.
        """
        return await self._pages.publish(batch)

    async def projects(self, among: Collection[NormalizedName] | None = None) -> list[NormalizedName]:
        """The projects that have a page, of these or of all, sorted."""
        return await self._hops.run(reading.projects, self._tree, among)

    @classmethod
    async def check_is_mirror(cls, dest: Path) -> None:
        """DestinationError unless a run has been here: a mount point may have nothing mounted on it."""
        async with cls(dest, create=False, writable=False) as store:
            if not await store._hops.run(reading.is_mirror, store._tree):
                why = "is no mirror: there is neither .aiomirror nor a page in it"
                raise DestinationError(str(dest), why)

    async def folders(self) -> list[NormalizedName]:
        """The folders with names of projects, with a page or without, sorted."""
        return await self._hops.run(reading.folders, self._tree)

    async def remove(self, project: NormalizedName, files: Mapping[str, FileStat]) -> list[str]:
        """Remove files, or pages, of a project that still have these stats; what was removed, for good."""
        return await self._hops.run(removal.remove, self._tree, project, files)

    async def remove_folder(self, project: NormalizedName) -> bool:
        """Remove a project's folder if nothing is in it; whether it is gone."""
        return await self._hops.run(removal.remove_folder, self._tree, project)

    async def set_aside(self, name: str, content: bytes) -> str:
        """Keep ``content`` for a person to look at, in place of what had that name; its path."""
        return await self._hops.run(removal.set_aside, self._tree, name, content)


def _errno(error: DestinationError) -> int | None:
    """The system's number of what it was made of."""
    return error.__cause__.errno if isinstance(error.__cause__, OSError) else None
