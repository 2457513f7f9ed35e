"""Where a run is told things: the command line, the environment, and a file that is named or found."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aiomirror.config import DEFAULTS, Document, Told, of_arguments, of_environment, read_document
from aiomirror.errors import ConfigError
from aiomirror.requirements.values import masked

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from aiomirror.config import Layer

FILE = "aiomirror.toml"


class Sources(msgspec.Struct, frozen=True):
    """What was told, and what is to be said about that; ``found``: whether nobody named the file."""

    told: Told
    warnings: tuple[str, ...] = ()
    found: bool = False


def collect(args: Namespace, env: Mapping[str, str]) -> Sources:
    """Everything that the run is told.

    Raises:
        ConfigError: with all that is wrong in all places.
    """
    problems: list[str] = []
    warnings: list[str] = []
    stated = (of_arguments(args, problems), of_environment(env, problems, warnings))
    path = _named(stated)
    found = path is None
    path = _found(stated) if path is None else path
    document = _document(path, problems) if path else Document()
    if problems:
        raise ConfigError(*problems)
    told = Told((*stated, document.layer), document.projects, path, document.machines)
    if path and _is_served(path, told) and any(map(_has_credentials, _addresses(document.layer))):
        warnings.append(f"{path}: whoever is served the mirror can read the credentials in it")
    return Sources(told, tuple(warnings), found and bool(path))


def _named(stated: Sequence[Layer]) -> str | None:
    """The file that is named; "" when none is to be read, None when nothing was said."""
    for one in stated:
        if (path := one.get("config")) is not None:
            return str(path)
        if one.get("no-config"):
            return ""
    return None


def _found(stated: Sequence[Layer]) -> str:
    """The file of the mirror that is named, else that of the current folder, else that of ./simple; or ""."""
    dest = next((Path(one.get("dest")) for one in stated if "dest" in one), None)
    folders = (Path(), DEFAULTS.dest) if dest is None else (dest, Path())
    for path in (folder / FILE for folder in folders):
        with contextlib.suppress(OSError):
            if path.is_file():
                return str(path)
    return ""


def _is_served(path: str, told: Told) -> bool:
    """Whether the file lies in the mirror's folder, which is the root of a web server."""
    with contextlib.suppress(OSError):
        return Path(path).parent.samefile(told.dest)
    return False


def _addresses(layer: Layer) -> list[str]:
    return [layer.get(key) or "" for key in ("index-url", "proxy")]


def _has_credentials(address: str) -> bool:
    return masked(address) != address


def _document(path: str, problems: list[str]) -> Document:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        problems.append(f"{path}: cannot read it: {error.strerror}")
        return Document()
    return read_document(data, path, problems)
