"""The corpus ``matrix``: projects that depend on each other, for many Pythons and platforms.  Values only.

There is one best answer for every target, whatever order a resolver looks at things in, so that what one
resolver takes can be asked of another:

* The versions of a project are 1.x, 2.x, … up to its newest.  All but the newest are there for every target,
  and all the ranges that projects ask for admit one that is: none of them excludes another.
* The newest may lack wheels, or need a newer Python: then a target has to do with the one before.
* In a trap two projects ask for what excludes each other, and only one of them, the mover, has older versions
  that ask for less.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.archives import About
from benchmarks.for_target import PLATFORMS
from benchmarks.shapes import Planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME = "matrix"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TARGETS = tuple((python, platform) for python in PYTHONS for platform in PLATFORMS)
"""Every Python on every platform, in the words of ``--python-version`` and ``--platform``."""
ROOTS, LIBRARIES, TRAPS = 300, 1620, 24
"""Projects of each kind at full scale; a trap is of three, and one in four of four."""
SMALLEST = 4
"""Of each kind, at any scale."""
DEEP = 4
"""One trap in so many has a project between the mover and what it asks for."""
BEFORE_NEWEST = 2
"""The least number of versions: with fewer there would be none for the targets that the newest lacks."""
EXTRA = "fast"
WITH_EXTRA, ASKS_EXTRA, MARKED = 0.2, 0.5, 0.25
"""Shares: of libraries with an extra; of those asked for with it; of dependencies with a marker."""
MARKERS = (
    'python_version < "3.12"', 'python_version >= "3.13"', 'sys_platform == "win32"',
    'sys_platform != "win32"', 'sys_platform == "darwin"', 'platform_machine == "aarch64"',
    'sys_platform == "linux" and platform_machine == "x86_64"',
    'python_version >= "3.11" and sys_platform == "linux"',
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Project:
    """A project of so many versions; each has wheels of ``kind`` and a source archive."""

    name: str
    versions: int
    kind: str = "pure"
    """``pure``, ``abi3`` or ``compiled``."""
    lacks: str = ""
    """What the newest version has none of: ``wheels``, ``musl``, ``windows``, ``old Python``; or nothing."""
    extra: bool = False
    asks: tuple[tuple[str, ...], ...] = ()
    """What each version depends on, oldest first; without any, nothing."""

    def version(self, number: int) -> str:
        """The version with the major number ``number``."""
        return f"{number}.{(len(self.name) + 3 * number) % 7}.{number % 3}"


def requirements(names: Iterable[str]) -> list[str]:
    """The lines of the requirements file: the roots, some with their extra or a bound."""
    roots = [name for name in names if name.startswith("root-")]
    forms = ("", "", f"[{EXTRA}]", ">=1", "", "!=1.0", ">=1,<90")
    return [f"{name}{forms[i % len(forms)]}" for i, name in enumerate(roots)]


def options() -> tuple[str, ...]:
    """What pip's options for a target look like when a tool takes all of them at once."""
    pythons = (word for python in PYTHONS for word in ("--python-version", python))
    return (*pythons, *(word for platform in PLATFORMS for word in ("--platform", platform)))


def planned(scale: float, first: int = 0) -> Iterator[Planned]:
    """The files of the corpus, project by project, oldest version first."""
    for project in projects(scale, first):
        for number in range(1, project.versions + 1):
            yield from _files(project, number)


def projects(scale: float, first: int = 0) -> list[Project]:
    """Roots, the libraries that they depend on, and the traps that some of them run into.

    Names decide everything: with other numbers, from ``first`` on, it is another corpus.
    """
    roots, libraries, traps = (max(SMALLEST, round(count * scale)) for count in (ROOTS, LIBRARIES, TRAPS))
    shelf = [_bare(f"lib-{first + i:05}") for i in range(libraries)]
    found = [_library(one, shelf[i + 1 :]) for i, one in enumerate(shelf)]
    for i in range(roots):
        root = _bare(f"root-{first + i:05}", extra=True)
        # A root may have to do with a trap; every trap is some root's.
        trapped = [
            f"{name}>=1" for k in range(i, traps, roots) for name in (_trap(k, "mover"), _trap(k, "cap"))
        ]
        found.append(_library(root, shelf, trapped, most=4))
    return found + [project for k in range(traps) for project in _trapped(k)]


def _bare(name: str, *, extra: bool | None = None) -> Project:
    """A project without dependencies; its name decides everything."""
    chance = random.Random(name)
    kind = chance.choices(("pure", "abi3", "compiled"), (82, 8, 10))[0]
    lacks = chance.choices(("", "wheels", "musl", "windows", "old Python"), (80, 3, 4, 3, 10))[0]
    if kind == "pure" and lacks in {"musl", "windows"}:
        lacks = ""
    versions = chance.choice((2, 2, 3) if kind == "compiled" else (2, 3, 3, 4, 5))
    return Project(name, versions, kind, lacks, chance.random() < WITH_EXTRA if extra is None else extra)


