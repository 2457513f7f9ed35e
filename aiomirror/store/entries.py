"""One name in a folder that is open: nothing here follows a link.

All functions are synchronous and may be called from any thread.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from aiomirror.plan import FileStat

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a pipe that somebody left in the tree must not stop the run.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def file_stat(found: os.stat_result) -> FileStat:
    """What is remembered of a file's ``stat``."""
    return FileStat(found.st_size, found.st_mtime_ns, found.st_ino)


def open_folder(name: str, within: int) -> int:
    """A descriptor of the folder ``name``; OSError (ENOTDIR, ELOOP) when it is a link or no folder."""
    return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=within)


def make_folder(name: str, within: int, mode: int = 0o777) -> int:
    """As :func:`open_folder`, and made when it is not there."""
    try:
        return open_folder(name, within)
    except FileNotFoundError:
        with suppress(FileExistsError):  # Another thread was faster.
            os.mkdir(name, mode, dir_fd=within)
        return open_folder(name, within)


def is_folder(name: str, within: int) -> bool:
    """Whether there is a folder of this name that is no link."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_regular(name: str, within: int) -> bool:
    """Whether there is a file of this name that is no link."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def regular_file(name: str, within: int) -> int | None:
    """A descriptor to read the file ``name``; None when it is not there, a link, or not a regular file."""
    try:
        opened = os.open(name, _READ, dir_fd=within)
    except FileNotFoundError:
        return None
    except OSError:
        # What it is says more than the error does, and the error differs from system to system.
        if is_regular(name, within):
            raise
        return None
    try:
        regular = stat.S_ISREG(os.fstat(opened).st_mode)
    except BaseException:
        os.close(opened)
        raise
    if regular:
        return opened
    os.close(opened)
    return None
