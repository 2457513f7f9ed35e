"""The command line's grammar; ``README.md`` has the same table, and a test holds the two together."""

from __future__ import annotations

import argparse
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from aiomirror import __version__
from aiomirror.config import SETTINGS
from aiomirror.config.kinds import FLAG, TIMES, WAIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiomirror.config import Setting

EXAMPLES = """\
examples:
  aiomirror requests                     the newest requests, into ./simple
  aiomirror sync 'django>=4.2,<5' six==1.16.0 -d /srv/mirror
  aiomirror sync -r requirements.txt -c constraints.txt --keep-going
  aiomirror sync numpy --only-binary :all: --latest 3
  aiomirror sync flask --python-version 3.13 --platform linux --platform windows
  aiomirror sync -r requirements.txt --dry-run
  aiomirror sync                         what aiomirror.toml says
  aiomirror index -d /srv/mirror         rebuild every page from what is on disk
  aiomirror verify -d /srv/mirror        hash every file, compare it with its page
  aiomirror prune -d /srv/mirror -n      what nothing wants any more, and may go
  aiomirror explain -d /srv/mirror six   why each file is there, or is not
"""
EXIT_CODES = """\
exit codes:
  0 complete   1 something failed, the mirror is consistent   2 usage or configuration
  3 a requirement that nothing satisfies   4 upstream unreachable   5 damage found, or too much to be pruned
  6 destination unusable   130 interrupted (143: terminated)
"""
EXPLAINED = """\
exit codes:
  0 something is known of each name   1 nothing is known of one, and what may have been meant is said
  2 usage or configuration   6 the mirror cannot be read, or the answer not be written
"""
RULES = "format_rules"
NAMING = {"sync": "requirements", "explain": "names"}
"""The verbs that are given names, wherever they stand between options, and what those are called."""
PRUNING = ("grace", "max-delete")
TARGETS = ("python-versions", "platforms", "best-wheel", "with-sdists")
CONNECTION = ("proxy", "cert", "client-cert", "trusted-hosts", "keyring")
LIMITS = ("jobs", "per-host", "limit-rate", "timeout", "min-rate", "retries")


