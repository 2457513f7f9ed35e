"""Turns of phrase that several messages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


MOST_NAMED = 3


def abridged(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first ``most`` names, and how many more there are: "a, b, c and 5 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
