# ruff: noqa: D102  (what the methods of every contender are for, Tool says once)
"""The contenders: how each is run for a task, and whether what it left is complete and right."""

from __future__ import annotations

import enum
import hashlib
import shutil
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import aiomirror
from aiomirror.store import cores
from benchmarks import matrix, oracle
from benchmarks.archives import TAR_DATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.corpus import Corpus, Entry

ARCHIVES = (".whl", ".tar.gz")
COST = 200_000
"""Bytes in whose time a small file is fetched."""


class Select(enum.Enum):
    """Which files of the corpus are asked for."""

    EVERYTHING = enum.auto()
    NEWEST = enum.auto()
    PINS = enum.auto()
    """One wheel of every project, by its exact version."""
    MATRIX = enum.auto()
    """What pip takes for the roots of ``matrix`` and all that they depend on, for every target."""

    def of(self, corpus: Corpus) -> list[Entry]:
        """The files themselves."""
        if self is Select.EVERYTHING:
            return corpus.everything()
        if self is Select.MATRIX:
            return oracle.taken(corpus)
        return corpus.newest() if self is Select.NEWEST else corpus.wheels


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: mirror ``wanted`` from ``url`` into ``dest``; ``work`` is for settings."""

    corpus: Corpus
    select: Select
    wanted: Sequence[Entry]
    url: str
    dest: Path
    work: Path
    connections: int = 32
    authority: Path | None = None
    """The certificate to trust, when the upstream speaks TLS."""
    verify: bool = False
    """Nothing is to be fetched; what is at ``dest`` is to be hashed."""

    def write(self, name: str, lines: Sequence[str]) -> str:
        """A settings file of the contender's."""
        self.work.mkdir(parents=True, exist_ok=True)
        path = self.work / name
        path.write_text("\n".join([*lines, ""]))
        return str(path)

    def requirements(self) -> str:
        """A requirements file: exact pins, the roots of a matrix, or the bare names."""
        lines = list(self.corpus.projects)
        if self.select is Select.PINS:
            lines = [f"{entry.project}=={entry.version}" for entry in self.wanted]
        elif self.select is Select.MATRIX:
            lines = matrix.requirements(lines)
        return self.write("requirements.txt", lines)

    @property
    def log(self) -> Path:
        """What the contender printed."""
        return self.work / "output.log"


