"""A target: what an installer on one kind of machine would take."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.tags import Tag


MAX_TAGS = 1_000
"""Real wheels stand for dozens of tags."""
_ALIKE = 0.6
"""From which ratio on a spelling may be what was meant; difflib's own default."""


class TargetError(ValueError):
    """Targets that cannot be read: ``problems``, a sentence for each, in the order of reading."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


def misspelt(text: str, what: str, forms: str, known: Sequence[str]) -> TargetError:
    """The error for a text that has none of the accepted forms, with the nearest ``known`` spelling."""
    nearest = _nearest(text.strip().lower(), known)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return TargetError(f"{text!r} is no {what}: {forms}{hint}")


def _nearest(text: str, known: Sequence[str]) -> str | None:
    """What the text begins, or else what it is most like; of several the first."""
    from difflib import SequenceMatcher  # noqa: PLC0415 (for errors only)

    def likeness(spelling: str) -> float:
        return SequenceMatcher(None, text, spelling).ratio()

    begun = (spelling for spelling in known if text and spelling.startswith(text))
    likest = max(known, key=likeness)
    return next(begun, likest if likeness(likest) >= _ALIKE else None)


@dataclass(frozen=True, slots=True)
class Target:
    """One implementation and version of Python on one platform.

    Two targets that differ in name only are not equal: the name is what a report calls them.
    """

    name: str
    """Python, hyphen, platform, as in ``cp312-manylinux_2_28_x86_64``, or a name that somebody gave."""
    implementation: str
    """As ``sys.implementation.name`` has it: "cpython", "pypy"."""
    python_version: tuple[int, int]
    python_full_version: str
    """``3.12.0`` where no micro version was given."""
    platform: str
    """The best platform tag that wheels are built for; ``linux_ARCH`` only where there is no better one."""
    environment: Mapping[str, str] = field(hash=False)
    """All variables of environment markers but "extra"."""
    tags: tuple[Tag, ...] = field(hash=False, repr=False)
    """The tags of wheels that fit, best first, each once."""
    _ranks: Mapping[Tag, int] = field(init=False, repr=False, compare=False)
    _version: Version = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the way round frozen
        set_field(self, "environment", MappingProxyType(dict(self.environment)))
        set_field(self, "_ranks", {tag: rank for rank, tag in enumerate(self.tags)})
        set_field(self, "_version", Version(self.python_full_version))

    def rank(self, tags: Iterable[Tag]) -> int | None:
        """How good a wheel with these tags is, 0 being the best; None where the wheel does not fit."""
        ranks = self._ranks
        return min((ranks[tag] for tag in tags if tag in ranks), default=None)

    def rank_of(self, tags: str) -> int | None:
        """As :meth:`rank`, of a compressed tag set as wheels are named; None also for one that is none.

        A set may stand for :data:`MAX_TAGS` tags at the most: a hostile name could stand for billions.
        """
        count = 1
        for part in tags.split("-"):
            count *= part.count(".") + 1
        if count > MAX_TAGS:
            return None
        try:
            return self.rank(_parsed(tags))
        except ValueError:
            return None

    def admits(self, requires_python: str | None) -> bool:
        """As :meth:`admits_python`, of a text; what cannot be read is ignored, as installers do."""
        if not requires_python:
            return True
        try:
            return self.admits_python(_specifier(requires_python))
        except ValueError:  # InvalidSpecifier is one, and so is a number of thousands of digits
            return True

    def admits_python(self, requires_python: SpecifierSet) -> bool:
        """Whether ``Requires-Python`` lets this Python in, be it a pre-release or not."""
        return requires_python.contains(self._version, prereleases=True)


# Each target asks the same; of real ones there are few, and of a hostile index's not many are kept.
_parsed = lru_cache(maxsize=256)(parse_tag)
_specifier = lru_cache(maxsize=256)(SpecifierSet)
