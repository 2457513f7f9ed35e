"""Projects that upstream takes back, deleted or quarantined: named on each run, and treated as is wished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.progress import counted
from aiomirror.pruning import DELETED, Withdrawal

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.account import Account
    from aiomirror.pruning import Withdrawn
    from aiomirror.store import Store

_FATES = {
    Withdrawal.KEEP: "what is mirrored stays as it is",
    Withdrawal.HIDE: "no page lists it any more",
    Withdrawal.REMOVE: "pruning removes it after the grace period",
}


class Withdrawals:
    """Takes down in the census what becomes of mirrored projects that upstream no longer offers."""

    def __init__(self, policy: Withdrawn, account: Account, store: Store, index: str) -> None:
        self._policy, self._account, self._store, self._index = policy, account, store, index
        self._deleted: list[NormalizedName] = []
        self.believed = False
        """Whether upstream has any project: an address that is none of an index has none, either."""

    async def quarantined(self, project: NormalizedName) -> bool:
        """Whether our page stays as it is, and says nothing of the quarantine."""
        policy, census = self._policy.quarantined, self._account.census
        if policy is Withdrawal.KEEP:
            self._account.warned(f"{project}: quarantined upstream; {_FATES[policy]}")
            return True
        if policy is Withdrawal.REMOVE:
            census.withdrawn.add(project)
        self._account.withheld(project, await self._store.survey(project))
        return False

    def missing(self, project: NormalizedName) -> None:
        """Upstream has answered that there is no such project; what follows is seen at the end."""
        self._deleted.append(project)

    def conclude(self) -> None:
        """Have the missing ones counted as deleted, unless nothing is there at all."""
        if self._deleted and not self.believed:
            self._account.census.complete = False
            mirrored = counted(len(self._deleted), "project")
            self._account.warned(
                f"{self._index} has none of what is mirrored ({mirrored}): is that the address of an index?"
                " What is mirrored stays as it is"
            )
            return
        for project in self._deleted:
            self._delete(project)

    def _delete(self, project: NormalizedName) -> None:
        policy, census = self._policy.deleted, self._account.census
        if policy is Withdrawal.REMOVE:
            census.withdrawn.add(project)
            census.whole(project, DELETED)
        elif policy is Withdrawal.HIDE:
            census.hidden.add(project)
        self._account.warned(f"{project}: deleted upstream; {_FATES[policy]}")