def build() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="aiomirror",
        description="Mirror the projects you name from a Python package index, verified, ready to be served.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}\nWithout a verb, sync is meant: aiomirror six.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"aiomirror {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Verb)
    sync = verbs.add_parser(
        "sync",
        help="mirror what the requirements ask for, and publish it",
        description="Mirror what the requirements ask for, and publish it as a package index.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _inputs(sync)
    _choice(sync)
    _transfer(sync)
    _output(sync)
    index = verbs.add_parser(
        "index",
        help="rebuild every page from what is on disk",
        description="Rebuild every page from what is on disk, files that were put there by hand included.",
    )
    _add(index, "dest")
    _common(index)
    _output(index)
    verify = verbs.add_parser(
        "verify",
        help="compare what the pages list with what is on disk, and repair it",
        description="Compare what every page lists with what is on disk; with --repair, set it right.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _verification(verify)
    _output(verify)
    prune = verbs.add_parser(
        "prune",
        help="remove what nothing wants any more",
        description="Remove what the last sync found that nothing wants, once its grace period is over.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add(prune, "dest", "dry-run", *PRUNING)
    _common(prune)
    _output(prune)
    explain = verbs.add_parser(
        "explain",
        help="why files are in the mirror, or are not",
        description="Tell why projects or files are in the mirror, or are not; upstream is not asked.",
        epilog=EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _explanation(explain)
    _output(explain)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line; SystemExit when argparse has said all there is to say.

    Left to itself, argparse takes requirements from one place only: ``six --pre attrs`` would be an error.
    """
    parser = build()
    args, rest = parser.parse_known_args(list(_with_plain_waits(argv)))
    unknown = [word for word in rest if word.startswith("-") and word != "-"]
    if unknown or (rest and args.verb not in NAMING):
        parser.error(f"unrecognized arguments: {' '.join(unknown or rest)}")
    if rest:
        getattr(args, NAMING[args.verb]).extend(rest)
    return args


def _with_plain_waits(argv: Sequence[str]) -> Iterator[str]:
    """``--wait six``: a word that is no time is not what ``--wait`` takes.

    One that begins with a digit is meant as a time, right or wrong.
    """
    for word, after in zip_longest(argv, argv[1:], fillvalue=""):
        is_meant = after[:1].isdigit() or _is_time(after)
        yield f"{word}=" if word == "--wait" and not is_meant else word


def _is_time(text: str) -> bool:
    try:
        WAIT.parse(text)
    except ValueError:
        return False
    return bool(text)


class _Verb(argparse.ArgumentParser):
    """A parser that notes what was given and nothing else: a default is not to outweigh a file."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 (those of its base)
        super().__init__(**settings, argument_default=argparse.SUPPRESS)


def _add(parser: argparse._ActionsContainer, *keys: str) -> None:
    for key in keys:
        setting = SETTINGS[key]
        parser.add_argument(*setting.options, help=setting.help, **_shape(setting))


def _shape(setting: Setting) -> dict[str, Any]:
    """How an option takes its value; values stay texts, for all of them are read together."""
    if setting.rule and setting.rule[1]:
        return {"action": "append_const", "const": setting.rule, "dest": RULES}
    if setting.rule:
        kind = setting.rule[0]
        # The options share one list, for in pip's grammar their order counts.
        return {
            "action": "append",
            "type": lambda names: (kind, names),
            "metavar": setting.value,
            "dest": RULES,
        }
    if setting.kind is FLAG:
        return {"action": "store_true", "dest": setting.name}
    if setting.kind is TIMES:
        return {"action": "count", "dest": setting.name}
    shape = {"dest": setting.name, "metavar": setting.value}
    if setting.kind is WAIT:
        return {**shape, "nargs": "?", "const": ""}
    return {**shape, "action": "append"} if setting.kind.many else shape


def _inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to mirror")
    requirements = SETTINGS["requirements"]
    group.add_argument(
        requirements.name, nargs="*", default=[], metavar=requirements.value, help=requirements.help
    )
    _add(group, "requirement-files", "constraint-files", "index-url", "dest")
    _add(group, "extras", "groups")
    dependencies = parser.add_argument_group("what it requires")
    _add(dependencies, "no-deps", "max-depth", "closure", "build-deps", "override-files", "lock-output")


def _choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which versions and files")
    _add(group.add_mutually_exclusive_group(), "all-versions", "latest")
    _add(group, "pre", "only-binary", "no-binary", "binary-only", "source-only", "legacy-formats")
    _add(group, "max-file-size", "exclude-newer", "require-hashes", "allow-unhashed")
    _add(parser.add_argument_group("for which machines"), *TARGETS)


def _transfer(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how")
    _add(group, *LIMITS, "processes", "keep-going", "dry-run")
    _common(group)
    _add(parser.add_argument_group("on what terms"), *CONNECTION)
    removal = parser.add_argument_group("what is wanted no more")
    _add(removal, "prune", *PRUNING, "accept-changed", "deleted", "quarantined")


def _verification(parser: argparse.ArgumentParser) -> None:
    _add(parser, "dest", "quick")
    _common(parser)
    _add(parser.add_argument_group("repair"), "repair", "index-url", *LIMITS, *CONNECTION)


def _explanation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        NAMING["explain"], nargs="+", metavar="NAME", help="a project, a file, or PROJECT/FILE"
    )
    _add(parser, "dest", "grace")
    _add(parser.add_mutually_exclusive_group(), "config", "no-config")
    _add(parser.add_argument_group("for which machines"), "python-versions", "platforms")


def _common(parser: argparse._ActionsContainer) -> None:
    _add(parser, "wait")
    _add(parser.add_mutually_exclusive_group(), "config", "no-config")


def _output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is said")
    _add(group, "report", "quiet", "verbose", "no-progress", "log-format", "debug")
