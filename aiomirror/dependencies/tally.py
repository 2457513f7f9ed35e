"""What builds add to what is wanted, counted together: pure but for being filled step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace
from packaging.specifiers import SpecifierSet

from aiomirror.errors import ConflictError, FileError, UpstreamError
from aiomirror.requirements.values import Wanted
from aiomirror.simple.filenames import parse_version
from aiomirror.wording import abridged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.closure import Closed, Key
    from aiomirror.desired import Desired, Trouble
    from aiomirror.errors import AiomirrorError
    from aiomirror.resolution import Choice, Conflict, Refusal


Builds = dict[str, list[str]]
"""By name of the target: the archives that are built there."""


class Tally:
    """What is wanted, and what is to be said; ``named``: whether the targets were named."""

    def __init__(self, before: Desired, *, named: bool) -> None:
        self.wants = dict(before.wants)
        self.warnings: dict[str, None] = {}
        self.errors: dict[Key, AiomirrorError] = {}
        self._before, self._named = before, named
        self._told = {(project, filename) for _, project, filename in before.problems}
        self._choices: list[Choice] = []
        self._conflicts: list[Trouble] = []
        self._refused: dict[Key, Refusal] = {}
        self._unverified: dict[Key, str] = {}

    def warn(self, *texts: str) -> None:
        """Each of them once."""
        self.warnings.update(dict.fromkeys(texts))

    def add(self, closed: Closed, builds: Builds) -> set[NormalizedName]:
        """What one set of requirements leads to; the projects of which that is more than was wanted."""
        self.errors.update(closed.errors)
        self._unverified.update(closed.unverified)
        self.warn(*closed.closure.warnings)
        self._refused.update({(one.project, one.filename): one for one in closed.closure.refused})
        self._judge(closed.closure.conflicts, builds)
        changed = set()
        for choices in closed.closure.chosen.values():
            for choice in choices:
                first = builds[choice.targets[0]][0]  # where the chain begins
                if self.choose(replace(choice, chain=f"{first} builds with {choice.chain}")):
                    changed.add(choice.project)
        return changed

    def choose(self, choice: Choice) -> bool:
        """Want a version, unless it is wanted as it is; whether it was not."""
        known = self.wants.get(choice.project, ())
        specifier = SpecifierSet(f"==={choice.version}")  # by its text: "==1.0" would be 1.0+local, too
        same = [one for one in known if one.specifier == specifier]
        if any(not one.targets for one in same):
            return False
        covered = {name for one in same for name in one.targets}
        targets = tuple(name for name in choice.targets if name not in covered)
        if not targets:
            return False
        # What a person pins by its digests is that also where it is built with.
        hashes = [one.hashes for one in known if _admits(one, choice.version)]
        want = Wanted(
            choice.project,
            specifier,
            extras=frozenset(choice.extras),
            hashes=frozenset().union(*hashes) if all(hashes) else frozenset(),
            text=choice.chain,
            targets=targets if self._named else (),
        )
        self.wants[choice.project] = (*known, want)
        self._choices.append(replace(choice, files=()))
        return True

    def content(self) -> dict[str, Any] | None:
        """What to remember; None of what does not rest on complete answers."""
        if self.errors or self._conflicts or not self._before.complete:
            return None
        return {"chosen": [asdict(one) for one in self._choices], "warnings": self._warnings()}

    def desired(self) -> Desired:
        """All that is wanted, and all that is to be said."""
        before = self._before
        return replace(
            before,
            wants=self.wants,
            problems=(*before.problems, *self._conflicts, *self._failed()),
            warnings=tuple(dict.fromkeys((*before.warnings, *self._warnings()))),
            complete=before.complete
            and not any(isinstance(one, UpstreamError) for one in self.errors.values()),
            unverified={**self._unverified, **before.unverified},
        )

    def _judge(self, conflicts: Sequence[Conflict], builds: Builds) -> None:
        """A conflict is none to speak of where the same goes on another of the default targets."""
        failed = {name for one in conflicts for name in one.targets}
        for one in conflicts:
            names = sorted({name for target in one.targets for name in builds[target]})
            error = ConflictError(f"{abridged(names)} cannot be built: {one.why}", one.targets)
            if self._named or failed >= builds.keys():
                self._conflicts.append((error, "", ""))
            else:
                self.warn(str(error))

    def _failed(self) -> Iterator[Trouble]:
        """What could not be read, or not be trusted, and was not told before."""
        for (project, filename), error in sorted(self.errors.items()):
            if isinstance(error, UpstreamError) and (project, filename) not in self._told:
                yield error, project, filename
        if self._conflicts:
            for one in self._untold():
                if one.project not in self.wants:
                    yield FileError(one.project, one.filename, one.why), one.project, one.filename

    def _warnings(self) -> list[str]:
        """Refused metadata among them, where it did not hinder: see :meth:`Closed.refused`."""
        passed_over = [
            f"{one}; passed over"
            for one in self._untold()
            if not self._conflicts or one.project in self.wants
        ]
        return sorted({*self.warnings, *passed_over})

    def _untold(self) -> Iterator[Refusal]:
        for key, one in sorted(self._refused.items()):
            if key not in self.errors and key not in self._told:
                yield one


def _admits(want: Wanted, version: str) -> bool:
    if parse_version(version) is None:
        return want.pin == version
    return want.specifier.contains(version, prereleases=True)
