"""One requirement that asks for a project: what it says, and where it stands."""

from __future__ import annotations

from typing import Self

import msgspec

ARROW = " → "
"""Between the steps that lead to a dependency: ``flask>=2 (r.txt:3) → flask 3.0.3 → click>=8``."""


class Asked(msgspec.Struct, frozen=True, order=True):
    """A requirement, and its file and line, or the command line; "" where that is not known.

    That of a dependency stands in the metadata of a version, which is its origin then; ``chain`` has all the
    steps that led to it.
    """

    requirement: str
    origin: str = ""
    chain: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, origin: str) -> Self:
        """From what a run has noted; with dependencies, the text itself says where it stands."""
        steps = text.split(ARROW)
        if len(steps) > 1:
            return cls(steps[-1], steps[-2], tuple(steps))
        return cls(text, origin) if origin else cls(*_apart(text))

    def __str__(self) -> str:
        if self.chain:
            return ARROW.join(self.chain)
        return f"{self.requirement} ({self.origin})" if self.origin else self.requirement


def _apart(text: str) -> tuple[str, str]:
    """``flask>=2 (r.txt:3)`` as its two parts; there may be brackets in either."""
    depth = 0
    for place in range(len(text) - 1, 0, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if not depth:
            between = text[place - 1 : place + 1] == " ("
            return (text[: place - 1], text[place + 1 : -1]) if between else (text, "")
    return text, ""
