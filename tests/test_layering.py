"""Imports go downward only, and each outside library has one room."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiomirror

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(aiomirror.__file__).parent
LAYERS = (
    {"discreet", "wording"},
    {"digests", "errors", "signals"},
    {"simple", "requirements", "distributions", "targets"},
    {"resolution", "selection"},
    {"plan"},
    {"pruning"},
    {"report", "config"},
    {"http", "store", "state", "progress"},
    {"display", "lockfile", "table"},
    {"index", "holdings", "fetch", "describe"},
    {"lookout", "metadata"},
    {"account", "closure", "desired", "condemn", "publish", "visit"},
    {"jobs", "processes", "prune", "recorded", "underway", "withdrawal"},
    {"dependencies"},
    {"explain", "sync", "rebuild", "verify"},
    {"cli"},
    {"__main__"},
)
ROOMS = {
    "aiohttp": "http",
    "tenacity": "http",
    "keyring": "http",
    "aiofiles": "store",
    "sqlite3": "state",
    "lxml": "simple",
    "pypi_simple": "config",
    "resolvelib": "resolution",
    "rich": "display",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            yield node.module or ""


def layer(name: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if name in rooms)


def test_every_room_has_a_layer() -> None:
    assert {room(path) for path in MODULES} - {"__init__"} == set().union(*LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    if room(path) == "__init__":
        assert not list(imported(path))
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "aiomirror" and len(parts) > 1 and parts[1] != room(path):
            assert layer(parts[1]) < layer(room(path)), f"{room(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_outside_libraries_stay_in_their_room(path: Path) -> None:
    for name in imported(path):
        assert ROOMS.get(name.split(".")[0], room(path)) == room(path), f"{room(path)} imports {name}"
