"""Lock files and ``pyproject.toml`` through whole runs: exactly the locked files, with the locked digests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from clients import Clients

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror

WHEEL, SDIST = "alpha-1.0-py3-none-any.whl", "alpha-1.0.tar.gz"


@pytest.fixture(autouse=True)
def projects(mirror: Mirror) -> None:
    """Two projects in two versions."""
    for name in ("alpha", "beta"):
        for version in ("1.0", "1.1"):
            mirror.upstream.add_file(name, f"{name}-{version}-py3-none-any.whl", core_metadata=True)
            mirror.upstream.add_file(name, f"{name}-{version}.tar.gz")


def project(mirror: Mirror, *dependencies: str) -> Path:
    """A ``pyproject.toml`` with these dependencies."""
    path = mirror.folder / "pkg" / "pyproject.toml"
    path.parent.mkdir()
    path.write_text(
        '[project]\nname = "pkg"\nversion = "0.1"\nrequires-python = ">=3.11"\n'
        f'dependencies = {list(dependencies)}\n[dependency-groups]\ndev = ["beta"]\n'
    )
    return path


def lock(mirror: Mirror, *dependencies: str) -> Path:
    """The ``uv.lock`` that uv makes of such a project, against the mirror's upstream."""
    path = project(mirror, *dependencies)
    Clients(mirror.folder).uv_lock(mirror.upstream.url, path.parent)
    return path.with_name("uv.lock")


def test_the_files_of_a_lock(mirror: Mirror) -> None:
    path = lock(mirror, "alpha<1.1; sys_platform == 'win32'")
    mirror.upstream.add_file("alpha", "alpha-1.0-cp39-none-any.whl")  # later than the lock
    ran = mirror.sync(str(path))
    assert mirror.files() == {WHEEL, SDIST, "beta-1.1-py3-none-any.whl", "beta-1.1.tar.gz"}
    assert not ran.errors()


def test_of_a_lock_what_the_targets_need(mirror: Mirror) -> None:
    path = lock(mirror, "alpha<1.1; sys_platform == 'win32'", "alpha>1; sys_platform == 'linux'")
    machine = ("--python-version", "3.12", "--platform")
    mirror.sync(str(path), *machine, "windows", "--with-sdists")
    assert mirror.files() == {WHEEL, SDIST, "beta-1.1-py3-none-any.whl", "beta-1.1.tar.gz"}
    ran = mirror.sync(str(path), *machine, "macos", "--dry-run")
    assert {one["filename"] for one in ran.report["files"]} == {"beta-1.1-py3-none-any.whl"}


def test_a_file_that_is_not_the_locked_one(mirror: Mirror) -> None:
    path = lock(mirror, "alpha<1.1")
    digests = re.findall(r"alpha-1\.0\.tar\.gz.*sha256:(\w+)", path.read_text())
    path.write_text(path.read_text().replace(digests[0], "0" * 64))
    ran = mirror.sync("-r", str(path), code=3)
    assert WHEEL in mirror.files()
    assert SDIST not in mirror.files()
    assert [error for error in ran.errors() if SDIST in error and "digest" in error]


def test_a_file_that_upstream_no_longer_has(mirror: Mirror) -> None:
    path = lock(mirror, "alpha<1.1")
    mirror.upstream.remove_file("alpha", SDIST)
    ran = mirror.sync("-r", str(path), code=3)
    assert WHEEL in mirror.files()
    assert [error for error in ran.errors() if SDIST in error and "not listed upstream" in error]


OLD_NAMES = {"PySocks-1.0-py2.py3-none-any.whl", "PySocks-1.0-1-py3-none-any.whl", "PySocks-1.0.zip"}


@pytest.fixture
def old_names(mirror: Mirror, tmp_path: Path) -> Path:
    """The ``pylock.toml`` that uv makes of a project whose files upstream does not name as is usual now."""
    for name in OLD_NAMES:
        mirror.upstream.add_file("PySocks", name, core_metadata=name.endswith(".whl"))
    path = tmp_path / "pylock.toml"
    Clients(mirror.folder).uv_export(mirror.upstream.url, lock(mirror, "pysocks").parent, path)
    assert 'name = "pysocks-1.0-1-py3-none-any.whl"' in path.read_text()
    return path


@pytest.mark.parametrize("where", [(), ("--python-version", "3.12", "--platform", "linux", "--with-sdists")])
def test_files_that_upstream_spells_so(mirror: Mirror, old_names: Path, where: tuple[str, ...]) -> None:
    ran = mirror.sync("-r", str(old_names), *where)
    assert {name for name in mirror.files() if name.startswith("PySocks")} == OLD_NAMES
    assert not ran.warnings()


def test_the_digests_hold_however_a_file_is_spelt(mirror: Mirror, old_names: Path) -> None:
    wheel = "PySocks-1.0-1-py3-none-any.whl"
    mirror.upstream.add_file("PySocks", wheel, content=b"other bytes")
    (error,) = mirror.sync("-r", str(old_names), code=3).errors()
    assert error.startswith(f"pysocks: nothing satisfies '{wheel}'; ")
    assert error.endswith("its digest is none of those that the requirement lists)")
    mirror.upstream.add_file("PySocks", wheel, content=b"other bytes", hashes={}, size=None)
    (error,) = mirror.sync("-r", str(old_names), code=1).errors()
    assert error.startswith(f"pysocks: {wheel}: sha256 is ")
    assert {name for name in mirror.files() if name.startswith("PySocks")} == OLD_NAMES - {wheel}


def test_the_dependencies_of_a_project(mirror: Mirror) -> None:
    mirror.sync(str(project(mirror, "alpha<1.1")))
    assert mirror.files() == {WHEEL, SDIST}
