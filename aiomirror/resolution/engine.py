"""The resolution itself: fed with pages and metadata texts, it says what it needs next."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.resolution.dependencies import of_wanted
from aiomirror.resolution.library import Library
from aiomirror.resolution.matching import matches
from aiomirror.resolution.raising import raised
from aiomirror.resolution.scout import Scout
from aiomirror.resolution.solution import Solution
from aiomirror.resolution.solver import Effort, solve
from aiomirror.resolution.union import union_of_all, union_of_solutions
from aiomirror.resolution.view import Demanded, Trace, View
from aiomirror.resolution.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import Wanted
    from aiomirror.resolution.dependencies import Dependency
    from aiomirror.resolution.library import Key
    from aiomirror.resolution.values import Closure, Needs, Rules
    from aiomirror.simple.values import ProjectPage
    from aiomirror.targets import Target

NO_PROJECT = "the index has no such project"
NO_METADATA = "its metadata cannot be had"


class Resolution:
    """The dependency closure of root requirements on a set of targets.

    Does no input or output.  Ask :meth:`advance` for what is needed, hand it in with :meth:`page` and
    :meth:`metadata` in any order, and ask again; once nothing is needed, :meth:`closure` has the result.  It
    depends on what was handed in, never on the order.
    """

    def __init__(
        self,
        roots: Sequence[Wanted],
        targets: Sequence[Target],
        rules: Rules,
        constraints: Sequence[Wanted] = (),
        overrides: Sequence[Wanted] = (),
    ) -> None:
        """Constraints bound versions of whatever enters; overrides replace all requirements on a project."""
        demanded = Demanded(
            tuple(map(of_wanted, roots)),
            tuple(map(of_wanted, constraints)),
            tuple(map(of_wanted, overrides)),
        )
        self._demanded = demanded
        self._library = Library(rules)
        self._attempts = [_Attempt(View(target, self._library, demanded)) for target in targets]

    def without(self, left: Mapping[str, Collection[NormalizedName]]) -> Resolution:
        """The same over all that was read, without the roots on these projects; by name of the target."""
        other = object.__new__(Resolution)
        other._demanded, other._library = self._demanded, self._library
        other._attempts = [
            _Attempt(View(one.view.target, self._library, self._demanded.without(left[name])))
            if (name := one.view.target.name) in left
            else one
            for one in self._attempts
        ]
        return other

    def beside(self, roots: Sequence[Wanted], targets: Sequence[Target]) -> Resolution:
        """Another one over all that was read, of these roots alone, what they require followed to the end.

        Constraints and overrides are not carried over.  One of the two may go on at a time.
        """
        other = object.__new__(Resolution)
        other._demanded = Demanded(tuple(map(of_wanted, roots)))
        other._library = copy(self._library)  # which shares what it has read
        other._library.rules = replace(self._library.rules, max_depth=None)
        other._attempts = [_Attempt(View(one, other._library, other._demanded)) for one in targets]
        return other

    def page(self, project: NormalizedName, page: ProjectPage | None, why: str = NO_PROJECT) -> None:
        """Hand in a project page; None: it cannot be had, and why not."""
        self._wake(self._library.put_page(project, page, why))

    def metadata(
        self, project: NormalizedName, filename: str, text: bytes | None, why: str = NO_METADATA
    ) -> None:
        """Hand in a METADATA or PKG-INFO text that was asked for; None: it cannot be had, and why not."""
        self._wake(self._library.put_metadata(project, filename, text, why))

    def stop(self) -> None:
        """Have a call that is under way in another thread end soon, with an error and no result."""
        self._library.stopped = True

    def advance(self) -> Needs:
        """Go as far as possible; return all that is missing, also what was asked for before and has not come.

        Nothing missing means that the closure is complete.
        """
        for attempt in self._unsolved():
            attempt.scout.run()
        if self._library.complete:
            self._solve()
        if not self._library.complete:
            for attempt in self._unsolved():
                attempt.scout.run()  # what the attempts came upon has its own depths
        return self._library.needs()

    def closure(self) -> Closure:
        """The union over all targets.  Only once nothing is needed any more."""
        assert self._library.complete, "something is still needed"
        if self._library.rules.all_matching:
            return union_of_all(self._library, [(one.view, one.scout) for one in self._attempts])
        solved = [(one.view, one.solution) for one in self._attempts if one.solution is not None]
        assert len(solved) == len(self._attempts), "something is still needed"
        return union_of_solutions(self._library, solved)

    def _solve(self) -> None:
        solutions: list[tuple[View, Solution]] = []
        for attempt in self._attempts:
            attempt.solve(solutions)
            if not self._library.complete:
                break  # most of what one target lacks the others would lack, too

    def _unsolved(self) -> list[_Attempt]:
        return [attempt for attempt in self._attempts if attempt.solution is None]

    def _wake(self, key: Key) -> None:
        for attempt in self._unsolved():
            attempt.scout.wake(key)


class _Attempt:
    """One target on its way to a solution."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.solution: Solution | None = None
        self.scout = Scout(view, every=view.library.rules.all_matching)
        self._effort = Effort()

    def solve(self, solutions: list[tuple[View, Solution]]) -> None:
        """Find the solution, if nothing turns out to be missing; ``solutions``: of other targets."""
        if self.view.library.rules.all_matching:
            # Again from the start, for the order in which things came must not be seen in the result.
            self.scout = Scout(self.view, every=True)
            self.scout.run()
            self.solution = Solution()
        elif self.solution is None:
            self.solution = self._known(solutions) or self._find()
            if self.solution is not None:
                self.view.impossible = self.solution.impossible
                del self.scout  # there is nothing ahead any more, and it holds a good deal
        if self.solution is not None and all(self.solution is not known for _, known in solutions):
            solutions.append((self.view, self.solution))

    def _known(self, solutions: list[tuple[View, Solution]]) -> Solution | None:
        """A solution that rests on nothing but what is the same here."""
        return next((one for view, one in solutions if self.view.agrees(view, one.trace)), None)

    def _find(self) -> Solution | None:
        self.view.trace = Trace()
        self.view.impossible = {}
        solution = self._search()
        if solution is not None:
            solution.trace, solution.impossible = self.view.trace, self.view.impossible
        return solution

    def _search(self) -> Solution | None:
        view, roots = self.view, self.view.roots
        if hopeless := self._hopeless():
            return hopeless
        if view.library.rules.max_depth not in {None, 0}:
            return solve(view, self.scout, roots, self._effort)
        core: Sequence[Dependency] = roots
        for lasting in (True, False):
            walk = Walk(view, self.scout, lasting=lasting)
            solution = walk.solve()
            if solution is not None or walk.lacking:
                return solution and raised(view, self.scout, solution, walk)
            core = walk.core
        return self._hopeless() or self._resolve(core)

    def _resolve(self, core: Sequence[Dependency]) -> Solution | None:
        """By the resolver; ``core``: roots that probably have no solution."""
        view, roots = self.view, self.view.roots
        if len(core) < len(roots):
            # What has no solution by itself has none among all the others, and is told in fewer words.
            solution = solve(view, self.scout, core, self._effort)
            if solution is None or not solution.solved:
                return solution
        solution = solve(view, self.scout, roots, self._effort)
        if solution is None or not solution.solved:
            return solution
        return raised(view, self.scout, solution)

    def _hopeless(self) -> Solution | None:
        """All roots that nothing satisfies, at once, where a resolver would stop at the first."""
        roots = self.view.roots
        found = [one for one in roots if next(matches(self.view, one.project, [one]), None) is None]
        return Solution(causes=tuple((one, None) for one in found)) if found else None
