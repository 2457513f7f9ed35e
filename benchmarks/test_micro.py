"""What aiomirror does with one page of 3,000 files, each step by itself; see README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name

from aiomirror.plan import Holdings, plan_project
from aiomirror.requirements import Wanted, parse_spec
from aiomirror.selection import Policy, demands, select
from aiomirror.simple.read import read_page
from aiomirror.simple.render import render_html, render_json
from aiomirror.simple.values import HTML_TYPE, JSON_TYPE
from benchmarks import pages
from benchmarks.corpus import Entry
from benchmarks.shapes import planned

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomirror.simple.values import ProjectPage

URL = "http://upstream.example/simple/pages-00000/"
PROJECT = canonicalize_name("pages-00000")
ENTRIES = [
    Entry(one.project, one.version, one.filename, 50_000, "0" * 64, "", written=False)
    for one in planned("pages", 1 / 5000)
]
JSON, HTML = pages.project_json(PROJECT, ENTRIES, 1), pages.project_html(PROJECT, ENTRIES)


@pytest.fixture
def page() -> ProjectPage:
    return read_page(JSON, JSON_TYPE, URL, PROJECT)


@pytest.fixture
def wanted() -> tuple[Wanted, ...]:
    one = parse_spec(PROJECT)
    assert isinstance(one, Wanted)
    return demands([one], [])[PROJECT]


def test_read_json(benchmark: Callable[..., Any]) -> None:
    assert len(benchmark(read_page, JSON, JSON_TYPE, URL, PROJECT).files) == len(ENTRIES)


def test_read_html(benchmark: Callable[..., Any]) -> None:
    assert len(benchmark(read_page, HTML, HTML_TYPE, URL, PROJECT).files) == len(ENTRIES)


def test_select_newest(benchmark: Callable[..., Any], page: ProjectPage, wanted: tuple[Wanted, ...]) -> None:
    assert len(benchmark(select, page, wanted, Policy()).chosen) == 1


def test_plan_everything(
    benchmark: Callable[..., Any], page: ProjectPage, wanted: tuple[Wanted, ...]
) -> None:
    chosen = select(page, wanted, Policy(latest=None)).chosen
    assert len(benchmark(plan_project, page, chosen, Holdings()).fetch) == len(ENTRIES)


def test_render_json(benchmark: Callable[..., Any], page: ProjectPage) -> None:
    assert benchmark(render_json, page)


def test_render_html(benchmark: Callable[..., Any], page: ProjectPage) -> None:
    assert benchmark(render_html, page)
