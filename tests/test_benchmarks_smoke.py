"""The benchmarks on a tiny corpus: results and requests are asserted, times never."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def run(work: Path, case: str, scale: float, tools: Sequence[str]) -> dict[str, Any]:
    """The raw results of one counted round of the case."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "run", "--case", case, "--scale", str(scale), "--rounds", "1",
         "--tools", ",".join(tools), "--work", str(work), "--out", str(work / "out")],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (work / "out" / "RESULTS.md").read_text().startswith("# Results")
    assert (work / "out" / "results.svg").read_text().startswith("<svg")
    raw: dict[str, Any] = json.loads((work / "results.json").read_bytes())[case]
    assert [line["fault"] for line in raw["tools"].values()] == [""] * len(tools)
    return raw


def requests(raw: dict[str, Any]) -> dict[str, int]:
    return {name: line["runs"][0]["requests"] for name, line in raw["tools"].items()}


def test_a_first_sync_is_complete_with_one_request_for_each_page_and_file(tmp_path: Path) -> None:
    raw = run(tmp_path, "small", 0.01, ["aiomirror", "curl"])
    assert (raw["projects"], raw["files"]) == (3, 24)
    assert requests(raw) == {"aiomirror": 3 + 24, "curl": 24}


def test_the_newest_files_are_taken_from_long_pages(tmp_path: Path) -> None:
    raw = run(tmp_path, "pages", 0.0006, ["aiomirror"])
    assert (raw["projects"], raw["files"]) == (3, 4)
    assert requests(raw) == {"aiomirror": 3 + 4}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_large_file_comes_over_tls(tmp_path: Path) -> None:
    raw = run(tmp_path, "huge", 0.002, ["aiomirror", "curl"])
    assert requests(raw) == {"aiomirror": 2, "curl": 1}
