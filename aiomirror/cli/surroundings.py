"""What a run takes from the machine it is on: the time, the interpreter, and secrets."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.tags import sys_tags

from aiomirror.config import build
from aiomirror.targets import Target, current_target

if TYPE_CHECKING:
    from aiomirror.config import Config, Told
    from aiomirror.requirements.values import FileOptions


def settled(told: Told, options: FileOptions) -> Config:
    """The settings of a run that begins now, on this machine.

    Raises:
        ConfigError: with what cannot be done.
    """
    from aiomirror.http import tokens  # noqa: PLC0415 (aiohttp takes its time, and --help needs none of it)

    config = build(told, options, now=datetime.now(UTC), current=this_machine)
    found = tokens(os.environ, config.index_url)
    return replace(config, connection=replace(config.connection, tokens=found))


def this_machine() -> Target:
    """The target that ``current`` stands for."""
    environment = {name: str(value) for name, value in default_environment().items()}
    return current_target(environment, list(sys_tags()))
