"""The threads that the disk is used from, and the way there and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

from aiofiles.os import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def _call(work: Callable[..., object], *arguments: object) -> object:
    return work(*arguments)


_hop = wrap(_call)


class Hops:
    """Threads of their own: neither name look-ups nor anybody else's work queue behind a slow disk.

    A hop costs far more than most of what is done in it, so a whole operation goes into one.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(thread_name_prefix="aiomirror-store")

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of ``work(*arguments)``, called in a thread.

        When the caller is cancelled, work that was begun goes on to its end; work that was not is dropped.
        """
        return cast("T", await _hop(work, *arguments, executor=self._threads))

    def close(self) -> None:
        """Wait for what was begun, drop the rest."""
        self._threads.shutdown(wait=True, cancel_futures=True)
