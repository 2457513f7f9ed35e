"""The Python Package Index mirrored, and installed from the mirror by clients that reach nothing else.

It needs that index, a machine with Linux on x86-64, and of the other Pythons those that the PATH has; it
fetches some 3 GB.  Where ``REAL_MIRRORS`` names a folder, the mirrors are made there and kept, and the next
time only what has changed since is fetched.

What is expected is the answer of uv to what the index had when it was captured (``real_index``): with
``exclude-newer`` the one of today should give the same.  It is asked for the micro version of the Python,
on which markers may depend.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uv
from offline import Interpreter, Offline, interpreter
from packaging.requirements import Requirement
from real_index import CUTOFF, SETS, TARGETS, Versions, captured, requirements
from test_resolution_real import known

from aiomirror.cli import main
from aiomirror.targets import parse_targets
from clients import NegotiatingServer
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real

TOO_LARGE = {"main": ("transformers[torch]", "tensorflow", "xgboost")}
"""They bring single files of 300 to 600 MB: themselves, torch, and what NVIDIA has for both."""
HERE = ("3.9", "3.10", "3.11", "3.12", "3.13")
ELSEWHERE = {
    "web": tuple(TARGETS),
    "data": tuple(TARGETS),
    "main": ("cp312-macosx_13_0_arm64", "cp313-win_amd64"),  # of 500 MB each
}
FIRST = {
    "x86_64-manylinux_2_28": "manylinux_2_28_x86_64",
    "windows": "win_amd64",
    "aarch64-apple-darwin": "macosx_11_0_arm64",
}
INSTALLS = [(name, minor) for name in SETS for minor in HERE]
RESOLVES = [(name, target) for name in SETS for target in ELSEWHERE[name]]
CLIENTS = pytest.mark.parametrize("client", ["pip", "uv"])
JOBS = 8


def roots_of(name: str) -> list[str]:
    return [root for root in requirements(name) if root not in TOO_LARGE.get(name, ())]


def pythons_for(name: str) -> Iterator[Interpreter]:
    """Those on this machine that the mirror of a set is for."""
    return (python for set_, minor in INSTALLS if set_ == name and (python := interpreter(minor)))


# -- the mirrors


@dataclass(frozen=True)
class Made:
    """A mirror of one set of requirements, and how it was made."""

    name: str
    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "simple"

    def sync(self) -> dict[str, Any]:
        """As a nightly job would, by a file; the report."""
        configuration = self.folder / "aiomirror.toml"
        configuration.write_text(self._configuration(), encoding="utf-8")
        report = self.folder / "report.json"
        ended = main(["sync", "--config", str(configuration), "--report", str(report), "--quiet"])
        said: dict[str, Any] = json.loads(report.read_bytes())
        assert ended == 0, said["problems"]
        return said

    def _configuration(self) -> str:
        machines = [(python.version, "current") for python in pythons_for(self.name)]
        machines += [TARGETS[target] for target in ELSEWHERE[self.name]]
        tables = (
            f"[[target]]\npython = {json.dumps(python)}\nplatform = {json.dumps(platform)}\n"
            for python, platform in machines
        )
        settings = {
            "dest": str(self.root),
            "requirements": roots_of(self.name),
            "only-binary": [":all:"],
            "exclude-newer": CUTOFF.isoformat(),
            "jobs": JOBS,
        }
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        return "".join([*lines, "best-wheel = true\n", *tables])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all mirrors of a run are: a set that comes up again has only to be looked at."""
    kept = os.environ.get("REAL_MIRRORS")
    return Path(kept) if kept else tmp_path_factory.mktemp("mirrors")


@pytest.fixture(scope="module", params=SETS)
def made(request: pytest.FixtureRequest, folder: Path) -> Made:
    mirror = Made(request.param, folder / request.param)
    mirror.folder.mkdir(parents=True, exist_ok=True)
    mirror.sync()
    return mirror


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    return Offline(tmp_path_factory.mktemp("home"))


