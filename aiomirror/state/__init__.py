"""What earlier runs established, in SQLite: records of files, settled projects, root indexes; and what was
asked for, since when nothing asks for a file any more, and the runs that found it out.

Losing it costs time, never correctness: a file without a record is hashed again, a project that is not
settled is looked at whole.  So what is no database of ours, or a damaged one, is moved aside and begun anew.
"""

from aiomirror.state.closures import ClosureRecord, Closures, PageMark
from aiomirror.state.database import APPLICATION_ID
from aiomirror.state.desired import Desired, Run, Trouble
from aiomirror.state.memory import Root, State

__all__ = [
    "APPLICATION_ID",
    "ClosureRecord",
    "Closures",
    "Desired",
    "PageMark",
    "Root",
    "Run",
    "State",
    "Trouble",
]
