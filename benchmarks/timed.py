"""Run one command and write what it took, as JSON.

A program of its own, and a lean one: the kernel counts the memory of the process that forks as the child's
until the child has its own image, so curl, started by a harness of 50 MB, would be said to take 50 MB.  What
this one needs, about 9 MB, is the least that can be told.

    python -I -S timed.py RESULT LOG LIMIT_SECONDS COMMAND...
"""

import os
import signal
import sys
import time

KILLED = "took longer than its limit"


def processors() -> tuple[int, int]:
    """Ticks of all processors since the start: all, and those with nothing to run (proc(5))."""
    with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def main(result: str, log: str, limit: str, *command: str) -> None:
    """Wall, user and system seconds, and the largest resident set, in bytes, of any one process.

    Besides, how busy all processors were meanwhile, with whatever runs on the machine: from 0 to 1.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    streams = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    before = processors()
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=streams, setpgroup=0)

    def stop(_number: int, _frame: object) -> None:
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.alarm(int(limit))
    _, status, usage = os.wait4(child, 0)  # the command's own children included, when it waited for them
    wall = time.perf_counter() - started
    signal.alarm(0)
    ticks, idle = (after - earlier for after, earlier in zip(processors(), before, strict=True))
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(
            f'{{"exit": {os.waitstatus_to_exitcode(status)}, "wall": {wall:.6f},'
            f' "user": {usage.ru_utime:.6f}, "system": {usage.ru_stime:.6f},'
            f' "memory": {usage.ru_maxrss * 1024}, "busy": {1 - idle / max(ticks, 1):.3f}}}'
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
