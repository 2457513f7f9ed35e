"""The benchmarks on a tiny corpus: results and requests are asserted, times never."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from benchmarks import latency, matrix
from benchmarks.cases import case
from benchmarks.corpus import Corpus
from benchmarks.matrix import TARGETS, projects
from benchmarks.roster import roster
from benchmarks.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.mark import ParameterSet

ROOT = Path(__file__).parents[1]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

NEAR = latency.lacks()
"""Why there is no far upstream here, if so."""
NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

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


def far(*values: object, marks: Sequence[pytest.MarkDecorator] = ()) -> ParameterSet:
    """The parameters of a case whose upstream is 20 ms away."""
    return pytest.param(*values, marks=[pytest.mark.skipif(bool(NEAR), reason=NEAR), *marks])


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What cases share: the tools that are measured are set up once."""
    return tmp_path_factory.mktemp("work")


def requests(raw: dict[str, Any]) -> dict[str, int]:
    return {name: line["runs"][0]["requests"] for name, line in raw["tools"].items()}


def test_a_first_sync_is_complete_with_one_request_for_each_page_and_file(work: Path) -> None:
    files_alone, pages_too = ["curl", "bare aiohttp"], ["aiomirror", "bare requests", "bare mirror"]
    raw = run(work, "small", 0.01, [*files_alone, *pages_too])
    assert (raw["projects"], raw["files"]) == (3, 24)
    assert requests(raw) == dict.fromkeys(files_alone, 24) | dict.fromkeys(pages_too, 3 + 24)


def test_the_newest_files_are_taken_from_long_pages(work: Path) -> None:
    raw = run(work, "pages", 0.0006, ["aiomirror", "bare mirror"])
    assert (raw["projects"], raw["files"]) == (3, 4)
    assert requests(raw) == {"aiomirror": 3 + 4, "bare mirror": 3 + 4}


@NEEDS_OPENSSL
def test_a_large_file_comes_over_tls(work: Path) -> None:
    raw = run(work, "huge", 0.002, ["aiomirror", "curl", "bare aiohttp", "bare mirror"])
    assert requests(raw) == {"aiomirror": 2, "curl": 1, "bare aiohttp": 1, "bare mirror": 2}


@NEEDS_OPENSSL
def test_a_mirror_made_before_is_hashed_by_all(work: Path) -> None:
    raw = run(work, "verify", 0.01, ["aiomirror", "sha256sum", "openssl dgst"])
    assert (raw["projects"], raw["files"]) == (1, 10)
    assert requests(raw) == {"aiomirror": 0, "sha256sum": 0, "openssl dgst": 0}


@pytest.mark.parametrize(
    ("name", "scale", "files", "requests_of"),
    [
        ("mixed", 0.03, 30, {"aiomirror": 3 + 30, "curl": 30}),
        ("growth", 0.003, 72, {"aiomirror": 9 + 72}),
        far("small-20ms", 0.01, 24, {"aiomirror": 3 + 24, "curl": 24, "bare requests": 3 + 24}),
        far("mixed-20ms", 0.03, 30, {"aiomirror": 3 + 30, "curl": 30}),
        far("newest-20ms", 0.01, 6, {"aiomirror": 3 + 6, "curl": 6}),
        far("pins-20ms", 0.01, 3, {"aiomirror": 3 + 3, "curl": 3}),
        far("unchanged-20ms", 0.004, 27, {"aiomirror": 1}),  # for the serials of 20 projects
        far("changed-20ms", 0.02, 132, {"aiomirror": 1 + 1 + 1}),  # one project of 100, with one file
        far("huge-20ms", 0.002, 1, {"aiomirror": 2, "curl": 1}, marks=[NEEDS_OPENSSL]),
    ],
)
def test_all_is_there_and_nothing_else_was_asked_for(
    work: Path, name: str, scale: float, files: int, requests_of: dict[str, int]
) -> None:
    raw = run(work, name, scale, [*requests_of])
    assert raw["files"] == files
    assert requests(raw) == requests_of


MATRIX_TOOLS = ["aiomirror", "curl"]


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("pip"), reason="pip is not installed")
def test_what_pip_takes_for_every_target_is_fetched(tmp_path: Path) -> None:
    raw = run(tmp_path, "matrix-tenth", 0.1, MATRIX_TOOLS)
    assert requests(raw)["curl"] == raw["files"]


def test_the_matrix_is_the_same_on_every_machine(tmp_path: Path) -> None:
    one, two = (Corpus.open(tmp_path / name, "matrix", 0.01).everything() for name in "ab")
    assert one == two
    assert len({entry.project for entry in one}) == len(projects(0.01))


def test_wheels_of_the_matrix_are_what_their_names_and_pages_say(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path, "matrix", 0.01)
    for entry in corpus.everything():
        if entry.filename.endswith(".whl"):
            path = corpus.root / entry.path
            name, version, _, tags = parse_wheel_filename(entry.filename)
            with zipfile.ZipFile(path) as wheel:
                assert wheel.testzip() is None
                stem = "-".join(entry.filename.split("-")[:2])
                text = wheel.read(f"{stem}.dist-info/METADATA")
                tag = wheel.read(f"{stem}.dist-info/WHEEL").decode().rpartition("Tag: ")[2].strip()
            metadata = Metadata.from_email(text)
            assert (metadata.name, metadata.version) == (name, version)
            assert str(metadata.requires_python) == entry.requires_python
            assert [tag] == [str(one) for one in tags]
            assert path.with_name(f"{path.name}.metadata").read_bytes() == text


def test_no_two_ranges_of_the_matrix_exclude_each_other() -> None:
    """All of them together admit a version that every target can have; traps are meant not to."""
    every = {project.name: project for project in projects(0.5)}
    ranges: dict[str, SpecifierSet] = {}
    for project in every.values():
        for line in {ask for asks in project.asks for ask in asks if not project.name.startswith("trap-")}:
            asked = Requirement(line)
            ranges[asked.name] = ranges.get(asked.name, SpecifierSet()) & asked.specifier
    assert len(ranges) > 100
    for name, specifier in ranges.items():
        common = [every[name].version(number) for number in range(1, every[name].versions)]
        assert [*specifier.filter(common)], (name, specifier)


def test_the_roots_of_the_matrix_are_asked_for_by_name() -> None:
    names = [project.name for project in projects(0.1)]
    lines = matrix.requirements(names)
    assert {Requirement(line).name for line in lines} == {name for name in names if name.startswith("root-")}
    assert len(TARGETS) == 25


@pytest.mark.parametrize(
    ("free", "said"),
    [
        ({}, ""),
        ({"f_bavail": 1}, "GB are needed"),
        ({"f_favail": 479}, "480 inodes are needed, 479 are free"),
        ({"f_favail": 480}, ""),
        ({"f_favail": 0, "f_files": 0}, ""),
    ],
    ids=str,
)
def test_a_case_that_the_disk_cannot_take_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: dict[str, int], said: str
) -> None:
    plenty = {"f_bavail": 10**9, "f_frsize": 4096, "f_files": 10**9, "f_favail": 10**9}
    rounds = Rounds(case("small"), roster(["curl", "wget2"]), tmp_path, scale=0.01, say=print)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**plenty | free))
    why = rounds.lacks(3)
    assert said in why
    assert bool(said) is bool(why)
