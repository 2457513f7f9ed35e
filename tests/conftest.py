"""Fixtures that more than one test file uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from exchange import CONTENT, NAME
from mirror import Mirror
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The tests share the machine with one another: how long an example takes says nothing of the code.
settings.register_profile("shared", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An empty package index on loopback."""
    with Upstream() as running:
        yield running


@pytest.fixture
def url(upstream: Upstream) -> str:
    """The address of a file of CONTENT, in an index where its project has a page."""
    upstream.add_file("a", NAME, content=CONTENT)
    return upstream.file_url("a", NAME)


@pytest.fixture
def page(upstream: Upstream, url: str) -> str:
    """The address of that page."""
    return upstream.url + "a/"


@pytest.fixture
def mirror(tmp_path: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> Mirror:
    """A mirror of ``upstream`` that no run has made yet."""
    return Mirror(tmp_path, upstream, capsys)
