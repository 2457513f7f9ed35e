"""Fixtures that more than one test file uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mirror import Mirror
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An empty package index on loopback."""
    with Upstream() as running:
        yield running


@pytest.fixture
def mirror(tmp_path: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> Mirror:
    """A mirror of ``upstream`` that no run has made yet."""
    return Mirror(tmp_path, upstream, capsys)
