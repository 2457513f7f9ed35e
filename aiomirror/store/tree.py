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
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomirror.errors import DestinationError
from aiomirror.store.entries import FOLDER, make_folder, open_folder
from aiomirror.store.faults import translated
from aiomirror.store.names import project_name
from aiomirror.store.temporary import Temporary

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PRIVATE = ".aiomirror"
_PARTIAL = "partial"


class Opened:
    """A context with a descriptor, or with None where there is nothing to open; closed at its end."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> int | None:
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
        self._apart: str | None = None
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
        return self._descriptors[-1]

    def unguessed(self) -> str:
        """A name that nothing else has, and that nobody outside can foresee."""
        return f"{self._secret}{next(self._names):012x}"

    def where(self, *parts: str) -> str:
        """The path of something in the tree, for messages."""
        return "/".join((str(self.dest), *parts))

    def open_to_read(self) -> None:
        """Open the root alone, if it is there."""
        with translated(self.dest), suppress(FileNotFoundError):
            self._descriptors.append(os.open(self.dest, FOLDER))

    def open(self, *, create: bool) -> None:
        """Make what is missing, the root only if ``create``; DestinationError when that cannot be done."""
        try:
            with translated(self.dest):
                if create:
                    self._make_root()
                self._descriptors.append(os.open(self.dest, FOLDER))
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

    def set_apart(self) -> None:
        """Have a folder within that of partial files, which another process uses, too.

        Names in one folder are made by turns, and whoever waits for its turn keeps a processor busy.
        """
        with translated(self.dest, PRIVATE, _PARTIAL):
            name = self.unguessed()
            self._descriptors.append(make_folder(name, self.partial, 0o700))
        self._apart = name

    def close(self) -> None:
        """Discard what was not settled and close the descriptors."""
        for temporary in tuple(self.temporaries):
            temporary.discard()
        if self._apart is not None:
            os.close(self._descriptors.pop())
            with suppress(OSError):  # It is cleared by whoever holds the mirror, or at the next start.
                os.rmdir(self._apart, dir_fd=self.partial)
            self._apart = None
        while self._descriptors:
            os.close(self._descriptors.pop())

    def clear(self) -> None:
        """Remove what processes that were killed left among the partial files."""
        with translated(self.dest, PRIVATE, _PARTIAL):
            for name in _cleared(self.partial):
                with suppress(FileNotFoundError):  # a helper's that ends at this moment
                    self._remove_apart(name)

    def _remove_apart(self, name: str) -> None:
        apart = open_folder(name, self.partial)
        try:
            _cleared(apart)
        finally:
            os.close(apart)
        with suppress(OSError):  # There is still a folder in it, which is none of ours.
            os.rmdir(name, dir_fd=self.partial)

    def probe(self) -> None:
        """DestinationError unless files can be written now."""
        # In the private folder the state's log is made.
        for folder, parts in ((self.root, ()), (self.private, (PRIVATE,))):
            with translated(self.dest, *parts):
                # Asked first, because an attempt leaves a new modification time on the folder.
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
                    _attempt(folder)
        with translated(self.dest, PRIVATE, _PARTIAL), Temporary(self) as temporary:
            temporary.write([b"probe"])

    def folder(self, project: str | None) -> Opened:
        """A descriptor of the project's folder, or of the root for None; None when there is no folder."""
        name = "." if project is None else project_name(project)
        with translated(self.dest, project):
            try:
                return Opened(open_folder(name, self.root) if self.present else None)
            except FileNotFoundError:
                return Opened(None)

    def parts(self, project: str | None) -> tuple[str, ...]:
        """The path of the project's folder below the root; ValueError for what is no project name."""
        return () if project is None else (project_name(project),)


def _cleared(folder: int) -> list[str]:
    """Remove all that is no folder from ``folder``; the names of those that are."""
    folders = []
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):  # whose it is has removed it itself
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                folders.append(name)
            else:
                os.unlink(name, dir_fd=folder)
    return folders


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
