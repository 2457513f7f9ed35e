"""Everything that a run was told → one ``Config``, and what it is asked for.

Of several sources that say the same thing, one counts: the command line, then the environment, then the
configuration file, then the option lines of requirements files, then the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiomirror.config.kinds import checked_url
from aiomirror.config.layers import Layer
from aiomirror.config.settings import DEFAULTS
from aiomirror.config.values import Config, ProjectRules
from aiomirror.errors import ConfigError
from aiomirror.plan import FetchPolicy
from aiomirror.pruning import PrunePolicy, Withdrawal, Withdrawn
from aiomirror.requirements.values import NotMirrored, Parsed, Wanted
from aiomirror.selection import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import FileOptions, FormatControl

_PLAIN = ("jobs", "per-host", "limit-rate", "timeout", "min-rate", "retries", "keep-going", "dry-run")
"""The settings that are fields of :class:`Config` as they are."""
_REQUIREMENTS = ("requirements", "requirement-files")


@dataclass(frozen=True, slots=True)
class Told:
    """All that a run was told by those who started it."""

    layers: tuple[Layer, ...]
    """The strongest first."""
    projects: Mapping[NormalizedName, ProjectRules] = field(default_factory=dict)
    file: str = ""
    """The path of the configuration file; "" if there is none."""

    def get(self, key: str) -> Any:  # noqa: ANN401 (each setting has its own type)
        """What the strongest source says; None when none says anything."""
        return next((one.get(key) for one in self.layers if key in one), None)

    @property
    def dest(self) -> Path:
        """The mirror's folder."""
        return Path(self.get("dest") or DEFAULTS.dest)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is asked for: the requirements of the strongest source that has any; likewise the constraints."""

    arguments: tuple[str, ...] = ()
    """Requirements of the command line, as written."""
    files: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    not_mirrored: tuple[NotMirrored, ...] = ()
    constraint_files: tuple[str, ...] = ()
    constraints: tuple[Wanted, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.arguments or self.files or self.wanted or self.not_mirrored)


def inputs(told: Told) -> Inputs:
    """What the run is asked for."""
    command_line, *_ = told.layers
    knowing = _knowing(told)
    source = _first(told, *_REQUIREMENTS)
    if source is command_line:
        asked = Inputs(command_line.get("requirements") or (), command_line.get("requirement-files") or ())
    else:
        wanted, elsewhere, files = _named(source, "requirements")
        asked = Inputs((), (*files, *(source.get("requirement-files") or ())), wanted, elsewhere)
    source = _first(told, "constraints", "constraint-files")
    wanted, elsewhere, files = _named(source, "constraints")
    return replace(
        asked,
        constraint_files=(*files, *(source.get("constraint-files") or ())),
        constraints=wanted,
        extras=knowing.get("extras") or (),
        groups=knowing.get("groups") or (),
        warnings=tuple(
            f"{one.origin}: the constraint {one.text!r} is not followed: {one.why}" for one in elsewhere
        ),
    )


def _knowing(told: Told) -> Told:
    """The sources that know the requirements: the one that has them, and the stronger ones."""
    for count, one in enumerate(told.layers, start=1):
        if any(key in one for key in _REQUIREMENTS):
            return replace(told, layers=told.layers[:count])
    return told


def _first(told: Told, *keys: str) -> Layer:
    return next((one for one in told.layers if any(key in one for key in keys)), Layer())


def _named(source: Layer, key: str) -> tuple[tuple[Wanted, ...], tuple[NotMirrored, ...], tuple[str, ...]]:
    """The requirements that a source names, with their origin, and the paths of files among them."""
    if key not in source:
        return (), (), ()
    found = source.given[key]
    placed = [one if isinstance(one, str) else replace(one, origin=found.origin) for one in found.value]
    return (
        tuple(one for one in placed if isinstance(one, Wanted)),
        tuple(one for one in placed if isinstance(one, NotMirrored)),
        tuple(one for one in placed if isinstance(one, str)),
    )


def requested(asked: Inputs, read: Parsed, told: Told) -> Parsed:
    """What was ``read`` of files and the command line, with what is ``asked`` otherwise and the rules."""
    wanted = (*asked.wanted, *read.wanted)
    rules = told.projects
    return replace(
        read,
        wanted=tuple(one for one in wanted if not _is_excluded(one, told)),
        constraints=(
            *asked.constraints,
            *read.constraints,
            *(
                Wanted(name, rule.versions, origin=told.file, text=f"{name}{rule.versions}")
                for name, rule in rules.items()
                if rule.versions is not None
            ),
        ),
        not_mirrored=(
            *asked.not_mirrored,
            *read.not_mirrored,
            *(
                NotMirrored(one.text, one.origin, f"{told.file} excludes {one.project}")
                for one in wanted
                if _is_excluded(one, told)
            ),
        ),
        warnings=(*asked.warnings, *read.warnings),
    )


def _is_excluded(want: Wanted, told: Told) -> bool:
    return told.projects.get(want.project, ProjectRules()).exclude


def build(told: Told, options: FileOptions) -> Config:
    """The settings of a run, ``options`` being what the requirements files say.

    Raises:
        ConfigError: the index that a requirements file names cannot be one.
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
        ),
        fetch=FetchPolicy(
            max_file_size=max_file_size,
            require_hashes=options.require_hashes if require_hashes is None else require_hashes,
            allow_unhashed=bool(told.get("allow-unhashed")),
            accept_changed=bool(told.get("accept-changed")),
        ),
        pruning=pruning(told),
        withdrawn=_withdrawn(told),
        projects=told.projects,
        **{key.replace("-", "_"): value for key in _PLAIN if (value := told.get(key)) is not None},
    )


def pruning(told: Told) -> PrunePolicy:
    """Whether a run of sync removes what nothing wants, and how much of it.

    A file that says so means its own requirements: ``aiomirror sync six`` is not to remove all but six.
    """
    policy = PrunePolicy(enabled=bool(_knowing(told).get("prune")))
    if (grace := told.get("grace")) is not None:
        policy = replace(policy, grace=grace)
    if (limit := told.get("max-delete")) is not None:
        share, files = limit
        policy = replace(policy, max_delete_share=share, max_delete_files=files)
    return policy


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


def default_index() -> str:
    """The address of the Python Package Index, from the one library that has it for us."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415 (costs a third of a second, and rarely needed)

    return PYPI_SIMPLE_ENDPOINT
