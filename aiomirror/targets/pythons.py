"""How a Python is spelt, and what follows from it for tags and markers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from packaging.tags import compatible_tags, cpython_tags, generic_tags

from aiomirror.targets.values import misspelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
_SPELLING = re.compile(
    r"(?:(?P<prefix>cp|cpython|python|pp|pypy)-?)?"
    r"3\.?(?P<minor>0|[1-9][0-9]?)"
    r"(?:\.(?P<micro>(?:0|[1-9][0-9]{0,2})(?:(?:a|b|rc)[0-9]{1,2})?))?"
    r"(?P<threads>t?)"
)
_PYPY = ("pp", "pypy")
_PYPY_ABI = "pp73"
"""Every PyPy with a Python 3 that is covered here has it, and versions 7.3.x."""


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

    def tags(self, platforms: Sequence[str]) -> Iterator[Tag]:
        """The wheel tags on a machine that takes these platform tags, best first."""
        version = (3, self.minor)
        if self.pypy:
            abi = f"pypy3{self.minor}_{_PYPY_ABI}"
            yield from generic_tags(f"pp3{self.minor}", [abi], platforms)
            yield from compatible_tags(version, "pp3", platforms)
        else:
            yield from cpython_tags(version, [self._abi], platforms)
            yield from compatible_tags(version, f"cp3{self.minor}", platforms)

    @property
    def _abi(self) -> str:
        flags = "m" if self.minor <= _LAST_WITH_PYMALLOC_FLAG else "t" * self.free_threaded
        return f"cp3{self.minor}{flags}"


def parse_python(text: str) -> Python:
    """A Python from its spelling, whatever its letter case; TargetError if it is none."""
    match = _SPELLING.fullmatch(text.strip().lower())
    if match is None:
        raise _misspelt(text)
    pypy, threads = match["prefix"] in _PYPY, bool(match["threads"])
    minor = int(match["minor"])
    if minor < OLDEST_MINOR or (threads and (pypy or minor < _FIRST_FREE_THREADED)):
        raise _misspelt(text)
    return Python("pypy" if pypy else "cpython", minor, match["micro"] or "0", threads)


def _misspelt(text: str) -> Exception:
    return misspelt(text, "Python", _FORMS, _KNOWN)
