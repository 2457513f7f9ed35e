"""uv on the same made-up indexes: one finds a solution where the other does, and uv no better one."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from real_index import Versions, ask_uv
from synthetic_index import LINUX, NEW_YEAR, WINDOWS, Index, resolve

from catalogue import JSON_TYPE, Blob
from clients import Clients

if TYPE_CHECKING:
    from pathlib import Path

    from upstream import Upstream

NAMES = "abcdefghij"
SPECIFIERS = ("", "", "", "<3", "<4", ">=2", ">=3", "!=4", "~=3.0", "==2")
MARKERS = ("", "", "", " ; sys_platform == 'win32'", " ; python_version < '3.12'", " ; extra == 'x'")
TARGETS = {"cp312-manylinux_2_28_x86_64": LINUX, "cp312-win_amd64": WINDOWS}


def made(seed: int) -> tuple[Index, list[str]]:
    """An index and the roots that are asked of it; with some seeds there is no solution."""
    rng = random.Random(seed)
    index = Index()
    for name in NAMES:
        for version in range(1, rng.randint(2, 5)):
            others = rng.sample([other for other in NAMES if other != name], rng.randint(0, 2))
            requires = [
                f"{other}{rng.choice(('', '', '[x]'))}{rng.choice(SPECIFIERS)}{rng.choice(MARKERS)}"
                for other in others
            ]
            index.add(name, str(version), *requires, extra="Provides-Extra: x\n")
    return index, rng.sample(NAMES, 3)


def serve(upstream: Upstream, index: Index) -> None:
    for project, files in index.pages.items():
        listed = [
            {
                "filename": file.filename,
                "url": f"{upstream.base}/{file.filename}",
                "hashes": {},
                "upload-time": NEW_YEAR.isoformat(),
                "core-metadata": True,
            }
            for file in files
        ]
        page = {"meta": {"api-version": "1.0"}, "name": project, "files": listed}
        upstream.add_page(project, json.dumps(page).encode(), JSON_TYPE)
    upstream.blobs |= {f"/{name}.metadata": Blob(text) for name, text in index.texts.items() if text}


def better(one: Versions, other: Versions) -> bool:
    """Whether something is newer, and nothing that both have older."""
    pairs = [(Version(one[name]), Version(other[name])) for name in one.keys() & other.keys()]
    return any(mine > theirs for mine, theirs in pairs) and all(mine >= theirs for mine, theirs in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(12))
def test_uv_finds_nothing_better(upstream: Upstream, tmp_path: Path, seed: int, target: str) -> None:
    index, roots = made(seed)
    serve(upstream, index)
    run = resolve(index, *roots, targets=[TARGETS[target]])
    if run.closure.conflicts:
        with pytest.raises(AssertionError, match="No solution found"):
            ask_uv(Clients(tmp_path), upstream.url, roots, target)
    else:
        theirs = ask_uv(Clients(tmp_path), upstream.url, roots, target)
        assert not better(theirs, run.versions(TARGETS[target]))
