"""What a run takes from the machine it is on: the time, the interpreter, and secrets."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace
from packaging.tags import sys_tags

from aiomirror.config import build
from aiomirror.targets import Target, current_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiomirror.config import Config, Told
    from aiomirror.requirements.values import FileOptions


AUTHORITIES = "SSL_CERT_FILE"
"""OpenSSL's variable: the file in which the system's certificate authorities are."""


def settled(told: Told, options: FileOptions) -> Config:
    """The settings of a run that begins now, on this machine.

    Raises:
        ConfigError: with what cannot be done.
    """
    with _authorities_unread():
        from aiomirror.http import tokens  # noqa: PLC0415 (aiohttp takes its time, and --help needs none of it)

    config = build(told, options, now=datetime.now(UTC), current=this_machine)
    found = tokens(os.environ, config.index_url)
    return replace(config, connection=replace(config.connection, tokens=found))


def this_machine() -> Target:
    """The target that ``current`` stands for."""
    from packaging.markers import default_environment  # noqa: PLC0415 (seldom needed)

    environment = {name: str(value) for name, value in default_environment().items()}
    return current_target(environment, list(sys_tags()))


@contextmanager
def _authorities_unread() -> Iterator[None]:
    """A while in which the system's authorities are none, to import aiohttp in.

    On import it makes TLS contexts of its own, and reading 140 certificates takes 40 ms.  No request uses
    these: :mod:`aiomirror.http.certificates` makes the contexts that do, where https is spoken at all.
    """
    told = os.environ.get(AUTHORITIES)
    os.environ[AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        del os.environ[AUTHORITIES]
        if told is not None:
            os.environ[AUTHORITIES] = told
