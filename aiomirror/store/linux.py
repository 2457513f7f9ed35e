"""What Linux does for files on their way to the disk, and Python does not offer.

Elsewhere nothing of it is done.  All functions may be called from any thread, and let others run meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_KEEP_SIZE = 0x01  # FALLOC_FL_KEEP_SIZE
_WRITE = 0x02  # SYNC_FILE_RANGE_WRITE


def reserve(file: int, start: int, count: int) -> None:
    """Have room for ``count`` bytes of a file from ``start`` on; its length stays as it is.

    A page that is written where there is room already costs the processor three fifths of what it costs
    otherwise, and files that grow side by side do not end up in pieces.  Where there is no room, nothing is
    said: the write that needs it will.
    """
    if _fallocate is not None:
        _fallocate(file, _KEEP_SIZE, start, count)


def begin_writing(file: int, start: int = 0, count: int = 0) -> None:
    """Let the system begin to put a file on disk, without waiting for it; a later fsync waits the less.

    ``count`` bytes from ``start``; 0: to the end.
    """
    if _sync_file_range is not None:
        _sync_file_range(file, start, count, _WRITE)


def sync_file_system(file: int) -> bool:
    """Wait until everything on a file's file system is on disk; False where the system cannot.

    OSError, that of a write among them since Linux 5.8.
    """
    if _syncfs is None:
        return False
    if _syncfs(file) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


def _function(name: str, *kinds: type[ctypes._SimpleCData[int]]) -> Callable[..., int] | None:
    """A function of the C library that returns 0, or -1 and errno; None where there is none."""
    function = getattr(_library, name, None) if sys.platform == "linux" else None
    if function is not None:
        function.argtypes = kinds
    return function


_library = ctypes.CDLL(None, use_errno=True)
_fallocate = None
if sys.maxsize > 2**32:  # elsewhere it depends on the C library how long the numbers are
    _fallocate = _function("fallocate", ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_sync_file_range = _function("sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_syncfs = _function("syncfs", ctypes.c_int)
