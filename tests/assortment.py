"""Forty projects that depend on each other: markers, extras, traps, and wheels for some machines only.

For every target there is one best answer, whatever order a resolver looks at things in: where two projects
exclude each other, only one of them has an older version that asks for less.  So what a client takes from a
mirror of them can be compared with what it takes from the index itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags

from builders import make_sdist, make_wheel, module_name
from clients import ready_sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upstream import Upstream

ROOTS = ("webshop", "reporter>=1", "notebook[all]", "tools-suite")
"""What wheels can be had of on every target."""
SOURCE = "static-src"
"""A source archive and no wheel; its metadata is all there without a build."""
BUILT = "built-src"
"""The same, and what its build needs has dependencies."""
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = tuple(dict.fromkeys([HERE, "3.12", "3.13"]))
LINUX, ARM, MUSL = "manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "musllinux_1_2_x86_64"
MACOS, WINDOWS = "macosx_11_0_arm64", "win_amd64"
PLATFORMS = (LINUX, ARM, MUSL, MACOS, WINDOWS)
NEWEST_FITTING = next(tag for tag in sys_tags() if not tag.platform.startswith("linux_"))
"""The best tag of this machine: on all others, and where ``PLATFORMS`` has it not, one wheel more."""


@dataclass(frozen=True)
class Release:
    """A version of a project; ``tags`` are those of its wheels."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("py3-none-any",)
    python: str | None = None
    extras: tuple[str, ...] = ()
    yanked: bool = False
    builds: tuple[str, ...] = ("",)
    sdist: bool = True
    announced: bool = True


def pure(name: str, version: str, *requires: str) -> Release:
    """For every machine."""
    return Release(name, version, requires)


def compiled(
    name: str,
    version: str,
    *requires: str,
    platforms: Iterable[str] = PLATFORMS,
    python: str = ">=3.8",
    sdist: bool = True,
) -> Release:
    """A wheel for each Python on each platform, and one for just this machine if it is for all."""
    admitted = SpecifierSet(python)
    found = [p.replace(".", "") for p in PYTHONS if admitted.contains(f"{p}.0")]
    tags = [f"cp{p}-cp{p}-{platform}" for p in found for platform in platforms]
    if platforms == PLATFORMS and admitted.contains(f"{HERE}.0"):
        tags.append(str(NEWEST_FITTING))
    return Release(name, version, requires, tuple(dict.fromkeys(tags)), python, sdist=sdist)


def stable(name: str, version: str, *requires: str) -> Release:
    """One wheel for all Pythons on each platform."""
    return Release(name, version, requires, tuple(f"cp39-abi3-{platform}" for platform in PLATFORMS))


