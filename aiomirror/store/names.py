"""Which names may become names on disk.

The callers have checked every name already; what fails here is a mistake of theirs, hence ValueError.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from packaging.utils import is_normalized_name

_LONGEST = 255
"""Bytes in one name: what the usual file systems take."""
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, bidirectional and other formatting, surrogates, line separators."""


@lru_cache(
    maxsize=4096
)  # one file's is asked about at each of its stations, a batch of projects lies between
def is_component(name: str) -> bool:
    """Whether ``name`` is one plain, visible path component (SPEC: C-SAFE-1)."""
    if not name or name[0] in ".-~" or "/" in name or "\\" in name:
        return False
    if name.isascii():
        return name.isprintable() and len(name) <= _LONGEST
    if any(unicodedata.category(character) in _UNPRINTABLE for character in name):
        return False
    return len(name.encode()) <= _LONGEST


@lru_cache(maxsize=1024)  # of each project there are many files
def is_project(name: str) -> bool:
    """Whether ``name`` is a normalised project name that fits into one path component."""
    return is_normalized_name(name) and is_component(name)


def component(name: str) -> str:
    """``name`` itself; ValueError when it is not one plain component."""
    if not is_component(name):
        raise ValueError(f"not a plain file name: {name!a}")
    return name


def project_name(name: str) -> str:
    """``name`` itself; ValueError when it is not a normalised project name."""
    if not is_project(name):
        raise ValueError(f"not a normalised project name: {name!a}")
    return name
