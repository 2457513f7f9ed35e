"""The process of a command: made ready before the rest of the program is read, and ended with a code."""

from __future__ import annotations

import gc
import io
import os
import sys

TYPE_CHECKING = False  # typing takes longer than all the rest here, a while in which a Ctrl-C is a traceback
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

INTERRUPTED = 130
"""The exit code of a run that SIGINT has ended."""
COLLECTED_AFTER = 100_000
"""Objects made, more than are imported: Python's own 700 cost 4 % of a long run's processor time, and a tenth
of a short one's."""
KEPT = 2**26
"""Bytes of freed memory that are not given back, nearly the most that a run has at all."""
MAPPED = 2**22
"""Bytes from which on a piece of memory comes from the system, and goes back there."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's M_…


def entry() -> NoReturn:
    """The console script."""
    try:
        _occupy_standard_streams()
        _write_what_can_be_written()
        spare_collector()
        keep_memory()
        _import_the_program()
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # outside of what a command does, which says so itself
        _tell_interruption()
        code = INTERRUPTED
    end(code)


def main(argv: Sequence[str]) -> int:
    """Run one command; never raises for what a user, an upstream or a disk can cause."""
    from aiomirror.cli.commands import run  # noqa: PLC0415 (all the rest, for a process that is ready)

    return run(argv)


def _import_the_program() -> None:
    """Import all the rest, and let whoever interrupts that end the process at once.

    There is nothing to be put in order yet, and an exception in the middle of what C libraries do when they
    are imported has ended in crashes.
    """
    import signal  # noqa: PLC0415 (once the standard streams are there)

    def leave(*_: object) -> NoReturn:
        _tell_interruption()
        os._exit(INTERRUPTED)

    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so in the background
    if heeded:
        signal.signal(signal.SIGINT, leave)
    import aiomirror.cli.commands  # noqa: F401, PLC0415 (for main)

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _tell_interruption() -> None:
    try:  # noqa: SIM105 (contextlib takes its time, too)
        os.write(2, b"error: interrupted\n")
    except OSError:  # nobody is there to be told
        pass


def spare_collector() -> None:
    """Look for circles among objects less often: neither what is imported nor pages and files make many."""
    gc.set_threshold(COLLECTED_AFTER)


def keep_memory() -> None:
    """Have the C library keep what is freed: the next file needs as much.

    glibc gives back what is free at the end of its heap, and the system clears each page of it anew when it
    is wanted again, a moment later: 5 % of the processor time of many files.  Others have no such setting.
    """
    import ctypes  # noqa: PLC0415 (takes its time, as typing does)

    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if adjust is not None:
        adjust(_TRIM_THRESHOLD, KEPT)
        adjust(_MMAP_THRESHOLD, MAPPED)


def end(code: int) -> NoReturn:
    """End the process without taking down what it has made, object by object: the kernel frees it at once.

    That takes 8 ms less, a hundredth of a run over many small files.  What a full disk or a closed pipe has
    not taken is lost either way; of what was asked for, that was told already.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


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


def _write_what_can_be_written() -> None:
    """Have standard output do as standard error does with what its encoding lacks: write it as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in {"strict", "surrogateescape"}:
        sys.stdout.reconfigure(errors="backslashreplace")
