"""Which of the targets need a package of a lock file, by what its markers say in their environments.

A lock may hold more than one installation takes: extras and dependency groups that somebody may ask for.
Nobody has to say here which, so a condition on them counts as met, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

Environments = Mapping[str, Mapping[str, str]]
"""Name of the target → the variables of environment markers, but for those that are asked for."""
Holds = Callable[[Marker | None], bool]
"""Whether a marker holds in one environment; where there is none it does."""

_INCOMPARABLE = (UndefinedComparison, UndefinedEnvironmentName, RecursionError, ValueError)
"""What markers may raise; what cannot be compared keeps nothing out."""
_MET = "python_version >= '0'"
_ASKED_FOR = frozenset({"extra", "extras", "dependency_groups"})
_WORDS = re.compile(r"""'[^']*'|"[^"]*"|[()]|[^\s()'"]+""")


def holds_in(environment: Mapping[str, str]) -> Holds:
    """Asks markers of one environment, each once."""
    known: dict[str, bool] = {}

    def holds(marker: Marker | None) -> bool:
        if marker is None:
            return True
        try:
            text = str(marker)
            if text not in known:
                known[text] = Marker(_as_asked_for(text)).evaluate(environment, context="requirement")
        except _INCOMPARABLE:
            return True
        return known[text]

    return holds


def holds_unasked(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds where nobody asks for an extra or a dependency group."""
    try:
        return marker is None or marker.evaluate({**environment, "extra": ""}, context="lock_file")
    except _INCOMPARABLE:
        return True


def _as_asked_for(text: str) -> str:
    """The marker with something that always holds in place of each condition on extras and groups."""
    found: list[str] = []
    condition: list[str] = []
    for word in [*_WORDS.findall(text), ""]:
        if word not in {"and", "or", "(", ")", ""}:
            condition.append(word)
            continue
        if condition:
            found.append(_MET if _ASKED_FOR.intersection(condition) else " ".join(condition))
            condition = []
        found.append(word)
    return " ".join(found)
