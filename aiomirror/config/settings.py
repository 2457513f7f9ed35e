"""The table of settings, from which options, environment variables and keys of the file all follow.

A setting called ``max-file-size`` is the option ``--max-file-size``, the variable ``AIOMIRROR_MAX_FILE_SIZE``
and the key ``max-file-size`` in ``aiomirror.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aiomirror.config import kinds
from aiomirror.config.kinds import (
    BYTES,
    FLAG,
    GRACE,
    HOSTS,
    LABEL,
    LIMIT,
    LOCK,
    NAMES,
    PATH,
    PATHS,
    PLATFORM,
    PLATFORMS,
    PROXY,
    PYTHON,
    PYTHONS,
    REQUIREMENTS,
    SECONDS,
    SPECIFIER,
    TIMES,
    URL,
    WAIT,
    WHEN,
    WORDS,
    Kind,
)
from aiomirror.config.values import Config
from aiomirror.pruning import DAY, Withdrawal

if TYPE_CHECKING:
    from aiomirror.requirements.values import FormatRule

PREFIX = "AIOMIRROR_"
JOBS = range(1, 65)
"""Simultaneous transfers; more than 64 is a load, not a mirror."""
PROCESSES = range(1, 9)
"""That fetch; of more of them each would have too few of the transfers to be busy."""
WITHDRAWAL = kinds.choice(*Withdrawal)
WITHDRAWAL_SHOWN = f"{{{','.join(Withdrawal)}}}"
ALL_MATCHING = "all-matching"
CLOSURES = ("newest", ALL_MATCHING)
DEFAULTS = Config(index_url="", dest=Path("simple"))


class Setting(msgspec.Struct, frozen=True):
    """One thing that a run can be told."""

    key: str
    """In the file, with dashes; the variable and the option are named after it."""
    kind: Kind
    help: str = ""
    value: str = ""
    """What stands for the value in ``--help``."""
    spelt: tuple[str, ...] = ()
    """On the command line, where ``--key`` is not all."""
    rule: FormatRule | None = None
    """The rule that it adds to wheels and source archives, "" standing for the names given."""
    in_file: bool = True

    @property
    def options(self) -> tuple[str, ...]:
        """The spellings on the command line."""
        return self.spelt or (f"--{self.key}",)

    @property
    def option(self) -> str:
        """The spelling that errors use."""
        full = f"--{self.key}"
        return full if full in self.options else self.options[-1]

    @property
    def name(self) -> str:
        """As an attribute of the parsed command line."""
        return self.key.replace("-", "_")

    @property
    def variable(self) -> str:
        """In the environment."""
        return f"{PREFIX}{self.name.upper()}"


SETTINGS = {
    setting.key: setting
    for setting in (
        Setting(
            "requirements",
            REQUIREMENTS,
            "a PEP 508 requirement, NAME=VERSION as a pin, or the path of a file of them",
            "REQUIREMENT",
            ("requirements",),
        ),
        Setting(
            "requirement-files",
            PATHS,
            "a requirements file, lock file or pyproject.toml; - is standard input; repeatable",
            "FILE",
            ("-r", "--requirement"),
        ),
        Setting("extras", WORDS, "an extra of a pyproject.toml, too; repeatable", "NAME", ("--extra",)),
        Setting(
            "groups", WORDS, "a dependency group of a pyproject.toml, too; repeatable", "NAME", ("--group",)
        ),
        Setting("constraints", REQUIREMENTS, spelt=("constraints",)),
        Setting("constraint-files", PATHS, "a constraints file; repeatable", "FILE", ("-c", "--constraint")),
        Setting(
            "index-url",
            URL,
            "the upstream index (default: the Python Package Index)",
            "URL",
            ("-i", "--index", "--index-url"),
        ),
        Setting(
            "dest",
            PATH,
            "the mirror's folder, which is the index root (default: ./simple)",
            "DIR",
            ("-d", "--dest", "--local-folder"),
        ),
        Setting("no-deps", FLAG, "mirror what is named and nothing that it requires"),
        Setting(
            "max-depth",
            kinds.whole(0),
            "follow dependencies N levels deep (default: to the end; 0: as --no-deps)",
            "N",
        ),
        Setting(
            "closure",
            kinds.choice(*CLOSURES),
            "of each dependency the newest version that fits, or every one that is admitted"
            f" (default: {CLOSURES[0]})",
            f"{{{','.join(CLOSURES)}}}",
        ),
        Setting(
            "build-deps", FLAG, "also what mirrored source archives need to be built, and what that requires"
        ),
        Setting("overrides", REQUIREMENTS, spelt=("overrides",)),
        Setting(
            "override-files",
            PATHS,
            "a file of requirements that count in place of all others of their projects; repeatable",
            "FILE",
            ("--override",),
        ),
        Setting(
            "lock-output",
            LOCK,
            "write a lock file of what was resolved (pylock.toml, pylock.NAME.toml; - is standard output)",
            "FILE",
        ),
        Setting(
            "python-versions",
            PYTHONS,
            "mirror what fits this Python (3.12, cp313t, pypy3.10, current); repeatable",
            "VERSION",
            ("--python-version",),
        ),
        Setting(
            "platforms",
            PLATFORMS,
            "mirror what fits this platform (linux, macos, windows, a wheel's tag, current); repeatable",
            "PLATFORM",
            ("--platform",),
        ),
        Setting("best-wheel", FLAG, "for each target only the wheel that an installer would choose"),
        Setting("with-sdists", FLAG, "source archives, too, where a wheel fits every target"),
        Setting(
            "exclude-newer",
            WHEN,
            "leave out what was uploaded later (2026-03-31, 2026-03-31T12:00:00Z, or 7d for an age; false:"
            " nothing)",
            "WHEN",
            ("--exclude-newer", "--uploaded-prior-to"),
        ),
        Setting("all-versions", FLAG, "every version that matches"),
        Setting("latest", kinds.whole(1), "the newest N versions that match (default: 1)", "N"),
        Setting(
            "pre",
            FLAG,
            "pre-releases count as newest, too",
            spelt=("--pre", "--include-prereleases"),
        ),
        Setting(
            "only-binary",
            NAMES,
            "wheels only, for :all: or the projects named (comma-separated)",
            "NAMES",
            rule=("only_binary", ""),
        ),
        Setting(
            "no-binary",
            NAMES,
            "source archives only, for :all: or the projects named",
            "NAMES",
            rule=("no_binary", ""),
        ),
        Setting("binary-only", FLAG, "--only-binary :all:", rule=("only_binary", ":all:")),
        Setting("source-only", FLAG, "--no-binary :all:", rule=("no_binary", ":all:")),
        Setting("legacy-formats", FLAG, "eggs and installers (.exe, .msi, …), too"),
        Setting("max-file-size", BYTES, "leave larger files out (500MB, 2GiB)", "BYTES"),
        Setting("require-hashes", FLAG, "refuse files of which upstream lists no digest"),
        Setting("allow-unhashed", FLAG, "take such files over plain http, too (https: always taken)"),
        Setting(
            "jobs",
            kinds.whole(JOBS.start, JOBS.stop - 1),
            f"simultaneous transfers, 1 to 64 (default: {DEFAULTS.jobs_at_first} to {DEFAULTS.jobs},"
            " the more the farther away upstream is)",
            "N",
            ("-j", "--jobs"),
        ),
        Setting(
            "per-host",
            kinds.whole(JOBS.start, JOBS.stop - 1),
            "simultaneous connections to one host (default: as many as jobs)",
            "N",
        ),
        Setting(
            "processes",
            kinds.whole(PROCESSES.start, PROCESSES.stop - 1),
            f"fetch in at most N processes (default: one for each processor, up to {DEFAULTS.processes})",
            "N",
        ),
        Setting("limit-rate", BYTES, "take in at most so much per second, all transfers together", "BYTES"),
        Setting(
            "timeout",
            SECONDS,
            f"to connect, and of silence on a transfer (default: {DEFAULTS.timeout:g})",
            "SECONDS",
        ),
        Setting(
            "min-rate",
            BYTES,
            "break off what is slower, per second over the time-out"
            f" (default: {DEFAULTS.min_rate}; 0: never)",
            "BYTES",
        ),
        Setting(
            "retries",
            kinds.whole(0),
            f"further attempts after a passing fault (default: {DEFAULTS.retries})",
            "N",
        ),
        Setting("proxy", PROXY, "through this proxy (default: as the environment says)", "URL"),
        Setting("cert", PATH, "believe these authorities (PEM) in place of the system's", "FILE"),
        Setting("client-cert", PATH, "show the index this certificate, its key in the file (PEM)", "FILE"),
        Setting(
            "trusted-hosts",
            HOSTS,
            "do not look at the certificates of HOST or HOST:PORT; repeatable",
            "HOST",
            ("--trusted-host",),
        ),
        Setting("keyring", FLAG, "ask the keyring for the index's credentials, if none are known"),
        Setting(
            "keep-going",
            FLAG,
            "start further projects after one has failed; the exit code still tells",
            spelt=("--keep-going", "--ignore-errors"),
        ),
        Setting("dry-run", FLAG, "print what would be done, and change nothing", spelt=("-n", "--dry-run")),
        Setting("prune", FLAG, "remove what nothing has asked for during the grace period"),
        Setting(
            "grace",
            GRACE,
            "for so long nothing must have asked for a file before it is removed"
            f" (default: {DEFAULTS.pruning.grace / DAY:g}d)",
            "TIME",
        ),
        Setting(
            "max-delete",
            LIMIT,
            "remove nothing where more would go than so many files, or such a share of all, as 20%%"
            f" (default: {DEFAULTS.pruning.max_delete_files} or {DEFAULTS.pruning.max_delete_share:.0%}%,"
            " the larger)",
            "LIMIT",
        ),
        Setting(
            "accept-changed",
            FLAG,
            "take other bytes under a known name, and believe pages that have lost most of their files",
        ),
        Setting(
            "deleted",
            WITHDRAWAL,
            "projects that upstream has deleted: keep them, hide them from the pages, or remove them"
            f" (default: {DEFAULTS.withdrawn.deleted})",
            WITHDRAWAL_SHOWN,
        ),
        Setting(
            "quarantined",
            WITHDRAWAL,
            f"the same of projects that upstream has quarantined (default: {DEFAULTS.withdrawn.quarantined})",
            WITHDRAWAL_SHOWN,
        ),
        Setting("quick", FLAG, "hash only files whose size, time or inode is not that of the last run"),
        Setting(
            "repair",
            FLAG,
            "fetch anew what is damaged or missing, and write the pages of what is then right",
        ),
        Setting(
            "wait",
            WAIT,
            "while another run holds the mirror, wait, at most so long (90, 15m; without it, as long as it"
            " takes), instead of exit code 6",
            "SECONDS",
        ),
        Setting(
            "config",
            PATH,
            "the configuration file (default: aiomirror.toml in DIR or in the current folder, if there)",
            "FILE",
            in_file=False,
        ),
        Setting("no-config", FLAG, "read no configuration file", in_file=False),
        Setting("report", PATH, "write a report as JSON; - is standard output", "FILE"),
        Setting("quiet", TIMES, "only problems", spelt=("-q", "--quiet")),
        Setting("verbose", TIMES, "more lines", spelt=("-v", "--verbose")),
        Setting("no-progress", FLAG, "plain lines on a terminal, too"),
        Setting(
            "log-format", kinds.choice("text", "json"), "lines as text or as JSON objects", "{text,json}"
        ),
        Setting("debug", FLAG, "a traceback for what should not happen"),
    )
}
"""By key."""

_AS_FOR_ALL = ("latest", "all-versions", "pre", "max-file-size", "exclude-newer")
PROJECT = {
    **{key: SETTINGS[key].kind for key in _AS_FOR_ALL},
    **dict.fromkeys(("only-binary", "no-binary", "exclude"), FLAG),
    "versions": SPECIFIER,
}
"""The keys of a ``[project.NAME]`` table, and the kind of each."""

TARGET = {"python": PYTHON, "platform": PLATFORM, "name": LABEL}
"""The same of a ``[[target]]`` table."""


def key_of(spelling: str) -> str | None:
    """The key that someone meant who wrote an option's spelling in its place, or underscores."""
    option = f"--{spelling.lower().lstrip('-').replace('_', '-')}"
    found = (one.key for one in SETTINGS.values() if one.in_file and option in (f"--{one.key}", *one.options))
    return next(found, None)
