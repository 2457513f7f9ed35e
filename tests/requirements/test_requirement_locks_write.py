"""``pylock.toml`` as it is written: valid, the same each time, and installed by a real client."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import uv
from hypothesis import given, strategies as st
from msgspec.structs import replace
from packaging.pylock import PackageWheel, Pylock
from packaging.tags import Tag
from packaging.utils import canonicalize_name

from aiomirror.requirements import gather
from aiomirror.requirements.locks import LockFile, LockPackage, unlockable, write_pylock
from builders import make_wheel
from catalogue import sha256
from clients import Clients

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 64, "b" * 64
TIME = datetime(2024, 2, 2, 3, 4, 5, 123456, tzinfo=UTC)


def file(filename: str, digest: str = A) -> LockFile:
    return LockFile(filename, {"sha256": digest})


def package(project: str, version: str, *files: LockFile, requires_python: str | None = None) -> LockPackage:
    return LockPackage(canonicalize_name(project), version, files, requires_python)


def test_the_text() -> None:
    six = package(
        "six",
        "1.16",
        LockFile("six-1.16.tar.gz", {"sha512": "c" * 128, "sha256": A}, 306, TIME),
        LockFile("six-1.16-py3-none-any.whl", {"sha256": B}, upload_time=TIME.replace(microsecond=0)),
        requires_python=">=3.8, !=3.9",
    )
    assert (
        write_pylock([six, package("Alpha.Beta", "1.0", file("alpha_beta-1.0.zip"))], "../simple")
        == f"""\
lock-version = "1.0"
created-by = "aiomirror"

[[packages]]
name = "alpha-beta"
version = "1.0"
sdist = {{ name = "alpha_beta-1.0.zip", path = "../simple/alpha-beta/alpha_beta-1.0.zip", hashes = {{ \
sha256 = "{A}" }} }}

