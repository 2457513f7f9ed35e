"""What is asked for, with the files that it is read from."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiomirror.config import overriding
from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements import gather, is_file_argument
from aiomirror.requirements.values import Parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aiomirror.config import Inputs
    from aiomirror.targets import Target

ARCHIVES = (".whl", ".gz", ".zip", ".bz2", ".xz", ".tar", ".tgz")
"""What the path of a distribution ends with, which is no requirements file."""


def read(asked: Inputs, env: Mapping[str, str], targets: Iterable[Target] = ()) -> Parsed:
    """What the arguments and all the files say; lock files only what the targets need, if there are any.

    Raises:
        RequirementError: a text that is no requirement, a file that cannot be read.
        RequirementErrors: several of them.
    """
    specs, files = _split(asked.arguments)
    problems: list[RequirementError] = []
    parsed = _kept(
        lambda: gather(
            specs,
            [*files, *asked.files],
            asked.constraint_files,
            _bytes,
            env,
            extras=asked.extras,
            groups=asked.groups,
            environments={one.name: one.environment for one in targets},
        ),
        problems,
    )
    overrides = _kept(lambda: gather([], asked.override_files, [], _bytes, env), problems)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise RequirementErrors(*problems)
    return overriding(parsed, overrides)


def _kept(gathered: Callable[[], Parsed], problems: list[RequirementError]) -> Parsed:
    """What was gathered; what is wrong goes to ``problems``."""
    try:
        return gathered()
    except RequirementError as error:
        problems.append(error)
    except RequirementErrors as errors:
        problems += errors.problems
    return Parsed()


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Requirements, and the requirements files that stand in their place."""
    files = [argument for argument in arguments if is_file_argument(argument) or _is_file(argument)]
    return [argument for argument in arguments if argument not in files], files


def _is_file(argument: str) -> bool:
    """Whether it is the path of a file that is there; a bare word is always a project's name."""
    if os.sep not in argument or argument.endswith(ARCHIVES):
        return False
    with contextlib.suppress(OSError, ValueError):  # a name no file can have is a requirement, good or bad
        return Path(argument).is_file()
    return False


def _bytes(path: str) -> bytes:
    """The bytes of a requirements file, or of standard input for ``-``."""
    if path != "-":
        return Path(path).read_bytes()
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()
