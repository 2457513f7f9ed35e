"""What pip itself takes for every target of ``matrix``: what every contender has to have in the end.

pip resolves, from the corpus on disk and without a server, once for each target, and fetches nothing but
metadata.  The answers are kept beside the corpus: they take a processor some 15 seconds for each of the 25
targets at full scale, and pips of before 2024 take many times as long.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from benchmarks.environments import home_of, lacks
from benchmarks.matrix import TARGETS, requirements

if TYPE_CHECKING:
    from benchmarks.corpus import Corpus, Entry

ANSWERS = "pip-takes.json"
FOR_TARGET = Path(__file__).with_name("for_target.py")
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


def taken(corpus: Corpus) -> list[Entry]:
    """The files that pip takes for any target.

    Raises:
        RuntimeError: pip found no solution for a target, which would be a fault of the corpus.
    """
    path = corpus.root / ANSWERS
    if not path.exists():
        pip = _pip(corpus.root.parents[1])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = dict(pool.map(lambda target: _answer(pip, corpus, *target), TARGETS))
        path.write_text(json.dumps(answers))
    every = {filename for names in json.loads(path.read_bytes()).values() for filename in names}
    return [entry for entry in corpus.everything() if entry.filename in every]


def _pip(work: Path) -> str:
    """A Python with the newest pip; this one, whatever its pip is, where that cannot be had."""
    home = home_of(work, "pip download")
    return sys.executable if lacks(home, "pip") else str(home / "bin" / "python")


def _answer(pip: str, corpus: Corpus, python: str, platform: str) -> tuple[str, list[str]]:
    """The target and the names of the files that pip takes for it."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder) / "requirements.txt", Path(folder) / "report.json"
        wanted.write_text("\n".join(requirements(corpus.projects)))
        done = subprocess.run(
            [
                pip, str(FOR_TARGET), "install", "--isolated", "--quiet", "--dry-run",
                "--ignore-installed", "--target", f"{folder}/target", "--report", str(report),
                "--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check",
                "--index-url", f"{(corpus.root / 'simple').as_uri()}/",
                "--python-version", python, "--platform", platform, "-r", str(wanted),
            ],
            check=False, capture_output=True, text=True, cwd=folder,
            env={name: os.environ[name] for name in KEPT if name in os.environ},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pip finds no solution for {python} on {platform}: {done.stderr}")
        urls = [one["download_info"]["url"] for one in json.loads(report.read_bytes())["install"]]
    return f"{python} {platform}", [unquote(urlsplit(url).path.rpartition("/")[2]) for url in urls]
