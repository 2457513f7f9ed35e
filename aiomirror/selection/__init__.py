"""Which files of a project page the requirements ask for, and why each other file is left out."""

from aiomirror.selection.choose import demands, select
from aiomirror.selection.unmet import MAX_NAMED
from aiomirror.selection.values import Chosen, LeftOut, Policy, Selection

__all__ = ["MAX_NAMED", "Chosen", "LeftOut", "Policy", "Selection", "demands", "select"]
