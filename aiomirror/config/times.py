"""Spans of time and points in time as people write them; pure, "now" comes in as a parameter."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

# Months and years are no spans of a fixed length, so there is no unit for them.
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NAMES = {
    **{unit: unit for unit in _SECONDS},
    **dict(zip(("second", "sec", "minute", "min", "hour", "day", "week"), "ssmmhdw", strict=True)),
}
# The patterns are texts, which ``re`` compiles once they are needed: most runs are told no times.
_PART = r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]+)"
_WORDS = rf"(?ai){_PART}(?:[\s,]*{_PART})*"
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_ISO = rf"(?ai)P(?=.)(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
_DATE = r"(?a)\d{4}-\d{2}-\d{2}"


def duration(text: str) -> timedelta:
    """A span of time: "7d", "12h", "90m" (minutes), "1h30m", "2 weeks", or ISO 8601 as "P7D" and "PT12H".

    Raises:
        ValueError: it is nothing of the kind; a number without a unit, months and years are not.
    """
    text = text.strip()
    if iso := re.fullmatch(_ISO, text):
        parts = zip(iso.groups(), "wdhms", strict=True)
        return _sum([(number, unit) for number, unit in parts if number])
    if re.fullmatch(_WORDS, text):
        found = [(number, _unit(word)) for number, word in re.findall(_PART, text.lower())]
        if all(unit for _, unit in found):
            return _sum(found)
    raise ValueError(f"{text!r} is no duration; 7d, 12h, 90m, 2 weeks and P7D are")


def _unit(word: str) -> str:
    """The unit's letter; "" for a word that is none."""
    return _NAMES.get(word) or _NAMES.get(word.removesuffix("s") or word, "")


def _sum(parts: list[tuple[str, str]]) -> timedelta:
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError("no duration is so long") from None


def moment(text: str) -> datetime | timedelta:
    """A point in time, or how long ago it is.

    A date ("2026-03-31") is the end of that day in UTC, so that the day is included; a timestamp is one of
    RFC 3339 ("2026-03-31T12:00:00Z"), offset included; anything else is an age, see :func:`duration`.

    Raises:
        ValueError: it is none of them.
    """
    text = text.strip()
    try:
        if re.fullmatch(_DATE, text):
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
        if re.match(_DATE, text):
            return _timestamp(text)
        return duration(text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no point in time; 2026-03-31, 2026-03-31T12:00:00Z and 7d (ago) are"
        ) from None


def _timestamp(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("the offset is missing")
    return found.astimezone(UTC)


def point_in_time(text: str, now: datetime) -> datetime:
    """As :func:`moment`, an age counted back from ``now``; in UTC.

    Raises:
        ValueError: it is none, or before the first year.
    """
    return before(moment(text), now)


def cutoff(when: datetime | timedelta, now: datetime) -> datetime:
    """As :func:`before`, an age counted back from the last full hour.

    So two runs of the same hour ask for the same, and the second one finds nothing changed.
    """
    return before(when, now.replace(minute=0, second=0, microsecond=0))


def before(when: datetime | timedelta, now: datetime) -> datetime:
    """The point in time that ``when`` is; ValueError for an age that reaches before the first year."""
    if isinstance(when, datetime):
        return when
    try:
        return now - when
    except OverflowError:
        raise ValueError("nothing is so old") from None
