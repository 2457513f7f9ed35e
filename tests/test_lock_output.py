"""The lock file of a run, and the next run that is held to it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st
from packaging.markers import Marker
from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockSelectError
from packaging.utils import canonicalize_name
from packaging.version import Version

from aiomirror.lockfile import lock_of
from aiomirror.report import Outcome, Report, Status as Became
from aiomirror.selection.fitting import for_targets
from aiomirror.simple.values import ProjectFile
from aiomirror.targets import Target, default_matrix, parse_targets
from builders import make_wheel
from clients import Clients, installed_versions, ready_sdist
from faults import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.utils import NormalizedName

    from mirror import Mirror

OLD_PIP = Version(metadata.version("pip")) < Version("26.1")
LINUX, WINDOWS = ("--platform", "linux"), ("--platform", "windows")
PYTHONS = ("--python-version", "3.12", "--python-version", "3.13")


@pytest.fixture
def shop(mirror: Mirror) -> Mirror:
    """An upstream of a project with a dependency, and a mirror whose runs follow it."""
    mirror.follows = True
    for name, version, requires in (("top", "1.0", ["bottom"]), ("bottom", "1.0", [])):
        content = make_wheel(name, version, requires=requires)
        mirror.upstream.add_file(
            name, f"{name}-{version}-py3-none-any.whl", content=content, core_metadata=True
        )
    return mirror


def test_the_next_run_is_held_to_it(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    packages = tomllib.loads(lock.read_text())["packages"]
    assert {(one["name"], one["version"]) for one in packages} == {("top", "1.0"), ("bottom", "1.0")}
    shop.upstream.add_file("bottom", "bottom-2.0-py3-none-any.whl", content=make_wheel("bottom", "2.0"))
    before = shop.files()
    shop.sync("-r", str(lock))
    assert shop.files() == before


def test_it_is_the_same_after_every_run(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    first = lock.read_bytes()
    shop.sync("top", "--lock-output", str(lock))
    assert lock.read_bytes() == first
    assert not list(tmp_path.glob(".pylock*"))


def test_a_run_that_fails_leaves_the_lock_alone(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    lock.write_text("what was there\n")
    shop.upstream.always("/simple/bottom/", Status(403))
    shop.sync("top", "--lock-output", str(lock), code=1)
    assert lock.read_text() == "what was there\n"


def test_uv_installs_from_it(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.sync("top", "--lock-output", str(lock))
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-config", "--no-cache"]
    where = ["--python", sys.executable, "--target", str(target), "-r", str(lock), "--preview"]
    subprocess.run([*command, *where], check=True, capture_output=True, timeout=60)
    assert (target / "bottom.py").is_file()


def test_standard_output(shop: Mirror) -> None:
    ran = shop.sync("top", "--lock-output", "-", "-q")
    assert ran.out.startswith('lock-version = "1.0"')


@pytest.mark.parametrize(
    "name", ["lock.txt", "foo.toml", "pylock.a.b.toml", "Pylock.toml", "pylock", "uv.lock"]
)
def test_a_name_by_which_nobody_would_read_it(shop: Mirror, tmp_path: Path, name: str) -> None:
    lock = tmp_path / name
    (line,) = shop.sync("top", "--lock-output", str(lock), code=2).errors()
    assert line.startswith(
        "--lock-output takes a path that ends in pylock.toml or pylock.NAME.toml, or -, not "
    )
    assert not shop.upstream.requests
    assert not lock.exists()


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.production.toml"])
def test_a_dry_run_writes_it_and_the_next_run_reads_it(shop: Mirror, tmp_path: Path, name: str) -> None:
    lock = tmp_path / name
    shop.sync("top", "--lock-output", str(lock), "-n")
    assert not shop.dest.exists()
    shop.sync("-r", str(lock))
    assert shop.files() == {"top-1.0-py3-none-any.whl", "bottom-1.0-py3-none-any.whl"}


@pytest.mark.parametrize("name", ["pylock.toml", "-"])
def test_a_folder_that_no_lock_can_name(shop: Mirror, name: str) -> None:
    shop.dest = shop.folder / os.fsdecode(b"m\xff")
    where = name if name == "-" else str(shop.folder / name)
    (line,) = shop.sync("top", "--lock-output", where, code=6).errors()
    assert line.endswith("a lock file cannot name this folder: it is not in UTF-8")
    assert {path.name for path in shop.folder.iterdir()} == {shop.dest.name, "report.json"}


def test_a_lock_that_cannot_be_written_leaves_nothing(shop: Mirror) -> None:
    lock = shop.folder / "pylock.toml"
    lock.mkdir()
    ran = shop.sync("top", "--lock-output", str(lock), code=6)
    (line,) = ran.errors()
    assert line.startswith(f"{lock}: the lock file cannot be written: ")
    assert [one["message"] for one in ran.report["problems"]] == [line]
    assert {path.name for path in shop.folder.iterdir()} == {lock.name, shop.dest.name, "report.json"}


# For several targets


@pytest.fixture
def assortment(shop: Mirror) -> Mirror:
    """More: what only one platform needs, and versions for newer Pythons."""
    upstream = shop.upstream
    requires = ["numeric", "top", "winservice; sys_platform == 'win32'", "slim>=1"]
    upstream.add_file("app", "app-1.0-py3-none-any.whl", content=make_wheel("app", "1.0", requires=requires))
    for number, python in (("1.26", ">=3.9"), ("2.2", ">=3.13")):
        for tag in ("cp312-cp312", "cp313-cp313"):
            for platform in ("manylinux_2_17_x86_64", "musllinux_1_2_x86_64", "win_amd64"):
                name = f"numeric-{number}-{tag}-{platform}.whl"
                content = make_wheel("numeric", number, tag=f"{tag}-{platform}", requires_python=python)
                upstream.add_file("numeric", name, content=content, requires_python=python)
    upstream.add_file(
        "winservice", "winservice-3-cp39-abi3-win_amd64.whl", content=make_wheel("winservice", "3")
    )
    upstream.add_file("slim", "slim-1.0-py3-none-any.whl", content=make_wheel("slim", "1.0"))
    content = make_wheel("slim", "2.0", tag="py3-none-manylinux_2_17_x86_64")
    upstream.add_file("slim", "slim-2.0-py3-none-manylinux_2_17_x86_64.whl", content=content)
    return shop


def markers(lock: Path) -> dict[str, str]:
    packages = tomllib.loads(lock.read_text())["packages"]
    return {f"{one['name']} {one['version']}": one.get("marker", "") for one in packages}


def test_several_targets_are_told_apart_by_markers(assortment: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    machines = (*PYTHONS, *LINUX, *WINDOWS)
    ran = assortment.sync("app", *machines, "--lock-output", str(lock))
    assert not ran.warnings()
    assert markers(lock) == {
        "app 1.0": "",
        "bottom 1.0": "",
        "numeric 1.26": "python_version < '3.13'",
        "numeric 2.2": "python_version >= '3.13'",
        "slim 1.0": "sys_platform == 'win32'",
        "slim 2.0": "sys_platform == 'linux'",
        "top 1.0": "",
        "winservice 3": "sys_platform == 'win32'",
    }
    environments = tomllib.loads(lock.read_text())["environments"]
    assert len(environments) == 4
    assert environments[0] == (
        "python_version == '3.12' and sys_platform == 'linux' and platform_machine == 'x86_64'"
        " and implementation_name == 'cpython'"
    )
    before, again = assortment.files(), assortment.folder / "again"
    assortment.sync("-r", str(lock), *machines, "-d", str(again))
    assert {path.name for path in again.rglob("*.whl")} == before


@pytest.fixture
def lock(assortment: Mirror, tmp_path: Path) -> Path:
    path = tmp_path / "pylock.toml"
    assortment.sync("app", *PYTHONS, *LINUX, *WINDOWS, "--lock-output", str(path))
    return path


UV = {
    "linux": {"numeric": "1.26", "slim": "2.0"},
    "windows": {"numeric": "1.26", "slim": "1.0", "winservice": "3"},
}


def taken(said: str) -> dict[str, str]:
    """What a client says it would install."""
    words = (line.removeprefix(" + ").partition("==") for line in said.splitlines() if line.startswith(" + "))
    return {name: number for name, _, number in words}


def test_uv_takes_of_one_lock_what_each_target_needs(lock: Path, tmp_path: Path) -> None:
    clients, common = Clients(tmp_path), {"app": "1.0", "top": "1.0", "bottom": "1.0"}
    dry = ("--offline", "--preview", "--dry-run", "--target", str(tmp_path / "installed"), "-r", str(lock))
    for platform, more in UV.items():
        for python, numeric in (("3.12", "1.26"), ("3.13", "2.2")):
            machine = ("--python-version", python, "--python-platform", platform)
            said = clients.uv("install", "https://index.example/simple/", *dry, *machine)
            assert taken(said) == common | more | {"numeric": numeric}
    with pytest.raises(AssertionError, match="not supported by the lockfile"):
        clients.uv("install", "https://index.example/simple/", *dry, "--python-platform", "macos")


@pytest.mark.parametrize(
    ("client", "options"),
    [
        pytest.param(
            "pip", ("--no-compile",), marks=pytest.mark.skipif(OLD_PIP, reason="it reads no lock files")
        ),
        ("uv", ("--offline", "--preview")),
    ],
)
def test_clients_install_here_from_a_lock_for_several(
    client: str, options: tuple[str, ...], assortment: Mirror, tmp_path: Path
) -> None:
    lock, index = tmp_path / "pylock.toml", "https://index.example/simple/"
    here = ("--python-version", "current", "--platform", "current")
    roots = ("top", "slim", "winservice; sys_platform == 'win32'")
    assortment.sync(*roots, *here, *PYTHONS, *WINDOWS, "--lock-output", str(lock))
    clients = Clients(tmp_path)
    clients.install(client, index, tmp_path / "installed", *options, "-r", str(lock))
    found = markers(lock)
    (slim,) = (one for one in found if one.startswith("slim ") and Marker(found[one]).evaluate())
    expected = {"top": "1.0", "bottom": "1.0", "slim": slim.removeprefix("slim ")}
    assert installed_versions(tmp_path / "installed") == expected
    assortment.sync("top", "--python-version", "3.8", *WINDOWS, "--lock-output", str(lock))
    with pytest.raises(
        AssertionError, match=r"not supported by the lockfile|not satisfy any of the environments"
    ):
        clients.install(client, index, tmp_path / "other", *options, "-r", str(lock))


def test_where_markers_do_not_do_installers_are_kept_out(assortment: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    machines = ("--python-version", "3.12", *LINUX, "--platform", "musllinux_1_2_x86_64")
    ran = assortment.sync("app", *machines, "--lock-output", str(lock))
    targets, why = "cp312-manylinux_2_28_x86_64, cp312-musllinux_1_2_x86_64", "no marker tells these apart"
    assert ran.warnings() == [f"{lock}: installers refuse it on {targets}: {why}, and they differ in slim"]
    assert tomllib.loads(lock.read_text())["environments"] == ["python_version < '0'"]
    before, again = assortment.files(), assortment.folder / "again"
    assortment.sync("-r", str(lock), *machines, "-d", str(again))
    assert {path.name for path in again.rglob("*.whl")} == before
    assortment.sync("app", *machines, *WINDOWS, "--lock-output", str(lock))
    (elsewhere,) = tomllib.loads(lock.read_text())["environments"]
    assert "sys_platform == 'win32'" in elsewhere


def test_what_looks_the_same_to_markers_and_takes_the_same_is_one_environment(
    assortment: Mirror, tmp_path: Path
) -> None:
    lock = tmp_path / "pylock.toml"
    machines = ("--python-version", "3.12", *LINUX, "--platform", "musllinux_1_2_x86_64")
    assert not assortment.sync("numeric", *machines, "--lock-output", str(lock)).warnings()
    assert markers(lock) == {"numeric 1.26": ""}
    assert len(tomllib.loads(lock.read_text())["environments"]) == 1


def test_without_targets_the_default_ones_are_told_apart(assortment: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    assortment.sync("slim", "--lock-output", str(lock))
    assert markers(lock)["slim 1.0"] == "platform_machine != 'x86_64'"
    assert markers(lock)["slim 2.0"] == "platform_machine == 'x86_64'"
    assert len(tomllib.loads(lock.read_text())["environments"]) == len(default_matrix())


def test_what_is_mirrored_beside_is_not_installed(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.upstream.add_file("top", "top-0.9-py3-none-any.whl", content=make_wheel("top", "0.9"))
    machine = ("--python-version", "3.12", *LINUX)
    shop.sync("top", "--latest", "2", *machine, "--lock-output", str(lock))
    assert markers(lock) == {
        "bottom 1.0": "",
        "top 0.9": "'mirror-only' in dependency_groups",
        "top 1.0": "",
    }
    before, again = shop.files(), shop.folder / "again"
    shop.sync("-r", str(lock), *machine, "-d", str(again))
    assert {path.name for path in again.rglob("*.whl")} == before


def test_what_builds_need_is_not_installed(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.upstream.add_file("bottom", "bottom-0.5-py3-none-any.whl", content=make_wheel("bottom", "0.5"))
    content = ready_sdist("built", "1.0", requires=("top",), builds_with=("bottom<1",))
    shop.upstream.add_file("built", "built-1.0.tar.gz", content=content)
    ran = shop.sync("built", "--build-deps", *PYTHONS, *LINUX, *WINDOWS, "--lock-output", str(lock))
    assert not ran.warnings()
    assert markers(lock) == {
        "bottom 0.5": "'mirror-only' in dependency_groups",
        "bottom 1.0": "",
        "built 1.0": "",
        "top 1.0": "",
    }


def test_the_lock_of_a_lock_is_the_same(assortment: Mirror, lock: Path, tmp_path: Path) -> None:
    lock.write_text(
        lock.read_text()
        .replace("marker = \"sys_platform == 'linux'\"", "marker = \"'mirror-only' in dependency_groups\"")
        .replace("created-by", 'dependency-groups = ["mirror-only"]\ncreated-by')
    )
    again = tmp_path / "pylock.again.toml"
    assortment.sync("-r", str(lock), *PYTHONS, *LINUX, *WINDOWS, "--lock-output", str(again))
    assert again.read_bytes() == lock.read_bytes()


@pytest.mark.parametrize("more", [(), ("slim",)])
def test_without_the_targets_of_a_lock_its_markers_are_lost_and_that_is_told(
    assortment: Mirror, lock: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    again = tmp_path / "pylock.again.toml"
    ran = assortment.sync("-r", str(lock), *more, "--lock-output", str(again))
    assert set(markers(again).values()) == {""}
    assert f"{again}: it takes over no markers of lock files, unless targets are named" in ran.warnings()
    assert not assortment.sync("-r", str(lock), *more).warnings()
    ran = assortment.sync("-r", str(lock), *more, *PYTHONS, *LINUX, *WINDOWS, "--lock-output", str(again))
    assert not ran.warnings()


def test_several_versions_without_a_marker_are_told(shop: Mirror, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    shop.upstream.add_file("top", "top-0.9-py3-none-any.whl", content=make_wheel("top", "0.9"))
    ran = shop.sync("top", "--all-versions", "--no-deps", "--lock-output", str(lock))
    assert ran.warnings() == [
        f"{lock}: installers refuse it: there are several versions of top, and no markers"
    ]
    assert "environments" not in tomllib.loads(lock.read_text())


# What installers select, whatever is chosen

MACHINES = parse_targets(
    ["3.11", "3.12", "3.12.4", "3.13", "3.13t", "pypy3.11"],
    ["linux", "musllinux_1_2_x86_64", "manylinux_2_28_aarch64", "macosx_13_0_arm64", "windows", "win32"],
)
NAMES = [canonicalize_name(name) for name in ("alpha", "beta", "gamma")]
Chosen = dict["NormalizedName", dict[str, str]]
"""Project → name of the target → version."""


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[Target], Chosen]:
    """Targets, and which version of each project each of them takes, if any."""
    targets = draw(
        st.lists(st.sampled_from(MACHINES), min_size=1, max_size=6, unique_by=lambda one: one.name)
    )
    numbers = st.sampled_from(["", "1.0", "2.0"])
    chosen = {name: {one.name: draw(numbers) for one in targets} for name in NAMES}
    return targets, {name: {on: v for on, v in taken.items() if v} for name, taken in chosen.items()}


def distributions(project: str, number: str, targets: Iterable[Target], forms: str) -> list[ProjectFile]:
    """What these targets can install: wheels for all machines or for theirs, or a source archive."""
    if "any" in forms:
        names = {f"{project}-{number}{build}-py3-none-any.whl" for build in ("", "-1", "-12")}
    elif "own" in forms:
        names = {f"{project}-{number}-{one.tags[0]}.whl" for one in targets}
    else:
        names = set()
    if "source" in forms or not names:
        names.add(f"{project}-{number}.tar.gz")
    return [ProjectFile(filename=name, url="", hashes={}) for name in sorted(names)]


def selected(lock: Pylock, target: Target) -> dict[str, tuple[str, str]]:
    """Project → version and file, as installers select them there."""
    found: dict[str, tuple[str, str]] = {}
    for package, file in lock.select(environment=dict(target.environment), tags=target.tags):  # type: ignore[arg-type]  # a TypedDict
        assert isinstance(file, PackageWheel | PackageSdist)
        found[package.name] = (str(package.version), file.filename)
    return found


@settings(max_examples=60, deadline=None)
@given(choices(), st.data())
def test_installers_select_what_was_chosen(made: tuple[list[Target], Chosen], data: st.DataObject) -> None:
    targets, chosen = made
    report, expected = Report(), {one.name: dict[str, tuple[str, str]]() for one in targets}
    for project, taken in chosen.items():
        for number in sorted(set(taken.values())):
            takers = [one for one in targets if taken.get(one.name) == number]
            forms = data.draw(st.sampled_from(["any", "own", "source", "any source", "own source"]))
            files = distributions(project, number, takers, forms)
            for file in files:
                report.add(Outcome(project, file.filename, Became.HELD, 1, sha256="a" * 64))
            for one in takers:
                best, *_ = for_targets(files, [one], best=True, sdists=False)[0]
                expected[one.name][project] = (number, best.filename)
    report.installed = {
        name: frozenset((canonicalize_name(project), number) for project, (number, _) in taken.items())
        for name, taken in expected.items()
    }
    lock = lock_of(report, ".", targets)
    read = Pylock.from_dict(tomllib.loads(lock.text))
    refusing = {one.name for one in targets if any(is_twin(one, other, report) for other in targets)}
    assert bool(lock.warnings) == bool(refusing)
    for one in targets:
        if one.name in refusing:
            with pytest.raises(PylockSelectError):
                selected(read, one)
        else:
            assert selected(read, one) == expected[one.name]


def is_twin(one: Target, other: Target, report: Report) -> bool:
    """Whether no marker tells the two apart, though they take different things."""
    told = ("python_full_version", "sys_platform", "platform_machine", "implementation_name")
    same = all(one.environment[name] == other.environment[name] for name in told)
    return same and report.installed[one.name] != report.installed[other.name]
