"""A file that is being received, as the threads see it: hashed as it is written, named when it is right."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiomirror.errors import DestinationError
from aiomirror.plan import FileRecord
from aiomirror.store.faults import translated
from aiomirror.store.names import component, project_name
from aiomirror.store.temporary import Folder, Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiomirror.store.digests import Digester, Expectation
    from aiomirror.store.tree import Tree

Parts = Sequence[bytes]
"""Bytes as they came, in order: joining them would cost as much as hashing them."""
BLOCK = 2**20
"""Bytes read back at once to be hashed."""


class Draft:
    """The bytes of one file on their way to its final name.

    Batches are queued first and written by whichever thread comes next, in order and under a lock.  So a task
    that is cancelled while its thread waits or writes loses no byte, and nothing closes a descriptor that a
    thread still writes to.

    The digests may lag behind what is written: :meth:`write` leaves them to :meth:`hash`, which reads the
    bytes back from the system's cache in a thread of its own while the next ones are written.  They never get
    beyond the first gap, where a file comes in several sections at once.
    """

    def __init__(self, tree: Tree, project: str, filename: str, expected: Expectation) -> None:
        self.tree, self.project = tree, project
        self._filename, self._expected = component(filename), expected
        self._where = tree.dest, project_name(project), filename
        self._busy = threading.Lock()
        self._hashing = threading.Lock()  # the inner one, where both are held
        self._queue: deque[tuple[int, Parts]] = deque()
        self._fault: BaseException | None = None
        self._temporary: Temporary | None = None
        self._touched = False
        self.written = 0
        """Bytes from the first one on that are written without a gap."""
        self._beyond: dict[int, int] = {}
        """Where each batch that is written behind a gap begins and ends."""
        self._hashed = 0
        self._digester: Digester | None = None

    @property
    def size(self) -> int:
        """Bytes that it is expected to have; 0: nobody knows."""
        return self._expected.size or 0

    @property
    def pristine(self) -> bool:
        """Whether nothing was queued since the last reset or commit: then nothing of it is on disk."""
        return not self._touched

    def queue(self, batch: Parts, start: int) -> None:
        """Hand over what belongs at ``start``; the next drain, write or commit writes it."""
        self._touched = True
        self._queue.append((start, batch))

    def drain(self) -> None:
        """Hash and write what is queued; DestinationError, and nothing is left, when the disk refuses."""
        with self._faultless():
            self._drain(hashing=True)

    def write(self) -> None:
        """As :meth:`drain`, without hashing it."""
        with self._faultless():
            self._drain(hashing=False)

    def hash(self) -> None:
        """Hash what was written and is not hashed yet; DestinationError when it cannot be read back."""
        with self._hashing, translated(*self._where):
            self._catch_up()

    def commit(self, rest: Parts) -> FileRecord:
        """Hash and write what is queued and ``rest``, check the whole and give it its name.

        SizeMismatchError, DigestMismatchError or DestinationError, and nothing is left of it then.
        """
        with Folder(self.tree, self.project) as folder:
            return self.commit_to(folder, rest)

    def commit_to(self, folder: Folder, rest: Parts) -> FileRecord:
        """As :meth:`commit`, where something else is put into the project's folder, too.

        SizeMismatchError, DigestMismatchError or DestinationError, and nothing is left of it then.
        """
        with self._busy:
            try:
                with translated(*self._where):
                    self._drain(hashing=True)
                    # A small file is checked before any of it touches the disk.
                    digests = self._check(rest)
                    return self._publish(folder, rest, digests["sha256"])
            finally:
                self._reset(None)

    def reset(self) -> None:
        """Forget every byte, on disk too."""
        with self._busy:
            self._reset(None)

    @contextmanager
    def _faultless(self) -> Iterator[None]:
        with self._busy:
            try:
                with translated(*self._where):
                    yield
            except BaseException as fault:
                self._reset(fault)
                raise

    def _drain(self, *, hashing: bool) -> None:
        # A batch that failed is gone: what follows it must not be taken for the whole.
        if self._fault is not None:
            raise self._fault
        while self._queue:
            start, batch = self._queue.popleft()
            if hashing:
                self._take(batch, start)
            self._write(batch, start)
        if hashing and self._temporary is not None:
            self._temporary.hasten(self.written)

    def _write(self, parts: Parts, start: int) -> None:
        if self._temporary is None:
            self._temporary = Temporary(self.tree, private=True, size=self._expected.size)
        self._beyond[start] = self._temporary.write(parts, start)
        while self.written in self._beyond:
            self.written = self._beyond.pop(self.written)

    def _take(self, parts: Parts, start: int) -> None:
        """Hash bytes that are about to be written; those beyond a gap are read back when it is closed."""
        with self._hashing:
            self._catch_up()
            if start == self._hashed:
                for part in parts:
                    self._update(part)

    def _catch_up(self) -> None:
        temporary, end = self._temporary, self.written
        if temporary is None or end <= self._hashed:
            return
        temporary.hasten(end)
        block = memoryview(bytearray(min(BLOCK, end - self._hashed)))
        while self._hashed < end:
            count = temporary.read(block[: end - self._hashed], self._hashed)
            if not count:
                raise DestinationError(
                    self.tree.where(self.project, self._filename), "became shorter while it was written"
                )
            self._update(block[:count])

    def _update(self, data: bytes | memoryview) -> None:
        if self._digester is None:
            self._digester = self._expected.digester()
        self._digester.update(data)
        self._hashed += len(data)

    def _check(self, rest: Parts) -> dict[str, str]:
        self._take(rest, self.written)
        self._update(b"")  # an empty file has digests, too
        assert self._digester is not None
        digests = self._digester.digests()
        self._expected.check(self.project, self._filename, self._hashed, digests)
        return digests

    def _publish(self, folder: Folder, rest: Parts, sha256: str) -> FileRecord:
        temporary = self._temporary
        if temporary is None:
            temporary = self._temporary = Temporary(self.tree)
        else:
            temporary.reveal()
        temporary.write(rest, self.written)
        stat = temporary.finish()
        folder.settle(temporary, self._filename)
        self._temporary = None
        return FileRecord(self._filename, sha256, stat)

    def _reset(self, fault: BaseException | None) -> None:
        self._queue.clear()
        self._fault = fault
        self._touched = fault is not None
        with self._hashing:
            if self._temporary is not None:
                self._temporary.discard()
                self._temporary = None
            self._beyond.clear()
            self.written = self._hashed = 0
            self._digester = None
