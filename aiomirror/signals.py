"""SIGINT and SIGTERM end the work of a run, and not the process: what is complete is still finished."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENT = 2
"""Signals that are caught; whoever sends another does not want to wait for anything."""


@contextlib.contextmanager
def caught_signals(ended: Callable[[int], None]) -> Iterator[None]:
    """Tell ``ended`` the number of a signal that comes."""
    loop = asyncio.get_running_loop()
    # Handlers can only be set in the main thread.
    in_main_thread = threading.current_thread() is threading.main_thread()
    caught = {signal.SIGINT, signal.SIGTERM} if in_main_thread else set()
    came = 0

    def catch(number: int) -> None:
        nonlocal came
        came += 1
        if came == PATIENT:
            let_go()
        ended(number)

    def let_go() -> None:
        while caught:
            loop.remove_signal_handler(caught.pop())

    for number in caught:
        loop.add_signal_handler(number, catch, number)
    try:
        yield
    finally:
        let_go()


@contextlib.contextmanager
def ended_by_signals(work: asyncio.Task[None], note: Callable[[int], None]) -> Iterator[None]:
    """Cancel ``work`` when a signal comes, after ``note`` was told its number."""

    def stop(number: int) -> None:
        note(number)
        work.cancel()

    with caught_signals(stop):
        yield
