"""Runs with --build-deps: what is mirrored so that source archives can be built, and what that takes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.state import State
from builders import make_metadata, make_wheel, module_name, zip_bytes
from clients import Clients, StaticServer, imported_versions
from faults import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mirror import Mirror, Ran

LINUX, WINDOWS = "manylinux_2_17_x86_64", "win_amd64"
ON_LINUX = ("--platform", "linux", "--python-version", "3.12")
BACKEND = """\
import glob, shutil

def build_wheel(directory, config_settings=None, metadata_directory=None):
    return shutil.copy(glob.glob("ready/*.whl")[0], directory).rpartition("/")[2]
"""
"""A build backend that finds the wheel ready in the archive."""


@pytest.fixture
def builder(mirror: Mirror) -> Mirror:
    """A mirror whose runs follow dependencies."""
    mirror.follows = True
    return mirror


def wheel(mirror: Mirror, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> str:
    """Offer a wheel; its file name."""
    filename = f"{module_name(name)}-{version}-{tag}.whl"
    content = make_wheel(name, version, requires=requires, tag=tag)
    mirror.upstream.add_file(name, filename, content=content, core_metadata=True)
    return filename


def source(
    mirror: Mirror,
    name: str,
    version: str,
    *build: str,
    requires: tuple[str, ...] = (),
    pyproject: str | None = "",
    python: str | None = None,
    more: Mapping[str, bytes] | None = None,
) -> str:
    """Offer a source archive that builds with these, or has this ``pyproject.toml``; its file name."""
    if pyproject == "":
        pyproject = f"[build-system]\nrequires = {list(build)!r}\n"
    members = {"PKG-INFO": make_metadata(name, version, requires=requires, requires_python=python)}
    if pyproject is not None:
        members["pyproject.toml"] = pyproject.encode()
    filename = f"{module_name(name)}-{version}.tar.gz"
    content = archive(filename.removesuffix(".tar.gz"), {**members, **(more or {})})
    mirror.upstream.add_file(name, filename, content=content, requires_python=python)
    return filename


def archive(folder: str, members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def sync(mirror: Mirror, *args: str, code: int = 0) -> Ran:
    return mirror.sync(*args, "--build-deps", code=code)


def reasons(mirror: Mirror, project: str) -> Mapping[str, tuple[str, ...]]:
    """File name → what asked for it in the last run."""
    with State.open(mirror.dest / ".aiomirror" / "state.sqlite", writable=False) as state:
        visited = state.desired.visited(canonicalize_name(project))
    assert visited is not None
    return visited.wanted_by


# -- what is mirrored


def test_what_an_archive_is_built_with_comes_along(builder: Mirror) -> None:
    top = source(builder, "top", "1.0", "backend[fast]>=2")
    backend = wheel(builder, "backend", "2.0", "helper", 'quick; extra == "fast"')
    wheel(builder, "backend", "1.0")
    helper, quick = wheel(builder, "helper", "1.0"), wheel(builder, "quick", "1.0")
    builder.sync("top")
    assert builder.files() == {top}
    sync(builder, "top")
    assert builder.files() == {top, backend, helper, quick}


@pytest.mark.parametrize(
    "pyproject", [None, "[project]\nname = 'top'\n", "[build-system]\nbuild-backend = 'backend'\n"]
)
def test_setuptools_where_nothing_is_said(builder: Mirror, pyproject: str | None) -> None:
    top = source(builder, "top", "1.0", pyproject=pyproject)
    wheel(builder, "setuptools", "40.7")
    setuptools = wheel(builder, "setuptools", "80.1")
    sync(builder, "top")
    assert builder.files() == {top, setuptools}


def test_what_needs_nothing_gets_nothing(builder: Mirror) -> None:
    top = source(builder, "top", "1.0")
    sync(builder, "top")
    assert builder.files() == {top}
    assert builder.upstream.page_path("setuptools") not in builder.upstream.paths()


def test_without_source_archives_there_is_nothing_to_build(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    top = wheel(builder, "top", "1.0")
    sync(builder, "top", "--only-binary", ":all:")
    assert builder.files() == {top}
    assert not [path for path in builder.upstream.paths() if path.endswith(".tar.gz")]


def test_what_builds_may_have_to_be_built_itself(builder: Mirror) -> None:
    archives = {
        source(builder, "top", "1.0", "middle"),
        source(builder, "middle", "1.0", "bottom", requires=("shared",)),
        source(builder, "bottom", "1.0", "bottom", "top"),
        source(builder, "shared", "1.0", "middle"),
    }
    sync(builder, "top")
    assert builder.files() == archives


def test_dependencies_are_built_too(builder: Mirror) -> None:
    files = {
        wheel(builder, "top", "1.0", "below"),
        source(builder, "below", "1.0", "backend"),
        wheel(builder, "backend", "1.0"),
    }
    sync(builder, "top")
    assert builder.files() == files


def test_builds_constrain_neither_each_other_nor_what_is_installed(builder: Mirror, tmp_path: Path) -> None:
    files = {wheel(builder, "backend", version) for version in ("1.0", "2.0", "3.0")}
    wheel(builder, "backend", "2.5")
    files |= {
        source(builder, "one", "1.0", "backend<2"),
        source(builder, "other", "1.0", "backend"),
        wheel(builder, "top", "1.0", "backend"),
    }
    constraints = tmp_path / "c.txt"
    constraints.write_text("backend==2.0\n")
    sync(builder, "one", "other", "top", "-c", str(constraints))
    assert builder.files() == files


def test_builds_are_followed_to_the_end_whatever_else_is(builder: Mirror) -> None:
    top = source(builder, "top", "1.0", "backend", requires=("missing",))
    backend, helper = wheel(builder, "backend", "1.0", "helper"), wheel(builder, "helper", "1.0")
    sync(builder, "top", "--no-deps")
    assert builder.files() == {top, backend, helper}


def test_what_a_lock_file_lists_is_built_too(builder: Mirror) -> None:
    top, backend = source(builder, "top", "1.0", "backend"), wheel(builder, "backend", "1.0")
    content = builder.upstream.blobs[builder.upstream.file_path("top", top)].body
    lock = builder.folder / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "top"\nversion = "1.0"\n'
        f'sdist = {{ name = "{top}", url = "https://files.example/{top}", '
        f'hashes = {{ sha256 = "{hashlib.sha256(content).hexdigest()}" }} }}\n'
    )
    sync(builder, "-r", str(lock))
    assert builder.files() == {top, backend}


def test_a_dry_run_plans_it_and_writes_nothing(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    wheel(builder, "backend", "1.0")
    assert "backend" in sync(builder, "top", "--dry-run").out
    assert not builder.dest.exists()


def test_why_it_is_there(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend>=1")
    backend, helper = wheel(builder, "backend", "1.0", "helper"), wheel(builder, "helper", "1.0")
    sync(builder, "top", "backend")
    assert reasons(builder, "backend") == {backend: ("backend (command line)",)}
    sync(builder, "top")
    assert reasons(builder, "backend") == {backend: ("top-1.0.tar.gz builds with backend>=1",)}
    chain = "top-1.0.tar.gz builds with backend>=1 → backend 1.0 → helper"
    assert reasons(builder, "helper") == {helper: (chain,)}


def test_all_that_a_build_admits(builder: Mirror) -> None:
    files = {wheel(builder, "backend", "1.0"), wheel(builder, "backend", "1.1"), wheel(builder, "top", "1.0")}
    files.add(source(builder, "top", "1.0", "backend<2"))
    wheel(builder, "backend", "2.0")
    sync(builder, "top", "--closure", "all-matching")
    assert builder.files() == files


def test_what_is_pinned_by_its_digest_is_that_for_builds_too(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    name = wheel(builder, "backend", "1.0")
    builder.upstream.add_file("backend", name, content=make_wheel("backend", "1.0"), hashes={})
    pins = builder.folder / "r.txt"
    pins.write_text(f"backend==1.0 --hash=sha256:{'0' * 64}\n")
    ran = sync(builder, "-r", str(pins), "top", "--no-deps", "--keep-going", "--allow-unhashed", code=1)
    assert any(name in line and "sha256 is" in line for line in ran.errors())
    assert name not in builder.files()


# -- targets


def test_a_target_with_a_wheel_builds_nothing(builder: Mirror) -> None:
    wheels = [wheel(builder, "fast", "1.0", tag=f"cp312-cp312-{tag}") for tag in (LINUX, WINDOWS)]
    files = {wheels[0], source(builder, "fast", "1.0", "compiler")}
    compilers = [wheel(builder, "compiler", "1.0", tag=f"py3-none-{tag}") for tag in (LINUX, WINDOWS)]
    sync(builder, "fast", *ON_LINUX)
    assert builder.files() == {wheels[0]}
    builder.upstream.remove_file("fast", wheels[1])
    sync(builder, "fast", *ON_LINUX, "--platform", "windows")
    assert builder.files() == {*files, compilers[1]}


def test_spare_archives_are_built_where_they_were_asked_for(builder: Mirror) -> None:
    files = {
        wheel(builder, "top", "1.0"),
        source(builder, "top", "1.0", "backend"),
        wheel(builder, "backend", "1.0"),
    }
    sync(builder, "top", *ON_LINUX, "--with-sdists")
    assert builder.files() == files


def test_markers_are_asked_for_each_target(builder: Mirror) -> None:
    top = source(
        builder, "top", "1.0", "backend", 'only; sys_platform == "win32"', 'no; python_version < "3"'
    )
    backend, only = wheel(builder, "backend", "1.0"), wheel(builder, "only", "1.0")
    sync(builder, "top", *ON_LINUX)
    assert builder.files() == {top, backend}
    sync(builder, "top")
    assert builder.files() == {top, backend, only}


# -- what fails


def test_what_nothing_satisfies_on_a_target_that_was_named(builder: Mirror) -> None:
    source(builder, "top", "1.0", "gone>=1")
    ran = sync(builder, "top", *ON_LINUX, code=3)
    (line,) = ran.errors()
    assert line.startswith("top-1.0.tar.gz cannot be built: ")
    assert "gone>=1" in line
    assert "cp312-manylinux_2_28_x86_64" in line


def test_what_goes_on_some_of_the_default_targets_is_a_warning(builder: Mirror) -> None:
    top = source(builder, "top", "1.0", "compiler")
    compiler = wheel(builder, "compiler", "1.0", tag=f"py3-none-{WINDOWS}")
    ran = sync(builder, "top")
    (line,) = ran.warnings()
    assert line.startswith("top-1.0.tar.gz cannot be built: ")
    assert builder.files() == {top, compiler}


def test_what_goes_nowhere_is_a_failure(builder: Mirror) -> None:
    top = source(builder, "top", "1.0", "backend>1")
    wheel(builder, "backend", "1.0")
    ran = sync(builder, "top", "--keep-going", code=3)
    assert builder.files() == {top}
    assert any("top-1.0.tar.gz cannot be built" in line and "backend>1" in line for line in ran.errors())


@pytest.mark.parametrize(
    ("pyproject", "why"),
    [
        ("[build-system\n", "no TOML"),
        ("[build-system]\nrequires = 'setuptools'\n", "it is not an array"),
        ("[build-system]\nrequires = ['backend', '!']\n", "build-system.requires[1]"),
        ("build-system = 1\n", "it is not a table"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_guessed(
    builder: Mirror, pyproject: str, why: str
) -> None:
    top = source(builder, "top", "1.0", pyproject=pyproject)
    wheel(builder, "setuptools", "80.1")
    (line,) = sync(builder, "top").warnings()
    assert line.startswith("top: top-1.0.tar.gz: ")
    assert why in line
    assert builder.files() == {top}
    assert sync(builder, "top").warnings() == [line]


def test_an_archive_that_cannot_be_read_is_named(builder: Mirror) -> None:
    builder.upstream.add_file("top", "top-1.0.tar.gz", content=b"no archive")
    (line,) = sync(builder, "top", "--no-deps").warnings()
    assert "top-1.0.tar.gz" in line


def test_what_is_at_an_address_is_named(builder: Mirror) -> None:
    top = source(builder, "top", "1.0", "backend @ https://files.example/backend.zip")
    (line,) = sync(builder, "top").warnings()
    assert "backend @ https://files.example/backend.zip" in line
    assert line.startswith("top-1.0.tar.gz: ")
    assert builder.files() == {top}


def test_an_archive_that_upstream_does_not_give_now(builder: Mirror) -> None:
    top, other = source(builder, "top", "1.0", "backend"), source(builder, "other", "1.0")
    path = builder.upstream.file_path("top", top)
    builder.upstream.fault(path, Status(500), Status(500))
    ran = sync(builder, "top", "other", "--no-deps", "--keep-going", code=1)
    assert builder.files() == {top, other}
    (line,) = ran.errors()
    assert "top" in line
    assert "500" in line
    backend = wheel(builder, "backend", "1.0")
    sync(builder, "top", "other", "--no-deps")
    assert builder.files() == {top, other, backend}


def test_a_page_that_cannot_be_read(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    builder.upstream.always("/simple/top/", Status(403))
    ran = sync(builder, "top", "--no-deps", code=1)
    assert [line for line in ran.errors() if "403" in line]


def test_builds_without_end(builder: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.dependencies.builds.MAX_LEVELS", 3)
    for number in range(5):
        source(builder, f"level-{number}", "1.0", f"level-{number + 1}")
    (line,) = sync(builder, "level-0").warnings()
    assert "level-3" in line
    assert len(builder.files()) == 4


def test_a_backend_that_upstream_has_deleted_stays(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    wheel(builder, "backend", "1.0")
    sync(builder, "top")
    before = builder.files()
    del builder.upstream.projects["backend"]
    ran = sync(builder, "top", "--keep-going", code=3)
    assert any("cannot be built" in line for line in ran.errors())
    assert builder.files() == before


# -- the second run


def test_while_nothing_changes_nothing_is_read_anew(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    wheel(builder, "backend", "1.0", "helper")
    wheel(builder, "helper", "1.0")
    sync(builder, "top")
    before = builder.identities()
    builder.upstream.clear()
    ran = sync(builder, "top")
    assert sorted(builder.upstream.paths()) == ["/simple/backend/", "/simple/helper/", "/simple/top/"]
    assert all("if-none-match" in request.headers for request in builder.upstream.requests)
    assert builder.identities() == before
    assert ran.report["totals"]["held"] == 3


def test_each_page_is_asked_for_once(builder: Mirror) -> None:
    """Also by one run that finds dependencies and builds, some of both the same."""
    source(builder, "top", "1.0", "backend", requires=("shared",))
    wheel(builder, "shared", "1.0")
    wheel(builder, "backend", "1.0", "shared")
    source(builder, "backend", "1.0", "shared")
    sync(builder, "top")
    pages = [request.path for request in builder.upstream.page_requests()]
    assert sorted(pages) == ["/simple/backend/", "/simple/shared/", "/simple/top/"]
    texts = [path for path in builder.upstream.paths() if path.endswith(".metadata")]
    assert len(texts) == len(set(texts)) == 2


def test_a_change_of_a_backend_is_followed(builder: Mirror) -> None:
    source(builder, "top", "1.0", "backend")
    wheel(builder, "backend", "1.0")
    sync(builder, "top")
    new = wheel(builder, "backend", "2.0")
    builder.upstream.clear()
    sync(builder, "top")
    assert new in builder.files()
    # What is held says itself how it is built.
    assert builder.upstream.file_path("top", "top-1.0.tar.gz") not in builder.upstream.paths()


# -- a real installer


@pytest.mark.slow
def test_pip_builds_from_the_mirror_alone(builder: Mirror, tmp_path: Path) -> None:
    """An archive that is built with what is built itself first, by a backend that is a wheel."""

    def ready(name: str, *requires: str) -> None:
        built = make_wheel(name, "1.0")
        system = f'[build-system]\nrequires = {list(requires)}\nbuild-backend = "tiny_backend"\n'
        more = {f"ready/{module_name(name)}-1.0-py3-none-any.whl": built}
        source(builder, name, "1.0", pyproject=system, more=more)

    ready("from-source", "tiny-backend>=1", "build-helper")
    ready("build-helper", "tiny-backend")
    members = {
        "tiny_backend.py": BACKEND.encode(),
        "tiny_backend-1.0.dist-info/METADATA": make_metadata("tiny-backend", "1.0"),
        "tiny_backend-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny_backend-1.0.dist-info/RECORD": b"",
    }
    name = "tiny_backend-1.0-py3-none-any.whl"
    builder.upstream.add_file("tiny-backend", name, content=zip_bytes(members), core_metadata=True)
    sync(builder, "from-source")
    builder.upstream.projects.clear()
    builder.upstream.blobs.clear()
    with StaticServer(builder.dest) as server:
        Clients(tmp_path).install("pip", server.url, tmp_path / "installed", "from-source")
        asked = {path.rpartition("/")[2] for path in server.paths()}
    assert imported_versions(tmp_path / "installed", "from-source") == {"from-source": "1.0"}
    assert {name, "build_helper-1.0.tar.gz"} <= asked
