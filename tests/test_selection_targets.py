"""Which files of a version the machines need that will install it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aiomirror.requirements.values import Wanted
from aiomirror.selection import LeftOut, Policy, Selection, select
from aiomirror.simple.values import ProjectFile, ProjectPage
from aiomirror.targets import parse_targets

FOO = canonicalize_name("foo")
SDIST = "foo-1.0.tar.gz"
PURE = "foo-1.0-py3-none-any.whl"
LINUX = "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
NEWER_LINUX = "foo-1.0-cp312-cp312-manylinux_2_24_x86_64.whl"
REBUILT = "foo-1.0-2-cp312-cp312-manylinux_2_24_x86_64.whl"
BUILT_ANEW = "foo-1.0-2b-cp312-cp312-manylinux_2_24_x86_64.whl"
ABI3 = "foo-1.0-cp38-abi3-manylinux_2_17_x86_64.whl"
WINDOWS = "foo-1.0-cp312-cp312-win_amd64.whl"
MACOS = "foo-1.0-cp312-cp312-macosx_11_0_arm64.whl"
EGG = "foo-1.0-py3.12.egg"
LINUX_AND_WINDOWS = parse_targets(["3.12"], ["linux", "windows"])
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def chosen(
    *files: str | ProjectFile, policy: Policy, targets: tuple[str, ...] = (), version: str = ""
) -> Selection:
    page = ProjectPage(
        project=FOO,
        files=tuple(
            file if isinstance(file, ProjectFile) else ProjectFile(filename=file, url="", hashes={})
            for file in files
        ),
    )
    want = Wanted(FOO, SpecifierSet(version), text="foo", targets=targets)
    return select(page, [want], policy)


def names(selection: Selection) -> set[str]:
    return {one.file.filename for one in selection.chosen}


def test_without_targets_every_file_is_taken() -> None:
    files = [SDIST, PURE, LINUX, WINDOWS, MACOS]
    assert names(chosen(*files, policy=Policy())) == set(files)


def test_wheels_that_fit_no_target_are_left_out() -> None:
    found = chosen(SDIST, LINUX, ABI3, WINDOWS, MACOS, policy=Policy(targets=LINUX_AND_WINDOWS))
    assert names(found) == {LINUX, ABI3, WINDOWS}
    assert found.left_out == {MACOS: LeftOut.OTHER_TARGET, SDIST: LeftOut.SPARE_SOURCE}


def test_a_source_archive_comes_along_where_a_target_has_no_wheel() -> None:
    assert names(chosen(SDIST, LINUX, policy=Policy(targets=LINUX_AND_WINDOWS))) == {SDIST, LINUX}


def test_or_when_asked_for() -> None:
    policy = Policy(targets=LINUX_AND_WINDOWS, sdists=True)
    assert names(chosen(SDIST, LINUX, WINDOWS, policy=policy)) == {SDIST, LINUX, WINDOWS}


@pytest.mark.parametrize(
    ("files", "best"),
    [
        ([LINUX, NEWER_LINUX, ABI3, PURE], NEWER_LINUX),
        ([REBUILT, NEWER_LINUX], REBUILT),
        ([REBUILT, BUILT_ANEW.replace("b-", "a-"), BUILT_ANEW], BUILT_ANEW),
        ([LINUX, ABI3, PURE], LINUX),
        ([ABI3, PURE], ABI3),
        ([PURE, WINDOWS, SDIST], PURE),
        ([WINDOWS, SDIST], SDIST),
    ],
)
def test_the_best_wheel_alone(files: list[str], best: str) -> None:
    policy = Policy(targets=parse_targets(["3.12"], ["linux"]), best_wheel=True)
    for order in (files, files[::-1]):
        assert names(chosen(*order, policy=policy)) == {best}


def test_a_want_for_some_of_the_targets() -> None:
    policy = Policy(targets=LINUX_AND_WINDOWS)
    found = chosen(SDIST, LINUX, WINDOWS, policy=policy, targets=(LINUX_AND_WINDOWS[1].name,))
    assert names(found) == {WINDOWS}


def test_requires_python_is_asked_of_each_target() -> None:
    new = ProjectFile(filename=PURE, url="", hashes={}, requires_python=">=3.13")
    policy = Policy(targets=parse_targets(["3.12", "3.13"], ["linux"]))
    assert names(chosen(new, SDIST, policy=policy)) == {PURE, SDIST}
    odd = ProjectFile(filename=PURE, url="", hashes={}, requires_python="three")
    assert names(chosen(odd, SDIST, policy=policy)) == {PURE}


def test_what_no_installer_takes_fits_nothing() -> None:
    policy = Policy(targets=LINUX_AND_WINDOWS, legacy_formats=True)
    hostile = f"foo-1.0-{'.'.join(['py3'] * 99)}-{'.'.join(['none'] * 99)}-any.whl"
    assert names(chosen(PURE, hostile, EGG, policy=policy)) == {PURE}


def test_a_version_without_a_file_for_any_target_is_named() -> None:
    found = chosen(MACOS, policy=Policy(targets=LINUX_AND_WINDOWS))
    assert not found.chosen
    (error,) = found.unsatisfied
    assert "fits none of the targets" in str(error)


@pytest.mark.parametrize(
    ("uploaded", "reason"),
    [
        (datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), None),
        (NOW, LeftOut.TOO_NEW),
        (None, LeftOut.UNDATED),
    ],
)
def test_what_is_too_new_is_as_good_as_not_there(uploaded: datetime | None, reason: LeftOut | None) -> None:
    old = ProjectFile(
        filename="foo-0.9.tar.gz", url="", hashes={}, upload_time=datetime(2020, 1, 1, tzinfo=UTC)
    )
    new = ProjectFile(filename=SDIST, url="", hashes={}, upload_time=uploaded)
    found = chosen(old, new, policy=Policy(exclude_newer=NOW))
    assert names(found) == {old.filename if reason else SDIST}
    assert found.left_out.get(SDIST) == reason
