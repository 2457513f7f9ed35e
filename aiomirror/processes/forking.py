"""Helpers forked, and waited for: while there is neither a loop nor a thread that a copy would lack."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiomirror.errors import DestinationError
from aiomirror.processes.helper import serve
from aiomirror.store import cores

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn

    from aiomirror.config import Config

FEWEST = 8
"""Connections for each of them; with fewer, one process is not busy."""
_ENDING = {signal.SIGINT, signal.SIGTERM}


class Helpers:
    """The helpers of one run, as many as are of use; a context manager, which waits for their end.

    ``connections`` are the sockets to them: the one at the other end of which nobody is heard any more has
    ended.  One that is not asked for anything costs a fork and no more.
    """

    def __init__(self, config: Config, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
        self.connections: list[socket.socket] = []
        self.warnings: tuple[str, ...] = ()
        """Why there are fewer than would be of use."""
        self._config, self._loop_factory = config, loop_factory
        self._processes: list[int] = []

    def __enter__(self) -> Self:
        """Fork them, or as many as the system has room for: the run does not need them."""
        wanted = 1 + useful(self._config)
        try:
            while len(self.connections) + 1 < wanted:
                self._fork(wanted)
        except OSError as error:
            there = 1 + len(self.connections)
            self.warnings = (f"fetching in {there} instead of {wanted} processes: {error.strerror}",)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _fork(self, processes: int) -> None:
        ours, theirs = socket.socketpair()
        # A signal for all processes of a terminal or a service is the other one's, which ends its helpers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            process = os.fork()
            if process == 0:
                self._be_helper(theirs, ours, processes)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.connections.append(ours)
        self._processes.append(process)

    def _be_helper(self, connection: socket.socket, other: socket.socket, processes: int) -> NoReturn:
        """Serve, and end without a thought for what the other process has begun."""
        code = 1
        try:
            for number in _ENDING:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            for one in (other, *self.connections):
                one.close()  # or nobody would notice when that process is gone
            serve(connection, self._config, processes, self._loop_factory)
            code = 0
        except DestinationError:  # which the other one will meet, too, and tell
            pass
        except BaseException:  # noqa: BLE001 (there is nobody left to raise it to)
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _end(self) -> None:
        for connection in self.connections:
            connection.close()
        for process in self._processes:
            # Where whoever started this one ignores SIGCHLD, it is raised once all have ended.
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        self._processes.clear()


def useful(config: Config) -> int:
    """How many helpers a run is to have: with its own process, one for each processor, up to a bound.

    None where what limits it is shared by all that is fetched and not by processors: a rate, a host's
    connections; where a person may be asked for a password; where fork(2) is not safe.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return 0
    if config.dry_run or config.limit_rate or config.connection.keyring or config.per_host < config.jobs:
        return 0
    return max(min(cores(), config.processes, config.jobs // FEWEST) - 1, 0)
