"""How a Python is spelt, and what follows from it for tags and markers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from packaging.tags import compatible_tags, cpython_tags, generic_tags

from aiomirror.targets.values import misspelt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.tags import Tag

OLDEST_MINOR = 6
"""Of Python 3.  Older ones predate the metadata and the wheel tags that a mirror of today is read with."""
_FIRST_FREE_THREADED = 13
_LAST_WITH_PYMALLOC_FLAG = 7
_FORMS = (
    f"write 3.N or 3.N.MICRO, N from {OLDEST_MINOR} to 99, or as in 312, cp312, cp313t (free-threaded), "
    "pypy3.10, pp310, or current"
)
_KNOWN = (
    *(
        form.format(minor)
        for form in ("3.{}", "cp3{}", "3.{}t", "cp3{}t", "cpython3.{}", "python3.{}", "pypy3.{}", "pp3{}")
        for minor in range(15, (_FIRST_FREE_THREADED if form.endswith("t") else OLDEST_MINOR) - 1, -1)
    ),
    "current",
)
_SPELLING = (
    r"(?:(?P<prefix>cp|cpython|python|pp|pypy)-?)?"
    r"3\.?(?P<minor>0|[1-9][0-9]?)"
    r"(?:\.(?P<micro>(?:0|[1-9][0-9]{0,2})(?:(?:a|b|rc)[0-9]{1,2})?))?"
    r"(?P<threads>t?)"
)
_PYPY = ("pp", "pypy")
_PYPY_ABI = "pp73"
"""Every PyPy with a Python 3 that is covered here has it, and versions 7.3.x."""
_EACH = "each"
"""Stands for each platform in turn: ``packaging`` goes through all of them before it takes the next ABI."""


class Python(msgspec.Struct, frozen=True):
    """An implementation and its version, CPython or PyPy."""

    implementation: str
    minor: int
    """Of Python 3."""
    micro: str = "0"
    """With the pre-release, if it is one: ``0rc1``."""
    free_threaded: bool = False

    @property
    def pypy(self) -> bool:
        """Whether it is PyPy rather than CPython."""
        return self.implementation == "pypy"

    @property
    def full_version(self) -> str:
        """As ``python_full_version`` in markers."""
        return f"3.{self.minor}.{self.micro}"

    @property
    def name(self) -> str:
        """The canonical spelling: ``cp312``, ``cp313t``, ``pp310``, and ``cp3.12.4`` with a micro version."""
        version = f"3{self.minor}" if self.micro == "0" else self.full_version
        return f"{'pp' if self.pypy else 'cp'}{version}{'t' * self.free_threaded}"

    @property
    def environment(self) -> dict[str, str]:
        """The marker variables that depend on it."""
        return {
            "implementation_name": self.implementation,
            "implementation_version": "7.3.0" if self.pypy else self.full_version,
            "platform_python_implementation": "PyPy" if self.pypy else "CPython",
            "python_full_version": self.full_version,
            "python_version": f"3.{self.minor}",
        }

    def tags(self, platforms: tuple[str, ...]) -> Iterator[str]:
        """The wheel tags on a machine that takes these platform tags, best first."""
        for tag in _forms(self):
            if tag.platform == _EACH:
                yield from _spread(f"{tag.interpreter}-{tag.abi}", platforms)
            else:
                yield str(tag)

    @property
    def abi(self) -> str:
        """What its extension modules are built for: ``cp37m``, ``cp313t``; CPython's alone."""
        flags = "m" if self.minor <= _LAST_WITH_PYMALLOC_FLAG else "t" * self.free_threaded
        return f"cp3{self.minor}{flags}"


@lru_cache(maxsize=64)
def _forms(python: Python) -> tuple[Tag, ...]:
    """The tags of its wheels, best first, :data:`_EACH` in the place of platforms."""
    version, number = (3, python.minor), f"3{python.minor}"
    if python.pypy:
        own = generic_tags(f"pp{number}", [f"pypy{number}_{_PYPY_ABI}"], [_EACH])
        return (*own, *compatible_tags(version, "pp3", [_EACH]))
    own = cpython_tags(version, [python.abi], [_EACH])
    return (*own, *compatible_tags(version, f"cp{number}", [_EACH]))


@lru_cache(maxsize=1024)  # Pythons share what is older than they are
def _spread(abi: str, platforms: tuple[str, ...]) -> tuple[str, ...]:
    """The tags of one interpreter and ABI on each of the platforms."""
    return tuple(f"{abi}-{platform}" for platform in platforms)


def parse_python(text: str) -> Python:
    """A Python from its spelling, whatever its letter case; TargetError if it is none."""
    match = re.fullmatch(_SPELLING, text.strip().lower())
    if match is None:
        raise _misspelt(text)
    pypy, threads = match["prefix"] in _PYPY, bool(match["threads"])
    minor = int(match["minor"])
    if minor < OLDEST_MINOR or (threads and (pypy or minor < _FIRST_FREE_THREADED)):
        raise _misspelt(text)
    return Python("pypy" if pypy else "cpython", minor, match["micro"] or "0", threads)


def _misspelt(text: str) -> Exception:
    return misspelt(text, "Python", _FORMS, _KNOWN)
