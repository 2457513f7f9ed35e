"""Fixtures that more than one test file uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An empty package index on loopback."""
    with Upstream() as running:
        yield running
