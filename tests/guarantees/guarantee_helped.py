"""The command on a machine of three processors, all its files worth spreading: two helpers take part.

Run by tests as ``python guarantee_helped.py sync …``.
"""

from __future__ import annotations

from aiomirror import plan
from aiomirror.cli import entry
from aiomirror.processes import forking

if __name__ == "__main__":
    plan.LONG = 1
    vars(forking)["cores"] = lambda: 3
    entry()