@dataclass(frozen=True, slots=True)
class Command:
    """What is run; ``more`` goes into its environment."""

    arguments: tuple[str, ...]
    more: dict[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """A contender."""

    name: str

    def lacks(self, work: Path) -> str:
        """Why it cannot be run here, after an attempt to install it; empty when it can."""

    def command(self, task: Task) -> Command:
        """How it is run for the task; its settings are written."""

    def fault(self, task: Task, requests: int) -> str:
        """What is wrong with what it left; empty when nothing is."""


def fault_of_tree(task: Task) -> str:
    """Compare the archives below the destination, wherever a tool puts them, with what was asked for.

    With dependencies, more is no fault: pip's choice has to be there, and another one may be beside it.
    """
    wanted = {entry.filename: entry for entry in task.wanted}
    found = {path.name: path for path in files_below(task.dest) if path.name.endswith(ARCHIVES)}
    missing, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if task.select is Select.MATRIX:
        more = set()
    wrong = [name for name in wanted.keys() & found.keys() if _sha256(found[name]) != wanted[name].sha256]
    counts = {"missing": missing, "wrong": wrong, "not asked for": more}
    return ", ".join(f"{len(names)} of {len(wanted)} files {what}" for what, names in counts.items() if names)


def files_below(folder: Path) -> Iterator[Path]:
    """All regular files; partial downloads in hidden folders are no result."""
    if folder.is_dir():
        for path in folder.rglob("*"):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                yield path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Aiomirror:
    """The package that is importable here, run by the Python that runs the benchmarks.

    A copy of it, made at the start: somebody may go on working on it while it is measured.
    """

    name = "aiomirror"

    def lacks(self, work: Path) -> str:
        self._copy = work / "aiomirror-as-measured"
        shutil.rmtree(self._copy, ignore_errors=True)
        source = Path(aiomirror.__file__).parent
        shutil.copytree(source, self._copy / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        return ""

    def command(self, task: Task) -> Command:
        if task.verify:
            return Command(
                (sys.executable, "-m", "aiomirror", "verify", "-d", str(task.dest), "--no-progress"),
                {"PYTHONPATH": str(self._copy)},
            )
        which = {
            Select.EVERYTHING: ("--no-deps", "--all-versions"),
            Select.NEWEST: ("--no-deps",),
            Select.PINS: ("--no-deps", "--only-binary", ":all:"),
            Select.MATRIX: ("--only-binary", ":all:", *matrix.options()),
        }[task.select]
        arguments = (
            sys.executable, "-m", "aiomirror", "sync", "-r", task.requirements(), "-i", f"{task.url}/simple/",
            "-d", str(task.dest), "-j", str(task.connections), "-q", "--no-progress", *which,
        )  # fmt: skip
        more = {"PYTHONPATH": str(self._copy)}
        if task.authority:
            more["SSL_CERT_FILE"] = str(task.authority)
        return Command(arguments, more)

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        count = len(task.wanted)
        said = f"{count:,} file{'' if count == 1 else 's'} right"
        if task.verify and said not in task.log.read_text():
            return f"it does not say: {said}"
        return fault_of_tree(task)


class Curl:
    """The floor: a bare list of file URLs, no pages, no digests, no index."""

    name = "curl"

    def lacks(self, work: Path) -> str:  # noqa: ARG002
        return "" if shutil.which("curl") else "curl is not installed"

    def command(self, task: Task) -> Command:
        lines = [
            f'url = "{task.url}/{entry.path}"\noutput = "{task.dest}/{entry.filename}"'
            for entry in task.wanted
        ]
        trust = ("--cacert", str(task.authority)) if task.authority else ()
        arguments = (*_curl(task), "--create-dirs", *trust, "--config", task.write("urls", lines))
        return Command(arguments)

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        return fault_of_tree(task)


class ConditionalCurl:
    """The floor of a run without changes: every project page asked for, if it is newer."""

    name = "curl, pages if changed"
    _since = formatdate(TAR_DATE, usegmt=True)

    def lacks(self, work: Path) -> str:
        return Curl().lacks(work)

    def command(self, task: Task) -> Command:
        # Every page has the date of the corpus, so one header serves for all.
        lines = [f'url = "{task.url}/simple/{name}/"\noutput = "/dev/null"' for name in task.corpus.projects]
        headers = (
            "-H",
            f"If-Modified-Since: {self._since}",
            "-H",
            "Accept: application/vnd.pypi.simple.v1+json",
        )
        return Command((*_curl(task), *headers, "--config", task.write("pages", lines)))

    def fault(self, task: Task, requests: int) -> str:
        asked = len(task.corpus.projects)
        return "" if requests == asked else f"{requests} requests for {asked} pages"


def _curl(task: Task) -> tuple[str, ...]:
    return (
        "curl",
        "--parallel",
        "--parallel-max",
        str(task.connections),
        "--fail",
        "--silent",
        "--show-error",
    )


class Wget2:
    """The other floor; the faster of the two counts."""

    name = "wget2"

    def lacks(self, work: Path) -> str:  # noqa: ARG002
        return "" if shutil.which("wget2") else "wget2 is not installed"

    def command(self, task: Task) -> Command:
        urls = task.write("urls", [f"{task.url}/{entry.path}" for entry in task.wanted])
        arguments = (
            "wget2", f"--max-threads={task.connections}", "--quiet", "--no-robots", "--no-http2",
            "--directory-prefix", str(task.dest), "--input-file", urls,
        )  # fmt: skip
        return Command(arguments)

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        return fault_of_tree(task)


class BareClient:
    """What a Python program with aiohttp cannot go below; not a floor that goals are set against."""

    name = "bare aiohttp"

    def lacks(self, work: Path) -> str:  # noqa: ARG002
        return ""

    def command(self, task: Task) -> Command:
        return _own_program("benchmarks.bare", task.write("urls", self._urls(task)), task)

    def _urls(self, task: Task) -> list[str]:
        return [f"{task.url}/{entry.path}" for entry in task.wanted]

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        return fault_of_tree(task)


class BareRequests(BareClient):
    """The same, of the pages, too: every request that a mirror cannot do without, and nothing else."""

    name = "bare requests"

    def _urls(self, task: Task) -> list[str]:
        projects = dict.fromkeys(entry.project for entry in task.wanted)
        return [*(f"{task.url}/simple/{project}/" for project in projects), *super()._urls(task)]


class BareMirror:
    """What a program that asks for the pages and keeps what is promised cannot go below; no floor either."""

    name = "bare mirror"

    def lacks(self, work: Path) -> str:  # noqa: ARG002
        return ""

    def command(self, task: Task) -> Command:
        wanted: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in task.wanted:
            wanted[entry.project].append(entry)
        everything = task.select is Select.EVERYTHING
        lines: list[str] = []
        for projects in _shares(wanted, cores()):
            for project in projects:
                names = () if everything else [entry.filename for entry in wanted[project]]
                lines.append(" ".join([project, *names]))
            lines.append("")
        return _own_program(
            "benchmarks.bare_mirror", task.write("wanted", lines), task, f"{task.url}/simple/"
        )

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        return fault_of_tree(task)


def _shares(wanted: Mapping[str, Sequence[Entry]], processes: int) -> list[list[str]]:
    """The projects, dealt out so that each process has as many bytes to fetch as the others, nearly."""
    sizes = Counter({project: sum(file.size + COST for file in files) for project, files in wanted.items()})
    shares: list[list[str]] = [[] for _ in range(min(processes, len(sizes)))]
    loads = [0] * len(shares)
    for project, size in sizes.most_common():
        least = loads.index(min(loads))
        loads[least] += size
        shares[least].append(project)
    return shares


def _own_program(module: str, listed: str, task: Task, *index: str) -> Command:
    trust = (str(task.authority),) if task.authority else ()
    arguments = (sys.executable, "-m", module, listed, *index, str(task.dest), str(task.connections), *trust)
    return Command(arguments, {"PYTHONPATH": str(Path(__file__).parents[1])})
