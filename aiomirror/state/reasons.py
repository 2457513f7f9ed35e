"""Why files of a page are left out, kept small: a page may list ten thousand, for the same few reasons."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAMES = 20_000
"""Files of one project whose reasons are kept; of more, a settled project still has the counts."""
_LEVEL = 1
"""Of zlib: 10,000 names take 6 ms and 70 kB; the best level halves the size, in five times the time."""
_SMALL = 256
"""Bytes for which a small window will do: to make the usual one ready takes ten times as long as they do."""
NONE = zlib.compress(b"{}", _LEVEL)
"""Where nothing is left out."""


def packed(reasons: Mapping[str, object]) -> bytes:
    """File name → reason, as zlib of a JSON object: the reason's sentence → the sorted names.

    A sentence, and not the number of a rule: numbers change from version to version.
    """
    if not reasons:
        return NONE
    content = msgspec.json.encode(_grouped(reasons), order="sorted")
    if len(content) > _SMALL:
        return zlib.compress(content, _LEVEL)
    small = zlib.compressobj(_LEVEL, wbits=9, memLevel=1)
    return small.compress(content) + small.flush()


def _grouped(reasons: Mapping[str, object]) -> dict[str, list[str]]:
    """Each reason's sentence → the sorted names."""
    names, kinds = sorted(reasons)[:MAX_NAMES], {*reasons.values()}
    if len(kinds) == 1:  # all files of a long page are too old, most often
        return {str(kind): names for kind in kinds}
    groups: defaultdict[object, list[str]] = defaultdict(list)
    for name in names:
        groups[reasons[name]].append(name)
    return {str(reason): some for reason, some in groups.items()}


def unpacked(content: bytes) -> dict[str, str]:
    """File name → the sentence of its reason."""
    groups: dict[str, list[str]] = json.loads(zlib.decompress(content))
    return {name: reason for reason, names in groups.items() for name in names}
