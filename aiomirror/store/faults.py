"""The one seam at which the system's errors become ours."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from aiomirror.errors import DestinationError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# Where the system's own words would not tell a person what is the matter with a mirror's folder.
_SENTENCES = {
    errno.ENOENT: "is missing",
    errno.ENOTDIR: "is a link or a file where a folder should be",
    errno.ELOOP: "is a symbolic link, which is not followed",
    errno.EISDIR: "is a folder where a file should be",
    errno.ENOTEMPTY: "is a folder where a file should be",
    errno.EXDEV: "is on another file system than the rest of the mirror",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n), or use fewer jobs",
    errno.ENOLCK: "the file system has no locks",
    errno.ENOTSUP: "the file system does not support this operation",
}


def sentence(error: OSError) -> str:
    """What happened, plainly: "no space left on device"."""
    if error.errno is None:
        return str(error)
    if error.errno in _SENTENCES:
        return _SENTENCES[error.errno]
    words = os.strerror(error.errno)
    return words[:1].lower() + words[1:]


class translated:  # noqa: N801 (used as contextlib's own are; theirs cost four times as much, for each file)
    """A context that turns an OSError into a DestinationError about the path of these parts.

    They are put together when there is something to say; a None among them counts for nothing.
    """

    __slots__ = ("_parts",)

    def __init__(self, *parts: Path | str | None) -> None:
        self._parts = parts

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            path = "/".join(str(part) for part in self._parts if part is not None)
            raise DestinationError(path, sentence(error)) from error