[[packages]]
name = "six"
version = "1.16"
requires-python = ">=3.8, !=3.9"
sdist = {{ name = "six-1.16.tar.gz", upload-time = 2024-02-02T03:04:05.123456Z, \
path = "../simple/six/six-1.16.tar.gz", size = 306, hashes = {{ sha256 = "{A}", sha512 = "{"c" * 128}" }} }}
wheels = [
    {{ name = "six-1.16-py3-none-any.whl", upload-time = 2024-02-02T03:04:05Z, \
path = "../simple/six/six-1.16-py3-none-any.whl", hashes = {{ sha256 = "{B}" }} }},
]
"""
    )


def test_it_is_valid_and_says_what_was_given() -> None:
    text = write_pylock(
        [
            package("b", "2.0", file("b-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", B), file("b-2.0.tar.gz")),
            package("b", "1.0", file("b-1.0.tar.gz"), requires_python="rubbish"),
        ]
    )
    lock = Pylock.from_dict(tomllib.loads(text))
    assert [(one.name, str(one.version), one.requires_python) for one in lock.packages] == [
        ("b", "1.0", None),
        ("b", "2.0", None),
    ]
    (wheel,) = lock.packages[1].wheels or ()
    assert (wheel.filename, wheel.path) == (
        "b-2.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "./b/b-2.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    )
    parsed = gather((), ("pylock.toml",), (), lambda _: text.encode(), {})
    assert [(want.text, dict(want.files)) for want in parsed.wanted] == [
        ("b==1.0", {"b-1.0.tar.gz": frozenset({("sha256", A)})}),
        (
            "b==2.0",
            {
                "b-2.0.tar.gz": frozenset({("sha256", A)}),
                "b-2.0-cp311-cp311-manylinux_2_17_x86_64.whl": frozenset({("sha256", B)}),
            },
        ),
    ]


def test_nothing_at_all() -> None:
    assert not Pylock.from_dict(tomllib.loads(write_pylock([]))).packages


def test_markers_and_what_they_are_for() -> None:
    six = LockPackage(canonicalize_name("six"), "1.16", [file("six-1.16.tar.gz")], marker="os_name == 'nt'")
    old = replace(six, version="1.9", files=[file("six-1.9.tar.gz")], marker="'dev' in dependency_groups")
    text = write_pylock([six, old], environments=["os_name == 'nt'", 'os_name == "x"'], groups=["dev", "doc"])
    lock = Pylock.from_dict(tomllib.loads(text))
    assert [str(one) for one in lock.environments or ()] == ['os_name == "nt"', 'os_name == "x"']
    assert lock.dependency_groups == ["dev", "doc"]
    assert [str(one.marker) for one in lock.packages] == ['"dev" in dependency_groups', 'os_name == "nt"']


def test_the_highest_build_goes_first() -> None:
    names = [
        f"a-1.0{build}-{tag}-none-any.whl" for tag in ("cp312", "py3") for build in ("", "-2", "-10a", "-10b")
    ]
    lock = Pylock.from_dict(tomllib.loads(write_pylock([package("a", "1.0", *map(file, names))])))
    ((_, chosen),) = lock.select(tags=[Tag("py3", "none", "any")])
    assert isinstance(chosen, PackageWheel)
    assert chosen.name == "a-1.0-10b-py3-none-any.whl"


def test_files_without_room() -> None:
    alpha = package(
        "alpha",
        "1.0",
        file("alpha-1.0.zip"),
        file("alpha-1.0.tar.gz"),
        file("alpha-1.0.tar.bz2"),
        file("alpha-1.0-py3.11.egg"),
        file("alpha-1.0-py3-none.whl"),
        file("beta-1.0-py3-none-any.whl"),
        file("alpha-1.1-py3-none-any.whl"),
        file("Alpha-1-py3-none-any.whl"),
    )
    left = {one.filename for one in alpha.files} - {"alpha-1.0.tar.gz", "Alpha-1-py3-none-any.whl"}
    assert unlockable(alpha) == sorted(left)
    old = package("old", "2004d-final", file("old-2004d-final.tar.gz"))
    assert unlockable(old) == ["old-2004d-final.tar.gz"]
    lock = Pylock.from_dict(tomllib.loads(write_pylock([alpha, old])))
    assert [one.name for one in lock.packages] == ["alpha"]


def test_times_are_in_utc() -> None:
    east = datetime(2024, 2, 2, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    files = [LockFile("a-1.tar.gz", {"sha256": A}, upload_time=east)]
    bare = [LockFile("b-1.tar.gz", {"sha256": A}, upload_time=datetime(2024, 2, 2))]  # noqa: DTZ001 (the case)
    text = write_pylock(
        [LockPackage(canonicalize_name("a"), "1", files), LockPackage(canonicalize_name("b"), "1", bare)]
    )
    assert "upload-time = 2024-02-01T23:00:00Z" in text
    assert "upload-time = 2024-02-02T00:00:00Z" in text


@given(st.permutations(["a", "b", "c"]), st.permutations(["-py2-none-any.whl", "-py3-none-any.whl", ".zip"]))
def test_the_order_given_makes_no_difference(names: list[str], ends: list[str]) -> None:
    packages = [package(name, "1.0", *(file(f"{name}-1.0{end}") for end in ends)) for name in names]
    assert write_pylock(packages) == write_pylock(sorted(packages, key=lambda one: one.project))


@given(st.text(st.characters(codec="utf-8")))
def test_folders_of_any_name(folder: str) -> None:
    lock = Pylock.from_dict(tomllib.loads(write_pylock([package("a", "1", file("a-1.zip"))], folder)))
    assert lock.packages[0].sdist is not None
    assert lock.packages[0].sdist.path == f"{folder}/a/a-1.zip"


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_clients_install_it(client: str, tmp_path: Path) -> None:
    """By the relative paths, from a mirror's folder, without any index; a wrong digest is refused."""
    wheel = make_wheel("alpha", "1.0")
    name = "alpha-1.0-py3-none-any.whl"
    (tmp_path / "mirror" / "alpha").mkdir(parents=True)
    (tmp_path / "mirror" / "alpha" / name).write_bytes(wheel)
    lock = tmp_path / "pylock.toml"
    target = tmp_path / "site"
    command = {
        "uv": [uv.find_uv_bin(), "pip", "install", "--no-cache", "--offline", "--python", sys.executable],
        "pip": [sys.executable, "-m", "pip", "install", "--isolated", "--no-cache-dir", "--no-index"],
    }[client]

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*command, *arguments],
            env=Clients(tmp_path).environment(),
            check=False,
            capture_output=True,
            cwd=tmp_path,
        )

    def install() -> int:
        return run("--target", str(target), "-r", str(lock)).returncode

    if client == "pip" and b"pylock" not in run("--help").stdout:
        pytest.skip("this pip is too old to read lock files")

    lock.write_text(write_pylock([package("alpha", "1.0", file(name, "0" * 64))], "mirror"))
    assert install() != 0
    lock.write_text(
        write_pylock(
            [package("alpha", "1.0", LockFile(name, {"sha256": sha256(wheel)}, len(wheel), TIME))], "mirror"
        )
    )
    assert install() == 0
    assert (target / "alpha-1.0.dist-info").is_dir()
