"""That each guarantee has a test which bears its number."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

GUARANTEES = range(1, 33)
_NAME = re.compile(r"^ *(?:async )?def test_((?:G\d+_(?:and_)?)+)", re.MULTILINE)


def counts() -> Counter[int]:
    """How many tests there are of each, by number; parametrised ones count once."""
    tests = Path(__file__).parents[1].rglob("test_*.py")
    names = [name for path in tests for name in _NAME.findall(path.read_text(encoding="utf-8"))]
    return Counter(int(number) for name in names for number in re.findall(r"\d+", name))


def test_each_guarantee_has_a_test() -> None:
    found = counts()
    assert [number for number in GUARANTEES if not found[number]] == []
    assert found.keys() <= set(GUARANTEES)
