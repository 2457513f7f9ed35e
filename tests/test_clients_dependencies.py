"""Real pip and real uv install, with dependencies and for many machines, from a mirror made for these.

The index that it was made from is stopped before; where its own answer is compared, it is a second one.
"""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import main
from assortment import BUILT, ROOTS, SOURCE, stock
from clients import Clients, NegotiatingServer, StaticServer, imported_versions, installed_versions
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEST = {
    "reporter": "1.1", "charts": "1.0", "axes": "1.0", "codec": "1.5", "markup": "2.1", "webshop": "3.0",
    "flaky": "1.0", "edge": "2.0", "betaonly": "1.0b2", "epoch": "1!1.0", "post": "1.0.post1",
    "ring-b": "1.3", "crypto": "41.0", "chain-4": "1.0", "foo-bar-baz": "1.5", "redis-client": "5.0",
}  # fmt: skip
"""On every machine: what excludes each other, is yanked, a pre-release, or in a circle."""
PYPROJECT = f"""\
[project]
name = "locked"
version = "0"
requires-python = ">={sys.version_info[0]}.{sys.version_info[1]}"
dependencies = {json.dumps([*ROOTS, SOURCE])}
[tool.uv]
package = false
"""
CLIENTS = pytest.mark.parametrize("client", ["pip", "uv"])


@dataclass(frozen=True)
class Foreign:
    """A Python on a platform that is not this machine's, as pip and uv name it."""

    python: str
    uv: str
    tags: tuple[str, ...]
    """The best first, by which we call it; pip makes no older ones of a tag for Linux."""

    def __str__(self) -> str:
        return f"{self.python}-{self.uv}"

    def for_uv(self) -> tuple[str, ...]:
        return "--python-version", self.python, "--python-platform", self.uv

    def for_pip(self) -> tuple[str, ...]:
        abi = ("--implementation", "cp", "--abi", f"cp{self.python.replace('.', '')}")
        tags = (word for tag in self.tags for word in ("--platform", tag))
        return "--python-version", self.python, *abi, *tags


PLATFORMS = {
    "windows": ("win_amd64",),
    "aarch64-apple-darwin": ("macosx_11_0_arm64",),
    "aarch64-manylinux_2_28": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64"),
    "x86_64-unknown-linux-musl": ("musllinux_1_2_x86_64",),
}
PYTHONS = ("3.12", "3.13")
FOREIGN = pytest.mark.parametrize(
    "machine",
    [Foreign(python, name, tags) for python in PYTHONS for name, tags in PLATFORMS.items()],
    ids=str,
)
WINDOWS = Foreign("3.12", "windows", PLATFORMS["windows"])
EVERYWHERE = (
    *(word for python in ("current", *PYTHONS) for word in ("--python-version", python)),
    *(word for tag in ("current", *(tags[0] for tags in PLATFORMS.values())) for word in ("--platform", tag)),
)
HERE = ("--python-version", "current", "--platform", "current")


def sync(upstream: Upstream, dest: Path, *arguments: str) -> None:
    where = ["-i", upstream.url, "-d", str(dest), "--no-progress", "--quiet", "--no-config"]
    assert main(["sync", *where, *arguments]) == 0


def distributions(root: Path) -> set[str]:
    """The names of the files that are there to be installed."""
    return {path.name for path in root.rglob("*") if path.name.endswith((".whl", ".tar.gz"))}


@dataclass(frozen=True)
class Mirrors:
    """Of one index, whole or with the best wheels alone."""

    whole: Path
    best: Path


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Mirrors:
    """Made, and their upstream gone."""
    made = Mirrors(tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("best"))
    with Upstream() as upstream:
        stock(upstream)
        sync(upstream, made.whole, *ROOTS, SOURCE, *EVERYWHERE)
        sync(upstream, made.best, *ROOTS, SOURCE, *EVERYWHERE, "--best-wheel")
    return made


@pytest.fixture(scope="module")
def whole(mirrors: Mirrors) -> Iterator[str]:
    with NegotiatingServer(mirrors.whole) as server:
        yield server.url


@pytest.fixture(scope="module")
def best(mirrors: Mirrors) -> Iterator[str]:
    with StaticServer(mirrors.best) as server:
        yield server.url


@pytest.fixture(scope="module")
def original() -> Iterator[str]:
    """All that there is, with metadata for every wheel: uv would ask for parts of those without."""
    with Upstream() as upstream:
        stock(upstream, announced=True)
        yield upstream.url


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    return Clients(tmp_path_factory.mktemp("home"))


# -- this machine


def check_installed(target: Path) -> None:
    """All of it can be imported, and is what every machine is to get."""
    installed = installed_versions(target)
    assert imported_versions(target, *installed) == installed
    assert BEST.items() <= installed.items()
    assert installed.keys() >= {SOURCE, "numeric", "render", "tables", "ffi", "tools-suite", "newpy"}


@CLIENTS
def test_installs_here(client: str, whole: str, clients: Clients, tmp_path: Path) -> None:
    quick = ["--no-compile"] if client == "pip" else []
    clients.install(client, whole, tmp_path, *quick, *ROOTS, SOURCE)
    check_installed(tmp_path)


def test_uv_takes_here_what_it_takes_from_the_index(whole: str, original: str, clients: Clients) -> None:
    assert clients.uv_takes(whole, ROOTS) == clients.uv_takes(original, ROOTS)


