"""What a reader passed over, in lines for people, and never more of them than a person reads."""

from __future__ import annotations

MAX_NOTES = 20
"""Lines kept of one page; a page with thousands of oddities says the same thing thousands of times."""

_MAX_SHOWN = 100


class Notes:
    """Collects lines; the ones beyond the limit are only counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, line: str) -> None:
        """Keep ``line``, unless there are enough; upstream's text in it has gone through ``shown``."""
        if len(self._lines) < MAX_NOTES:
            self._lines.append(line)
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """Return what was kept and, when that is not all, how much was not."""
        return (*self._lines, f"and {self._more:,} more") if self._more else tuple(self._lines)


def shown(value: object) -> str:
    """Upstream's value as one short printable line: quoted, escaped, cut."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = value[:_MAX_SHOWN] if isinstance(value, str) else value
    line = repr(text)
    return f"{line[:_MAX_SHOWN]}…" if len(line) > _MAX_SHOWN or text != value else line
