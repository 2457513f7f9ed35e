"""What a run says, and where: lines and bars on standard error, tables and summaries on standard output."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aiomirror.errors import DestinationError
from aiomirror.progress import JsonLines, Lines, Silent, summary
from aiomirror.report import Problem
from aiomirror.requirements.values import encodable
from aiomirror.table import plan_table
from aiomirror.targets import default_matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aiomirror.config import Config
    from aiomirror.progress import Reporter
    from aiomirror.report import Report


class _Notes(Lines):
    """Lines, and among them what is said of the run itself."""

    def noted(self, text: str) -> None:
        """A line, when verbose."""
        if self._verbosity > 0:
            self._say("info", text)


class _JsonNotes(_Notes, JsonLines):
    """The same as JSON objects."""


class _Log(logging.Handler):
    """Makes lines of what is logged."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.INFO)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        self._output.note(record.getMessage())


class Output(msgspec.Struct, frozen=True):
    """How much is said, and in which form."""

    quiet: int = 0
    verbose: int = 0
    no_progress: bool = False
    as_json: bool = False
    debug: bool = False
    report: str | None = None

    @classmethod
    def of(cls, get: Callable[[str], Any]) -> Output:
        """From settings by their keys; None is for what was not said."""
        return cls(
            quiet=get("quiet") or 0,
            verbose=get("verbose") or 0,
            no_progress=bool(get("no-progress")),
            as_json=get("log-format") == "json",
            debug=bool(get("debug")),
            report=get("report"),
        )

    def reporter(self) -> Reporter:
        """What shows the run: bars on a terminal, else lines, on standard error."""
        stream, verbosity = sys.stderr, self.verbose - self.quiet
        plain = self.no_progress or self.as_json or verbosity < 0 or os.environ.get("TERM") == "dumb"
        if stream is None or plain or not stream.isatty():
            return self._lines() or Silent()
        from aiomirror.display import LiveDisplay  # noqa: PLC0415 (rich takes its time, and cron has no terminal)

        return LiveDisplay(stream, verbosity)

    def complain(self, *lines: str) -> None:
        """Say on standard error what ended the run before there was a report."""
        if (said := self._lines()) is not None:
            for line in lines:
                said.failed(Problem(line, exit_code=1))

    def warn(self, *lines: str) -> None:
        """Say on standard error, unless quiet, what may have to do with it."""
        if (said := self._lines()) is not None:
            for line in lines:
                said.warned(line)

    def note(self, text: str) -> None:
        """Say something of the run itself, when verbose."""
        if (said := self._lines()) is not None:
            said.noted(text)

    def listen(self) -> None:
        """Say what the program tells its log, when verbose: that something is tried again, and why."""
        log = logging.getLogger("aiomirror")
        log.handlers = []
        if self.verbose > self.quiet:
            log.handlers = [_Log(self)]
            log.setLevel(logging.INFO)

    def _lines(self) -> _Notes | None:
        if sys.stderr is None:
            return None
        kind = _JsonNotes if self.as_json else _Notes
        return kind(sys.stderr, self.verbose - self.quiet)

    def conclude(self, report: Report, *, answers: bool = False) -> None:
        """Write the report where it is wanted, and say in one line what came of the run.

        ``answers``: whether that is no line beside the matter, but what was asked for.

        Raises:
            DestinationError: the report cannot be written, or what was asked for.
        """
        if self.report:
            _write_report(report, self.report)
        if self.quiet or self.report == "-":
            return
        if report.dry_run and not report.headline:  # one of its own, as that of prune, says it all
            _write(plan_table(report), "the plan")
        if self.as_json:  # whose last line is the summary
            return
        if answers:
            _write(summary(report), "the answer")
            return
        with contextlib.suppress(DestinationError):  # the mirror is right all the same
            _write(summary(report), "the summary")

    def lock(self, report: Report, config: Config) -> None:
        """Write the lock file of what is mirrored now; an earlier one stays where a run has failed.

        Raises:
            DestinationError: it cannot be written.
        """
        assert config.lock_output is not None
        path = Path(config.lock_output)
        if not report:
            self.note(f"{path} is left as it was, for not all is mirrored that was asked for")
            return
        from aiomirror.lockfile import lock_of  # noqa: PLC0415 (seldom asked for)

        folder = Path(os.path.relpath(config.dest, path.parent)).as_posix()
        lock = lock_of(report, folder, config.policy.targets or default_matrix())
        if (said := self._lines()) is not None:
            for warning in lock.warnings:
                said.warned(f"{path}: {warning}")
        if encodable(folder) != folder:
            raise DestinationError(
                str(config.dest), "a lock file cannot name this folder: it is not in UTF-8"
            )
        if str(path) == "-":
            _write_document(lock.text, "the lock file")
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            # In one step, so that nobody finds half a lock.
            draft.write_text(lock.text, encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise DestinationError(str(path), f"the lock file cannot be written: {error.strerror}") from error


def _write_report(report: Report, path: str) -> None:
    if path == "-":
        _write_document(report.to_json().decode(), "the report")
        return
    try:
        Path(path).write_bytes(report.to_json())
    except OSError as error:
        raise DestinationError(path, f"the report cannot be written: {error.strerror}") from error


def _write_document(text: str, what: str) -> None:
    """As ``_write``, in UTF-8 whatever a terminal would take, for JSON and TOML are in nothing else."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    _write(text.rstrip("\n"), what)


def _write(text: str, what: str) -> None:
    """To standard output, which a scheduled run may have closed.

    Raises:
        DestinationError: it takes no more; not where a reader has gone away who has read enough.
    """
    if sys.stdout is None:
        raise _unwritten(what, "it is closed")
    try:
        print(text, flush=True)  # noqa: T201 (what it is for)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise _unwritten(what, error.strerror or str(error)) from error
    except ValueError as error:  # it was closed since, or cannot hold the text
        raise _unwritten(what, str(error)) from error


def _unwritten(what: str, why: str) -> DestinationError:
    return DestinationError("standard output", f"{what} cannot be written: {why}")
