# ruff: noqa: D102  (what the methods of every contender are for, Tool says once)
"""The floors of ``verify``: programs that do nothing but hash the files of a mirror that is there."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from benchmarks.tools import ARCHIVES, Command, files_below

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.tools import Task

BATCH = 8
"""Files for one sha256sum: few, that none of the processors ends up with all the large ones."""
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


class Hashing:
    """A program that prints the digest of every file that it is given."""

    name: str
    program: str

    def lacks(self, work: Path) -> str:  # noqa: ARG002
        missing = [one for one in ("xargs", self.program) if not shutil.which(one)]
        return f"{' and '.join(missing)} not installed" if missing else ""

    def fault(self, task: Task, requests: int) -> str:  # noqa: ARG002
        """What it printed are the digests of all files, and each of them once."""
        printed = sorted(DIGEST.findall(task.log.read_text()))
        wanted = sorted(entry.sha256 for entry in task.wanted)
        return (
            "" if printed == wanted else f"{len(printed)} digests, and not those of the {len(wanted)} files"
        )

    def _files(self, task: Task) -> str:
        """The list of files, the same for every one of these."""
        found = (path for path in files_below(task.dest) if path.name.endswith(ARCHIVES))
        return task.write("files", sorted(str(path) for path in found))


class Sha256sum(Hashing):
    """As many at once as there are processors."""

    name = "sha256sum"
    program = "sha256sum"

    def command(self, task: Task) -> Command:
        at_once = str(os.cpu_count() or 1)
        return Command(("xargs", "-a", self._files(task), "-P", at_once, "-n", str(BATCH), self.program))


class OpensslDigest(Hashing):
    """One process, one file after the other."""

    name = "openssl dgst"
    program = "openssl"

    def command(self, task: Task) -> Command:
        return Command(("xargs", "-a", self._files(task), self.program, "dgst", "-sha256"))
