"""Everything that a run was told → one ``Config``.

Of several sources that say the same thing, one counts: the command line, then the environment, then the
configuration file, then the option lines of requirements files, then the defaults.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from aiomirror.config.kinds import checked_url
from aiomirror.config.machines import targets
from aiomirror.config.settings import ALL_MATCHING
from aiomirror.config.times import cutoff
from aiomirror.config.upstream import default_index
from aiomirror.config.values import JOBS_AT_FIRST, Config, Connection, Following
from aiomirror.errors import ConfigError
from aiomirror.plan import FetchPolicy
from aiomirror.pruning import PrunePolicy, Withdrawal, Withdrawn
from aiomirror.selection import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiomirror.config.told import Told
    from aiomirror.config.values import ProjectRules
    from aiomirror.requirements.values import FileOptions, FormatControl
    from aiomirror.targets import Target

_PLAIN = (
    "jobs",
    "per-host",
    "processes",
    "limit-rate",
    "timeout",
    "min-rate",
    "retries",
    "keep-going",
    "dry-run",
    "lock-output",
)
"""The settings that are fields of :class:`Config` as they are."""


def build(told: Told, options: FileOptions, *, now: datetime, current: Callable[[], Target]) -> Config:
    """The settings of a run, ``options`` being what the requirements files say.

    ``now`` is when it starts, with a time zone; ``current`` tells what runs this program, and is asked only
    if somebody named that.  Tokens are not among what is told: ``connection`` has none yet.

    Raises:
        ConfigError: the index that a requirements file names cannot be one; targets that cannot be, or that
            are missing.
    """
    max_file_size = told.get("max-file-size")
    pre, require_hashes = told.get("pre"), told.get("require-hashes")
    return Config(
        index_url=told.get("index-url") or _index_of(options) or default_index(),
        dest=told.dest,
        policy=Policy(
            prereleases=options.pre if pre is None else pre,
            latest=_latest(told),
            formats=_formats(told, options),
            max_file_size=max_file_size,
            legacy_formats=bool(told.get("legacy-formats")),
            exclude_newer=_cutoff(told.get("exclude-newer"), now) or None,
            targets=targets(told, current),
            best_wheel=bool(told.get("best-wheel")),
            sdists=bool(told.get("with-sdists")),
        ),
        fetch=FetchPolicy(
            max_file_size=max_file_size,
            require_hashes=options.require_hashes if require_hashes is None else require_hashes,
            allow_unhashed=bool(told.get("allow-unhashed")),
            accept_changed=bool(told.get("accept-changed")),
        ),
        pruning=pruning(told),
        withdrawn=_withdrawn(told),
        following=_following(told),
        connection=_connection(told),
        jobs_at_first=JOBS_AT_FIRST if told.get("jobs") is None else None,
        projects={name: _dated(rules, now) for name, rules in told.projects.items()},
        **{key.replace("-", "_"): value for key in _PLAIN if (value := told.get(key)) is not None},
    )


def pruning(told: Told) -> PrunePolicy:
    """Whether a run of sync removes what nothing wants, and how much of it.

    A file that says so means its own requirements: ``aiomirror sync six`` is not to remove all but six.
    """
    policy = PrunePolicy(enabled=bool(told.knowing.get("prune")))
    if (grace := told.get("grace")) is not None:
        policy = replace(policy, grace=grace)
    if (limit := told.get("max-delete")) is not None:
        share, files = limit
        policy = replace(policy, max_delete_share=share, max_delete_files=files)
    return policy


def _following(told: Told) -> Following:
    """How dependencies are followed: what the strongest source says that says how deep, or not at all."""
    depth = told.get("max-depth")
    return Following(
        enabled=not told.first("no-deps", "max-depth").get("no-deps") and depth != 0,
        max_depth=depth,
        all_matching=told.get("closure") == ALL_MATCHING,
        build=bool(told.get("build-deps")),
    )


def _connection(told: Told) -> Connection:
    cert, client_cert = told.get("cert"), told.get("client-cert")
    return Connection(
        proxy=told.get("proxy"),
        cert=None if cert is None else Path(cert),
        client_cert=None if client_cert is None else Path(client_cert),
        trusted_hosts=told.get("trusted-hosts") or (),
        keyring=bool(told.get("keyring")),
    )


def _dated(rules: ProjectRules, now: datetime) -> ProjectRules:
    return replace(rules, exclude_newer=_cutoff(rules.exclude_newer, now))


def _cutoff(
    when: datetime | timedelta | Literal[False] | None, now: datetime
) -> datetime | Literal[False] | None:
    """The point in time that ``when`` is; what is none stays as it is."""
    return cutoff(when, now) if isinstance(when, timedelta) else when


def _withdrawn(told: Told) -> Withdrawn:
    usual = Withdrawn()
    return Withdrawn(
        deleted=Withdrawal(told.get("deleted") or usual.deleted),
        quarantined=Withdrawal(told.get("quarantined") or usual.quarantined),
    )


def _latest(told: Told) -> int | None:
    """How many of the newest versions: what the strongest source says that says either; None: all."""
    every = True
    for one in told.layers:
        if one.get("latest") is not None:
            return int(one.get("latest"))
        if every and one.get("all-versions"):
            return None
        every = every and one.get("all-versions") is None  # said to be off: a weaker source is not heard
    return 1


def _formats(told: Told, options: FileOptions) -> FormatControl:
    """What the weakest source says first, for a later rule takes names back from the earlier ones."""
    formats = options.formats()
    for one in reversed(told.layers):
        for rule in one.formats:
            formats = formats.then(rule)
    return formats


def _index_of(options: FileOptions) -> str | None:
    if options.index_url is None:
        return None
    try:
        return checked_url(options.index_url)
    except ValueError as error:
        raise ConfigError(str(error)) from None
