"""All that a run was told, and which source counts: of several that say the same thing, the strongest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from aiomirror.config.layers import Given, Layer
from aiomirror.config.settings import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from aiomirror.config.machines import Machine
    from aiomirror.config.values import ProjectRules

REQUIREMENTS = ("requirements", "requirement-files")


class Told(msgspec.Struct, frozen=True):
    """All that a run was told by those who started it."""

    layers: tuple[Layer, ...]
    """The strongest first."""
    projects: Mapping[NormalizedName, ProjectRules] = msgspec.field(default_factory=dict)
    file: str = ""
    """The path of the configuration file; "" if there is none."""
    machines: tuple[Machine, ...] = ()
    """The targets that the configuration file spells out."""

    def get(self, key: str) -> Any:  # noqa: ANN401 (each setting has its own type)
        """What the strongest source says; None when none says anything."""
        found = self.given(key)
        return None if found is None else found.value

    def given(self, key: str) -> Given | None:
        """The same, with where it was said."""
        return self.first(key).given.get(key)

    def first(self, *keys: str) -> Layer:
        """The strongest source that says one of these; one that says nothing where none does."""
        return next((one for one in self.layers if any(key in one for key in keys)), Layer())

    @property
    def knowing(self) -> Told:
        """The sources that know the requirements: the one that has them, and the stronger ones."""
        for count, one in enumerate(self.layers, start=1):
            if any(key in one for key in REQUIREMENTS):
                return replace(self, layers=self.layers[:count])
        return self

    @property
    def dest(self) -> Path:
        """The mirror's folder."""
        return Path(self.get("dest") or DEFAULTS.dest)
