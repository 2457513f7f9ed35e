"""What a run is to mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.errors import AiomirrorError
    from aiomirror.requirements.values import Wanted

Trouble = tuple["AiomirrorError", str, str]
"""An error, and the project and the file that it is about, or "" for either."""


class Desired(msgspec.Struct, frozen=True):
    """Wants by project, and what is to be said of how they came about."""

    wants: Mapping[NormalizedName, tuple[Wanted, ...]] = msgspec.field(default_factory=dict)
    problems: tuple[Trouble, ...] = ()
    warnings: tuple[str, ...] = ()
    complete: bool = True
    """Whether all was read that the choice rests on."""
    unverified: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    """By project and file: sha256 of metadata that was read in parts, which the file's own has to have."""
    installed: Mapping[str, frozenset[tuple[NormalizedName, str]]] = msgspec.field(default_factory=dict)
    """By name of the target: the versions that all that is asked for comes to there.

    Targets on which not all of it goes are not among them; none is where nothing was resolved.
    """
