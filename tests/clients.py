"""What the tests with real clients share: an upstream to mirror, pip and uv apart from the machine, servers.

Clients get an environment that is built from nothing, so that neither a variable nor a configuration file of
the machine names another index; what they install can only come from the index that a test gives them.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import uv
from packaging.utils import canonicalize_name, parse_wheel_filename

from aiomirror.cli import main
from builders import make_metadata, make_sdist, make_wheel, module_name
from catalogue import JSON_TYPE
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REASON = """eats "files" & <b>shelves</b>; it's 100% bröken \N{PILE OF POO}"""
NAMES = ("app", "foo-bar-baz", "shop", "futuristic", "local-build", "from-source", "build-helper")
OLD, NEW = "2020-02-02T00:00:00.000000Z", "2024-02-02T00:00:00.123456Z"
RESOLVED = {"app": "1.1", "foo-bar-baz": "1.5", "shop": "1.10"}
"""What ``app`` brings with it: not the yanked 2.0, and 1.10 is newer than 1.9."""
FOR_TARGET = Path(__file__).parents[1] / "benchmarks" / "for_target.py"
"""pip with the markers of another machine."""
PATIENCE = 120  # seconds that a client may take before something is badly wrong


# The upstream


def stock(upstream: Upstream) -> None:
    """Put the projects on the shelf: dependencies, a yanked newest, odd names and versions, a bare sdist."""
    for version, time in (("1.0", OLD), ("1.1", NEW)):
        release(upstream, "app", version, requires=("foo.bar-BAZ>=1", "shop>=1"), upload_time=time)
    release(upstream, "Foo.Bar_baz", "1.5", sdist="Foo.Bar_baz-1.5.tar.gz", announced=False)
    for version in ("1.9", "1.10"):
        release(upstream, "shop", version)
    release(upstream, "shop", "2.0", yanked=REASON)
    release(upstream, "futuristic", "1.0", requires_python=">=3.8,!=3.9.0")
    release(upstream, "futuristic", "2.0", requires_python=">=99")
    release(upstream, "local-build", "1.0+local.1")
    release(upstream, "build-helper", "1.0")
    upstream.add_file("from-source", "from_source-1.0.tar.gz", content=self_building_sdist())


def release(
    upstream: Upstream,
    name: str,
    version: str,
    *,
    requires: tuple[str, ...] = (),
    requires_python: str | None = None,
    sdist: str = "",
    yanked: str | bool = False,
    upload_time: str = OLD,
    announced: bool = True,
) -> None:
    """A wheel and an sdist; what is not ``announced`` has no metadata sibling upstream."""
    wheel = f"{module_name(name)}-{version}-py3-none-any.whl"
    contents = {
        wheel: make_wheel(name, version, requires=requires, requires_python=requires_python),
        sdist or f"{module_name(name)}-{version}.tar.gz": make_sdist(
            name, version, requires=requires, requires_python=requires_python
        ),
    }
    for filename, content in contents.items():
        upstream.add_file(
            name,
            filename,
            content=content,
            version=version,
            requires_python=requires_python,
            yanked=yanked,
            upload_time=upload_time,
            core_metadata=announced and filename == wheel,
        )


def self_building_sdist() -> bytes:
    """An sdist whose build needs ``build-helper`` and nothing else: its backend travels with it."""
    return ready_sdist("from-source", "1.0", builds_with=("build-helper",))