RELEASES = (
    # What the platform decides, in markers and by what wheels there are.
    pure("webshop", "2.0", "framework>=3"),
    pure(
        "webshop", "3.0", "framework>=4", "templates", "sessions[redis]",
        'winservice; sys_platform == "win32"', 'workers; sys_platform != "win32"',
    ),
    Release("winservice", "306", tags=tuple(f"cp{p.replace('.', '')}-none-win_amd64" for p in PYTHONS),
            sdist=False),
    pure("workers", "1.0", 'greenthreads>=1; platform_python_implementation == "CPython"'),
    compiled("greenthreads", "1.0"),
    compiled("greenthreads", "2.0"),
    *(
        pure("framework", version, "markup>=2", "codec<2", 'asyncshim; python_version < "3.13"')
        for version in ("3.9", "4.0", "4.2")
    ),
    pure("asyncshim", "3.0"),
    pure("templates", "1.0", "markup"),
    pure("templates", "2.0", "Markup>=2,!=2.2"),
    *(compiled("markup", version) for version in ("1.9", "2.0", "2.1", "2.2")),
    # Extras: with a marker, of themselves, and not asked for.
    pure("sessions", "1.0"),
    Release("sessions", "1.1", (
        'redis-client>=5; extra == "redis"', 'fastredis; extra == "redis" and platform_machine == "x86_64"',
        'never-asked-for; extra == "other"',
    ), extras=("redis", "other")),
    pure("redis-client", "4.0"),
    pure("redis-client", "5.0"),
    compiled("fastredis", "1.0", platforms=(LINUX, MUSL)),
    Release("notebook", "7.0", (
        "numeric>=1.20", 'notebook[plots,grid]; extra == "all"', 'render; extra == "plots"',
        'tables>=2; extra == "grid"', 'macfiles; sys_platform == "darwin"',
        'armtuned; platform_machine == "aarch64"',
    ), extras=("all", "plots", "grid")),
    compiled("macfiles", "1.0", platforms=(MACOS,), sdist=False),
    compiled("armtuned", "1.0", platforms=(ARM,), sdist=False),
    stable("tables", "2.0", "crypto>=40"),
    stable("crypto", "40.0", "ffi"),
    stable("crypto", "41.0", 'ffi>=1.12; implementation_name != "pypy"'),
    compiled("ffi", "1.11"),
    compiled("ffi", "1.16"),
    # Newer versions for newer Pythons.
    compiled("numeric", "1.26"),
    compiled("numeric", "2.1", python=">=3.12"),
    compiled("numeric", "2.2", python=">=3.13"),
    Release("newpy", "1.0", ('tomlback>=2; python_version < "3.13"',), python=">=3.8"),
    Release("newpy", "2.0", python=">=3.13"),
    pure("tomlback", "1.0"),
    pure("tomlback", "2.0"),
    # Traps.  codec 2 is out because of framework; gpu 2 is there for few platforms.
    *(pure("codec", version) for version in ("1.0", "1.5", "2.0")),
    *(pure("reporter", version, "codec>=1", "charts") for version in ("1.0", "1.1")),
    pure("reporter", "2.0", "codec>=2", "charts"),
    pure("charts", "1.0", "axes>=1"),
    pure("charts", "2.0", "axes>=2"),
    pure("axes", "1.0", "codec"),
    pure("axes", "2.0", "codec>=2"),
    pure("render", "1.0", "gpu>=1"),
    pure("render", "2.0", "gpu>=2"),
    compiled("gpu", "1.0"),
    compiled("gpu", "2.0", platforms=(LINUX, WINDOWS), sdist=False),
    # Versions and names.
    pure(
        "tools-suite", "1.0", "ring-a", "flaky>=1", "edge", "betaonly", "newpy", "foo-bar-baz", "patched",
        "epoch>=1", "post==1.0.*", "chain-1", "ring-b~=1.0",
    ),
    pure("ring-a", "1.0", "ring-b"),
    pure("ring-b", "1.3", "ring-a>=1"),
    pure("ring-b", "2.0", "ring-a>=1"),
    pure("flaky", "1.0"),
    Release("flaky", "2.0", ("never-asked-for",), yanked=True),
    pure("edge", "2.0"),
    pure("edge", "3.0rc1", "never-asked-for"),
    pure("betaonly", "1.0a1"),
    pure("betaonly", "1.0b2"),
    Release("Foo.Bar_baz", "1.5", ("chain-2",), announced=False),
    Release("patched", "1.0", builds=("", "-1", "-2")),
    pure("epoch", "2.0"),
    pure("epoch", "1!1.0"),
    pure("post", "1.0"),
    pure("post", "1.0.post1"),
    pure("post", "1.1"),
    *(pure(f"chain-{n}", "1.0", f"chain-{n + 1}") for n in range(1, 4)),
    pure("chain-4", "1.0"),
    pure("never-asked-for", "1.0"),
    pure("build-helper", "1.0", "chain-3"),
)  # fmt: skip


def stock(upstream: Upstream, *, announced: bool = False) -> None:
    """Put all of them on the shelf; with ``announced`` there is a metadata sibling for every wheel."""
    for release in RELEASES:
        _offer(upstream, replace(release, announced=announced or release.announced))
    content = ready_sdist(SOURCE, "1.0", requires=("ring-a", 'winservice; sys_platform == "win32"'))
    upstream.add_file(SOURCE, "static_src-1.0.tar.gz", content=content)
    content = ready_sdist(BUILT, "1.0", builds_with=("build-helper",))
    upstream.add_file(BUILT, "built_src-1.0.tar.gz", content=content)


def _offer(upstream: Upstream, release: Release) -> None:
    for filename, content in _files(release):
        upstream.add_file(
            release.name,
            filename,
            content=content,
            version=release.version,
            requires_python=release.python,
            yanked=release.yanked,
            core_metadata=release.announced and filename.endswith(".whl"),
        )


def _files(release: Release) -> Iterator[tuple[str, bytes]]:
    stem = f"{module_name(release.name)}-{release.version}"
    more = "".join(f"Provides-Extra: {extra}\n" for extra in release.extras)
    for tag in release.tags:
        for build in release.builds:
            yield (
                f"{stem}{build}-{tag}.whl",
                make_wheel(
                    release.name,
                    release.version,
                    requires=release.requires,
                    requires_python=release.python,
                    tag=tag,
                    metadata_extra=more,
                ),
            )
    if release.sdist:
        yield (
            f"{stem}.tar.gz",
            make_sdist(
                release.name,
                release.version,
                requires=release.requires,
                requires_python=release.python,
                metadata_extra=more,
            ),
        )
