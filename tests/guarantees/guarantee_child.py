"""The command with a witness: run by tests as ``python guarantee_child.py JOURNAL KILL_AT sync …``.

Every effect on a file system goes through one of the interpreter's audit events or through ``os.fsync``.
Each is noted in JOURNAL, a JSON array a line, before it happens; before the one that is number KILL_AT
(from 1; 0: none) the process is killed, as by ``kill -9``.  Nothing is replaced by something else.

Instead of a command line there may be ``prune DEST``, which removes at once what the last sync found that
nothing wants, whatever the limit, or ``accept-changed DEST INDEX NAME``, which takes whatever bytes upstream
has of a project's files.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiomirror.report import Report

EFFECTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.utime"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> int:
    """Install the witness, run the command."""
    journal = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    kill_at = int(sys.argv[2])
    count = 0
    lock = threading.Lock()

    def note(*entry: object) -> None:
        nonlocal count
        with lock:
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(journal, json.dumps(entry, default=str).encode() + b"\n")

    def witness(event: str, args: tuple[Any, ...]) -> None:
        if event == "os.rename":
            source, target, source_folder, target_folder = args
            inode = os.stat(source, dir_fd=source_folder if source_folder != -1 else None).st_ino
            folder = os.fstat(target_folder).st_ino if target_folder != -1 else 0
            note("rename", inode, target, folder)
        elif event in EFFECTS or (event == "open" and isinstance(args[2], int) and args[2] & WRITING):
            note(event, str(args[0]))

    synced = os.fsync

    def fsync(opened: int) -> None:
        note("fsync", os.fstat(opened).st_ino)
        synced(opened)

    from aiomirror.cli import main as aiomirror  # noqa: PLC0415 (what is imported is no effect of the run)

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(witness)
    if sys.argv[3] == "prune":
        return asyncio.run(pruned(*sys.argv[4:])).exit_code
    if sys.argv[3] == "accept-changed":
        return asyncio.run(accepted(*sys.argv[4:])).exit_code
    return aiomirror(sys.argv[3:])


def pruned(dest: str) -> Coroutine[Any, Any, Report]:
    from aiomirror.progress import Silent  # noqa: PLC0415 (aiohttp and its like are for those who need them)
    from aiomirror.prune import prune  # noqa: PLC0415 (as above)
    from aiomirror.pruning import PrunePolicy  # noqa: PLC0415 (as above)

    return prune(Path(dest), Silent(), policy=PrunePolicy(grace=0, max_delete_share=1))


def accepted(dest: str, index_url: str, name: str) -> Coroutine[Any, Any, Report]:
    from aiomirror.config import Config  # noqa: PLC0415 (as above)
    from aiomirror.config.values import Following  # noqa: PLC0415 (as above)
    from aiomirror.plan import FetchPolicy  # noqa: PLC0415 (as above)
    from aiomirror.progress import Silent  # noqa: PLC0415 (as above)
    from aiomirror.requirements import gather  # noqa: PLC0415 (as above)
    from aiomirror.sync import sync  # noqa: PLC0415 (as above)

    config = Config(
        index_url=index_url,
        dest=Path(dest),
        fetch=FetchPolicy(accept_changed=True),
        following=Following(enabled=False),
    )
    return sync(config, gather([name], [], [], lambda path: b"", {}), Silent())


if __name__ == "__main__":
    sys.exit(main())
