"""Runs of the real command in a process of its own, and what must hold of a mirror whatever ended them."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from aiomirror.simple.read import read_root
from mirror import OURS, PAGES, Ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.mark.structures import ParameterSet

    from aiomirror.simple.values import ProjectFile
    from mirror import Mirror

PATIENCE = 60.0
"""Seconds until a run counts as one that hangs; far above what any of them takes."""


def slow(*values: object) -> ParameterSet:
    """A case that is left to the long suite: the default run has others like it."""
    return pytest.param(*values, marks=pytest.mark.slow)


CHILD = Path(__file__).with_name("guarantee_child.py")
HELPED = Path(__file__).with_name("guarantee_helped.py")


class OneOf(int):
    """An exit code that equals any of several: where which one it is, is not the point."""

    codes: frozenset[int]

    def __new__(cls, *codes: int) -> Self:
        made = super().__new__(cls, codes[0])
        made.codes = frozenset(codes)
        return made

    def __eq__(self, other: object) -> bool:
        return other in self.codes

    __hash__ = int.__hash__


ANY_FAILURE = OneOf(*range(1, 256))


def options(mirror: Mirror, *args: str) -> list[str]:
    """As ``Mirror.sync`` has them; later ones win."""
    where = ["-i", mirror.upstream.url, "-d", str(mirror.dest)]
    return ["sync", *where, "--retries", "1", "--timeout", "5", "--no-deps", *args]


def command(mirror: Mirror, *args: str) -> list[str]:
    return [sys.executable, "-m", "aiomirror", *options(mirror, *args)]


def helped(mirror: Mirror, *args: str) -> list[str]:
    """The same in three processes, where there are 24 jobs and more."""
    return [sys.executable, str(HELPED), *options(mirror, *args)]


def run(
    argv: list[str],
    patience: float = PATIENCE,
    **how: Any,  # noqa: ANN401 (subprocess's own keywords)
) -> Ran:
    """A process to its end; one that does not come to it is a failure."""
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=patience, **how)
    assert "Traceback" not in ended.stderr, ended.stderr
    return Ran(ended.returncode, ended.stdout, ended.stderr)


MEASURE = """
import os, pathlib, resource, runpy, sys
first, leave = os.getpid(), os._exit
def measured(code):
    if os.getpid() == first:
        status = pathlib.Path("/proc/self/status")
        if status.exists():  # ru_maxrss would have the peak of the process that started this one
            peak = int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("peak", peak, flush=True)
    leave(code)
sys.argv[0], os._exit = "aiomirror", measured
runpy.run_module("aiomirror", run_name="__main__")
"""


def run_measured(argv: list[str], patience: float = PATIENCE) -> tuple[Ran, int]:
    """As :func:`run`, with the peak of the process's memory in bytes."""
    ran = run([sys.executable, "-c", MEASURE, *argv], patience)
    return ran, int(ran.out.split()[-1])


@contextmanager
def running(argv: list[str], **how: Any) -> Iterator[subprocess.Popen[str]]:  # noqa: ANN401 (as above)
    """A process that is killed at the end, if it still runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, **how) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.002)


# -- what holds at every instant


def check_served(mirror: Mirror) -> int:
    """Every link of every page resolves and hashes, also while a run is under way or after its death.

    Unlike ``Mirror.check`` this lets be what only the end of a run promises: that both forms of a page say
    the same, that the root names every project, and that nothing is left in the private folder.  Returns how
    many links were followed.
    """
    links = 0
    for form, content_type in PAGES.items():
        for page in mirror.dest.glob(f"*/{form}"):
            links += _check_page(mirror, page)
        root = mirror.dest / form
        if root.exists():
            for project in read_root(root.read_bytes(), content_type, OURS):
                assert (mirror.dest / project / form).is_file()
                links += 1
    return links


def _check_page(mirror: Mirror, page: Path) -> int:
    seen, links = page.read_bytes(), 0
    for file in mirror.page(page.parent.name, page.name).files:
        try:
            _check_link(page.parent, file)
        except (AssertionError, FileNotFoundError):
            # A page that is replaced meanwhile is gone, and files may go after the pages that name them.
            if page.exists() and page.read_bytes() == seen:
                raise
            break
        links += 1
    return links


def _check_link(folder: Path, file: ProjectFile) -> None:
    data = (folder / file.filename).read_bytes()
    assert file.size in {None, len(data)}  # HTML states none
    assert "sha256" in file.hashes
    assert all(hashlib.new(name, data).hexdigest() == value for name, value in file.hashes.items())
    if file.core_metadata is not None:
        sibling = (folder / f"{file.filename}.metadata").read_bytes()
        assert file.core_metadata == {"sha256": hashlib.sha256(sibling).hexdigest()}


def leftovers(mirror: Mirror) -> list[Path]:
    """What has no place in a mirror between two runs."""
    private = mirror.dest / ".aiomirror"
    known = {"lock", "state.sqlite", "partial"}
    return [path for path in private.rglob("*") if str(path.relative_to(private)) not in known]


@contextmanager
def watched(mirror: Mirror) -> Iterator[None]:
    """Check the tree again and again from another thread, as a client would see it, while the body runs."""
    over, failures, rounds = threading.Event(), list[BaseException](), 0

    def watch() -> None:
        nonlocal rounds
        while not over.is_set():
            try:
                check_served(mirror)
            except FileNotFoundError as error:
                # A page may be there now that was not a moment ago; a link that leads nowhere stays one.
                if error.filename and not str(error.filename).endswith(tuple(PAGES)):
                    failures.append(error)
                    return
            except BaseException as error:  # noqa: BLE001 (raised again below, in the test's own thread)
                failures.append(error)
                return
            rounds += 1

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
    assert rounds


# -- disks and servers


@contextmanager
def disk(folder: Path, kind: str) -> Iterator[Path]:
    """A small file system of its own (``size=…``, ``nr_inodes=…``), where the system lets us have one."""
    place = folder / "disk"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", kind, "tmpfs", str(place)]
    if (
        not hasattr(os, "geteuid")
        or os.geteuid()
        or subprocess.run(argv, capture_output=True, check=False).returncode
    ):
        pytest.skip("cannot mount a file system here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The base address of a server whose every connection is given to ``talk`` in a thread of its own.

    For what no HTTP server does; it is closed under ``talk`` at the end, whose OSError that is.
    """
    open_ones: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                open_ones.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            for connection in open_ones:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def drip(connection: socket.socket, data: bytes, pause: float = 0.02) -> None:
    """One byte at a time, over and over, until the other side is gone."""
    while True:
        for index in range(len(data)):
            connection.sendall(data[index : index + 1])
            time.sleep(pause)
