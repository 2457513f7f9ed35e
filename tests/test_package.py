"""What is released: the wheel, the sdist, the command they install, and what a start costs."""

from __future__ import annotations

import email
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiomirror

if TYPE_CHECKING:
    from upstream import Upstream

ROOT = Path(__file__).parents[1]
COMMAND = Path(sysconfig.get_path("scripts")) / "aiomirror"
MODULE = [sys.executable, "-m", "aiomirror"]
BUILD = "import hatchling.build as backend, sys; print(getattr(backend, sys.argv[1])(sys.argv[2]))"
"""As pip and build call it, without the environment that they would fill over the network."""


def build(kind: str, source: Path, into: Path) -> Path:
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.split()[-1]


def output(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def imports(*argv: str, code: int = 0) -> set[str]:
    """The modules that a run of the command imports."""
    command = [sys.executable, "-X", "importtime", *MODULE[1:], *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path) -> Path:
    with tarfile.open(sdist) as archive:
        # The first versions of Python 3.11 have no filters, and later ones of 3.12 ask for one.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(sdist.parent)
    return sdist.parent / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> Path:
    """Built from the sdist, as those do who have nothing else."""
    return build("wheel", unpacked, unpacked.parent)


def test_the_sdist_holds_what_the_tests_need(unpacked: Path) -> None:
    wanted = {"aiomirror", "tests", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "PKG-INFO"}
    there = {path.name for path in unpacked.iterdir()}

    assert wanted <= there
    assert there <= wanted | {"benchmarks", ".gitignore"}
    for folder in ("aiomirror", "tests"):
        assert {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")} == {
            path.relative_to(unpacked) for path in (unpacked / folder).rglob("*.py")
        }


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"aiomirror-{aiomirror.__version__}.dist-info"
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "aiomirror").rglob("*.py")}

    assert wheel.name == f"aiomirror-{aiomirror.__version__}-py3-none-any.whl"
    assert {name for name in names if not name.startswith(info)} == package | {"aiomirror/py.typed"}
    assert f"{info}/licenses/LICENSE" in names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        read = {name.rpartition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(read["METADATA"]))
        entry_points = archive.read(read["entry_points.txt"]).decode()

    assert metadata["Version"] == aiomirror.__version__
    assert metadata["License-Expression"] == "GPL-2.0-or-later"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()
    assert entry_points.split() == ["[console_scripts]", "aiomirror", "=", "aiomirror.cli:entry"]


def test_command_and_module_agree() -> None:
    assert output([COMMAND, "--version"]) == f"aiomirror {aiomirror.__version__}\n"
    assert output([*MODULE, "--version"]) == f"aiomirror {aiomirror.__version__}\n"


def test_command_and_module_give_the_same_help() -> None:
    assert output([COMMAND, "sync", "--help"]) == output([*MODULE, "sync", "--help"])


def test_the_exit_code_reaches_the_shell() -> None:
    assert subprocess.run([COMMAND, "sync"], capture_output=True, check=False).returncode == 2


def test_help_imports_no_display_and_no_default_index() -> None:
    assert imports("--help").isdisjoint({"rich", "pypi_simple"})


def test_the_default_index_is_known_without_the_library_that_has_it() -> None:
    code = "import sys; from aiomirror.config import default_index; default_index(); print(*sys.modules)"
    assert "pypi_simple" not in output([sys.executable, "-c", code]).split()


def test_a_run_off_a_terminal_with_an_index_imports_neither(upstream: Upstream, tmp_path: Path) -> None:
    upstream.add_file("six", "six-1.0-py3-none-any.whl")
    found = imports("sync", "six", "-i", upstream.url, "-d", str(tmp_path))

    assert "aiohttp" in found  # what is imported is seen
    assert found.isdisjoint({"rich", "pypi_simple", "requests"})
