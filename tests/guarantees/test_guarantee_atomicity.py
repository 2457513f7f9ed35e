"""GUARANTEES, Atomicity: G6 to G10.  The kills are in a file of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import (
    CHILD,
    check_served,
    command,
    disk,
    leftovers,
    options,
    remount,
    run,
    running,
    slow,
    until,
    watched,
)

from faults import Drip, Fault, Stall
from mirror import PAGES

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror
    from wire import Request

BIG = 700_000  # above what is held in memory of a file before it goes to the disk


@pytest.fixture
def full(mirror: Mirror) -> Mirror:
    """An upstream of three projects with files of all kinds."""
    for name in ("foo", "bar", "baz"):
        mirror.upstream.add_file(name, f"{name}-1.0-py3-none-any.whl", core_metadata=True)
        mirror.upstream.add_file(name, f"{name}-1.0.tar.gz", core_metadata=True, metadata=b"Name: x\n")
        mirror.upstream.add_file(name, f"{name}-1.0.zip", content=os.urandom(BIG))
    return mirror


@dataclass(frozen=True)
class Effect:
    """One line of the witness's journal."""

    kind: str
    inode: int = 0
    name: str = ""
    folder: int = 0


def witnessed(mirror: Mirror, *args: str) -> list[Effect]:
    journal = mirror.folder / "journal"
    ran = run([sys.executable, str(CHILD), str(journal), "0", *options(mirror, *args)])
    assert ran.code == 0, ran.err
    entries = (json.loads(line) for line in journal.read_bytes().splitlines())
    return [
        Effect(entry[0], *entry[1:]) if entry[0] in {"rename", "fsync"} else Effect(entry[0], name=entry[1])
        for entry in entries
    ]


def test_G6_everything_is_written_unnamed_and_durable_before_a_page_names_it(full: Mirror) -> None:
    effects = witnessed(full, "foo", "bar", "baz", "-j", "4")
    renamed = {effect.name: at for at, effect in enumerate(effects) if effect.kind == "rename"}
    synced = {effect.inode: at for at, effect in reversed(list(enumerate(effects))) if effect.kind == "fsync"}
    assert set(renamed) >= full.files()
    for at, effect in enumerate(effects):
        if effect.kind == "open":  # what is written has a name that says nothing, or is the private state
            assert len(effect.name) == 32 or "/.aiomirror/" in effect.name or effect.name == "lock"
        if effect.kind == "rename" and effect.name in PAGES:
            assert synced[effect.inode] < at, "a page that may be empty after a crash"
    for project in ("foo", "bar", "baz"):
        folder = (full.dest / project).stat().st_ino
        published = min(at for at, one in enumerate(effects) if one.name in PAGES and one.folder == folder)
        for path in (full.dest / project).iterdir():
            if path.name in PAGES:
                continue
            assert renamed[path.name] < synced[path.stat().st_ino] < published
            assert any(
                one.kind == "fsync" and one.inode == folder and renamed[path.name] < at < published
                for at, one in enumerate(effects)
            ), "a name that may be gone after a crash"


def test_G7_files_then_pages_then_the_root_and_nothing_is_removed(full: Mirror) -> None:
    full.sync("foo")
    for version in ("2.0", "3.0"):
        full.upstream.add_file("foo", f"foo-{version}.tar.gz")
    effects = witnessed(full, "foo", "bar", "--all-versions")
    folders = {(full.dest / name).stat().st_ino: name for name in (".", "foo", "bar")}
    for name in ("foo", "bar"):
        order = [
            (one.name in PAGES) for one in effects if one.kind == "rename" and folders[one.folder] == name
        ]
        assert order == sorted(order)
    root = max(at for at, one in enumerate(effects) if one.kind == "rename" and folders[one.folder] == ".")
    pages = [at for at, one in enumerate(effects) if one.kind == "rename" and one.name in PAGES]
    assert root == max(pages)
    removed = [one.name for one in effects if one.kind in {"os.remove", "os.rmdir"}]
    assert all(len(name) == 32 or "state.sqlite" in name for name in removed)


