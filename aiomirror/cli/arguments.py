"""The command line's grammar; ``README.md`` has the same table, and a test holds the two together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from aiomirror import __version__
from aiomirror.config import Config, byte_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiomirror.requirements.values import FormatKind, FormatRule

EXAMPLES = """\
examples:
  aiomirror requests                     the newest requests, into ./simple
  aiomirror sync 'django>=4.2,<5' six==1.16.0 -d /srv/mirror
  aiomirror sync -r requirements.txt -c constraints.txt --keep-going
  aiomirror sync numpy --only-binary :all: --latest 3
  aiomirror sync -r requirements.txt --dry-run
  aiomirror index -d /srv/mirror         rebuild every page from what is on disk
  aiomirror verify -d /srv/mirror        hash every file, compare it with its page
"""
EXIT_CODES = """\
exit codes:
  0 complete   1 something failed, the mirror is consistent   2 usage or configuration
  3 a requirement that nothing satisfies   4 upstream unreachable   5 damage found
  6 destination unusable   130 interrupted (143: terminated)
"""
DEFAULTS = Config(index_url="", dest=Path("simple"))


def build() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="aiomirror",
        description="Mirror the projects you name from a Python package index, verified, ready to be served.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}\nWithout a verb, sync is meant: aiomirror six.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"aiomirror {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
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
    _dest(index)
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
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line; SystemExit when argparse has said all there is to say.

    Left to itself, argparse takes requirements from one place only: ``six --pre attrs`` would be an error.
    """
    parser = build()
    args, rest = parser.parse_known_args(argv)
    unknown = [word for word in rest if word.startswith("-") and word != "-"]
    if unknown or (rest and args.verb != "sync"):
        parser.error(f"unrecognized arguments: {' '.join(unknown or rest)}")
    if rest:
        args.requirements += rest
    return args


def _dest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d", "--dest", "--local-folder", metavar="DIR", type=Path, default=DEFAULTS.dest,
        help="the mirror's folder, which is the index root (default: ./simple)",
    )  # fmt: skip


def _index_url(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-i", "--index", "--index-url", metavar="URL", dest="index_url",
        help="the upstream index (default: the Python Package Index)",
    )  # fmt: skip


def _inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to mirror")
    group.add_argument(
        "requirements", nargs="*", metavar="REQUIREMENT",
        help="a PEP 508 requirement, NAME=VERSION as a pin, or the path of a requirements file",
    )  # fmt: skip
    group.add_argument(
        "-r", "--requirement", action="append", default=[], metavar="FILE", dest="files",
        help="a requirements file; - is standard input; repeatable",
    )  # fmt: skip
    group.add_argument(
        "-c", "--constraint", action="append", default=[], metavar="FILE", dest="constraints",
        help="a constraints file; repeatable",
    )  # fmt: skip
    _index_url(group)
    _dest(group)  # type: ignore[arg-type]  # a group adds arguments as a parser does
    group.add_argument(
        "--no-deps", action="store_true",
        help="dependencies are not mirrored; accepted, and what happens",
    )  # fmt: skip


def _choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which versions and files")
    versions = group.add_mutually_exclusive_group()
    versions.add_argument("--all-versions", action="store_true", help="every version that matches")
    versions.add_argument(
        "--latest", type=int, metavar="N", help="the newest N versions that match (default: 1)"
    )
    group.add_argument(
        "--pre", "--include-prereleases", action="store_true", help="pre-releases count as newest, too"
    )
    group.add_argument(
        "--only-binary", action="append", type=_rule("only_binary"), metavar="NAMES", dest="format_rules",
        help="wheels only, for :all: or the projects named (comma-separated)",
    )  # fmt: skip
    group.add_argument(
        "--no-binary", action="append", type=_rule("no_binary"), metavar="NAMES", dest="format_rules",
        help="source archives only, for :all: or the projects named",
    )  # fmt: skip
    group.add_argument(
        "--binary-only", action="append_const", const=("only_binary", ":all:"), dest="format_rules",
        help="--only-binary :all:",
    )  # fmt: skip
    group.add_argument(
        "--source-only", action="append_const", const=("no_binary", ":all:"), dest="format_rules",
        help="--no-binary :all:",
    )  # fmt: skip
    parser.set_defaults(format_rules=[])
    group.add_argument(
        "--legacy-formats", action="store_true", help="eggs and installers (.exe, .msi, …), too"
    )
    group.add_argument(
        "--max-file-size", type=_bytes, metavar="BYTES", help="leave larger files out (500MB, 2GiB)"
    )
    group.add_argument(
        "--require-hashes", action="store_true", help="refuse files of which upstream lists no digest"
    )
    group.add_argument(
        "--allow-unhashed",
        action="store_true",
        help="take such files over plain http, too (https: always taken)",
    )


def _verification(parser: argparse.ArgumentParser) -> None:
    _dest(parser)
    parser.add_argument(
        "--quick", action="store_true",
        help="hash only files whose size, time or inode is not that of the last run",
    )  # fmt: skip
    group = parser.add_argument_group("repair")
    group.add_argument(
        "--repair", action="store_true",
        help="fetch anew what is damaged or missing, and write the pages of what is then right",
    )  # fmt: skip
    _index_url(group)
    _limits(group)
    # What is chosen has no say here, but a configuration is built of one set of options.
    parser.set_defaults(
        all_versions=False, latest=None, pre=False, format_rules=[], legacy_formats=False,
        max_file_size=None, require_hashes=False, allow_unhashed=False, keep_going=True, dry_run=False,
    )  # fmt: skip


def _limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-j", "--jobs", type=int, default=DEFAULTS.jobs, metavar="N",
        help="simultaneous transfers, 1 to 64 (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--timeout", type=float, default=DEFAULTS.timeout, metavar="SECONDS",
        help="to connect, and of silence on a transfer (default: %(default)g)",
    )  # fmt: skip
    group.add_argument(
        "--min-rate", type=_bytes, default=DEFAULTS.min_rate, metavar="BYTES",
        help="break off what is slower, per second over the time-out (default: %(default)s; 0: never)",
    )  # fmt: skip
    group.add_argument(
        "--retries", type=int, default=DEFAULTS.retries, metavar="N",
        help="further attempts after a passing fault (default: %(default)s)",
    )  # fmt: skip


def _transfer(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how")
    _limits(group)
    group.add_argument(
        "--keep-going", "--ignore-errors", action="store_true",
        help="start further projects after one has failed; the exit code still tells",
    )  # fmt: skip
    group.add_argument(
        "-n", "--dry-run", action="store_true", help="print the plan as a table, and change nothing"
    )


def _output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is said")
    group.add_argument("--report", metavar="FILE", help="write a report as JSON; - is standard output")
    group.add_argument("-q", "--quiet", action="count", default=0, help="only problems")
    group.add_argument("-v", "--verbose", action="count", default=0, help="more lines")
    group.add_argument("--no-progress", action="store_true", help="plain lines on a terminal, too")
    group.add_argument(
        "--log-format", choices=["text", "json"], default="text", help="lines as text or as JSON objects"
    )
    group.add_argument("--debug", action="store_true", help="a traceback for what should not happen")


def _rule(kind: FormatKind) -> Callable[[str], FormatRule]:
    """The options share one list, for in pip's grammar their order counts."""
    return lambda value: (kind, value)


def _bytes(text: str) -> int:
    try:
        return byte_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
