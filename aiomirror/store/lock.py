"""One run at a time: an flock that the kernel frees when its holder ends, however it ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from typing import TYPE_CHECKING, TypeVar

from aiomirror.errors import LockedError
from aiomirror.store.entries import open_folder
from aiomirror.store.faults import translated
from aiomirror.store.tree import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiomirror.store.tree import Tree

T = TypeVar("T")

_NAME = "lock"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST = 1000
"""Bytes of the holder's text that are read."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two attempts; each pause is twice the one before."""


def this_process() -> str:
    """What a run writes about itself: "process 12 on host"."""
    return f"process {os.getpid()} on {socket.gethostname()}"


class Lock:
    """The lock of a mirror, held from :meth:`take` to :meth:`release`."""

    def __init__(self) -> None:
        self._file = -1

    def take(self, tree: Tree, hold: str) -> None:
        """Take the lock and write ``hold`` into it; LockedError, with what is in it, when another has it."""
        where = tree.where(PRIVATE, _NAME)
        with translated(where):
            self._file = os.open(_NAME, _OPEN, 0o600, dir_fd=tree.private)
        try:
            with translated(where):
                self._lock(tree, fcntl.LOCK_EX)
                # The file stays when the run ends: removing it would let two runs lock two files of one name.
                os.ftruncate(self._file, 0)
                os.write(self._file, hold.encode(errors="replace"))
        except BaseException:
            self.release()
            raise

    def look(self, tree: Tree) -> None:
        """Take it together with others that only read, and write nothing; LockedError when a run has it.

        DestinationError when that cannot be done, as of a mirror that has no lock yet.
        """
        where = tree.where(PRIVATE, _NAME)
        with translated(where):
            private = open_folder(PRIVATE, tree.root)
            try:
                self._file = os.open(_NAME, _LOOK, dir_fd=private)
            finally:
                os.close(private)
        try:
            with translated(where):
                self._lock(tree, fcntl.LOCK_SH)
        except BaseException:
            self.release()
            raise

    def _lock(self, tree: Tree, how: int) -> None:
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(self._file, _LONGEST).decode(errors="replace")
            raise LockedError(tree.where(), "".join(filter(str.isprintable, text))) from None

    @property
    def held(self) -> bool:
        """Whether this process has it, alone or with others."""
        return self._file >= 0

    def share(self, connection: socket.socket) -> None:
        """Send it through a Unix socket, with a byte; it is held until every process has released it."""
        socket.send_fds(connection, [b"\0"], [self._file])

    def join(self, descriptor: int) -> None:
        """Hold what another process has shared."""
        self._file = descriptor

    def release(self) -> None:
        """Let others have it; nothing when it is not held."""
        if self.held:
            opened, self._file = self._file, -1
            os.close(opened)


async def patiently(
    start: Callable[[], Awaitable[T]],
    seconds: float,
    waiting: Callable[[LockedError], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """The result of ``start``, which begins with the lock, and is begun anew while another run has that.

    After ``seconds`` (may be infinite) the LockedError of the last attempt is raised; ``waiting`` is told of
    each holder once.  An flock that waits cannot be cancelled, in a thread even less: this asks now and then.
    """
    until, pause = clock() + seconds, _FIRST_PAUSE
    holder: str | None = None
    while True:
        try:
            return await start()
        except LockedError as error:
            left = until - clock()
            if left <= 0:
                raise
            if error.holder != holder:
                holder = error.holder
                waiting(error)
        await sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
