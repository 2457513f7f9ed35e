"""What a run is told, as frozen values: each limit has its unit in its name or beside it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
from msgspec.structs import asdict, replace

from aiomirror.discreet import Discreet
from aiomirror.plan import FetchPolicy
from aiomirror.pruning import PrunePolicy, Withdrawn
from aiomirror.selection import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import FormatControl


NO_PRUNING, AS_USUAL = PrunePolicy(), Withdrawn()


class ProjectRules(msgspec.Struct, frozen=True):
    """What a ``[project.NAME]`` table says of one project; None: nothing, so the run's setting holds."""

    latest: int | None = None
    """The newest N matching versions."""
    all_versions: bool | None = None
    pre: bool | None = None
    only_binary: bool | None = None
    no_binary: bool | None = None
    max_file_size: int | None = None
    """In bytes."""
    exclude_newer: datetime | timedelta | Literal[False] | None = None
    """False: no cut-off.  An age is a point in time once :func:`aiomirror.config.build` has seen it."""
    versions: SpecifierSet | None = None
    """A constraint beside those that were given otherwise."""
    exclude: bool = False
    """Never mirrored, whoever asks for it."""

    def policy(self, run: Policy, project: NormalizedName) -> Policy:
        """The policy of the project, ``run`` being that of all others."""
        return replace(
            run,
            prereleases=run.prereleases if self.pre is None else self.pre,
            latest=self._latest(run.latest),
            formats=self._formats(run.formats, project),
            max_file_size=run.max_file_size if self.max_file_size is None else self.max_file_size,
            exclude_newer=self._cutoff(run.exclude_newer),
        )

    def _cutoff(self, run: datetime | None) -> datetime | None:
        if self.exclude_newer is None:
            return run
        return self.exclude_newer if isinstance(self.exclude_newer, datetime) else None

    def _latest(self, run: int | None) -> int | None:
        if self.all_versions:
            return None
        if self.latest is None and self.all_versions is None:
            return run
        return self.latest or run or 1

    def _formats(self, run: FormatControl, project: NormalizedName) -> FormatControl:
        if self.only_binary:
            return run.then(("only_binary", project))
        if self.no_binary:
            return run.then(("no_binary", project))
        wheels = run.wheels(project) or self.no_binary is False
        sources = run.sources(project) or self.only_binary is False
        if wheels and sources:  # named on both sides, a project has both, whatever :all: says
            return replace(run, no_binary=run.no_binary | {project}, only_binary=run.only_binary | {project})
        return run


class Following(msgspec.Struct, frozen=True):
    """How far what is named draws in what it requires."""

    enabled: bool = True
    max_depth: int | None = None
    """What is named is at depth 0; what is deeper is not followed.  None: no bound."""
    all_matching: bool = False
    """Every version that a requirement admits, with what each requires, and not one for each target."""
    build: bool = False
    """Also what the source archives need to be built, all the way down, whatever else is said here."""


class Connection(Discreet, frozen=True):
    """On what terms hosts are talked to, by the names that the HTTP client has for it."""

    hidden: ClassVar = frozenset({"proxy", "tokens"})

    proxy: str | None = None
    """What everything goes through; "": nothing does; None: as the environment says."""
    cert: Path | None = None
    """Authorities in PEM form, to be believed in place of the system's."""
    client_cert: Path | None = None
    """A certificate and its key in PEM form."""
    trusted_hosts: tuple[str, ...] = ()
    """``host`` or ``host:port``: certificates are not looked at there."""
    tokens: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Bearer tokens by origin or host."""
    keyring: bool = False

    def fields(self) -> dict[str, Any]:
        """Name → value, to be handed on as keyword arguments."""
        return asdict(self)


JOBS_AT_FIRST = 16
FOLLOWED, PLAIN = Following(), Connection()


class Config(Discreet, frozen=True):
    """One run's settings."""

    hidden: ClassVar = frozenset({"index_url"})

    index_url: str
    dest: Path
    policy: Policy = Policy()
    fetch: FetchPolicy = FetchPolicy()
    pruning: PrunePolicy = NO_PRUNING
    withdrawn: Withdrawn = AS_USUAL
    following: Following = FOLLOWED
    connection: Connection = PLAIN
    lock_output: str | None = None
    """Where a lock file of what was resolved goes."""
    jobs: int = 64
    jobs_at_first: int | None = JOBS_AT_FIRST
    """Of these, until it is known how far away upstream is; None: all."""
    per_host: int = 64
    """Simultaneous connections to one host."""
    processes: int = 4
    """That fetch, at the most and where there are so many processors; four fill ten gigabits a second."""
    limit_rate: int = 0
    """Bytes a second, all transfers together; 0: no limit."""
    timeout: float = 30.0
    """Seconds: to connect, and of silence on a transfer."""
    min_rate: int = 1000
    """Bytes a second, over ``timeout`` seconds; 0: none."""
    retries: int = 5
    keep_going: bool = False
    dry_run: bool = False
    projects: Mapping[NormalizedName, ProjectRules] = msgspec.field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Whether what is mirrored follows from more than the page of what is named."""
        return self.following.enabled or self.following.build or bool(self.policy.targets)

    def policy_for(self, project: NormalizedName) -> Policy:
        """What holds for the project: the run's policy, and what its own rules change of it."""
        rules = self.projects.get(project)
        return self.policy if rules is None else rules.policy(self.policy, project)
