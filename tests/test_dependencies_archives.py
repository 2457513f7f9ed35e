"""Which source archives a run is going to mirror, and which targets would build them."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aiomirror.dependencies.archives import archives
from aiomirror.requirements.values import FormatControl, Wanted
from aiomirror.selection import Policy
from aiomirror.simple.values import ProjectFile, ProjectPage
from aiomirror.targets import parse_targets

FOO = canonicalize_name("foo")
TARGETS = parse_targets(["3.12", "3.13"], ["linux", "windows"])
OLD_LINUX, OLD_WINDOWS, NEW_LINUX, NEW_WINDOWS = ALL = tuple(one.name for one in TARGETS)
NAMED = Policy(targets=TARGETS)
LINUX_WHEEL = "foo-1.0-py3-none-manylinux_2_17_x86_64.whl"


def page(*files: str, python: str | None = None) -> ProjectPage:
    return ProjectPage(
        project=FOO,
        files=tuple(
            ProjectFile(filename=name, url=name, hashes={}, requires_python=python) for name in files
        ),
    )


def want(version: str = "1.0", *targets: str) -> Wanted:
    return Wanted(FOO, SpecifierSet(f"==={version}"), text=f"{version} {targets}", targets=targets)


def found(of: ProjectPage, *wants: Wanted, policy: Policy = NAMED) -> dict[str, tuple[str, ...]]:
    return {
        one.file.filename: one.targets for one in archives(of, wants or (want("1.0", *ALL),), policy, TARGETS)
    }


def test_where_there_is_no_wheel_every_target_builds() -> None:
    assert found(page("foo-1.0.tar.gz", "foo-1.0.zip")) == {"foo-1.0.tar.gz": ALL, "foo-1.0.zip": ALL}


def test_targets_with_a_wheel_do_not() -> None:
    assert found(page("foo-1.0.tar.gz", LINUX_WHEEL)) == {"foo-1.0.tar.gz": (OLD_WINDOWS, NEW_WINDOWS)}
    assert found(page("foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl")) == {}


def test_a_spare_archive_is_for_all() -> None:
    policy = Policy(targets=TARGETS, sdists=True)
    assert found(page("foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"), policy=policy) == {"foo-1.0.tar.gz": ALL}


def test_each_version_is_built_where_it_is_wanted() -> None:
    both = page("foo-1.0.tar.gz", "foo-2.0.tar.gz")
    wants = want("1.0", OLD_LINUX), want("1.0", OLD_WINDOWS), want("2.0", NEW_LINUX)
    assert found(both, *wants) == {"foo-1.0.tar.gz": (OLD_LINUX, OLD_WINDOWS), "foo-2.0.tar.gz": (NEW_LINUX,)}


def test_only_a_python_that_is_admitted_builds() -> None:
    assert found(page("foo-1.0.tar.gz", python=">=3.13")) == {"foo-1.0.tar.gz": (NEW_LINUX, NEW_WINDOWS)}
    assert found(page("foo-1.0.tar.gz", python=">=4")) == {}


def test_for_the_default_targets_anybody_may_build() -> None:
    files = page("foo-1.0.tar.gz", LINUX_WHEEL, "foo-1.0-py3-none-any.whl", python=">=3.13")
    assert found(files, want(), policy=Policy()) == {"foo-1.0.tar.gz": (NEW_LINUX, NEW_WINDOWS)}


def test_what_is_not_chosen_is_not_built() -> None:
    files = page("foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-1.0.exe")
    wheels = FormatControl(only_binary=frozenset({":all:"}))
    assert found(files, want(), policy=Policy(formats=wheels)) == {}
    assert found(files, want(), policy=Policy(legacy_formats=True)) == {"foo-1.0.tar.gz": ALL}
    assert found(files, want("2.0"), policy=Policy()) == {}
