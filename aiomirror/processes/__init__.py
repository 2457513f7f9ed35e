"""Fetching in several processes: one alone fills one processor with what Python takes for each file.

They are forked before there is a loop or a thread (``forking``), and all share one mirror that one of them
holds.  It decides, publishes and records; a helper gets a job and gives back what became of it (``remote``
on this side, ``helper`` on the other, a ``channel`` of ``messages`` between them).  How many requests are on
their way is decided in one place: a helper has the places that it is lent.
"""

from aiomirror.processes.crew import Crew
from aiomirror.processes.forking import Helpers

__all__ = ["Crew", "Helpers"]
