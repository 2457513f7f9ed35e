"""Real pip and real uv install from a mirror, served as HTML only, as JSON, and from the disk."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from catalogue import JSON_TYPE
from clients import (
    NAMES,
    REASON,
    RESOLVED,
    Clients,
    Mirror,
    NegotiatingServer,
    StaticServer,
    imported_versions,
    made_mirror,
    published_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYPROJECT = """\
[project]
name = "locked"
version = "0"
requires-python = ">=3.11"
dependencies = ["app", "futuristic", "local-build"]
[tool.uv]
package = false
"""
CLIENTS = pytest.mark.parametrize("client", ["pip", "uv"])


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    with made_mirror(tmp_path_factory.mktemp("web") / "simple") as made:
        yield made


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    return Clients(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module", params=["html", pytest.param("json", marks=pytest.mark.slow)])
def running(request: pytest.FixtureRequest, mirror: Mirror) -> Iterator[StaticServer]:
    # One at the root of its server, one below a prefix: links are to work in both.
    if request.param == "html":
        server = StaticServer(mirror.root)
    else:
        server = NegotiatingServer(mirror.root.parent, "/simple/")
    with server:
        yield server


@pytest.fixture
def server(running: StaticServer) -> StaticServer:
    running.requests.clear()
    return running


def lines_of(compiled: str) -> dict[str, set[str]]:
    """``name==version`` → digests, of the requirements file that uv wrote."""
    found: dict[str, set[str]] = {}
    for line in compiled.replace("\\\n", " ").splitlines():
        if "==" in line and not line.lstrip().startswith("#"):
            pin, *hashes = line.split()
            found[pin] = {text.removeprefix("--hash=sha256:") for text in hashes}
    return found


@CLIENTS
def test_installs_the_newest_with_its_dependencies(
    client: str, server: StaticServer, clients: Clients, tmp_path: Path
) -> None:
    names = ("app", "Foo.Bar_baz", "futuristic", "local-build")
    clients.install(client, server.url, tmp_path, *names)

    versions = {**RESOLVED, "futuristic": "1.0", "local-build": "1.0+local.1"}
    assert imported_versions(tmp_path, *versions) == versions
    assert {asked.status for asked in server.requests} <= {200}
    # Its metadata says the same, but the page has to keep clients from asking.
    assert not any("futuristic-2.0" in path for path in server.paths())
    pages = {asked.content_type for asked in server.requests if asked.path.endswith(("/", "index.v1_json"))}
    assert pages == {JSON_TYPE if isinstance(server, NegotiatingServer) else "text/html"}


@CLIENTS
def test_resolves_from_metadata_siblings(
    client: str, server: StaticServer, clients: Clients, tmp_path: Path
) -> None:
    # Of foo-bar-baz upstream has no sibling: the mirror took it out of the wheel.
    clients.install(client, server.url, tmp_path, "app<1.1", "shop")

    asked = [path.rpartition("/")[2] for path in server.paths()]
    for wheel in (
        "app-1.0-py3-none-any.whl",
        "shop-1.10-py3-none-any.whl",
        "foo_bar_baz-1.5-py3-none-any.whl",
    ):
        assert asked.count(f"{wheel}.metadata") == 1
        assert asked.index(f"{wheel}.metadata") < asked.index(wheel)


@CLIENTS
def test_takes_what_is_yanked_for_an_exact_pin_only(
    client: str, server: StaticServer, clients: Clients, tmp_path: Path
) -> None:
    clients.install(client, server.url, tmp_path / "range", "shop>=1,<3")
    said = clients.install(client, server.url, tmp_path / "pin", "shop==2.0")

    assert imported_versions(tmp_path / "range", "shop") == {"shop": "1.10"}
    assert imported_versions(tmp_path / "pin", "shop") == {"shop": "2.0"}
    assert REASON in said


def test_pip_finds_the_digests_that_upstream_listed(
    server: StaticServer, clients: Clients, mirror: Mirror, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    with requirements.open("w") as file:
        for name, version in RESOLVED.items():
            digests = published_files(mirror.upstream, name, version).values()
            hashes = " ".join(f"--hash=sha256:{digest}" for digest in digests)
            file.write(f"{name}=={version} {hashes}\n")
    clients.install("pip", server.url, tmp_path / "target", "--require-hashes", "-r", str(requirements))

    assert imported_versions(tmp_path / "target", *RESOLVED) == RESOLVED


def test_uv_compiles_the_digests_that_upstream_listed(
    server: StaticServer, clients: Clients, mirror: Mirror, tmp_path: Path
) -> None:
    wanted = tmp_path / "requirements.in"
    wanted.write_text("app\nlocal-build\n")
    compiled = clients.uv("compile", server.url, "--quiet", "--generate-hashes", str(wanted))

    assert lines_of(compiled) == {
        f"{name}=={version}": set(published_files(mirror.upstream, name, version).values())
        for name, version in {**RESOLVED, "local-build": "1.0+local.1"}.items()
    }


def test_uv_locks_every_file_with_its_digest(
    server: StaticServer, clients: Clients, mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    clients.uv_lock(server.url, tmp_path)

    locked = tomllib.loads((tmp_path / "uv.lock").read_text())["package"]
    found = {package["name"]: package for package in locked if package["name"] != "locked"}
    assert found.keys() == {*RESOLVED, "futuristic", "local-build"}
    for name, package in found.items():
        files = [package["sdist"], *package["wheels"]]
        digests = published_files(mirror.upstream, name, package["version"]).values()
        assert {file["hash"] for file in files} == {f"sha256:{digest}" for digest in digests}
        if isinstance(server, NegotiatingServer):  # HTML has no place for either
            assert all(file["size"] and file["upload-time"] for file in files)


@CLIENTS
def test_builds_an_sdist_with_a_build_requirement_from_the_mirror(
    client: str, server: StaticServer, clients: Clients, tmp_path: Path
) -> None:
    clients.install(client, server.url, tmp_path, "from-source")

    assert imported_versions(tmp_path, "from-source") == {"from-source": "1.0"}
    assert any("build_helper-1.0-py3-none-any.whl" in path for path in server.paths())


def test_pip_downloads_an_sdist_unchanged(
    server: StaticServer, clients: Clients, mirror: Mirror, tmp_path: Path
) -> None:
    clients.pip("download", server.url, "--no-deps", "--dest", str(tmp_path), "from-source")

    sdist = mirror.upstream.file_path("from-source", "from_source-1.0.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["from_source-1.0.tar.gz"]
    assert (tmp_path / "from_source-1.0.tar.gz").read_bytes() == mirror.upstream.blobs[sdist].body


def test_uv_leaves_out_what_was_uploaded_after_a_date(
    mirror: Mirror, clients: Clients, tmp_path: Path
) -> None:
    with NegotiatingServer(mirror.root) as server:
        clients.install("uv", server.url, tmp_path, "--exclude-newer", "2022-01-01", "app")

    assert imported_versions(tmp_path, "app") == {"app": "1.0"}


@CLIENTS
def test_installs_from_the_disk(client: str, mirror: Mirror, clients: Clients, tmp_path: Path) -> None:
    clients.install(client, mirror.root.as_uri(), tmp_path, "app", "local-build")

    versions = {**RESOLVED, "local-build": "1.0+local.1"}
    assert imported_versions(tmp_path, *versions) == versions


def test_a_second_sync_asks_for_no_file_and_writes_nothing(mirror: Mirror) -> None:
    def tree() -> dict[str, tuple[int, int]]:
        files = [path for path in mirror.root.rglob("*") if ".aiomirror" not in path.parts]
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    before = tree()
    mirror.upstream.clear()

    assert mirror.sync() == 0
    assert mirror.upstream.file_requests() == []
    assert len(mirror.upstream.page_requests()) == len(NAMES)
    assert tree() == before
