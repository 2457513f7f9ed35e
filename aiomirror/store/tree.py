"""The mirror's folder through descriptors.

Every path below the root is opened one component at a time, relative to a descriptor, and no link is
followed: whatever is planted in the tree, nothing outside it is read or written.  The root itself may be one.
All functions are synchronous and may be called from any thread.
"""

from __future__ import annotations

import itertools
import os
import secrets
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from aiomirror.errors import DestinationError
from aiomirror.plan import FileStat
from aiomirror.store.faults import translated
from aiomirror.store.names import component, project_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

F = TypeVar("F", bound="int | None")

PRIVATE = ".aiomirror"
_PARTIAL = "partial"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a pipe that somebody left in the tree must not stop the run.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def file_stat(found: os.stat_result) -> FileStat:
    """What is remembered of a file's ``stat``."""
    return FileStat(found.st_size, found.st_mtime_ns, found.st_ino)


def open_folder(name: str, within: int) -> int:
    """A descriptor of the folder ``name``; OSError (ENOTDIR, ELOOP) when it is a link or no folder."""
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=within)


def make_folder(name: str, within: int, mode: int = 0o777) -> int:
    """As :func:`open_folder`, and made when it is not there."""
    try:
        return open_folder(name, within)
    except FileNotFoundError:
        with suppress(FileExistsError):  # Another thread was faster.
            os.mkdir(name, mode, dir_fd=within)
        return open_folder(name, within)


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


EAGER = 2**20
"""Bytes of a file from which on the system is asked to begin writing it at once."""
STRIDE = 2**25
"""A multiple of so many bytes is where it is asked so while a file grows: the disk has its time meanwhile."""
_AT_ONCE = 1024
"""Parts that one system call writes: IOV_MAX on Linux and macOS."""


def begin_writing(opened: int, start: int = 0, count: int = 0) -> None:
    """Let the system begin to put a file on disk, without waiting for it; a later fsync waits the less.

    ``count`` bytes from ``start``; 0: to the end.
    """
    # Asking Linux to drop a file from its cache makes it begin to write what is not yet written.
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(opened, start, count, os.POSIX_FADV_DONTNEED)


class Temporary:
    """A file without a final name, its own beyond guessing; removed unless it is settled.

    It has the mode of published files, unless it is ``private``: 0600, as long as nothing has verified it.
    """

    def __init__(self, tree: Tree, *, private: bool = False) -> None:
        self._tree = tree
        self.name = tree.unguessed()
        self._file = os.open(self.name, _CREATE, 0o600 if private else 0o666, dir_fd=tree.partial)
        self._settled = False
        tree.temporaries.add(self)

    def write(self, parts: Sequence[bytes], start: int = 0) -> int:
        """Write ``parts`` at ``start``, one after another; where they end."""
        end = start + sum(map(len, parts))
        if end > start and (len(parts) > _AT_ONCE or os.pwritev(self._file, parts, start) < end - start):
            self._write_on(parts, start)
        if end // STRIDE > start // STRIDE:
            begin_writing(self._file, start // STRIDE * STRIDE, STRIDE)
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
            begin_writing(self._file)
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


class Opened(Generic[F]):
    """A context with a descriptor, or with None where there is nothing to open; closed at its end."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: F) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> F:
        return self._descriptor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


class Tree:
    """The descriptors of the root, of ``.aiomirror`` and of the folder of partial files.

    ``file_mode`` is the mode of published files: 0666 less the umask.
    """

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self.file_mode = 0o666 & ~_umask()
        self.temporaries: set[Temporary] = set()
        self._descriptors: list[int] = []
        # Random once: asking the system for each name is a tenth of what it takes to make a small file.
        self._secret, self._names = secrets.token_hex(10), itertools.count()

    @property
    def present(self) -> bool:
        """Whether there is a root; only one that was opened to read may be missing."""
        return bool(self._descriptors)

    @property
    def root(self) -> int:
        """The descriptor of DEST."""
        return self._descriptors[0]

    @property
    def private(self) -> int:
        """The descriptor of DEST/.aiomirror."""
        return self._descriptors[1]

    @property
    def partial(self) -> int:
        """The descriptor of the folder of files without a final name."""
        return self._descriptors[2]

    def unguessed(self) -> str:
        """A name that nothing else has, and that nobody outside can foresee."""
        return f"{self._secret}{next(self._names):012x}"

    def where(self, *parts: str) -> str:
        """The path of something in the tree, for messages."""
        return "/".join((str(self.dest), *parts))

    def open_to_read(self) -> None:
        """Open the root alone, if it is there."""
        with translated(self.dest), suppress(FileNotFoundError):
            self._descriptors.append(os.open(self.dest, _FOLDER))

    def open(self, *, create: bool) -> None:
        """Make what is missing, the root only if ``create``; DestinationError when that cannot be done."""
        try:
            with translated(self.dest):
                if create:
                    self._make_root()
                self._descriptors.append(os.open(self.dest, _FOLDER))
            with translated(self.dest, PRIVATE):
                self._descriptors.append(make_folder(PRIVATE, self.root, 0o700))
            with translated(self.dest, PRIVATE, _PARTIAL):
                self._descriptors.append(make_folder(_PARTIAL, self.private, 0o700))
        except BaseException:
            self.close()
            raise

    def _make_root(self) -> None:
        try:
            self.dest.mkdir(parents=True)
        except FileExistsError:
            pass
        except NotADirectoryError:
            raise DestinationError(self.where(), "a folder above it is a file") from None

    def close(self) -> None:
        """Discard what was not settled and close the descriptors."""
        for temporary in tuple(self.temporaries):
            temporary.discard()
        while self._descriptors:
            os.close(self._descriptors.pop())

    def clear(self) -> None:
        """Remove what a run that was killed left among the partial files."""
        with translated(self.dest, PRIVATE, _PARTIAL):
            for name in os.listdir(self.partial):  # noqa: PTH208 (a descriptor)
                if not stat.S_ISDIR(os.stat(name, dir_fd=self.partial, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=self.partial)

    def probe(self) -> None:
        """DestinationError unless files can be written now."""
        with translated(self.dest):
            # Asked first, because an attempt leaves a new modification time on the root.
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=self.root):
                _attempt(self.root)
        with translated(self.dest, PRIVATE, _PARTIAL), Temporary(self) as temporary:
            temporary.write([b"probe"])

    def folder(self, project: str | None) -> Opened[int | None]:
        """A descriptor of the project's folder, or of the root for None; None when there is no folder."""
        name = "." if project is None else project_name(project)
        with translated(self.dest, project):
            try:
                return Opened(open_folder(name, self.root) if self.present else None)
            except FileNotFoundError:
                return Opened(None)

    def made_folder(self, project: str | None) -> Opened[int]:
        """As :meth:`folder`, and made when it is not there."""
        name = "." if project is None else project_name(project)
        with translated(self.dest, project):
            return Opened(make_folder(name, self.root))

    def parts(self, project: str | None) -> tuple[str, ...]:
        """The path of the project's folder below the root; ValueError for what is no project name."""
        return () if project is None else (project_name(project),)


def _umask() -> int:
    # It can only be read by setting it; the strict one does no harm to a file made in between.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _attempt(folder: int) -> None:
    """The OSError that says why nothing can be made in ``folder``."""
    name = secrets.token_hex(16)
    os.mkdir(name, 0o700, dir_fd=folder)
    os.rmdir(name, dir_fd=folder)
