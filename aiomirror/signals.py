"""SIGINT and SIGTERM end the work of a run, and not the process: what is complete is still finished."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def ended_by_signals(work: asyncio.Task[None], note: Callable[[int], None]) -> Iterator[None]:
    """Cancel ``work`` when a signal comes, after ``note`` was told its number."""
    loop = asyncio.get_running_loop()
    # Handlers can only be set in the main thread.
    in_main_thread = threading.current_thread() is threading.main_thread()
    caught = [signal.SIGINT, signal.SIGTERM] if in_main_thread else []

    def stop(number: int) -> None:
        note(number)
        work.cancel()

    for number in caught:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