def test_G7_a_client_that_looks_all_the_while_sees_no_broken_link(full: Mirror) -> None:
    def slowly(request: Request) -> Fault | None:
        return Drip(piece=100_000, pause=0.01) if request.path.endswith(".zip") else None

    full.upstream.on_request = slowly
    names = ("foo", "bar", "baz")
    full.sync("foo")
    with watched(full):
        full.sync(*names)
        for version in ("1.1", "1.2"):
            for name in names:
                full.upstream.add_file(name, f"{name}-{version}.tar.gz")
                full.upstream.projects[name].files[0]["yanked"] = f"before {version}"
            full.sync(*names)
        full.index()


# -- G8: what ends a run before its time (kill -9 has a file of its own)


@pytest.mark.parametrize(
    ("number", "code", "stalled"),
    [
        (signal.SIGINT, 130, "/files/foo/foo-1.0.zip"),
        (signal.SIGTERM, 143, "/simple/baz/"),
        slow(signal.SIGINT, 130, "/simple/baz/"),
        slow(signal.SIGTERM, 143, "/files/foo/foo-1.0.zip"),
    ],
)
def test_G8_a_signal_ends_it_at_once_and_leaves_what_is_complete(
    full: Mirror, number: int, code: int, stalled: str
) -> None:
    full.upstream.always(stalled, Stall(-1 if "simple" in stalled else BIG - 1))
    with running(command(full, "foo", "bar", "baz", "--timeout", "600")) as process:
        until(lambda: stalled in full.upstream.paths())
        until((full.dest / "bar" / "index.html").exists)
        until((full.dest / "foo" / "foo-1.0.tar.gz").exists)
        process.send_signal(number)
        _, err = process.communicate(timeout=10)  # seconds, where the upstream would have 600
    assert process.returncode == code
    assert "Traceback" not in err
    full.check()
    assert not leftovers(full)
    assert set(full.listed("bar")) == {name for name in full.files() if name.startswith("bar-")}
    complete = full.files()
    full.upstream.always(stalled)
    full.upstream.clear()
    full.sync("foo", "bar", "baz")
    fetched = {request.path.rpartition("/")[2] for request in full.upstream.file_requests()}
    assert not fetched & complete


def finish(mirror: Mirror, complete: set[str], place: Path | None = None) -> None:
    """The next run completes without help and fetches nothing again."""
    mirror.upstream.clear()
    mirror.sync("foo", "bar", "baz")
    fetched = {request.path.rpartition("/")[2] for request in mirror.upstream.file_requests()}
    assert not fetched & complete
    assert len(mirror.files()) == 9
    assert not leftovers(mirror)


@pytest.mark.parametrize("kind", ["size=1900k", "size=3m,nr_inodes=14", "size=3m,nr_inodes=24"])
def test_G8_a_disk_or_its_inodes_that_run_out(full: Mirror, kind: str) -> None:
    with disk(full.folder, kind) as place:
        full.dest = place / "mirror"
        for _ in range(2):
            lines = full.sync("foo", "bar", "baz", "-j", "2", code=6).errors()
            assert 1 <= len(lines) <= 2  # a file, and then perhaps the pages of what was complete
            assert all("no space left on device" in line for line in lines)
            assert not leftovers(full)
        complete = full.files()
        assert "size=1900k" not in kind or complete
        remount(place, "size=9m,nr_inodes=500")
        finish(full, complete)


def test_G8_a_disk_that_becomes_read_only_on_the_way(full: Mirror) -> None:
    with disk(full.folder, "size=9m") as place:
        full.dest = place / "mirror"
        full.sync("bar")
        before = full.identities()
        full.upstream.always("/files/foo/foo-1.0.zip", Drip(piece=20_000, pause=0.02))
        with running(command(full, "foo", "bar", "baz")) as process:
            until(lambda: "/files/foo/foo-1.0.zip" in full.upstream.paths())
            # What is open for writing holds the remount up; the superuser's knife does not wait for it.
            os.kill(process.pid, signal.SIGSTOP)
            process.kill()
            process.wait()
        remount(place, "ro")
        check_served(full)
        ran = run(command(full, "foo", "bar", "baz"))
        assert (ran.code, len(ran.errors())) == (6, 1)
        assert "read-only file system" in ran.err
        assert before.items() <= full.identities().items()
        remount(place, "rw")
        full.upstream.always("/files/foo/foo-1.0.zip")
        finish(full, full.files())


