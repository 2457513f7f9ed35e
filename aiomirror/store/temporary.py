"""Files on their way to a final name, and the folders where they get it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.store.entries import file_stat, make_folder
from aiomirror.store.faults import translated
from aiomirror.store.linux import begin_writing, reserve
from aiomirror.store.names import component, project_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aiomirror.plan import FileStat
    from aiomirror.store.tree import Tree

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
EAGER = 2**20
"""Bytes of a file from which on the system is asked to begin writing it at once."""
STRIDE = 2**25
"""So many bytes of a file are reserved at once, and begun to be written while it grows: the disk has its time
meanwhile.
"""
_AT_ONCE = 1024
"""Parts that one system call writes: IOV_MAX on Linux and macOS."""


class Temporary:
    """A file without a final name, its own beyond guessing; removed unless it is settled.

    It has the mode of published files, unless it is ``private``: 0600, as long as nothing has verified it.
    ``size`` in bytes is what it is expected to grow to, where that is known.
    """

    def __init__(self, tree: Tree, *, private: bool = False, size: int | None = None) -> None:
        self._tree = tree
        self.name = tree.unguessed()
        self._file = os.open(self.name, _CREATE, 0o600 if private else 0o666, dir_fd=tree.partial)
        self._settled = False
        self._size = size or 0
        self._reserved: set[int] = set()
        self._begun = 0
        tree.temporaries.add(self)

    def write(self, parts: Sequence[bytes], start: int = 0) -> int:
        """Write ``parts`` at ``start``, one after another; where they end."""
        end = start + sum(map(len, parts))
        if end < self._size:
            self._reserve(start // STRIDE)
        if end > start and (len(parts) > _AT_ONCE or os.pwritev(self._file, parts, start) < end - start):
            self._write_on(parts, start)
        return end

    def _write_on(self, parts: Sequence[bytes], end: int) -> None:
        """As :meth:`write`, for what one system call does not take."""
        rest = [memoryview(part) for part in reversed(parts)]
        while rest:
            written = os.pwritev(self._file, rest[: -_AT_ONCE - 1 : -1], end)
            end += written
            while rest and written >= len(rest[-1]):
                written -= len(rest.pop())
            if written:
                rest[-1] = rest[-1][written:]

    def _reserve(self, stride: int) -> None:
        """Have room for a stride that begins to be written: no more, whatever size upstream lists."""
        if stride not in self._reserved:
            self._reserved.add(stride)
            reserve(self._file, stride * STRIDE, min(STRIDE, self._size - stride * STRIDE))

    def hasten(self, end: int) -> None:
        """Let the system begin to put on disk what is before ``end``, in whole strides.

        Beginning is work, too: for the disk's driver and the file system's maps.
        """
        end -= end % STRIDE
        if end > self._begun:
            begin_writing(self._file, self._begun, end - self._begun)
            self._begun = end

    def read(self, block: memoryview, start: int) -> int:
        """Fill ``block`` with what was written from ``start`` on; how many bytes of it could be had."""
        return os.preadv(self._file, [block], start)

    def reveal(self) -> None:
        """Give a private file the mode of published ones."""
        os.fchmod(self._file, self._tree.file_mode)

    def finish(self, later_than: int | None = None) -> FileStat:
        """Close it; its modification time becomes at least ``later_than``, in nanoseconds."""
        found = os.fstat(self._file)
        if found.st_size >= EAGER:
            begin_writing(self._file, self._begun)
        if later_than is not None and found.st_mtime_ns < later_than:
            os.utime(self._file, ns=(later_than, later_than))
            found = os.fstat(self._file)
        self._close()
        return file_stat(found)

    def settle(self, name: str, folder: int) -> None:
        """Give it its final name, in place of what has that name."""
        os.replace(self.name, component(name), src_dir_fd=self._tree.partial, dst_dir_fd=folder)
        self._settled = True
        self._tree.temporaries.discard(self)

    def discard(self) -> None:
        """Close it, and remove it unless it is settled; may be called again."""
        with suppress(OSError):
            self._close()
        if not self._settled:
            self._settled = True
            self._tree.temporaries.discard(self)
            with suppress(OSError):  # It is cleared at the next start.
                os.unlink(self.name, dir_fd=self._tree.partial)

    def _close(self) -> None:
        if self._file >= 0:
            opened, self._file = self._file, -1
            os.close(opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


class Folder:
    """A project's folder, or the root for None: opened, and made, when something is to be put there.

    As a context it is closed at its end.
    """

    __slots__ = ("_descriptor", "project", "tree")

    def __init__(self, tree: Tree, project: str | None) -> None:
        self.tree, self.project = tree, project
        self._descriptor = -1

    def settle(self, temporary: Temporary, name: str) -> None:
        """Give a file its final name, in place of what has that name."""
        if self._descriptor < 0:
            self._open()
        with translated(self.tree.dest, self.project, name):
            temporary.settle(name, self._descriptor)

    def _open(self) -> None:
        name = "." if self.project is None else project_name(self.project)
        with translated(self.tree.dest, self.project):
            self._descriptor = make_folder(name, self.tree.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
