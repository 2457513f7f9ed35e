"""Headers that a server may fill with anything: Content-Range of a part, and Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given, strategies as st

from aiomirror.http.problems import retry_after
from aiomirror.http.ranges import _stated

NUMBERS = st.integers(min_value=0, max_value=10**18 - 1)
PIECES = st.sampled_from(["bytes", "items", " ", "-", "/", "*", "0", "7", "99", "\u0663", "\xb2", "+1", ","])
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=8).map("".join)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(  # noqa: DTZ001 (given one below)
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@given(NUMBERS, NUMBERS, st.none() | NUMBERS)
def test_a_content_range_is_read_as_it_is_written(first: int, last: int, length: int | None) -> None:
    text = f"bytes {first}-{last}/{'*' if length is None else length}"
    assert _stated({"Content-Range": text}) == (first, last, length)
    assert _stated({"Content-Range": f" {text.upper()} "}) == (first, last, length)


@given(NUMBERS)
def test_one_that_cannot_be_satisfied_states_the_length(length: int) -> None:
    assert _stated({"Content-Range": f"bytes */{length}"}) == (None, None, length)


@given(TEXTS)
def test_any_other_states_nothing(text: str) -> None:
    first, last, length = _stated({"Content-Range": text})
    assert (first is None) == (last is None)
    if first is not None or length is not None:
        whole = f"{'*' if first is None else f'{first}-{last}'}/{'*' if length is None else length}"
        unit, _, said = text.strip().partition(" ")
        assert unit.lower() == "bytes"
        assert [part.lstrip("0") for part in said.replace("/", "-").split("-")] == [
            part.lstrip("0") for part in whole.replace("/", "-").split("-")
        ]


@given(st.integers(min_value=0, max_value=10**12))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert retry_after({"Retry-After": f" {seconds} "}) == seconds


@given(MOMENTS, MOMENTS)
def test_retry_after_as_a_date_is_by_the_servers_own_clock(now: datetime, then: datetime) -> None:
    headers = {"Retry-After": format_datetime(then, usegmt=True), "Date": format_datetime(now, usegmt=True)}
    assert retry_after(headers) == max(0.0, (then - now).total_seconds())


@given(TEXTS | MOMENTS.map(str), TEXTS)
def test_retry_after_is_a_wait_or_nothing(text: str, date: str) -> None:
    wait = retry_after({"Retry-After": text, "Date": date})
    assert wait is None or wait >= 0
