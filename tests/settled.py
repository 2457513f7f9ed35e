"""Settings as of a fixed point in time, on a machine that nobody asks about unless a test hands in one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiomirror.config import build
from aiomirror.requirements.values import FileOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomirror.config import Config, Told
    from aiomirror.targets import Target

NOW = datetime(2026, 4, 10, 12, 30, 15, tzinfo=UTC)


def nobody() -> Target:
    raise AssertionError("the machine was asked about, and nobody had named it")


def settled(
    told: Told, options: FileOptions | None = None, *, current: Callable[[], Target] = nobody
) -> Config:
    return build(told, options or FileOptions(), now=NOW, current=current)
