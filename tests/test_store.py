"""The mirror's folder: opening, locking, looking; links and names that lead elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st
from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError, LockedError
from aiomirror.plan import FileStat, Remembered
from aiomirror.store import PageWrite, Store
from aiomirror.store.names import is_component, is_project
from builders import make_metadata, make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

SIX = canonicalize_name("six")


async def put(store: Store, project: str, name: str, content: bytes) -> None:
    async with store.partial(project, name, hashes={"sha256": sha256(content)}, size=len(content)) as partial:
        await partial.write(content)
        await partial.commit()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# Opening


async def test_a_new_mirror_has_only_its_private_folder(tmp_path: Path) -> None:
    async with Store(tmp_path / "simple") as store:
        assert store.dest == tmp_path / "simple"
        assert store.state_path.parent == tmp_path / "simple/.aiomirror"
    assert below(tmp_path / "simple") == {".aiomirror", ".aiomirror/lock", ".aiomirror/partial"}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o000])
async def test_modes_follow_the_umask_but_for_what_is_private(tmp_path: Path, mask: int) -> None:
    dest = tmp_path / "simple"
    with umask(mask):
        async with Store(dest) as store:
            await put(store, SIX, "six-1.0.tar.gz", b"six")
            await store.publish([PageWrite(None, {"index.html": b"root"})])
    modes = {path: (dest / path).stat().st_mode & 0o777 for path in below(dest)}
    assert modes == {
        ".aiomirror": 0o700,
        ".aiomirror/lock": 0o600 & ~mask,
        ".aiomirror/partial": 0o700,
        "six": 0o777 & ~mask,
        "six/six-1.0.tar.gz": 0o666 & ~mask,
        "index.html": 0o666 & ~mask,
    }
    assert dest.stat().st_mode & 0o777 == 0o777 & ~mask


async def test_the_destination_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "simple").symlink_to("real")
    async with Store(tmp_path / "simple") as store:
        await put(store, SIX, "six-1.0.tar.gz", b"six")
    assert (tmp_path / "real/six/six-1.0.tar.gz").read_bytes() == b"six"


async def refusal(store: Store) -> str:
    with pytest.raises(DestinationError) as caught:
        async with store:
            pass
    return str(caught.value)


async def test_a_destination_that_is_a_file(tmp_path: Path) -> None:
    dest = tmp_path / "simple"
    dest.write_text("mine")
    assert await refusal(Store(dest)) == f"{dest}: is a link or a file where a folder should be"
    assert dest.read_text() == "mine"


async def test_a_destination_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (
        await refusal(Store(tmp_path / "file/simple"))
        == f"{tmp_path}/file/simple: a folder above it is a file"
    )


async def test_a_destination_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    dest = tmp_path / "disk/simple"
    async with Store(dest):
        assert dest.is_dir()


async def test_a_dangling_link_as_destination(tmp_path: Path) -> None:
    (tmp_path / "simple").symlink_to("nowhere")
    assert await refusal(Store(tmp_path / "simple")) == f"{tmp_path}/simple: is missing"


async def test_without_create_a_missing_destination_is_refused(tmp_path: Path) -> None:
    assert await refusal(Store(tmp_path / "simple", create=False)) == f"{tmp_path}/simple: is missing"
    assert below(tmp_path) == set()


@pytest.mark.parametrize("planted", [".aiomirror", ".aiomirror/partial", ".aiomirror/lock"])
async def test_g23_a_link_in_place_of_what_is_private_is_refused(tmp_path: Path, planted: str) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "simple" / planted
    elsewhere.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    assert str(link) in await refusal(Store(tmp_path / "simple"))
    assert below(elsewhere) == set()


async def test_g31_a_full_disk_is_told_when_the_mirror_is_opened(small_disk: Path) -> None:
    async with Store(small_disk / "simple"):
        pass
    fill(small_disk / "filler")
    assert "no space left on device" in await refusal(Store(small_disk / "simple"))


async def test_g31_a_read_only_disk_is_told_when_the_mirror_is_opened(small_disk: Path) -> None:
    async with Store(small_disk / "simple"):
        pass
    process = await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", small_disk)
    assert await process.wait() == 0
    assert "read-only file system" in await refusal(Store(small_disk / "simple"))
    assert "read-only file system" in await refusal(Store(small_disk / "other"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, where the system lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a file system here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    partial = tmp_path / ".aiomirror/partial"
    partial.mkdir(parents=True)
    (partial / "abandoned").write_text("half")
    (partial / "link").symlink_to(tmp_path)
    (partial / "of a helper").mkdir()
    (partial / "of a helper" / "abandoned").write_text("half")
    (partial / "of a helper" / "link").symlink_to(tmp_path)
    async with Store(tmp_path):
        assert below(partial) == set()
    assert below(tmp_path) == {".aiomirror", ".aiomirror/lock", ".aiomirror/partial"}


async def test_what_killed_helpers_left_is_cleared_at_the_end(tmp_path: Path) -> None:
    partial = tmp_path / ".aiomirror/partial"
    async with Store(tmp_path):
        (partial / "of a helper").mkdir()
        (partial / "of a helper" / "abandoned").write_text("half")
    assert below(partial) == set()


async def test_errors_at_the_limit_of_open_files_are_plain(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        partial = store.partial(SIX, "six-1.0.tar.gz", hashes={})
        await partial.write(b"six")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.open("/dev/null", os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
        try:
            with pytest.raises(DestinationError, match=r"six-1\.0\.tar\.gz: too many open files: raise"):
                await partial.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os.close(spare)
        await partial.write(b"six")
        assert (await partial.commit()).sha256 == sha256(b"six")


# The lock


HOLDER = """
import asyncio, sys
from pathlib import Path
from aiomirror.store import Store

