"""A target: what an installer on one kind of machine would take."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, parse_tag
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.markers import Marker

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


class Target(msgspec.Struct, frozen=True, dict=True):
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
    environment: Mapping[str, str]
    """All variables of environment markers but "extra"."""
    fitting: tuple[str, ...]
    """The tags of wheels that fit, best first, each once: ``cp312-abi3-win_amd64``.

    Texts, for the default matrix has ten thousand of them, and objects take four times as long to make.
    """

    def __hash__(self) -> int:
        return hash((self.name, self.python_full_version, self.platform))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The same as ``packaging`` has them."""
        return tuple(Tag(*text.split("-")) for text in self.fitting)

    @cached_property
    def _ranks(self) -> Mapping[str, int]:
        return {text: rank for rank, text in enumerate(self.fitting)}

    @cached_property
    def _version(self) -> Version:
        return Version(self.python_full_version)

    def rank(self, tags: Iterable[Tag]) -> int | None:
        """How good a wheel with these tags is, 0 being the best; None where the wheel does not fit."""
        return self._best(map(str, tags))

    def _best(self, tags: Iterable[str]) -> int | None:
        ranks = self._ranks
        return min((ranks[text] for text in tags if text in ranks), default=None)

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
            return self._best(_parsed(tags))
        except ValueError:
            return None

    def holds(self, marker: Marker, extra: str = "") -> bool:
        """Whether a marker is true here, if this extra is asked for ("": none).

        What compares things without an order is not: installers skip such a requirement, too.
        """
        from packaging.markers import UndefinedComparison, UndefinedEnvironmentName  # noqa: PLC0415 (read already)

        try:
            return marker.evaluate({**self.environment, "extra": extra})
        except (UndefinedComparison, UndefinedEnvironmentName, RecursionError, ValueError):
            return False

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
@lru_cache(maxsize=256)
def _parsed(tags: str) -> tuple[str, ...]:
    return tuple(map(str, parse_tag(tags)))


_specifier = lru_cache(maxsize=256)(SpecifierSet)
