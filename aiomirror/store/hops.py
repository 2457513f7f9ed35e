"""The threads that the disk is used from, and the way there and back."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

from aiofiles.os import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 0.005
"""Seconds that quick work may take on the average before it is sent to threads, for the rest of the run."""
MEMORY = 64
"""Over how many pieces of work that average reaches: one that is slow by chance does not count as a disk."""
NICER = 5
"""How much nicer than the other threads the busy ones are."""


def _call(work: Callable[..., object], *arguments: object) -> object:
    return work(*arguments)


_hop = wrap(_call)


def cores() -> int:
    """How many threads this process may keep busy at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _give_way() -> None:
    """Let the loop have a processor first: everybody waits for it, and for a digest only one file does."""
    if sys.platform == "linux":  # where each thread has a niceness of its own
        this = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, this, os.getpriority(os.PRIO_PROCESS, this) + NICER)


class Hops:
    """Threads of their own: neither name look-ups nor anybody else's work queue behind a slow disk.

    A hop costs far more than most of what is done in it, so a whole operation goes into one.  Each system
    call in a thread also gives the interpreter's lock away and waits to get it back, a dozen times a small
    file; while the disk is as fast as memory, it is cheaper to do that on the loop (:meth:`quick`).
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, *, processes: int = 1) -> None:
        self.spare = cores() > processes
        """Whether there is a processor that no loop of the program's ``processes`` keeps busy."""
        self._threads = ThreadPoolExecutor(thread_name_prefix="aiomirror-store")
        # One processor is left to the loop: more threads than that would take it in turns with it.
        self._busy = ThreadPoolExecutor(max(1, cores() - 1), "aiomirror-busy", _give_way)
        self._clock = clock
        self._average = 0.0

    @property
    def prompt(self) -> bool:
        """Whether :meth:`quick` does without a thread."""
        return self._average <= PATIENCE

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of ``work(*arguments)``, called in a thread.

        When the caller is cancelled, work that was begun goes on to its end; work that was not is dropped.
        """
        return cast("T", await _hop(work, *arguments, executor=self._threads))

    async def busy(self, work: Callable[..., T], *arguments: object) -> T:
        """As :meth:`run`, for what keeps a processor busy rather than the disk."""
        return cast("T", await _hop(work, *arguments, executor=self._busy))

    async def quick(self, work: Callable[..., T], *arguments: object) -> T:
        """As :meth:`run`, for what is done in no time unless the disk is slow; it has a thread only then."""
        if not self.prompt:
            return await self.run(work, *arguments)
        began = self._clock()
        try:
            return work(*arguments)
        finally:
            self._average += (self._clock() - began - self._average) / MEMORY

    def close(self) -> None:
        """Wait for what was begun, drop the rest."""
        for threads in (self._busy, self._threads):
            threads.shutdown(wait=True, cancel_futures=True)