def _library(bare: Project, shelf: Sequence[Project], more: Sequence[str] = (), *, most: int = 2) -> Project:
    """The project with dependencies on projects of the shelf, on the first ones more often."""
    chance = random.Random(f"{bare.name} asks")
    count = min(len(shelf), chance.randint(0, most), chance.randint(0, most))
    chosen = {shelf[int(len(shelf) * chance.random() ** 3)].name for _ in range(count)}
    asked = [_ask(one, chance) for one in shelf if one.name in chosen]
    if bare.extra and shelf:
        asked.append(f'{_ask(chance.choice(shelf), chance, marked=False)}; extra == "{EXTRA}"')
    # The oldest version asks for less, as the oldest ones do, but not without a bound that the others have:
    # it would be another way out for a resolver that came upon the bound late.
    oldest = asked[:-1] if asked and not _bounded(asked[-1]) else asked
    asks = ((*oldest, *more), *[(*asked, *more)] * (bare.versions - 1))
    return Project(bare.name, bare.versions, bare.kind, bare.lacks, bare.extra, asks)


def _ask(one: Project, chance: random.Random, *, marked: bool = True) -> str:
    """A requirement that the newest version meets, or the one before it."""
    bounds = ["", "", ">=1", ">=1.0,!=1.99"]
    # Not where somebody may ask for the extra: pip ties a project with an extra to one without it by an exact
    # version, so that a bound which comes later is a conflict, and it goes back for minutes.
    if one.versions > BEFORE_NEWEST and not one.extra:
        bounds += [">=2", "~=2.0" if one.versions == BEFORE_NEWEST + 1 else ">=2.0", f"<{one.versions}"]
    extra = f"[{EXTRA}]" if one.extra and chance.random() < ASKS_EXTRA else ""
    line = f"{one.name}{extra}{chance.choice(bounds)}"
    return f"{line}; {chance.choice(MARKERS)}" if marked and chance.random() < MARKED else line


def _bounded(line: str) -> bool:
    """Whether the requirement keeps newer versions out."""
    specifier = line.partition(";")[0]
    return "<" in specifier or "~=" in specifier


def closed(number: int, platform: str) -> bool:
    """Whether a trap makes its mover give way on a platform; on "", whether it does so everywhere."""
    return number % 2 == 0 or platform.startswith("win")


def _trap(number: int, role: str) -> str:
    return f"trap-{number:03}-{role}"


def _trapped(number: int) -> list[Project]:
    """The mover's two newest versions ask for a base that cannot be had: its second is the answer.

    What forbids the base is the cap; or, every other time, that there are no wheels for some targets.
    """
    base, middle = _trap(number, "base"), _trap(number, "middle")
    capped = closed(number, "")
    new, old = ((f"{base}>=3",), (f"{base}>=1",))
    cap = Project(_trap(number, "cap"), 3, asks=((f"{base}<3" if capped else f"{base}>=1",),) * 3)
    below = Project(base, 3, "compiled" if not capped else "pure", lacks="" if capped else "windows")
    if number % DEEP:
        return [Project(_trap(number, "mover"), 4, asks=(old, old, new, new)), cap, below]
    mover = ((f"{middle}<3",),) * 2 + ((f"{middle}>=3",),) * 2
    return [
        Project(_trap(number, "mover"), 4, asks=mover),
        cap,
        Project(middle, 4, asks=(old, old, new, new)),
        below,
    ]


def _files(project: Project, number: int) -> Iterator[Planned]:
    """The wheels of a version and its source archive."""
    version = project.version(number)
    lacks = project.lacks if number == project.versions else ""
    about = About(
        requires_python=">=3.11" if lacks == "old Python" else ">=3.9",
        requires_dist=project.asks[number - 1] if project.asks else (),
        extras=(EXTRA,) if project.extra else (),
        described=False,
    )
    stem = f"{project.name.replace('-', '_')}-{version}"
    for tag in _tags(project.kind, lacks):
        yield Planned(project.name, version, f"{stem}-{tag}.whl", 1, about)
    yield Planned(project.name, version, f"{stem}.tar.gz", 1, about)


def _tags(kind: str, lacks: str) -> list[str]:
    """The tags of a version's wheels."""
    if lacks == "wheels":
        return []
    if kind == "pure":
        return ["py3-none-any"]
    left_out = {"musl": "musllinux", "windows": "win_"}.get(lacks, "none")
    platforms = [platform for platform in PLATFORMS if not platform.startswith(left_out)]
    if kind == "abi3":
        return [f"cp310-abi3-{platform}" for platform in platforms]
    pythons = [python.replace(".", "") for python in PYTHONS if lacks != "old Python" or python != "3.10"]
    return [f"cp{python}-cp{python}-{platform}" for python in pythons for platform in platforms]
