"""A bar chart as SVG: a group of bars for each case, wall seconds on a logarithmic scale."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEFT, WIDTH, BAR, GAP = 270, 560, 16, 26
"""Pixels: the column of names, the longest bar, a bar with its space, the space above a group."""
FLOOR, OTHER_FLOOR, BARE = "#9a9a9a", "#c2c2c2", "#dcd3c4"
COLOURS = {
    "aiomirror": "#2457a6",
    "curl": FLOOR,
    "curl, pages if changed": FLOOR,
    "sha256sum": FLOOR,
    "wget2": OTHER_FLOOR,
    "openssl dgst": OTHER_FLOOR,
    "bare aiohttp": BARE,
    "bare mirror": BARE,
}
"""Grey is what is no mirror, pale what is no program that anybody could use; the others are peers."""
PEER = "#d98b3a"
SHORTEST = 0.1
"""Seconds at the left edge of the bars."""


def plot(groups: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """The chart of these cases: a title, and seconds by tool."""
    longest = max((seconds for _, bars in groups for seconds in bars.values()), default=1.0)
    decades = max(1, math.ceil(math.log10(max(longest, SHORTEST) / SHORTEST)))
    parts: list[str] = []
    y = 30
    for title, bars in groups:
        y += GAP
        parts.append(_text(10, y - 5, title, weight="bold"))
        for tool, seconds in bars.items():
            length = WIDTH * max(0.0, math.log10(max(seconds, SHORTEST) / SHORTEST)) / decades
            colour = COLOURS.get(tool, PEER)
            parts.append(_text(LEFT - 8, y + 11, tool, anchor="end"))
            size = f'width="{max(1.0, length):.1f}" height="{BAR - 3}"'
            parts.append(f'<rect x="{LEFT}" y="{y}" {size} fill="{colour}"/>')
            parts.append(_text(LEFT + length + 5, y + 11, f"{seconds:.2f} s"))
            y += BAR
    bottom = y + 10
    for k in range(decades + 1):
        x = LEFT + WIDTH * k / decades
        parts.insert(0, f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(_text(x, 24, f"{SHORTEST * 10**k:g} s", anchor="middle"))
    size = f'width="{LEFT + WIDTH + 80}" height="{bottom + 10}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, background, *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
