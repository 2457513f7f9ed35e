"""Targets from spellings: the product of Pythons and platforms."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from aiomirror.targets.platforms import PLATFORM_VARIABLES, Platform, parse_platform
from aiomirror.targets.pythons import parse_python
from aiomirror.targets.values import Target, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.tags import Tag

    from aiomirror.targets.pythons import Python

CURRENT = "current"
"""The spelling, for Pythons and platforms alike, of what runs this program."""
DEFAULT_PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
"""The releases of CPython in support in November 2026; 3.10 reached its end of life in October 2026."""
DEFAULT_PLATFORMS = ("linux", "aarch64-unknown-linux-gnu", "macos", "windows")
"""What the four names mean to uv: glibc 2.28, the base of most wheels for Linux, and macOS 13 on Arm.

Older systems take less than newer ones, so what is mirrored for these fits newer systems as well.
"""

_Part = TypeVar("_Part")


def default_matrix() -> tuple[Target, ...]:
    """The supported releases of CPython on Linux (x86-64 and Arm), macOS (Arm) and Windows (x86-64)."""
    return parse_targets(DEFAULT_PYTHONS, DEFAULT_PLATFORMS)


def parse_targets(
    pythons: Sequence[str], platforms: Sequence[str], *, current: Target | None = None
) -> tuple[Target, ...]:
    """Each Python on each platform, Pythons first, in the order given, doubles left out.

    Where one side is empty the defaults take its place.  ``current`` is what that spelling stands for on
    either side; without it the spelling is an error like others.  TargetError with every misspelling.
    """
    problems: list[str] = []
    parts = (
        _parse(pythons or DEFAULT_PYTHONS, partial(_python, current=current), problems),
        _parse(platforms or DEFAULT_PLATFORMS, partial(_platform, current=current), problems),
    )
    if problems:
        raise TargetError(*problems)
    targets = (_target(python, platform, current) for python in parts[0] for platform in parts[1])
    return tuple({target.name: target for target in targets}.values())


def current_target(environment: Mapping[str, str], tags: Sequence[Tag]) -> Target:
    """What a machine says of itself: marker variables but "extra", and tags, one at least, best first."""
    full_version = environment["python_full_version"]
    if full_version.endswith("+"):  # a build between releases; no version of PEP 440 unless mended
        full_version += "local"
    major, minor = environment["python_version"].split(".")
    return Target(
        name=CURRENT,
        implementation=environment["implementation_name"],
        python_version=(int(major), int(minor)),
        python_full_version=full_version,
        platform=_best_platform(tags),
        environment=MappingProxyType({**environment, "python_full_version": full_version}),
        fitting=tuple(dict.fromkeys(map(str, tags))),
    )


def _parse(texts: Sequence[str], parse: Callable[[str], _Part], problems: list[str]) -> list[_Part]:
    """What the texts mean; what is wrong with the others is added to ``problems``."""
    parts = []
    for text in texts:
        try:
            parts.append(parse(text))
        except TargetError as error:
            problems += error.problems
    return parts


def _python(text: str, current: Target | None) -> Python:
    return _python_of(_known(current, text)) if _is_current(text) else parse_python(text)


def _platform(text: str, current: Target | None) -> Platform:
    return _platform_of(_known(current, text)) if _is_current(text) else parse_platform(text)


def _is_current(text: str) -> bool:
    return text.strip().lower() == CURRENT


def _known(current: Target | None, text: str) -> Target:
    if current is None:
        raise TargetError(f"{text!r} stands for nothing here")
    return current


def _python_of(target: Target) -> Python:
    """The Python of a target, fit to be put on other platforms; TargetError if it is neither of the two."""
    release = target.python_full_version.partition("+")[0]
    _, abi, _ = target.fitting[0].split("-")
    flags = re.sub(r"^cp[0-9]+", "", abi) if target.implementation == "cpython" else ""
    return parse_python(f"{target.implementation}{release}{'t' * ('t' in flags)}")


def _platform_of(target: Target) -> Platform:
    """The platform of a target, fit to be put under other Pythons."""
    return Platform(
        name=CURRENT,
        tag=target.platform,
        tags=tuple(dict.fromkeys(tag.platform for tag in target.tags if tag.platform != "any")),
        environment={name: target.environment[name] for name in PLATFORM_VARIABLES},
    )


def _best_platform(tags: Sequence[Tag]) -> str:
    """The first platform that wheels of an index are built for, or else the first of all."""
    platforms = [tag.platform for tag in tags]
    return next((platform for platform in platforms if not platform.startswith("linux_")), platforms[0])


@lru_cache(maxsize=256)  # a run asks for the same targets more than once, and each has 500 tags
def _target(python: Python, platform: Platform, current: Target | None) -> Target:
    if current and platform.name == CURRENT and python == _python_of(current):
        return current  # what the machine says of itself goes before what follows from spellings
    return Target(
        name=f"{python.name}-{platform.name}",
        implementation=python.implementation,
        python_version=(3, python.minor),
        python_full_version=python.full_version,
        platform=platform.tag,
        environment=MappingProxyType(python.environment | dict(platform.environment)),
        fitting=tuple(dict.fromkeys(python.tags(platform.tags))),
    )
