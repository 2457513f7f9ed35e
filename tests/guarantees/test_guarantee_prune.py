"""G7, G8 and G3 while things are taken away: pages first, and no kill leaves a link that leads nowhere."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import CHILD, PATIENCE, check_served, watched

from builders import make_wheel
from faults import Drip
from library import AT_ONCE, Library

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror
    from wire import Request

GONE = ("gone-0", "gone-1", "gone-2")
KEPT = {"foo-2.0-py3-none-any.whl", "foo-2.0.tar.gz", "bar-2.0.tar.gz"}
FOREIGN = {"gone-0/notes.txt": b"mine", "foo/foo-9.tar.gz": b"mine", "gone-1/gone-1-9.zip": b"mine"}


def overfull(mirror: Mirror) -> Library:
    """A mirror with old versions of two projects, three that nothing asks for, and files of somebody's."""
    library = Library(mirror)
    for version in ("1.0", "2.0"):
        mirror.upstream.add_file("foo", f"foo-{version}-py3-none-any.whl", core_metadata=True)
        mirror.upstream.add_file("foo", f"foo-{version}.tar.gz")
        mirror.upstream.add_file("bar", f"bar-{version}.tar.gz")
        for name in GONE:
            mirror.upstream.add_file(name, f"{name}-{version}.tar.gz")
    library.sync("foo", "bar", *GONE, latest=None)
    for name, body in FOREIGN.items():
        (mirror.dest / name).write_bytes(body)
    library.sync("foo", "bar")
    return library


def killed_at(mirror: Mirror, effect: int, verb: str = "prune", *args: str) -> int:
    journal = mirror.folder / "journal"
    argv = [sys.executable, str(CHILD), str(journal), str(effect), verb, str(mirror.dest), *args]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
    return ended.returncode


def pruned(library: Library) -> None:
    """All that nothing wants is gone, and nothing else."""
    guests = {name.partition("/")[2] for name in FOREIGN}
    assert library.mirror.files() == KEPT | guests
    assert not list(library.mirror.dest.glob("*/*-1.0*"))
    assert not (library.mirror.dest / "gone-2").exists()
    assert not library.tombstones()
    for name, body in FOREIGN.items():
        assert (library.mirror.dest / name).read_bytes() == body
    before = library.mirror.identities()
    library.sync("foo", "bar", pruning=AT_ONCE)
    assert library.mirror.identities() == before


def test_G7_deletions_come_last(mirror: Mirror) -> None:
    """Root index, project pages, files, folders: as the system is told of it."""
    overfull(mirror)
    assert killed_at(mirror, 0) == 0
    lines = (mirror.folder / "journal").read_text().splitlines()
    effects = [json.loads(line) for line in lines]
    inodes = {path.stat().st_ino: path.name for path in (mirror.dest, *mirror.dest.iterdir())}
    names = [
        f"{inodes[entry[3]]}/{entry[2]}" if entry[0] == "rename" else entry[1]
        for entry in effects
        if entry[0] in {"rename", "os.remove", "os.rmdir"}
    ]
    root = [at for at, name in enumerate(names) if name.startswith(f"{mirror.dest.name}/index.")]
    pages = [at for at, name in enumerate(names) if "index." in name and at not in root]
    files = [at for at, name in enumerate(names) if name.endswith((".whl", ".gz", ".metadata"))]
    folders = [at for at, name in enumerate(names) if name == "gone-2"]
    assert (len(root), len(pages), len(files), len(folders)) == (2, 10, 10, 1)
    assert max(root) < min(pages) <= max(pages) < min(files) < max(files) < min(folders)


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_G8_a_prune_killed_at_each_effect(mirror: Mirror, step: int) -> None:
    """Every link leads to its file at once, and the next prune finds what is left."""
    kills = 0
    for effect in range(3, 400, step):
        mirror.dest = mirror.folder / f"mirror-{effect}"
        library = overfull(mirror)
        code = killed_at(mirror, effect)
        assert check_served(mirror)
        if effect % 2:
            library.prune()
        else:
            library.sync("foo", "bar", pruning=AT_ONCE)
        pruned(library)
        if code == 0:
            break
        kills += 1
    assert kills > 40 // step


def test_G8_a_prune_killed_again_and_again(mirror: Mirror) -> None:
    library = overfull(mirror)
    for effect in range(8, 400, 8):
        if killed_at(mirror, effect) == 0:
            break
        assert check_served(mirror)
    library.prune()
    pruned(library)


def test_G7_every_link_leads_somewhere_while_a_prune_is_under_way(mirror: Mirror) -> None:
    library = overfull(mirror)
    library.checked = False  # the guests are no concern of this test
    with watched(mirror):
        library.prune()
    pruned(library)


def test_G3_G7_other_bytes_are_on_no_page_until_they_are_there(mirror: Mirror) -> None:
    """With --accept-changed alone, and the page drops the file before its bytes change."""
    library = Library(mirror)
    name, other = "foo-1.0.tar.gz", "foo-1.0.zip"
    mirror.upstream.add_file("foo", name)
    mirror.upstream.add_file("foo", other)
    library.sync("foo")
    mirror.upstream.add_file("foo", name, content=b"others" * 1000)
    listed: list[list[str]] = []

    def slowly(request: Request) -> Fault | None:
        if not request.path.endswith(name):
            return None
        listed.append(mirror.listed("foo"))
        return Drip(piece=1000, pause=0.01)

    mirror.upstream.on_request = slowly
    with watched(mirror):
        library.sync("foo", code=1)
        assert not listed
        library.sync("foo", accept_changed=True)
    assert listed == [[other]]
    assert mirror.path(name).read_bytes() == b"others" * 1000
    assert sorted(mirror.listed("foo")) == [name, other]


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_G3_G8_a_run_that_takes_other_bytes_killed_at_each_effect(mirror: Mirror, step: int) -> None:
    """Whatever the page says then is right; the file has its old bytes or its new ones, and is not lost."""
    name, other = "foo-1.0-py3-none-any.whl", "foo-1.0.zip"
    kills = 0
    for effect in range(2, 400, step):
        mirror.dest = mirror.folder / f"mirror-{effect}"
        library = Library(mirror)
        old = mirror.upstream.add_file("foo", name, core_metadata=True)
        mirror.upstream.add_file("foo", other)
        library.sync("foo")
        new = mirror.upstream.add_file("foo", name, content=make_wheel("foo", "1.0", requires=["bar"]))
        code = killed_at(mirror, effect, "accept-changed", mirror.upstream.url, "foo")
        check_served(mirror)
        assert mirror.path(name).read_bytes() in {old, new}
        library.sync("foo", accept_changed=True)
        assert sorted(mirror.listed("foo")) == [name, other]
        assert mirror.path(name).read_bytes() == new
        if code == 0:
            break
        kills += 1
    assert kills > 20 // step
