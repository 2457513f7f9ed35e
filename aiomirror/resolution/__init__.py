"""The dependency closure of root requirements: sans-IO, one resolution per target over what all share."""

from aiomirror.resolution.engine import Resolution
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
    "Resolution",
    "Rules",
]
