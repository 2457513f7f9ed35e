"""Corpora on disk: an index of static pages and files, the same on every machine, built only when missing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks import matrix, pages
from benchmarks.archives import REQUIRES_PYTHON, TAR_DATE, write_file
from benchmarks.shapes import Planned, planned

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""Raised when what is built changes, so that no older corpus is taken for it."""
SERIAL = 1000
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the index; one that is only listed has no metadata and is not on disk."""

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    metadata_sha256: str
    written: bool
    requires_python: str = REQUIRES_PYTHON

    @property
    def path(self) -> str:
        """Where it lies; below ``packages``, for bandersnatch takes nothing from elsewhere."""
        return f"packages/{self.project}/{self.filename}"


class Corpus:
    """An index below ``root``: ``simple``, ``packages`` and, for bandersnatch, ``pypi``."""

    def __init__(self, root: Path, entries: list[Entry]) -> None:
        self.root = root
        self.projects: dict[str, list[Entry]] = {}
        for entry in entries:
            self.projects.setdefault(entry.project, []).append(entry)
        self._serials = dict.fromkeys(self.projects, SERIAL)
        self._steps = 0

    @classmethod
    def open(cls, work: Path, name: str, scale: float, variant: str = "") -> Corpus:
        """The corpus of this name and size, built first when it is not there."""
        root = work / "corpora" / f"{name}-{scale:g}-{FORMAT}{variant}"
        manifest = root / MANIFEST
        if not manifest.exists():
            shutil.rmtree(root, ignore_errors=True)  # what a broken-off build left
            files = matrix.planned(scale) if name == matrix.NAME else planned(name, scale)
            cls(root, [_written(root, file) for file in files]).save()
        return cls(root, [Entry(*row) for row in json.loads(manifest.read_bytes())])

    @cached_property
    def wheels(self) -> list[Entry]:
        """The newest wheel of every project: what a pin of it makes pip take."""
        return [
            [e for e in entries if e.filename.endswith("py3-none-any.whl")][-1]
            for entries in self.projects.values()
        ]

    def everything(self) -> list[Entry]:
        """All files that are on disk."""
        return [entry for entries in self.projects.values() for entry in entries if entry.written]

    def newest(self) -> list[Entry]:
        """All files of the newest version of every project."""
        return [e for entries in self.projects.values() for e in entries if e.version == entries[-1].version]

    def advance(self) -> list[str]:
        """Publish a new version of one project in a hundred, others than last time; their names."""
        self._steps += 1
        names = list(self.projects)[self._steps - 1 :: 100] or list(self.projects)[:1]
        for name in names:
            version = f"9.{self._steps}.0"
            filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            self.projects[name].append(_written(self.root, Planned(name, version, filename, 4000)))
            self._serials[name] = SERIAL + self._steps
            self._publish(name)
        self._publish_root()
        return names

    def save(self) -> None:
        """Write the pages, and last the manifest that says that all is there."""
        for name in self.projects:
            self._publish(name)
        self._publish_root()
        entries = [entry for entries in self.projects.values() for entry in entries]
        (self.root / MANIFEST).write_text(json.dumps([astuple(entry) for entry in entries]))

    def _publish(self, name: str) -> None:
        entries, serial = self.projects[name], self._serials[name]
        self._write(f"simple/{name}/index.v1_json", pages.project_json(name, entries, serial))
        self._write(f"simple/{name}/index.html", pages.project_html(name, entries))
        self._write(f"pypi/{name}/json", pages.legacy_json(name, entries, serial))

    def _publish_root(self) -> None:
        self._write("simple/index.v1_json", pages.root_json(self._serials))
        self._write("simple/index.html", pages.root_html(list(self.projects)))

    def _write(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        # nginx makes ETag and Last-Modified of size and time: the same for the same corpus, new for a change.
        os.utime(target, (TAR_DATE + self._steps,) * 2)


def _written(root: Path, file: Planned) -> Entry:
    if not file.size:
        digest = hashlib.sha256(file.filename.encode()).hexdigest()
        return Entry(file.project, file.version, file.filename, 50_000, digest, "", written=False)
    path = root / "packages" / file.project / file.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    made = write_file(path, file.project, file.version, file.size, file.about)
    os.utime(path, (TAR_DATE, TAR_DATE))
    return Entry(
        file.project,
        file.version,
        file.filename,
        made.size,
        made.sha256,
        made.metadata_sha256 if path.suffix == ".whl" else "",
        written=True,
        requires_python=file.about.requires_python,
    )
