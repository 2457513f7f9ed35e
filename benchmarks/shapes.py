"""What the corpora are made of: projects, versions, sizes.  Values only; nothing is written."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from benchmarks.archives import PLAIN, About

if TYPE_CHECKING:
    from collections.abc import Iterator

KB, MB, GB = 10**3, 10**6, 10**9
SDIST_LIMIT = 1100 * KB
"""Larger files are wheels: compressing filler takes far longer than storing it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """A log-normal spread of file sizes, cut off at ``largest``; scaled to ``mean`` where that is given."""

    median: int
    sigma: float
    largest: int
    mean: int | None = None

    def take(self, count: int, seed: str) -> list[int]:
        """``count`` sizes in bytes: the quantiles themselves, shuffled; every seed has the same sum."""
        # Without a spread there are no quantiles; the least one will do.
        normal = NormalDist(math.log(self.median), self.sigma or 1e-12)
        exact = [math.exp(normal.inv_cdf((i + 0.5) / count)) for i in range(count)]
        factor = self._factor(exact)
        sizes = [int(min(self.largest, size * factor)) for size in exact]
        random.Random(seed).shuffle(sizes)
        return sizes

    def _factor(self, exact: list[float]) -> float:
        """What to multiply by so that the mean comes out in spite of the cut, found by halving."""
        if self.mean is None:
            return 1.0
        low, high = 0.0, 1000.0
        for _ in range(60):
            middle = (low + high) / 2
            total = sum(min(self.largest, size * middle) for size in exact)
            low, high = (middle, high) if total < self.mean * len(exact) else (low, middle)
        return low


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of corpus; ``projects`` and ``long_pages`` are multiplied by the scale."""

    projects: int
    files: tuple[int, ...]
    """Files per project, taken in turns."""
    sizes: Sizes
    long_pages: int = 0
    """How many of the projects list ``LONG`` further, older files that are not on disk."""
    sdists: bool = True


LONG = 3000
PLATFORMS = ("manylinux_2_28_x86_64", "macosx_11_0_arm64")

SHAPES = {
    "small": Shape(300, (8,), Sizes(25 * KB, 1.0, 1 * MB)),
    "mixed": Shape(100, (10,), Sizes(100 * KB, 2.3, 100 * MB, mean=1500 * KB)),
    "pages": Shape(5000, (1, 2, 3), Sizes(4 * KB, 0.5, 64 * KB), long_pages=60),
    "huge": Shape(1, (1,), Sizes(2 * GB, 0.0, 2 * GB), sdists=False),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A file to write, or (``size`` 0) only to list."""

    project: str
    version: str
    filename: str
    size: int
    about: About = PLAIN


def planned(name: str, scale: float) -> Iterator[Planned]:
    """The files of a corpus, project by project, oldest version first."""
    shape = SHAPES[name]
    # The one file of `huge` is what scales, not the number of projects.
    projects = max(1, round(shape.projects * scale))
    counts = [shape.files[i % len(shape.files)] for i in range(projects)]
    sizes = iter(shape.sizes.take(sum(counts), name))
    every = projects // max(1, min(projects, round(shape.long_pages * scale))) if shape.long_pages else 0
    for i, count in enumerate(counts):
        project = f"{name}-{i:05}"
        if every and i % every == 0 and i // every < max(1, round(shape.long_pages * scale)):
            yield from _unwritten(project)
        for k, size in enumerate(sizes_of(sizes, count)):
            yield _file(shape, project, k, size if name != "huge" else max(MB, int(size * min(1, scale))))


def sizes_of(sizes: Iterator[int], count: int) -> list[int]:
    """The next sizes, larger ones last: projects grow."""
    return sorted(next(sizes) for _ in range(count))


def _file(shape: Shape, project: str, k: int, size: int) -> Planned:
    """Two files a version, the wheel that every pip takes first and its source archive or a second wheel."""
    version = f"{1 + k // 20}.{k // 2 % 10}.0"
    stem = f"{project.replace('-', '_')}-{version}"
    if k % 2 == 0:
        return Planned(project, version, f"{stem}-py3-none-any.whl", size)
    if shape.sdists and size < SDIST_LIMIT:
        return Planned(project, version, f"{stem}.tar.gz", size)
    return Planned(project, version, f"{stem}-py2-none-any.whl", size)


def _unwritten(project: str) -> Iterator[Planned]:
    """A long history: ten files a version, as projects with compiled wheels have."""
    stem = project.replace("-", "_")
    for k in range(LONG):
        version = f"0.{k // 100}.{k // 10 % 10}"
        python, platform = f"cp3{8 + k % 5}", PLATFORMS[k // 5 % 2]
        tag = f"{python}-{python}-{platform}"
        yield Planned(project, version, f"{stem}-{version}-{tag}.whl", 0)
