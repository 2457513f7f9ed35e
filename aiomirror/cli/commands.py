"""Verbs to exit codes: the one place where errors become lines and lines reach the terminal."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.cli import arguments
from aiomirror.cli.output import Output
from aiomirror.cli.reading import needless, read
from aiomirror.cli.sources import Sources, collect
from aiomirror.cli.surroundings import settled, this_machine
from aiomirror.cli.verbs import VERBS, check_project, with_verb
from aiomirror.config import Config, Told, inputs, pruning, requested
from aiomirror.config.machines import targets
from aiomirror.errors import AiomirrorError, ConfigError, DestinationError
from aiomirror.plan import FetchPolicy
from aiomirror.report import INTERRUPTED, Problem
from aiomirror.requirements.values import FileOptions
from aiomirror.selection import Policy

if TYPE_CHECKING:
    import asyncio
    from argparse import Namespace
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from aiomirror.progress import Reporter
    from aiomirror.report import Report

SIGINT_EXIT = INTERRUPTED + 2


def run(argv: Sequence[str]) -> int:
    """Run one command; never raises for what a user, an upstream or a disk can cause."""
    try:
        args = _parsed(argv)
    except SystemExit as ended:  # argparse has said what there is to say
        return ended.code if isinstance(ended.code, int) else 2
    except ConfigError as error:
        Output().complain(str(error))
        return error.exit_code
    # Until all sources are read, the command line alone says how to speak.
    command = _Command(args.verb, Output.of(lambda key: getattr(args, key.replace("-", "_"), None)))
    try:
        return command.run(args)
    except AiomirrorError as error:
        command.output.warn(*command.untold)
        command.output.complain(*str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        command.output.complain("interrupted")
        return SIGINT_EXIT
    except Exception as error:
        if command.output.debug:
            raise
        command.output.complain(f"a bug in aiomirror: {_innermost(error)!r}; --debug shows where")
        return 1


def _parsed(argv: Sequence[str]) -> Namespace:
    """The arguments, ``sync`` being meant where there is no verb; raises as both steps of it do."""
    if argv and argv[0].isalpha() and argv[0] not in VERBS:  # before its options are no options of sync
        check_project(argv[0])
    args = arguments.parse(with_verb(argv))
    if args.verb != argv[0] and args.requirements:
        check_project(args.requirements[0])
    return args


def _innermost(error: BaseException) -> BaseException:
    """What task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Command:
    """One command on its way; ``output`` follows the configuration once that is read."""

    def __init__(self, verb: str, output: Output) -> None:
        self.output = output
        self.untold: tuple[str, ...] = ()
        """Warnings that nobody has been given yet."""
        self._verb = verb
        self._sources = Sources(Told(()))

    def run(self, args: Namespace) -> int:
        """Read what there is to read, and do what the verb says; the exit code."""
        self._sources = collect(args, os.environ)
        self.output = Output.of(self._told.get)
        if self._verb != "sync":  # whose report it is that a configuration asks for
            self.output = replace(self.output, report=getattr(args, "report", None))
        self.output.listen()
        self.untold = self._sources.warnings
        if self._sources.found:
            self.output.note(f"{self._told.file} is there, and is followed; --no-config leaves it out")
        verbs: dict[str, Callable[[], Report]] = {
            "sync": self._sync,
            "index": self._index,
            "verify": self._verify,
            "prune": self._prune,
            "explain": lambda: self._explain(args.names),
        }
        report = verbs[self._verb]()
        self.output.conclude(report, answers=self._verb == "explain")
        return report.exit_code

    @property
    def _told(self) -> Told:
        return self._sources.told

    def _sync(self) -> Report:
        asked = inputs(self._told)
        if not asked:
            raise ConfigError(
                "name at least one requirement or requirements file, here or in a configuration file"
                " (aiomirror --help has examples)"
            )
        found = read(asked, os.environ, targets(self._told, this_machine))
        config = settled(self._told, found.options)
        parsed = requested(asked, found, self._told)
        parsed = replace(parsed, warnings=(*parsed.warnings, *needless(parsed.wanted, config)))
        from aiomirror.processes import Helpers  # noqa: PLC0415 (takes its time, and --help needs none of it)
        from aiomirror.sync import sync  # noqa: PLC0415 (as above)

        gc.freeze()  # here, too, for helpers share the memory of what neither they nor this process touches
        with Helpers(config, _loop_factory()) as helpers:
            report = self._in_loop(
                lambda reporter: sync(config, parsed, reporter, helpers=helpers.connections),
                helpers.warnings,
            )
        if config.lock_output is not None:
            try:
                self.output.lock(report, config)
            except DestinationError as error:  # which the report is to have, too
                self.output.complain(str(error))
                report.problems.append(Problem.of(error))
        return report

    def _index(self) -> Report:
        from aiomirror.rebuild import rebuild  # noqa: PLC0415 (as above)

        return self._in_loop(lambda reporter: rebuild(self._told.dest, reporter))

    def _verify(self) -> Report:
        from aiomirror.verify import verify  # noqa: PLC0415 (as above)

        told = self._told
        quick, repair = bool(told.get("quick")), bool(told.get("repair"))
        # Without repair nobody is asked, and no upstream need be found out.
        config = Config(index_url="", dest=told.dest)
        if repair:  # of everything that is listed, whatever a sync would choose
            config = replace(
                settled(told, FileOptions()),
                policy=Policy(),
                fetch=FetchPolicy(),
                keep_going=True,
                dry_run=False,
            )
        return self._in_loop(lambda reporter: verify(config, reporter, quick=quick, repair=repair))

    def _prune(self) -> Report:
        from aiomirror.prune import prune  # noqa: PLC0415 (as above)

        told, dry_run = self._told, bool(self._told.get("dry-run"))
        return self._in_loop(
            lambda reporter: prune(told.dest, reporter, policy=pruning(told), dry_run=dry_run)
        )

    def _explain(self, names: Sequence[str]) -> Report:
        from aiomirror.explain import explain  # noqa: PLC0415 (as above)

        told = self._told
        self.output = replace(self.output, no_progress=True)  # there is nothing to wait for
        grace, machines = pruning(told).grace, targets(told, this_machine)
        excluded = [name for name, rules in told.projects.items() if rules.exclude]
        return self._in_loop(
            lambda reporter: explain(
                told.dest, names, reporter, grace=grace, targets=machines, excluded=excluded
            )
        )

    def _in_loop(
        self, start: Callable[[Reporter], Coroutine[Any, Any, Report]], warnings: Sequence[str] = ()
    ) -> Report:
        import asyncio  # noqa: PLC0415 (as above)

        reporter = self.output.reporter()
        report = None
        warnings, self.untold = (*self.untold, *warnings), ()
        try:
            for warning in warnings:
                reporter.warned(warning)
            gc.freeze()  # what was imported stays: there is no use in going through it again
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                report = runner.run(self._patiently(start, reporter))
            report.warnings[:0] = warnings
        finally:
            reporter.closed(report)
        return report

    async def _patiently(
        self, start: Callable[[Reporter], Coroutine[Any, Any, Report]], reporter: Reporter
    ) -> Report:
        """As ``start``, once no other run holds the mirror, or the time to wait is over."""
        seconds = self._told.get("wait")
        if not seconds:
            return await start(reporter)
        from aiomirror.store.lock import patiently  # noqa: PLC0415 (rarely needed)

        return await patiently(
            lambda: start(reporter), seconds, lambda error: reporter.warned(f"{error}; waiting for it to end")
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed (the extra ``speed``)."""
    try:
        import uvloop  # noqa: PLC0415 (optional)
    except ImportError:
        return None
    return uvloop.new_event_loop
