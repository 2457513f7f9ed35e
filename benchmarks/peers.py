"""The peers: installed from the configured package index, each into an environment of its own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.environments import home_of, lacks
from benchmarks.for_target import PLATFORMS, markers
from benchmarks.matrix import PYTHONS, TARGETS, requirements
from benchmarks.tools import Command, Select, Task, fault_of_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

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
{environments}
[requirements]
{requirements}
"""
MORGAN_NEEDS = (
    "os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_system",
    "python_version", "python_full_version", "implementation_name",
)  # fmt: skip
NAME = re.compile("^[a-z0-9-]+")
FOR_TARGET = Path(__file__).with_name("for_target.py")


class Peer:
    """A tool that pip installs."""

    name: str
    package: str

    def lacks(self, work: Path) -> str:
        """Why it cannot be run here, after an attempt to install it; empty when it can."""
        home = home_of(work, self.name)
        self._bin = home / "bin"
        return lacks(home, self.package)

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
    """The newest version of each project for one platform, or what the roots of a matrix depend on.

    It takes one version for all targets, the newest that a requirement admits, and looks for no solution.
    """

    name = "morgan"
    package = "morgan"

    def command(self, task: Task) -> Command:
        """``morgan mirror``; its destination has to be there."""
        targets: Sequence[tuple[str, str]] = [("3.11", "manylinux_2_28_x86_64")]
        more: tuple[str, ...] = ()
        lines = list(task.corpus.projects)
        if task.select is Select.MATRIX:
            targets, more = TARGETS, ("--mirror-all-wheels", "--package-type-regex", "whl")
            lines = requirements(lines)
        text = MORGAN.format(
            environments="\n".join(_environment(*target) for target in targets),
            requirements="\n".join(
                f"{name} = {line.removeprefix(name)}" for line in lines for name in NAME.findall(line)
            ),
        )
        settings = task.write("morgan.ini", [text])
        task.dest.mkdir(parents=True, exist_ok=True)
        return Command(
            (
                str(self._bin / "morgan"), "mirror", "-i", str(task.dest), "-I", f"{task.url}/simple/",
                "-c", settings, "--skip-server-copy", *more,
            )
        )  # fmt: skip


class PipDownload(Peer):
    """Pins, for it stops at two versions of one project; or a matrix, one target after the other."""

    name = "pip download"
    package = "pip"

    def command(self, task: Task) -> Command:
        """``pip download``; of a matrix, with the markers of each target."""
        if task.select is Select.MATRIX:
            pip = shlex.join([str(self._bin / "python"), str(FOR_TARGET), *_download(task, with_deps=True)])
            one = f'{pip} --python-version "$python" --platform "$platform" || exit'
            each = f"for platform in {' '.join(PLATFORMS)}; do {one}; done"
            return Command(("sh", "-c", f"for python in {' '.join(PYTHONS)}; do {each}; done"))
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


def _environment(python: str, platform: str) -> str:
    """The section of a target in morgan's settings."""
    known = markers(python, platform)
    lines = [f"[env.{python}-{platform}]", f"platform_tag = {platform}"]
    return "\n".join([*lines, *(f"{name} = {known[name]}" for name in MORGAN_NEEDS), ""])


def _download(task: Task, *, with_deps: bool = False) -> tuple[str, ...]:
    return (
        "download", "--quiet", *(() if with_deps else ("--no-deps",)), "--only-binary", ":all:",
        "--no-cache-dir", "--disable-pip-version-check", "--index-url", f"{task.url}/simple/",
        "--trusted-host", urlsplit(task.url).hostname or "", "-d", str(task.dest), "-r", task.requirements(),
    )  # fmt: skip
