"""The peers: installed from the configured package index, each into an environment of its own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.tools import Command, Select, Task, fault_of_tree

if TYPE_CHECKING:
    from pathlib import Path

BANDERSNATCH = """\
[mirror]
directory = {dest}
master = {url}
download-mirror = {url}
download-mirror-no-fallback = true
allow-non-https = true
api-method = simple
json = false
workers = 10
timeout = 60
hash-index = false
stop-on-error = false
compare-method = hash

[plugins]
enabled =
    allowlist_project
{plugin}
[allowlist]
packages =
{packages}
"""
NEWEST_ONLY = """\
    latest_release

[latest_release]
keep = 1
"""
MORGAN = """\
[env.here]
os_name = posix
sys_platform = linux
platform_machine = x86_64
platform_python_implementation = CPython
platform_system = Linux
python_version = {version}
python_full_version = {version}.0
implementation_name = cpython

[requirements]
{requirements}
"""


class Peer:
    """A tool that pip installs."""

    name: str
    package: str

    def lacks(self, work: Path) -> str:
        """Install it, unless an earlier run has."""
        home = work / "peers" / self.name.replace(" ", "-")
        self._bin = home / "bin"
        done = home / "installed"
        if done.exists():
            return ""
        shutil.rmtree(home, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", home], check=False, capture_output=True)
        if made.returncode:
            return "its environment could not be made"
        # The caller's own environment and settings say where packages come from.
        install = [str(self._bin / "python"), "-m", "pip", "install", "--quiet", "--compile", self.package]
        got = subprocess.run(install, check=False, capture_output=True, text=True)
        if got.returncode:
            return f"pip could not install {self.package}: {got.stderr.strip().rpartition(chr(10))[2]}"
        done.touch()
        return ""

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        """The same files, wherever the tool puts them."""
        return fault_of_tree(task)


class Bandersnatch(Peer):
    """With as many workers as it admits; by serials, through the Simple API."""

    name = "bandersnatch"
    package = "bandersnatch"

    def command(self, task: Task) -> Command:
        """``bandersnatch mirror``."""
        text = BANDERSNATCH.format(
            dest=task.dest,
            url=task.url,
            plugin=NEWEST_ONLY if task.select is Select.NEWEST else "",
            packages="\n".join(f"    {name}" for name in task.corpus.projects),
        )
        settings = task.write("bandersnatch.conf", [text])
        return Command((str(self._bin / "bandersnatch"), "--config", settings, "mirror"))


class Morgan(Peer):
    """The newest version of each project, for one platform; there are no dependencies to follow."""

    name = "morgan"
    package = "morgan"

    def command(self, task: Task) -> Command:
        """``morgan mirror``; its destination has to be there."""
        text = MORGAN.format(
            version="3.11", requirements="\n".join(f"{name} =" for name in task.corpus.projects)
        )
        settings = task.write("morgan.ini", [text])
        task.dest.mkdir(parents=True, exist_ok=True)
        return Command(
            (
                str(self._bin / "morgan"), "mirror", "-i", str(task.dest), "-I", f"{task.url}/simple/",
                "-c", settings, "--skip-server-copy",
            )
        )  # fmt: skip


class PipDownload(Peer):
    """Pins only, for it stops at two versions of one project."""

    name = "pip download"
    package = "pip"

    def command(self, task: Task) -> Command:
        """``pip download``."""
        return Command((str(self._bin / "python"), "-m", "pip", *_download(task)))


class PythonPypiMirror(Peer):
    """``pip download`` with a name of its own; the pages, which it makes in a second step, are not timed."""

    name = "python-pypi-mirror"
    package = "python-pypi-mirror"

    def command(self, task: Task) -> Command:
        """``pypi-mirror download``; it looks for pip on the PATH and takes the index from its settings."""
        host = urlsplit(task.url).hostname or ""
        more = {
            "PIP_INDEX_URL": f"{task.url}/simple/", "PIP_TRUSTED_HOST": host, "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_DEPS": "1", "PIP_ONLY_BINARY": ":all:", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }  # fmt: skip
        download = [
            str(self._bin / "pypi-mirror"),
            "download",
            "-b",
            "-d",
            str(task.dest),
            "-r",
            task.requirements(),
        ]
        script = f'PATH={shlex.quote(str(self._bin))}:"$PATH" exec {shlex.join(download)}'
        return Command(("sh", "-c", script), more)


def _download(task: Task) -> tuple[str, ...]:
    return (
        "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-cache-dir",
        "--disable-pip-version-check", "--index-url", f"{task.url}/simple/",
        "--trusted-host", urlsplit(task.url).hostname or "", "-d", str(task.dest), "-r", task.requirements(),
    )  # fmt: skip
