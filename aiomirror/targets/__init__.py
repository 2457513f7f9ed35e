"""The machines that a mirror is for: implementation, Python version and platform.

Pure: spellings in, values out.  Nothing here asks the running interpreter; what ``current`` stands for is
handed in as values.
"""

from aiomirror.targets.matrix import current_target, default_matrix, parse_targets
from aiomirror.targets.values import Target, TargetError

__all__ = ["Target", "TargetError", "current_target", "default_matrix", "parse_targets"]
