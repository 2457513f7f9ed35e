"""Clients that can reach nothing but this machine, and environments of the Pythons that are on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import uv
from packaging.utils import canonicalize_name

from clients import Clients

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is none: whatever is not on loopback would have to go through it."""
PATIENCE = 900
"""Seconds that a command may take: pip needs minutes for hundreds of projects."""
IMPORTS = """\
import importlib, importlib.metadata, sys
for name in sys.argv[1:]:
    for file in importlib.metadata.files(name):
        if file.name == "__init__.py" and len(file.parts) == 2:
            importlib.import_module(file.parts[0])
"""
"""Import every package of the projects that are named; parts of namespaces, such as ``google``, are not."""


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine."""

    path: str
    version: str
    """With its micro version, "3.12.1"."""


@cache
def interpreter(minor: str) -> Interpreter | None:
    """The ``python3.12`` of the PATH; None where there is none, or only a version manager's stand-in."""
    running = minor == f"3.{sys.version_info.minor}"
    path = sys.executable if running else shutil.which(f"python{minor}")
    if path is None:
        return None
    code = "import platform; print(platform.python_version())"
    said = subprocess.run([path, "-I", "-c", code], check=False, capture_output=True, encoding="utf-8")
    return None if said.returncode else Interpreter(path, said.stdout.strip())


@dataclass(frozen=True)
class Offline(Clients):
    """pip and uv without a way out."""

    patience: int = PATIENCE

    def environment(self) -> dict[str, str]:
        kinds = ("http", "https", "all")
        ways = {f"{kind}_proxy": NOWHERE for kind in kinds} | {"no_proxy": "127.0.0.1"}
        upper = {name.upper(): value for name, value in ways.items()}
        return super().environment() | ways | upper | {"UV_HTTP_RETRIES": "0"}

    def made(self, folder: Path, python: Interpreter) -> Environment:
        """A fresh environment."""
        self.run(python.path, "-I", "-m", "venv", str(folder))
        return Environment(self, str(folder / "bin" / "python"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment, with the pip that its Python came with."""

    clients: Offline
    python: str

    def install(self, client: str, index: str, *arguments: str) -> None:
        """Install from the index and from nothing else."""
        if client == "uv":
            command = [uv.find_uv_bin(), "pip", "install", "--no-cache", "--python", self.python]
            self.clients.run(*command, "--default-index", index, *arguments)
        else:
            install = ["install", "--no-cache-dir", "--no-compile", "--index-url", index, *arguments]
            self.pip(*install)

    def pip(self, *arguments: str) -> str:
        switches = ["--isolated", "--no-input", "--disable-pip-version-check"]
        return self.clients.run(self.python, "-m", "pip", *switches, *arguments)

    def versions(self) -> dict[str, str]:
        """Project → version of what is there, but for what was there from the beginning."""
        listed = json.loads(self.pip("list", "--format", "json", "--exclude", "pip"))
        return {canonicalize_name(one["name"]): one["version"] for one in listed}

    def imports(self, projects: Sequence[str]) -> None:
        """Have the packages of these projects imported."""
        self.clients.run(self.python, "-c", IMPORTS, *projects)
