"""The stage that turns requirements into what is wanted of each project, dependencies included.

The modules, upwards: ``values``, ``rules``, ``outcome``, ``archives`` and ``tally`` (pure), ``builds`` (what
source archives need), and ``follow``.
"""

from aiomirror.dependencies.follow import Dependencies
from aiomirror.dependencies.values import Upstream

__all__ = ["Dependencies", "Upstream"]