def ready_sdist(
    name: str, version: str, *, requires: tuple[str, ...] = (), builds_with: tuple[str, ...] = ()
) -> bytes:
    """An sdist with its own backend, which hands out a wheel that is in it and imports ``builds_with``."""
    root, wheel = f"{module_name(name)}-{version}", f"{module_name(name)}-{version}-py3-none-any.whl"
    backend = (
        f"import {', '.join(['shutil', *map(module_name, builds_with)])}\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        f"    return shutil.copy('ready/{wheel}', directory).rpartition('/')[2]\n"
    )
    build = [
        "[build-system]",
        f"requires = {json.dumps(builds_with)}",
        'build-backend = "backend"',
        'backend-path = ["in"]',
    ]
    members = {
        "PKG-INFO": make_metadata(name, version, requires=requires),
        "pyproject.toml": "\n".join(build).encode(),
        "in/backend.py": backend.encode(),
        f"ready/{wheel}": make_wheel(name, version, requires=requires),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in members.items():
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def published_files(upstream: Upstream, name: str, version: str) -> dict[str, str]:
    """Name → sha256, as the upstream states them; the mirror's own word is not asked."""
    files = upstream.projects[name].files
    return {file["filename"]: file["hashes"]["sha256"] for file in files if file["version"] == version}


# The mirror


@dataclass(frozen=True)
class Mirror:
    """A mirror and the upstream that it was made from."""

    root: Path
    upstream: Upstream

    def sync(self) -> int:
        """Everything that the upstream has; the yanked version because it is pinned."""
        options = ["--all-versions", "--no-progress", "-d", str(self.root), "-i", self.upstream.url]
        return main(["sync", *NAMES, "shop==2.0", *options])


@contextmanager
def made_mirror(root: Path) -> Iterator[Mirror]:
    """A mirror in ``root``, made by the command line from an upstream on loopback."""
    with Upstream() as upstream:
        stock(upstream)
        mirror = Mirror(root, upstream)
        assert mirror.sync() == 0
        yield mirror


# The clients


@dataclass(frozen=True)
class Clients:
    """pip and uv, at home in a folder of the test's."""

    home: Path
    patience: int = PATIENCE

    def environment(self) -> dict[str, str]:
        """No PIP_*, UV_*, proxies or home of the person who runs the tests."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONIOENCODING": "utf-8",
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def pip(self, verb: str, index: str, *arguments: str) -> str:
        """Run pip; returns what it said, on both streams."""
        switches = ["--isolated", "--no-input", "--disable-pip-version-check", verb, "--no-cache-dir"]
        return self.run(sys.executable, "-m", "pip", *switches, "--index-url", index, *arguments)

    def uv(self, verb: str, index: str, *arguments: str) -> str:
        """Run ``uv pip <verb>``; returns what it said, on both streams."""
        python = ["--python", sys.executable]
        return self.run(
            uv.find_uv_bin(), "pip", verb, "--no-cache", *python, "--default-index", index, *arguments
        )

    def uv_lock(self, index: str, project: Path) -> None:
        """Write ``uv.lock`` beside the pyproject.toml."""
        where = ["--no-cache", "--python", sys.executable, "--project", str(project)]
        self.run(uv.find_uv_bin(), "lock", *where, "--default-index", index)

    def uv_export(self, index: str, project: Path, pylock: Path) -> None:
        """Write what ``uv.lock`` lists as a ``pylock.toml``."""
        where = ["--no-cache", "--python", sys.executable, "--project", str(project)]
        form = ["--frozen", "--format", "pylock.toml", "--output-file", str(pylock)]
        self.run(uv.find_uv_bin(), "export", *form, *where, "--default-index", index)

    def uv_sync(self, index: str, project: Path) -> None:
        """Install what ``uv.lock`` lists, as it is, into the project's ``.venv``."""
        where = ["--no-cache", "--python", sys.executable, "--project", str(project)]
        self.run(uv.find_uv_bin(), "sync", "--frozen", *where, "--default-index", index)

    def uv_takes(self, index: str, roots: Sequence[str], *where: str) -> dict[str, str]:
        """Project → version: what uv resolves, of wheels alone; ``where`` are its options for a target."""
        wanted = self.home / "requirements.in"
        wanted.write_text("\n".join(roots))
        plain = ["--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
        compiled = self.uv("compile", index, *plain, *where, str(wanted))
        return dict(line.split("==") for line in compiled.splitlines())

    def pip_takes(self, index: str, dest: Path, roots: Sequence[str], *where: str) -> dict[str, str]:
        """The same of pip, with the markers of the target: of itself it has those of the machine.

        It downloads, for older ones do not install for a Python that is not theirs; ``dest`` is to be empty.
        """
        switches = ["--isolated", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
        wheels = ["--only-binary", ":all:", "--dest", str(dest)]
        program = [sys.executable, str(FOR_TARGET), "download"]
        self.run(*program, *switches, *wheels, *where, "--index-url", index, *roots)
        found = (parse_wheel_filename(path.name) for path in dest.iterdir())
        return {name: str(version) for name, version, _, _ in found}

    def install(self, client: str, index: str, target: Path, *arguments: str) -> str:
        """Install into a folder of its own, which spares an environment for each test."""
        run = {"pip": self.pip, "uv": self.uv}[client]
        return run("install", index, "--target", str(target), *arguments)

    def run(self, *command: str) -> str:
        """What a command says, on both streams; AssertionError with that if it fails."""
        done = subprocess.run(
            command,
            env=self.environment(),
            cwd=self.home,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=self.patience,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


def installed_versions(target: Path) -> dict[str, str]:
    """Project → version of what is in a folder, by its metadata."""
    found = importlib.metadata.distributions(path=[str(target)])
    return {canonicalize_name(one.name): one.version for one in found}


def imported_versions(target: Path, *names: str) -> dict[str, str]:
    """What a fresh interpreter finds when it imports the installed modules."""
    modules = {name: module_name(name) for name in names}
    code = (
        "import importlib, json, sys; sys.path.insert(0, sys.argv[1]);"
        "print(json.dumps({name: importlib.import_module(module).__version__"
        " for name, module in json.loads(sys.argv[2]).items()}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(target), json.dumps(modules)]
    found: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


# The servers


@dataclass(frozen=True)
class Asked:
    """A request and its answer."""

    path: str
    status: int
    content_type: str


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """uv connects dozens of times at once; of five that wait, a sixth would be tried again a second later."""


class StaticServer:
    """http.server as ``python -m http.server`` has it; it notes what it is asked."""

    def __init__(self, folder: Path, prefix: str = "/") -> None:
        self.requests: list[Asked] = []
        served = self

        class Handler(self.handler):  # type: ignore[misc, name-defined]  # the class is the subclass's to choose
            def __init__(self, *arguments: object) -> None:
                super().__init__(*arguments, directory=str(folder))

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Called between status line and headers: note the status, the type comes with its header."""
                self.status = int(code)  # type: ignore[call-overload]

            def send_header(self, keyword: str, value: str) -> None:
                if keyword == "Content-type":
                    served.requests.append(Asked(self.path, self.status, value))
                super().send_header(keyword, value)

            def log_message(self, *_: object) -> None:
                """Nothing on the tests' standard error."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{prefix}"

    handler: type[SimpleHTTPRequestHandler] = SimpleHTTPRequestHandler

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        """What was asked for and there."""
        return [asked.path for asked in self.requests if asked.status == 200]


class _Negotiating(SimpleHTTPRequestHandler):
    extensions_map: Mapping[str, str] = {  # type: ignore[assignment]  # read only there, too
        **SimpleHTTPRequestHandler.extensions_map,
        ".v1_json": JSON_TYPE,
    }

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        if self.path.endswith("/") and JSON_TYPE in self.headers.get("Accept", ""):
            self.path += "index.v1_json"
        return super().send_head()


class NegotiatingServer(StaticServer):
    """The same, with JSON for those that ask for it."""

    handler = _Negotiating
