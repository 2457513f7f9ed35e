"""A resolution that nobody waits for any more."""

from __future__ import annotations

import pytest
from synthetic_index import Index, wanted

from aiomirror.resolution import Rules
from aiomirror.resolution.engine import Resolution
from aiomirror.resolution.library import StoppedError
from aiomirror.targets import parse_targets


def test_a_stopped_resolution_ends() -> None:
    index = Index()
    index.add("a", "1.0", "b")
    index.add("b", "1.0")
    resolution = Resolution([wanted("a")], parse_targets(["3.12"], ["linux"]), Rules())
    (project,) = resolution.advance().pages
    resolution.page(project, index.page(project))
    resolution.stop()
    with pytest.raises(StoppedError):
        resolution.advance()