async def hold():
    async with Store(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(3600)

asyncio.run(hold())
"""


@contextmanager
def holder(dest: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(dest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


async def test_g10_a_second_run_is_told_who_holds_the_mirror(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(LockedError) as caught:
            async with Store(tmp_path):
                pass
        assert caught.value.holder == f"process {process.pid} on {socket.gethostname()}"
        assert caught.value.path == str(tmp_path)


async def test_g8_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        async with Store(tmp_path, hold="the second"):
            assert (tmp_path / ".aiomirror/lock").read_text() == "the second"


async def test_a_second_run_does_not_touch_the_partials_of_the_first(tmp_path: Path) -> None:
    async with Store(tmp_path):
        (tmp_path / ".aiomirror/partial/growing").touch()
        await refusal(Store(tmp_path))
        assert below(tmp_path / ".aiomirror/partial") == {"growing"}


async def test_the_holder_is_shown_without_control_characters(tmp_path: Path) -> None:
    async with Store(tmp_path, hold="a\x1b[31m\nb"):
        assert await refusal(Store(tmp_path)) == f"{tmp_path}: another run holds this mirror (a[31mb)"


async def test_the_lock_is_free_after_a_run(tmp_path: Path) -> None:
    for _ in range(2):
        async with Store(tmp_path):
            pass


# Read only


async def test_read_only_makes_and_locks_nothing(tmp_path: Path) -> None:
    async with Store(tmp_path / "simple", writable=False) as store:
        assert await store.survey(SIX) == {}
        assert await store.read(SIX, "index.html", 100) is None
        assert await store.read(None, "index.html", 100) is None
        assert await store.digest(SIX, "six-1.0.tar.gz") is None
        assert await store.folders() == await store.projects() == []
        assert await store.intact([Remembered(canonicalize_name(SIX))]) == set()
    assert below(tmp_path) == set()


async def test_read_only_sees_a_mirror_that_another_run_holds(tmp_path: Path) -> None:
    async with Store(tmp_path) as writer, Store(tmp_path, writable=False) as reader:
        await put(writer, SIX, "six-1.0.tar.gz", b"six")
        assert list(await reader.survey(SIX)) == ["six-1.0.tar.gz"]


async def test_read_only_still_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "simple").touch()
    assert "where a folder should be" in await refusal(Store(tmp_path / "simple", writable=False))


# Looking


async def test_survey_lists_regular_files_with_their_stat(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await put(store, SIX, "six-1.0.tar.gz", b"six")
        (tmp_path / "six/folder").mkdir()
        (tmp_path / "six/link.whl").symlink_to("six-1.0.tar.gz")
        (tmp_path / "six/.hidden").touch()
        os.mkfifo(tmp_path / "six/pipe")
        found = (tmp_path / "six/six-1.0.tar.gz").stat()
        expected = FileStat(found.st_size, found.st_mtime_ns, found.st_ino)
        assert await store.survey(SIX) == {"six-1.0.tar.gz": expected}
        assert await store.survey("absent") == {}


async def test_a_file_is_hashed_as_it_is_on_disk(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    async with Store(tmp_path) as store:
        (tmp_path / "six").mkdir()
        (tmp_path / "six/six-1.0.tar.gz").write_bytes(content)
        record = await store.digest(SIX, "six-1.0.tar.gz")
        assert record is not None
        assert (record.filename, record.sha256) == ("six-1.0.tar.gz", sha256(content))
        assert record.stat == (await store.survey(SIX))["six-1.0.tar.gz"]
        hashed = await store.hash_file(SIX, "six-1.0.tar.gz", {"md5", "blake2b", "whirlpool", "shake_128"})
        assert hashed is not None
        assert hashed == (
            record,
            {
                "sha256": sha256(content),
                "md5": hashlib.md5(content).hexdigest(),
                "blake2b": hashlib.blake2b(content).hexdigest(),
            },
        )


async def test_what_is_no_regular_file_is_not_hashed_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(tmp_path) as store:
        (tmp_path / "six/folder").mkdir(parents=True)
        (tmp_path / "six/link").symlink_to("/etc/passwd")
        (tmp_path / "six/dangling").symlink_to("nowhere")
        os.mkfifo(tmp_path / "six/pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            # A socket's path may not be long.
            monkeypatch.chdir(tmp_path / "six")
            listener.bind("socket")
        for name in ("folder", "link", "dangling", "pipe", "socket", "absent"):
            assert await store.digest(SIX, name) is None, name
            assert await store.read(SIX, name, 1 << 20) is None, name


async def test_read_is_bounded(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.publish([PageWrite(None, {"index.html": b"12345"})])
        assert await store.read(None, "index.html", 5) == b"12345"
        assert await store.read(None, "index.html", 4) is None


async def test_projects_are_folders_with_a_page(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        for name in ("b", "a", "c", "Not-Normal", "un_normal"):
            (tmp_path / name).mkdir()
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("a")
        (tmp_path / "a/index.v1_json").touch()
        (tmp_path / "b/index.html").touch()
        (tmp_path / "Not-Normal/index.html").touch()
        assert await store.folders() == ["a", "b", "c"]
        assert await store.projects() == ["a", "b"]
        assert await store.projects({canonicalize_name(name) for name in ("b", "c", "d")}) == ["b"]


# Siblings


async def test_a_wheels_own_metadata_is_put_beside_it(tmp_path: Path) -> None:
    name, metadata = "six-1.0-py3-none-any.whl", make_metadata("six", "1.0", requires_python=">=3.8")
    async with Store(tmp_path) as store:
        await put(store, SIX, name, make_wheel("six", "1.0", requires_python=">=3.8"))
        assert await store.make_metadata(SIX, name, expected={"sha256": "0" * 64}) is None
        assert list(await store.survey(SIX)) == [name]
        record = await store.make_metadata(SIX, name, expected={"sha256": sha256(metadata)})
        assert record is not None
        assert record == await store.digest(SIX, f"{name}.metadata")
        assert await store.read(SIX, f"{name}.metadata", 1 << 20) == metadata
        assert await store.make_metadata(SIX, name) == record
        assert await store.make_metadata(SIX, name, expected={"sha256": "0" * 64}) is None
        assert await store.requires_python(SIX, name) == ">=3.8"


async def test_no_metadata_where_there_is_no_wheel_to_read(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await put(store, SIX, "six-1.0-py3-none-any.whl", b"no zip")
        await put(store, SIX, "six-1.0.tar.gz", make_sdist("six", "1.0", requires_python="<4"))
        longest = "s" * 249
        await put(store, SIX, longest, b"no room for the sibling's name")
        for name in ("six-1.0-py3-none-any.whl", "six-1.0.tar.gz", longest, "absent-1.0-py3-none-any.whl"):
            assert await store.make_metadata(SIX, name) is None
        assert await store.requires_python(SIX, "six-1.0-py3-none-any.whl") is None
        assert await store.requires_python(SIX, "absent-1.0.tar.gz") is None
        assert await store.requires_python(SIX, "six-1.0.tar.gz") == "<4"
        assert len(await store.survey(SIX)) == 3


async def test_a_sibling_is_replaced_when_it_differs_only(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        first = await store.write_sibling(SIX, "six-1.0.tar.gz.provenance", b"{}")
        assert await store.write_sibling(SIX, "six-1.0.tar.gz.provenance", b"{}") == first
        second = await store.write_sibling(SIX, "six-1.0.tar.gz.provenance", b"[]")
        assert second.stat.inode != first.stat.inode
        assert await store.read(SIX, "six-1.0.tar.gz.provenance", 10) == b"[]"


# Containment


NO_COMPONENTS = [
    "",
    ".",
    "..",
    "a/b",
    "/etc/passwd",
    "../a",
    "a\\b",
    "a\0b",
    "a\nb",
    ".hidden",
    "-rf",
    "~root",
]
NO_COMPONENTS += ["a\ud800", "a\u202eb", "a\u2028b", "a\u0085b", "é" * 128]


@pytest.mark.parametrize("name", NO_COMPONENTS)
async def test_g22_names_that_are_no_plain_component_are_the_callers_mistake(
    tmp_path: Path, name: str
) -> None:
    async with Store(tmp_path) as store:
        for call in (store.digest(SIX, name), store.read(SIX, name, 9), store.write_sibling(SIX, name, b"")):
            with pytest.raises(ValueError, match="not a plain file name"):
                await call
        with pytest.raises(ValueError, match="not a plain file name"):
            store.partial(SIX, name, hashes={})
        with pytest.raises(ValueError, match="not a plain file name"):
            await store.publish([PageWrite(None, {name: b""})])
        with pytest.raises(ValueError, match="not a normalised project name"):
            await store.survey(name)
    assert below(tmp_path) == {".aiomirror", ".aiomirror/lock", ".aiomirror/partial"}


@pytest.mark.parametrize("project", ["Six", "a_b", "a.b", "a--b", "-a", "a-", "a\n", "a" * 256, ".aiomirror"])
async def test_g28_only_normalised_names_are_projects(tmp_path: Path, project: str) -> None:
    async with Store(tmp_path) as store:
        with pytest.raises(ValueError, match="not a normalised project name"):
            store.partial(project, "six-1.0.tar.gz", hashes={})


@given(st.text(max_size=300) | st.text("./\\~-a\0\n", max_size=12))
def test_a_name_that_passes_is_one_visible_component(name: str) -> None:
    if is_component(name):
        assert Path("/root", name).parent == Path("/root")
        assert os.path.normpath(f"/mirror/{name}") == f"/mirror/{name}"
        assert not name.startswith(".")
        assert len(os.fsencode(name)) <= 255


@given(st.text("abzAZ019-_./\n", max_size=12))
def test_a_project_that_passes_is_its_own_normal_form(name: str) -> None:
    assert not is_project(name) or canonicalize_name(name, validate=True) == name


@settings(max_examples=50)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=20), content=st.binary(max_size=20))
def test_g23_nothing_is_written_outside_the_projects_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    top = tmp_path_factory.mktemp("top")
    (top / "simple").mkdir()

    async def attempt() -> bool:
        async with Store(top / "simple") as store:
            try:
                await put(store, SIX, name, content)
            except ValueError:
                return False
            return True

    written = asyncio.run(attempt())
    ours = {"simple", *(f"simple/.aiomirror{part}" for part in ("", "/lock", "/partial"))}
    assert below(top) == ours | ({"simple/six", f"simple/six/{name}"} if written else set())


@pytest.mark.parametrize("kind", ["link", "file"])
async def test_g23_what_stands_in_place_of_a_projects_folder_is_named(tmp_path: Path, kind: str) -> None:
    elsewhere, planted = tmp_path / "elsewhere", tmp_path / "simple/six"
    elsewhere.mkdir()
    async with Store(tmp_path / "simple") as store:
        if kind == "link":
            planted.symlink_to(elsewhere)
        else:
            planted.touch()
        partial = store.partial(SIX, "six-1.0.tar.gz", hashes={})
        await partial.write(b"six")
        for call in (
            partial.commit(),
            store.survey(SIX),
            store.digest(SIX, "six-1.0.tar.gz"),
            store.write_sibling(SIX, "six-1.0.tar.gz.metadata", b""),
            store.publish([PageWrite(SIX, {"index.html": b""})]),
        ):
            with pytest.raises(
                DestinationError, match="is a link or a file where a folder should be"
            ) as caught:
                await call
            assert caught.value.path.startswith(str(planted))
        assert below(tmp_path / "simple/.aiomirror/partial") == set()
    assert below(elsewhere) == set()


async def test_g23_a_link_in_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    async with Store(tmp_path / "simple") as store:
        (tmp_path / "simple/six").mkdir()
        (tmp_path / "simple/six/six-1.0.tar.gz").symlink_to(target)
        (tmp_path / "simple/index.html").symlink_to(target)
        await put(store, SIX, "six-1.0.tar.gz", b"six")
        await store.publish([PageWrite(None, {"index.html": b"root"})])
    assert target.read_text() == "precious"
    assert not (tmp_path / "simple/six/six-1.0.tar.gz").is_symlink()
    assert (tmp_path / "simple/index.html").read_bytes() == b"root"


async def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        (tmp_path / "six/six-1.0.tar.gz").mkdir(parents=True)
        with pytest.raises(DestinationError, match=r"six-1\.0\.tar\.gz: is a folder where a file should be"):
            await put(store, SIX, "six-1.0.tar.gz", b"six")
        assert below(tmp_path / ".aiomirror/partial") == set()
