"""Spans of time and points in time, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from aiomirror.config import duration, point_in_time

NOW = datetime(2026, 4, 10, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", timedelta(days=7)),
        ("7D", timedelta(days=7)),
        (" 12h ", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("90 min", timedelta(minutes=90)),
        ("30s", timedelta(seconds=30)),
        ("1.5h", timedelta(minutes=90)),
        ("2 weeks", timedelta(weeks=2)),
        ("1 Week", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("2 days, 3 hours", timedelta(days=2, hours=3)),
        ("0d", timedelta()),
        ("P7D", timedelta(days=7)),
        ("p2w", timedelta(weeks=2)),
        ("PT12H", timedelta(hours=12)),
        ("P1DT2H30M", timedelta(days=1, hours=2, minutes=30)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "-7d", "7 months", "1y", "7dd", "7d3", "7d,", "P", "PT", "P1DT", "P1Y", "P1M", "1e3s",
     "\u0667d", "1" * 10 + "s", "7\u212a", "999999999w"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)


@given(st.text(alphabet="0123456789.,pPtTdDhmws \u00b2"))
def test_a_duration_or_an_error(text: str) -> None:
    try:
        found = duration(text)
    except ValueError:
        return
    assert found >= timedelta()
    assert any(char.isdigit() for char in text)


@given(st.integers(0, 10**6), st.sampled_from(["w", "d", "h", "m", "s"]))
def test_both_notations_say_the_same(count: int, unit: str) -> None:
    iso = f"P{count}{unit}" if unit in "wd" else f"PT{count}{unit}"
    assert duration(iso.upper()) == duration(f"{count} {unit}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-31", datetime(2026, 4, 1, tzinfo=UTC)),  # the day included
        ("2026-03-31T12:00:00Z", datetime(2026, 3, 31, 12, tzinfo=UTC)),
        ("2026-03-31T12:00:00.5+02:00", datetime(2026, 3, 31, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-31 12:00:00-01:00", datetime(2026, 3, 31, 13, tzinfo=UTC)),
        ("10d", datetime(2026, 3, 31, 12, 30, tzinfo=UTC)),
        ("PT30M", datetime(2026, 4, 10, 12, tzinfo=UTC)),
    ],
)
def test_points_in_time(text: str, expected: datetime) -> None:
    found = point_in_time(text, NOW)
    assert found == expected
    assert found.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "2026-03-31T12:00:00", "2026-03-31x", "2026-3-1", "20260331", "7",
     "9999-12-31", "0001-01-01T00:00:00+10:00"],
)  # fmt: skip
def test_what_is_no_point_in_time(text: str) -> None:
    with pytest.raises(ValueError, match="no point in time"):
        point_in_time(text, NOW)


def test_an_age_before_all_years() -> None:
    with pytest.raises(ValueError, match="so old"):
        point_in_time("999999w", NOW)
