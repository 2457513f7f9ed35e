"""The dependency closure of root requirements: sans-IO, one resolution per target over what all share.

These are the values.  :class:`aiomirror.resolution.engine.Resolution` is for those who resolve, for a closure
that is remembered is told without it, and it takes 15 ms to import.
"""

from aiomirror.resolution.values import (
    Admission,
    Choice,
    Closure,
    Conflict,
    Cutoff,
    MetadataNeed,
    Needs,
    Refusal,
    Rules,
)

__all__ = [
    "Admission",
    "Choice",
    "Closure",
    "Conflict",
    "Cutoff",
    "MetadataNeed",
    "Needs",
    "Refusal",
    "Rules",
]