@pytest.mark.parametrize("client", [pytest.param("pip", marks=pytest.mark.slow), "uv"])
def test_builds_with_what_came_along(client: str, clients: Clients, tmp_path: Path) -> None:
    with Upstream() as upstream:
        stock(upstream)
        sync(upstream, tmp_path / "mirror", BUILT, *HERE, "--build-deps")
    with StaticServer(tmp_path / "mirror") as server:
        clients.install(client, server.url, tmp_path / "installed", BUILT)
    assert imported_versions(tmp_path / "installed", BUILT) == {BUILT: "1.0"}
    assert {path.split("/")[1] for path in server.paths()} == {BUILT, "build-helper", "chain-3", "chain-4"}


# -- other machines


def test_uv_takes_for_windows_what_it_takes_from_the_index(
    whole: str, original: str, clients: Clients
) -> None:
    taken = clients.uv_takes(whole, ROOTS, *WINDOWS.for_uv())
    assert taken == clients.uv_takes(original, ROOTS, *WINDOWS.for_uv())
    few = {"winservice": "306", "gpu": "2.0", "render": "2.0", "numeric": "2.1", "newpy": "1.0"}
    assert (BEST | few).items() <= taken.items()
    assert not taken.keys() & {"workers", "macfiles", "armtuned", "fastredis", "never-asked-for"}


@pytest.mark.slow
@FOREIGN
def test_uv_takes_what_it_takes_from_the_index(
    machine: Foreign, whole: str, original: str, clients: Clients
) -> None:
    taken = clients.uv_takes(whole, ROOTS, *machine.for_uv())
    assert taken == clients.uv_takes(original, ROOTS, *machine.for_uv())
    assert BEST.items() <= taken.items()


@pytest.mark.slow
@FOREIGN
def test_pip_takes_what_it_takes_from_the_index(
    machine: Foreign, whole: str, original: str, clients: Clients, tmp_path: Path
) -> None:
    taken = clients.pip_takes(whole, tmp_path / "mirror", ROOTS, *machine.for_pip())
    assert taken == clients.pip_takes(original, tmp_path / "index", ROOTS, *machine.for_pip())
    assert taken == clients.uv_takes(original, ROOTS, *machine.for_uv())


# -- the best wheels alone


def test_the_best_wheels_are_fewer(mirrors: Mirrors) -> None:
    whole, best = distributions(mirrors.whole), distributions(mirrors.best)
    assert best < whole
    builds = {"patched-1.0-py3-none-any.whl", "patched-1.0-1-py3-none-any.whl"}
    assert {name for name in whole - best if name.startswith("patched")} == builds
    assert "patched-1.0-2-py3-none-any.whl" in best


@pytest.mark.slow
@CLIENTS
def test_installs_here_from_the_best_wheels(client: str, best: str, clients: Clients, tmp_path: Path) -> None:
    clients.install(client, best, tmp_path, *ROOTS, SOURCE)
    check_installed(tmp_path)


def test_uv_takes_the_same_of_the_best_wheels(whole: str, best: str, clients: Clients) -> None:
    assert clients.uv_takes(best, ROOTS) == clients.uv_takes(whole, ROOTS)


@pytest.mark.slow
@FOREIGN
def test_clients_take_the_same_of_the_best_wheels(
    machine: Foreign, whole: str, best: str, clients: Clients, tmp_path: Path
) -> None:
    expected = clients.uv_takes(whole, ROOTS, *machine.for_uv())
    assert clients.uv_takes(best, ROOTS, *machine.for_uv()) == expected
    assert clients.pip_takes(best, tmp_path, ROOTS, *machine.for_pip()) == expected


# -- locks


def locked(folder: Path) -> dict[tuple[str, str], set[str]]:
    """Project and version of what is locked → digests of its files."""
    packages = tomllib.loads((folder / "uv.lock").read_text())["package"]
    return {
        (one["name"], one["version"]): {
            file["hash"] for file in [*one.get("wheels", ()), one.get("sdist")] if file
        }
        for one in packages
    }


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="all", marks=pytest.mark.slow),
        pytest.param(EVERYWHERE, id="targets", marks=pytest.mark.slow),
        pytest.param((*EVERYWHERE, "--best-wheel"), id="best"),
        pytest.param(HERE, id="here"),
    ],
)
def test_uv_syncs_a_lock_from_its_mirror(options: tuple[str, ...], clients: Clients, tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    lock = folder / "uv.lock"
    with Upstream() as upstream:
        stock(upstream, announced=True)
        clients.uv_lock(upstream.url, folder)
        sync(upstream, tmp_path / "mirror", "-r", str(lock), *options)
    with NegotiatingServer(tmp_path / "mirror") as server:
        # uv fetches from where the lock says, whatever index is given.
        text = lock.read_text().replace(upstream.url, server.url)
        lock.write_text(text.replace(f"{upstream.base}/files/", server.url))
        clients.uv_sync(server.url, folder)
    check_installed(next(folder.rglob("site-packages")))


@pytest.mark.slow
def test_uv_locks_from_the_mirror_what_it_locks_from_the_index(
    whole: str, original: str, clients: Clients, tmp_path: Path
) -> None:
    ours, theirs = project(tmp_path / "ours"), project(tmp_path / "theirs")
    clients.uv_lock(whole, ours)
    clients.uv_lock(original, theirs)
    found, expected = locked(ours), locked(theirs)
    assert found.keys() == expected.keys()
    assert all(files <= expected[one] for one, files in found.items())


@pytest.mark.slow
def test_uv_installs_the_lock_of_a_run_for_one_machine(clients: Clients, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    with Upstream() as upstream:
        stock(upstream)
        sync(upstream, tmp_path / "mirror", *ROOTS, SOURCE, *HERE, "--lock-output", str(lock))
    # The lock names files on the disk: there is no index at that address any more.
    clients.install("uv", upstream.url, tmp_path / "installed", "--preview", "-r", str(lock))
    check_installed(tmp_path / "installed")
