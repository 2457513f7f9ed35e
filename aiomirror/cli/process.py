"""The process of a command: made ready before the rest of the program is read, and ended with a code."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

COLLECTED_AFTER = 100_000
"""Objects made, more than are imported: Python's own 700 cost 4 % of a long run's processor time, and a tenth
of a short one's."""


def entry() -> NoReturn:
    """The console script."""
    _occupy_standard_streams()
    _spare_collector()
    code = main(sys.argv[1:])
    _give_up_unwritten()
    gc.freeze()  # the process ends: nobody need look through what is left of it
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command; never raises for what a user, an upstream or a disk can cause."""
    from aiomirror.cli.commands import run  # noqa: PLC0415 (all the rest, for a process that is ready)

    return run(argv)


def _spare_collector() -> None:
    """Look for circles among objects less often: neither what is imported nor pages and files make many."""
    gc.set_threshold(COLLECTED_AFTER)


def _give_up_unwritten() -> None:
    """Drop what a full disk or a closed pipe did not take, or the interpreter's exit code would be 120."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _occupy_standard_streams() -> None:
    """Open what a scheduler has closed of the descriptors 0 to 2, so that nothing else gets these numbers.

    libuv ends the process when it closes a socket that has one; and whatever a C library writes to
    descriptor 2 would end up in a file of the mirror.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
