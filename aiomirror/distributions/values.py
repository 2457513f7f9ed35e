"""What the readers of archives have in common."""

from __future__ import annotations

MEMBER_CAP = 16 << 20
"""Bytes of one member, unpacked."""


class Unreadable(Exception):  # noqa: N818 (an answer within this package, told to nobody)
    """The archive is not what it should be, or has not exactly the member that is looked for."""


class Absent(Unreadable):
    """The archive was read to its end, or to the end of its directory, and does not have the member."""
