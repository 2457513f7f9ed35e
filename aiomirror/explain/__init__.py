"""``aiomirror explain``: why each file is in the mirror, or is not, as far as the state and the tree know.

Nobody is asked upstream, nothing is written, and no lock is taken: it may be asked while a run is under way.
"""

from aiomirror.explain.asked import Asked
from aiomirror.explain.run import explain
from aiomirror.explain.values import (
    Answer,
    Condition,
    Explanation,
    FileFacts,
    Presence,
    ProjectFacts,
    Unwanted,
)

__all__ = [
    "Answer",
    "Asked",
    "Condition",
    "Explanation",
    "FileFacts",
    "Presence",
    "ProjectFacts",
    "Unwanted",
    "explain",
]
