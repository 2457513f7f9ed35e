"""Environments of one tool each, filled by pip from the configured package index."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DONE = "newest"


def home_of(work: Path, name: str) -> Path:
    """Where the environment of the tool of this name is."""
    return work / "peers" / name.replace(" ", "-")


def lacks(home: Path, package: str) -> str:
    """Install the newest ``package``, unless an earlier run has; why that could not be, or nothing."""
    if (home / DONE).exists():
        return ""
    shutil.rmtree(home, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", home], check=False, capture_output=True)
    if made.returncode:
        return "its environment could not be made"
    # The caller's own environment and settings say where packages come from.
    install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--compile"]
    # Of pip itself a new environment has one, and often an old one.
    install += ["--upgrade", package]
    got = subprocess.run(install, check=False, capture_output=True, text=True)
    if got.returncode:
        return f"pip could not install {package}: {got.stderr.strip().rpartition(chr(10))[2]}"
    (home / DONE).touch()
    return ""
