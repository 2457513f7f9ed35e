"""What is asked for, with the files that it is read from."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiomirror.config import overriding
from aiomirror.errors import ConfigError, RequirementError, RequirementErrors
from aiomirror.requirements import gather, is_file_argument, origin_of
from aiomirror.requirements.values import Parsed, brief
from aiomirror.targets import default_matrix
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aiomirror.config import Config, Inputs
    from aiomirror.requirements.values import Wanted
    from aiomirror.targets import Target

ARCHIVES = (".whl", ".gz", ".zip", ".bz2", ".xz", ".tar", ".tgz")
"""What the path of a distribution ends with, which is no requirements file."""


def read(asked: Inputs, env: Mapping[str, str], targets: Iterable[Target] = ()) -> Parsed:
    """What the arguments and all the files say; lock files only what the targets need, if there are any.

    Raises:
        RequirementError: a text that is no requirement, a file that cannot be read.
        RequirementErrors: several of them.
        ConfigError: nothing is asked for, which is hardly what anybody wants mirrored, or left by a prune.
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
    if not asked.wanted and not parsed.wanted:
        raise ConfigError(f"nothing to mirror: {_nothing(asked, parsed, [*files, *asked.files])}")
    return overriding(parsed, overrides)


def _nothing(asked: Inputs, parsed: Parsed, files: Sequence[str]) -> str:
    """Why nothing is asked for."""
    if elsewhere := [str(one) for one in (*asked.not_mirrored, *parsed.not_mirrored)]:
        return abridged(elsewhere, 1)
    return f"there is no requirement in {abridged([brief(origin_of(file)) for file in dict.fromkeys(files)])}"


def needless(wanted: Iterable[Wanted], config: Config) -> list[str]:
    """A warning, if there are requirements whose markers are true on no target of the run."""
    if not config.following.enabled and not config.policy.targets:
        return []  # markers are not looked at
    marked = [(one.text, one.marker) for one in wanted if one.marker is not None and not one.files]
    targets = (config.policy.targets or default_matrix()) if marked else ()
    texts = [text for text, marker in marked if not any(one.holds(marker) for one in targets)]
    if not texts:
        return []
    what = "a requirement is" if len(texts) == 1 else f"{len(texts)} requirements are"
    return [f"{what} for none of the targets, by the marker: {abridged([repr(brief(one)) for one in texts])}"]


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