def test_G8_a_held_file_that_cannot_be_read_any_more(full: Mirror) -> None:
    """The memory of a process, whose first page is unmapped, reads as a bad sector does: EIO."""
    with disk(full.folder, "size=9m") as place:
        full.dest = place / "mirror"
        full.sync("foo", "bar", "baz")
        complete, victim = full.files(), full.path("foo-1.0.zip")
        before = full.contents()
        with mounted_over(victim):
            ran = run(command(full, "foo", "bar", "baz", "--keep-going"))
            assert ran.code
            assert any("foo-1.0.zip" in line for line in ran.errors())
        assert full.contents() == before
        finish(full, complete)


class mounted_over:  # noqa: N801 (used as a function)
    """The memory of this process in place of a file."""

    def __init__(self, victim: Path) -> None:
        self._victim = victim

    def __enter__(self) -> None:
        bind = ["mount", "--bind", f"/proc/{os.getpid()}/mem", str(self._victim)]
        if not sys.platform.startswith("linux") or run(bind).code:
            pytest.skip("cannot mount over a file here")

    def __exit__(self, *_: object) -> None:
        run(["umount", str(self._victim)])


def test_G8_too_few_descriptors(full: Mirror) -> None:
    """At any limit it either succeeds or says what is short, and leaves the tree right."""
    for limit in (16, 32):
        shutil.rmtree(full.dest, ignore_errors=True)
        ran = run(["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command(full, "foo", "bar", "baz")])
        assert ran.code in {0, 1, 4, 6}
        assert bool(ran.code) is bool(ran.errors())
        full.check()
        finish(full, full.files())


# -- G9


def test_G9_a_run_with_nothing_new_rewrites_nothing(full: Mirror) -> None:
    full.sync("foo", "bar", "baz")
    before = full.identities()
    root = full.dest.stat().st_mtime_ns
    for between in (None, "html", "json", "state"):
        if between == "state":
            shutil.rmtree(full.dest / ".aiomirror")
        elif between:
            full.upstream.formats = "both"
        full.upstream.projects["foo"].files.reverse()  # the order upstream lists things in is no news
        ran = full.sync("foo", "bar", "baz")
        assert ran.report["totals"]["pages_written"] == 0
        assert full.identities() == before
        assert full.index().report["totals"]["pages_written"] == 0
        assert full.identities() == before
        assert between == "state" or full.dest.stat().st_mtime_ns == root


def test_G9_pages_do_not_remember_how_they_came_to_be(full: Mirror) -> None:
    full.sync("foo", "bar", "baz")
    for name in ("foo", "bar", "baz"):
        full.upstream.add_file(name, f"{name}-0.9.tar.gz")
    full.sync("bar", "baz", "foo", "--all-versions")
    first, full.dest = full.contents(), full.folder / "another"
    full.sync("baz", "foo", "bar", "--all-versions", "-j", "1")
    assert full.contents() == first


# -- G10


def test_G10_a_second_run_ends_with_6_and_names_the_holder(full: Mirror) -> None:
    full.upstream.always("/simple/baz/", Stall())
    with running(command(full, "baz", "--timeout", "60")) as first:
        until(lambda: bool(full.upstream.requests))
        for verb in (
            command(full, "foo"),
            [sys.executable, "-m", "aiomirror", "index", "-d", str(full.dest)],
        ):
            ran = run(verb)
            (line,) = ran.errors()
            assert ran.code == 6
            assert f"another run holds this mirror (process {first.pid} on " in line
        assert len(full.upstream.requests) == 1
        first.kill()
        first.wait()
    full.upstream.always("/simple/baz/")
    full.sync("baz")  # the lock died with its holder


def test_G10_of_many_that_start_at_once_one_runs(full: Mirror) -> None:
    full.upstream.always("/simple/baz/", Drip(piece=200, pause=0.05))
    argv = command(full, "baz")
    with running(argv) as one, running(argv) as two, running(argv) as three, running(argv) as four:
        ended = [(process.communicate(timeout=60), process.returncode) for process in (one, two, three, four)]
    codes = sorted(code for _, code in ended)
    assert codes.count(0) + codes.count(6) == 4
    assert codes[0] == 0
    full.check()
    asked = [path for path in full.upstream.paths() if path.startswith("/files/")]
    assert len(asked) == len(set(asked))