@dataclass(frozen=True)
class Served:
    """A mirror on loopback, and beside it what was captured of the index."""

    name: str
    url: str
    captured: str

    def expected(self, clients: Offline, target: str, python: str = "") -> Versions:
        """What uv takes once it is told ours, where it is known that they are others."""
        ours = {project: version for project, (version, _) in known(self.name, target).items() if version}
        told = [f"{project}=={version}" for project, version in ours.items()]
        minor, platform = TARGETS[target]
        where = ["--python-version", python or minor, "--python-platform", platform]
        roots = [*roots_of(self.name), *told]
        return clients.uv_takes(self.captured, roots, *where, "--exclude-newer", CUTOFF.isoformat())


@pytest.fixture(scope="module")
def served(made: Made) -> Iterator[Served]:
    with Upstream() as upstream, NegotiatingServer(made.root) as server:
        captured().serve(upstream)
        yield Served(made.name, server.url, upstream.url)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that goes with the test: pytest would keep gigabytes."""
    folder = tmp_path / "room"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_the_clients_have_no_way_out(clients: Offline, room: Path) -> None:
    python = interpreter(f"3.{sys.version_info.minor}")
    assert python is not None
    environment = clients.made(room / "environment", python)
    with pytest.raises(AssertionError, match="Cannot connect to proxy"):
        environment.pip("download", "--retries", "1", "--dest", str(room), "six")
    with pytest.raises(AssertionError, match=r"(?s)Failed to fetch.*tunnel"):
        clients.run(uv.find_uv_bin(), "pip", "install", "--no-cache", "--python", environment.python, "six")


def test_a_second_run_changes_nothing(made: Made) -> None:
    totals = made.sync()["totals"]
    assert totals["fetched"] == totals["received"] == totals["pages_written"] == totals["unwanted"] == 0
    # A page is asked for, too, of what was looked at and not taken; and there is the root index.
    assert totals["requests"] <= totals["projects"] * 1.1


def test_all_of_it_is_sound(made: Made) -> None:
    assert main(["verify", "--quiet", "--no-config", "-d", str(made.root)]) == 0


@CLIENTS
@pytest.mark.parametrize(("made", "minor"), INSTALLS, indirect=["made"])
def test_installs_here(served: Served, clients: Offline, room: Path, client: str, minor: str) -> None:
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"there is no Python {minor} here")
    roots = roots_of(served.name)
    environment = clients.made(room / "environment", python)
    environment.install(client, served.url, *roots)
    assert "No broken requirements found" in environment.pip("check")
    environment.imports([Requirement(root).name for root in roots])
    target = f"cp{minor.replace('.', '')}-manylinux_2_28_x86_64"
    if target in TARGETS:
        expected = served.expected(clients, target, python.version)
        # Where setuptools is required, the environment may have had it before.
        assert environment.versions() | {"setuptools": ""} == expected | {"setuptools": ""}


@CLIENTS
@pytest.mark.parametrize(("made", "target"), RESOLVES, indirect=["made"])
def test_resolves_elsewhere(served: Served, clients: Offline, room: Path, client: str, target: str) -> None:
    roots = roots_of(served.name)
    python, platform = TARGETS[target]
    if client == "uv":
        where = ["--python-version", python, "--python-platform", platform]
        versions = clients.uv_takes(served.url, roots, *where)
    else:
        versions = clients.pip_takes(served.url, room, roots, *for_pip(python, platform))
    assert versions == served.expected(clients, target)


def for_pip(python: str, platform: str) -> list[str]:
    """The tag by which the markers are known goes first; the order is of no account to versions."""
    (target,) = parse_targets([python], [platform])
    tags = [FIRST[platform], *(tag.platform for tag in target.tags if tag.platform != "any")]
    abi = ["--implementation", "cp", "--abi", f"cp{python.replace('.', '')}"]
    where = [word for tag in dict.fromkeys(tags) for word in ("--platform", tag)]
    return ["--python-version", python, *abi, *where]
