"""The machines that a run is told to mirror for → targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.errors import ConfigError
from aiomirror.targets import TargetError, parse_targets
from aiomirror.targets.matrix import CURRENT
from aiomirror.targets.platforms import parse_platform
from aiomirror.targets.pythons import parse_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiomirror.config.told import Told
    from aiomirror.targets import Target

SPELT = ("python-versions", "platforms")
NARROWED = ("best-wheel", "with-sdists")
"""The settings that say something of each target."""


class Machine(msgspec.Struct, frozen=True):
    """What a ``[[target]]`` table says: one Python on one platform, both of them spelt right."""

    python: str
    platform: str
    name: str = ""
    """What reports are to call it; "": as the target calls itself."""
    origin: str = ""

    @property
    def label(self) -> str:
        """What tells it from others."""
        python = CURRENT if is_current(self.python) else parse_python(self.python).name
        platform = CURRENT if is_current(self.platform) else parse_platform(self.platform).name
        return self.name or f"{python}-{platform}"

    def target(self, current: Target | None) -> Target:
        """The one target that it is; TargetError if ``current`` is of a kind that cannot be spelt."""
        (found,) = parse_targets([self.python], [self.platform], current=current)
        return replace(found, name=self.name) if self.name else found


def is_current(text: str) -> bool:
    """Whether a spelling stands for what runs this program."""
    return text.strip().lower() == CURRENT


def targets(told: Told, current: Callable[[], Target]) -> tuple[Target, ...]:
    """The targets of a run, none where none are named; ``current`` is asked only if it is among them.

    Options and variables replace the tables of the file.

    Raises:
        ConfigError: with everything that they cannot be, and settings that have no meaning without them.
    """
    pythons, platforms = (told.get(key) or () for key in SPELT)
    if pythons or platforms:
        here = _here([*pythons, *platforms], current)
        try:
            return parse_targets(pythons, platforms, current=here)
        except TargetError as error:
            raise ConfigError(*error.problems) from None
    if told.machines:
        return _spelt_out(told.machines, current)
    if aimless := [found.origin for key in NARROWED if (found := told.given(key)) and found.value]:
        raise ConfigError(
            *(
                f"{origin} says something of targets, and none is named: --python-version and --platform do"
                for origin in aimless
            )
        )
    return ()


def _spelt_out(machines: tuple[Machine, ...], current: Callable[[], Target]) -> tuple[Target, ...]:
    here = _here([text for one in machines for text in (one.python, one.platform)], current)
    found: dict[str, Target] = {}
    problems = []
    for one in machines:
        try:
            target = one.target(here)
        except TargetError as error:
            problems += [f"{one.origin}: {problem}" for problem in error.problems]
            continue
        if target.name in found:
            problems.append(f"{one.origin}: two targets are called {target.name}")
        found[target.name] = target
    if problems:
        raise ConfigError(*problems)
    return tuple(found.values())


def _here(texts: Iterable[str], current: Callable[[], Target]) -> Target | None:
    return current() if any(map(is_current, texts)) else None
