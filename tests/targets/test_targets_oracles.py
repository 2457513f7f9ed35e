"""What the field's own tools say of the same machines."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest
import uv
from packaging import _manylinux, _musllinux
from packaging.markers import default_environment
from packaging.tags import interpreter_name, sys_tags

from aiomirror.targets import Target, current_target, parse_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.tags import Tag


def one(python: str, platform: str) -> Target:
    (target,) = parse_targets([python], [platform])
    return target


def platforms(target: Target) -> list[str]:
    return list(dict.fromkeys(tag.platform for tag in target.tags if tag.platform != "any"))


def without_local_builds(tags: tuple[Tag, ...] | Iterator[Tag]) -> list[Tag]:
    """Packaging has the tags of Linux without a C library first since 26.3, last before."""
    return [tag for tag in tags if not tag.platform.startswith("linux_")]


@pytest.fixture
def twin() -> Target:
    """A target spelt out to be this very machine."""
    environment = {name: str(value) for name, value in default_environment().items()}
    platform = current_target(environment, list(sys_tags())).platform
    threads = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return one(f"{interpreter_name()}{environment['python_full_version']}{threads}", platform)


def test_the_tags_are_those_of_the_running_interpreter(twin: Target) -> None:
    assert without_local_builds(twin.tags) == without_local_builds(sys_tags())
    assert set(twin.tags) == set(sys_tags())


def test_the_markers_are_those_of_the_running_interpreter(twin: Target) -> None:
    here = dict(default_environment())
    of_one_machine = {"platform_release", "platform_version"}
    if interpreter_name() != "cp":
        of_one_machine.add("implementation_version")
    assert {name for name, value in here.items() if twin.environment[name] != value} <= of_one_machine


@pytest.mark.parametrize("machine", ["x86_64", "i686", "aarch64", "s390x", "riscv64"])
@pytest.mark.parametrize("minor", [17, 28, 40])
def test_glibc_platforms_are_those_of_packaging(
    monkeypatch: pytest.MonkeyPatch, machine: str, minor: int
) -> None:
    monkeypatch.setattr(_manylinux, "_get_glibc_version", lambda: (2, minor))
    monkeypatch.setattr(_manylinux, "_have_compatible_abi", lambda *_: True)
    expected = [f"linux_{machine}", *_manylinux.platform_tags([machine])]
    assert platforms(one("3.12", f"manylinux_2_{minor}_{machine}")) == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_musl_platforms_are_those_of_packaging(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    monkeypatch.setattr(_musllinux, "_get_musl_version", lambda _: _musllinux._MuslVersion(1, 2))
    expected = [f"linux_{machine}", *_musllinux.platform_tags([machine])]
    assert platforms(one("3.12", f"musllinux_1_2_{machine}")) == expected


def pip_debug(minor: int, platform: str) -> list[str]:
    """The tags that pip would take for CPython on a platform, best first."""
    command = [sys.executable, "-m", "pip", "--isolated", "--no-color", "debug", "--verbose"]
    target = ["--python-version", f"3{minor}", "--abi", f"cp3{minor}", "--platform", platform]
    said = subprocess.run(
        [*command, "--implementation", "cp", *target], check=True, capture_output=True, text=True
    ).stdout
    return said[said.index("Compatible tags") :].splitlines()[1:]


@pytest.mark.parametrize(
    ("minor", "platform"),
    [(12, "win_amd64"), pytest.param(13, "macosx_13_0_arm64", marks=pytest.mark.slow)],
)
def test_the_tags_are_those_of_pip(minor: int, platform: str) -> None:
    expected = [line.strip() for line in pip_debug(minor, platform)]
    assert [str(tag) for tag in one(f"3.{minor}", platform).tags] == expected


UV_NAMES = (
    "linux",
    "macos",
    "windows",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "riscv64-unknown-linux",
    "x86_64-apple-darwin",
    "aarch64-pc-windows-msvc",
    "i686-pc-windows-msvc",
    "aarch64-manylinux_2_31",
)


def uv_compile(platform: str, requirements: str) -> subprocess.CompletedProcess[str]:
    """Resolve with no index at hand: whatever a marker does not rule out is an error."""
    command = [uv.find_uv_bin(), "pip", "compile", "--no-index", "--offline", "--no-config", "--no-cache"]
    where = ["--python", sys.executable, "--python-version", "3.12", "--python-platform", platform, "-"]
    return subprocess.run([*command, *where], input=requirements, check=False, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", UV_NAMES)
def test_the_markers_are_those_of_uv(name: str) -> None:
    environment = one("3.12", name).environment
    asked = {
        variable: value
        for variable, value in environment.items()
        if variable not in {"python_full_version", "implementation_version"}  # those of the Python at hand
    }
    others = "".join(f"absent; {variable} != '{value}'\n" for variable, value in asked.items())
    assert uv_compile(name, others).returncode == 0
    same = " and ".join(f"{variable} == '{value}'" for variable, value in asked.items())
    assert "absent" in uv_compile(name, f"absent; {same}").stderr
