"""A mirror under test: whole runs through the command line, and what must hold after each of them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from aiomirror.cli import main
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from aiomirror.simple.values import ProjectFile, ProjectPage
    from upstream import Upstream

PAGES = {"index.v1_json": JSON_TYPE, "index.html": HTML_TYPE}
OURS = "http://mirror.example/"


@dataclass(frozen=True)
class Ran:
    """What one run left behind beside the mirror; ``report`` is {} unless one was asked for."""

    code: int
    out: str
    err: str
    report: dict[str, Any] = field(default_factory=dict)

    def errors(self) -> list[str]:
        """What failed, without the word before it."""
        lines = self.err.splitlines()
        return [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]

    def warnings(self) -> list[str]:
        lines = self.err.splitlines()
        return [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]


class Mirror:
    """A mirror at ``dest`` of the fake upstream; each run is followed by a check of the whole tree."""

    def __init__(self, folder: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.dest, self.upstream = folder, folder / "mirror", upstream
        self.follows = False
        """Whether runs follow dependencies; most tests are about what is named, byte for byte."""
        self._capsys = capsys

    # -- runs

    def sync(self, *args: str, code: int = 0) -> Ran:
        """``aiomirror sync`` with one quick retry; later options win, so ``args`` may say otherwise."""
        where = ("-i", self.upstream.url, "-d", str(self.dest), "--retries", "1", "--timeout", "5")
        return self.run("sync", *where, *args, code=code)

    def index(self, *args: str, code: int = 0) -> Ran:
        return self.run("index", "-d", str(self.dest), *args, code=code)

    def run(self, *argv: str, code: int = 0) -> Ran:
        """Any command line, its report read, its exit code and the tree behind it checked."""
        self._capsys.readouterr()
        if argv[0] == "sync" and not self.follows:
            argv = (*argv, "--no-deps")
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        if "--report" not in argv:
            argv = (*argv, "--report", str(path)) if argv[0] in {"sync", "index"} else argv
        ended = main(argv)
        captured = self._capsys.readouterr()
        report = json.loads(path.read_bytes()) if path.exists() else {}
        assert ended == code, captured.err
        assert "Traceback" not in captured.err
        assert report.get("exit_code", code) == code
        if not report.get("dry_run"):  # which mends nothing
            self.check()
        return Ran(code, captured.out, captured.err, report)

    # -- the tree

    def tree(self) -> dict[str, Path]:
        """Every file that a web server would serve, by its path below the root."""
        return {
            str(path.relative_to(self.dest)): path
            for path in sorted(self.dest.rglob("*"))
            if path.is_file() and ".aiomirror" not in path.parts
        }

    def files(self) -> set[str]:
        """The file names on disk, without pages and core metadata."""
        return {
            path.name
            for path in self.tree().values()
            if path.name not in PAGES and path.suffix != ".metadata"
        }

    def identities(self) -> dict[str, tuple[int, int]]:
        """What changes when a file is written anew: inode and time."""
        found = {name: path.stat() for name, path in self.tree().items()}
        return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}

    def contents(self) -> dict[str, bytes]:
        return {name: path.read_bytes() for name, path in self.tree().items()}

    def page(self, project: str, form: str = "index.v1_json") -> ProjectPage:
        """A published page, read back."""
        body = (self.dest / project / form).read_bytes()
        return read_page(body, PAGES[form], f"{OURS}{project}/", canonicalize_name(project))

    def listed(self, project: str) -> list[str]:
        """The files on the project's page, in its order."""
        return [file.filename for file in self.page(project).files]

    def entry(self, project: str, filename: str) -> ProjectFile:
        return next(file for file in self.page(project).files if file.filename == filename)

    def text(self, project: str, form: str = "index.html") -> str:
        return (self.dest / project / form).read_text()

    def path(self, filename: str) -> Path:
        """A file on disk, by its name alone."""
        return next(path for path in self.tree().values() if path.name == filename)

    # -- what always holds

    def check(self) -> None:
        """Every link of every page leads to a file that is there and right; nothing is half-named."""
        if not self.dest.is_dir():
            return
        private = self.dest / ".aiomirror" / "partial"
        assert not private.exists() or not list(private.iterdir())
        folders = {path.parent.name for path in self.dest.glob("*/index.html")}
        for form, content_type in PAGES.items():
            root = self.dest / form
            if root.is_file():
                names = tuple(read_root(root.read_bytes(), content_type, OURS))
                assert list(names) == sorted(folders)
        for project in folders:
            self._check_project(project)

    def _check_project(self, project: str) -> None:
        as_json, as_html = (self.page(project, form) for form in PAGES)
        assert not as_json.warnings + as_html.warnings
        assert as_json.status == as_html.status
        assert len(as_json.files) == len(as_html.files)
        for one, other in zip(as_json.files, as_html.files, strict=True):
            assert facts(one) == facts(other)
            self._check_file(project, one)
        for form in PAGES:
            text = self.text(project, form)
            assert self.upstream.base not in text
            assert not re.search(r'(?:href="|"url":\s*")(?:[a-z]+:|/|\.\.)', text), "a link leaves the folder"

    def _check_file(self, project: str, file: ProjectFile) -> None:
        path = self.dest / project / file.filename
        data = path.read_bytes()
        assert file.size == len(data)
        assert file.hashes["sha256"] == hashlib.sha256(data).hexdigest()
        assert all(hashlib.new(name, data).hexdigest() == value for name, value in file.hashes.items())
        assert path.stat().st_mode & 0o444 == 0o444
        if file.core_metadata is not None:
            sibling = path.with_name(f"{path.name}.metadata").read_bytes()
            assert file.core_metadata == {"sha256": hashlib.sha256(sibling).hexdigest()}


def facts(file: ProjectFile) -> tuple[object, ...]:
    """What both forms of a page can say of a file."""
    digest = file.hashes["sha256"]
    return file.filename, file.url, digest, file.requires_python, file.yanked, file.core_metadata
