"""Verbs to exit codes: the one place where errors become lines and lines reach the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiomirror.cli import arguments
from aiomirror.config import Config
from aiomirror.errors import AiomirrorError, ConfigError, DestinationError
from aiomirror.progress import JsonLines, Lines, Silent, summary
from aiomirror.report import INTERRUPTED, Problem
from aiomirror.requirements import gather, is_file_argument
from aiomirror.requirements.values import FileOptions
from aiomirror.table import plan_table

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, NoReturn

    from aiomirror.progress import Reporter
    from aiomirror.report import Report

VERBS = ("sync", "index", "verify")
ARCHIVES = (".whl", ".gz", ".zip", ".bz2", ".xz", ".tar", ".tgz")
"""What the path of a distribution ends with, which is no requirements file."""
SIGINT_EXIT = INTERRUPTED + 2


def entry() -> NoReturn:
    """The console script."""
    _occupy_standard_streams()
    code = main(sys.argv[1:])
    _give_up_unwritten()
    sys.exit(code)


def _give_up_unwritten() -> None:
    """Drop what a full disk or a closed pipe did not take, or the interpreter's exit code would be 120."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _occupy_standard_streams() -> None:
    """Open what a scheduler has closed of the descriptors 0 to 2, so that nothing else gets these numbers.

    libuv ends the process when it closes a socket that has one; and whatever a C library writes to
    descriptor 2 would end up in a file of the mirror.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one


def main(argv: Sequence[str]) -> int:
    """Run one command; never raises for what a user, an upstream or a disk can cause."""
    try:
        args = arguments.parse(_with_verb(argv))
    except SystemExit as ended:  # argparse has said what there is to say
        return ended.code if isinstance(ended.code, int) else 2
    try:
        return _run(args)
    except AiomirrorError as error:
        _complain(args, *str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        _complain(args, "interrupted")
        return SIGINT_EXIT
    except Exception as error:
        if args.debug:
            raise
        _complain(args, f"a bug in aiomirror: {_innermost(error)!r}; --debug shows where")
        return 1


def _complain(args: Namespace, *lines: str) -> None:
    """Say on standard error what ended the run before there was a report."""
    reporter = _lines(args)
    for line in lines:
        reporter.failed(Problem(line, exit_code=1))


def _innermost(error: BaseException) -> BaseException:
    """What task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _with_verb(argv: Sequence[str]) -> list[str]:
    """``aiomirror six`` means ``aiomirror sync six``; options of all verbs stay where they are."""
    if not argv or argv[0] in (*VERBS, "-h", "--help", "--version"):
        return list(argv) or ["--help"]
    return ["sync", *argv]


def _run(args: Namespace) -> int:
    report = {"sync": _sync, "index": _index, "verify": _verify}[args.verb](args)
    if args.report:
        _write_report(report, args.report)
    if not args.quiet and args.report != "-":
        if report.dry_run:
            _print(plan_table(report))
        if args.log_format != "json":  # whose last line is the summary
            _print(summary(report))
    return report.exit_code


def _sync(args: Namespace) -> Report:
    specs, files = _split(args.requirements)
    files += args.files
    if not specs and not files:
        raise ConfigError(
            "name at least one requirement or requirements file (aiomirror --help has examples)"
        )
    from aiomirror.sync import sync  # noqa: PLC0415 (aiohttp takes its time, and --help needs none of it)

    parsed = gather(specs, files, args.constraints, _read, os.environ)
    config = Config.build(args, parsed.options)
    return _in_loop(args, lambda reporter: sync(config, parsed, reporter))


def _index(args: Namespace) -> Report:
    from aiomirror.rebuild import rebuild  # noqa: PLC0415 (as above)

    return _in_loop(args, lambda reporter: rebuild(args.dest, reporter))


def _verify(args: Namespace) -> Report:
    from aiomirror.verify import verify  # noqa: PLC0415 (as above)

    # Without repair nobody is asked, and no upstream need be found out.
    config = Config.build(args, FileOptions()) if args.repair else Config(index_url="", dest=args.dest)
    return _in_loop(args, lambda reporter: verify(config, reporter, quick=args.quick, repair=args.repair))


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


def _read(path: str) -> bytes:
    """The bytes of a requirements file, or of standard input for ``-``."""
    if path != "-":
        return Path(path).read_bytes()
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()


def _in_loop(args: Namespace, start: Callable[[Reporter], Coroutine[Any, Any, Report]]) -> Report:
    reporter = _reporter(args)
    report = None
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            report = runner.run(start(reporter))
    finally:
        reporter.closed(report)
    return report


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed (the extra ``speed``)."""
    try:
        import uvloop  # noqa: PLC0415 (optional)
    except ImportError:
        return None
    return uvloop.new_event_loop


def _reporter(args: Namespace) -> Reporter:
    """What shows the run: bars on a terminal, else lines, on standard error."""
    stream, verbosity = sys.stderr, args.verbose - args.quiet
    plain = args.no_progress or args.log_format == "json" or verbosity < 0 or os.environ.get("TERM") == "dumb"
    if stream is None or plain or not stream.isatty():
        return _lines(args)
    from aiomirror.display import LiveDisplay  # noqa: PLC0415 (rich takes its time, and cron has no terminal)

    return LiveDisplay(stream, verbosity)


def _lines(args: Namespace) -> Reporter:
    if sys.stderr is None:
        return Silent()
    kind = JsonLines if args.log_format == "json" else Lines
    return kind(sys.stderr, args.verbose - args.quiet)


def _write_report(report: Report, path: str) -> None:
    if path == "-":
        _print(report.to_json().decode())
        return
    try:
        Path(path).write_bytes(report.to_json())
    except OSError as error:
        raise DestinationError(path, f"the report cannot be written: {error.strerror}") from error


def _print(text: str) -> None:
    """To standard output, which a scheduled run may have closed: the mirror is right all the same."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, flush=True)
