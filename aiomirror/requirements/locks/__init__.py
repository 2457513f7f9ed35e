"""Lock files: text to the files that they list, and the files of a mirror to the text of a lock."""

from aiomirror.requirements.locks.distinguish import Places, distinguish
from aiomirror.requirements.locks.needs import holds_unasked
from aiomirror.requirements.locks.read import read_lock
from aiomirror.requirements.locks.write import LockFile, LockPackage, unlockable, write_pylock

__all__ = [
    "LockFile",
    "LockPackage",
    "Places",
    "distinguish",
    "holds_unasked",
    "read_lock",
    "unlockable",
    "write_pylock",
]
