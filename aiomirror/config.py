"""What a run is told: the command line's options as one frozen value, every problem listed at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from aiomirror.errors import ConfigError
from aiomirror.plan import FetchPolicy
from aiomirror.requirements.values import FormatControl, LineError
from aiomirror.selection import Policy

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from aiomirror.requirements.values import FileOptions, FormatRule

JOBS = range(1, 65)
"""Simultaneous transfers; more than 64 is a load, not a mirror."""
MAX_DIGITS = 30
"""Of a number of bytes; what has more is a slip, and would become infinite at some point."""
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True, slots=True)
class Config:
    """One run's settings; each limit has its unit in its name or beside it."""

    index_url: str
    dest: Path
    policy: Policy = Policy()
    fetch: FetchPolicy = FetchPolicy()
    jobs: int = 32
    timeout: float = 30.0
    """Seconds: to connect, and of silence on a transfer."""
    min_rate: int = 1000
    """Bytes a second, over ``timeout`` seconds; 0: none."""
    retries: int = 5
    keep_going: bool = False
    dry_run: bool = False

    @classmethod
    def build(cls, args: Namespace, options: FileOptions) -> Config:
        """From the command line, which outweighs what requirement files say of the same thing.

        Raises:
            ConfigError: naming everything that is wrong.
        """
        problems: list[str] = []
        index_url = _checked_url(args.index_url or options.index_url or default_index(), problems)
        formats = _formats(args.format_rules, options, problems)
        if args.jobs not in JOBS:
            problems.append(f"--jobs takes {JOBS.start} to {JOBS.stop - 1}, not {args.jobs}")
        problems += [
            f"--{name.replace('_', '-')} cannot be {getattr(args, name)}"
            for name, least in (("timeout", 0.001), ("min_rate", 0), ("retries", 0), ("latest", 1))
            # NaN is less than nothing and not at least anything; no limit is infinite.
            if (value := getattr(args, name)) is not None and not least <= value < math.inf
        ]
        if problems:
            raise ConfigError(*problems)
        return cls(
            index_url=index_url,
            dest=args.dest,
            policy=Policy(
                prereleases=args.pre or options.pre,
                latest=None if args.all_versions else args.latest or 1,
                formats=formats,
                max_file_size=args.max_file_size,
                legacy_formats=args.legacy_formats,
            ),
            fetch=FetchPolicy(
                max_file_size=args.max_file_size,
                require_hashes=args.require_hashes or options.require_hashes,
                allow_unhashed=args.allow_unhashed,
            ),
            jobs=args.jobs,
            timeout=args.timeout,
            min_rate=args.min_rate,
            retries=args.retries,
            keep_going=args.keep_going,
            dry_run=args.dry_run,
        )


def default_index() -> str:
    """The address of the Python Package Index, from the one library that has it for us."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415 (costs a third of a second, and rarely needed)

    return PYPI_SIMPLE_ENDPOINT


def _checked_url(url: str, problems: list[str]) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            problems.append("the index must be an http or https URL, such as https://index.example/simple/")
        _ = parts.port
    except ValueError:  # whose text may quote what was a password
        problems.append("the index URL cannot be read; a password in it has to be percent-encoded")
    return url


def _formats(rules: Sequence[FormatRule], options: FileOptions, problems: list[str]) -> FormatControl:
    """What the files say, then what the command line says; there the two exclude each other."""
    named: dict[str, set[str]] = {"only_binary": set(), "no_binary": set()}
    formats = options.formats()
    for kind, value in rules:
        named[kind].update(canonicalize_name(part.strip()) for part in value.split(","))
        try:
            formats = formats.then((kind, value))
        except LineError as error:
            problems.append(str(error))
    if both := sorted(named["only_binary"] & named["no_binary"]):
        problems.append(f"wheels only and source archives only exclude each other ({', '.join(both)})")
    return formats


def byte_count(text: str) -> int:
    """A number of bytes as people write it: "500", "500k", "1.5 GB", "20MiB".

    Raises:
        ValueError: it is nothing of the kind.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", text, re.IGNORECASE)
    if found is None or found[2].lower() not in UNITS or len(found[1]) > MAX_DIGITS:
        raise ValueError(f"{text!r} is no number of bytes; 500000, 500k, 1.5GB and 20MiB are")
    return int(float(found[1]) * UNITS[found[2].lower()])
