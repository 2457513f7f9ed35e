from __future__ import annotations

import sys

import pytest
from msgspec.structs import replace
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, parse_tag, sys_tags
from packaging.utils import parse_wheel_filename

from aiomirror.targets import Target, TargetError, current_target, default_matrix, parse_targets

MARKER_VARIABLES = set(default_environment())


def names(targets: tuple[Target, ...]) -> list[str]:
    return [target.name for target in targets]


@pytest.fixture
def here() -> Target:
    environment = {name: str(value) for name, value in default_environment().items()}
    return current_target(environment, list(sys_tags()))


def test_the_default_matrix() -> None:
    assert names(default_matrix()) == [
        f"{python}-{platform}"
        for python in ("cp311", "cp312", "cp313", "cp314", "cp315")
        for platform in (
            "manylinux_2_28_x86_64",
            "manylinux_2_28_aarch64",
            "macosx_13_0_arm64",
            "win_amd64",
        )
    ]


def test_an_empty_side_is_the_default() -> None:
    assert parse_targets([], []) == default_matrix()
    assert names(parse_targets(["3.9"], [])) == [f"cp39-{target.platform}" for target in default_matrix()[:4]]
    assert names(parse_targets([], ["win32"])) == [f"cp3{minor}-win32" for minor in range(11, 16)]


def test_the_product_keeps_the_order_and_drops_doubles() -> None:
    targets = parse_targets(["3.13", "cp312", "3.13.0"], ["windows", "linux", "win_amd64"])
    assert names(targets) == [
        "cp313-win_amd64",
        "cp313-manylinux_2_28_x86_64",
        "cp312-win_amd64",
        "cp312-manylinux_2_28_x86_64",
    ]


@pytest.mark.parametrize(
    ("platform", "values"),
    [
        ("linux", ("posix", "x86_64", "Linux", "linux")),
        ("linux_i686", ("posix", "i686", "Linux", "linux")),
        ("aarch64-unknown-linux-musl", ("posix", "aarch64", "Linux", "linux")),
        ("macos", ("posix", "arm64", "Darwin", "darwin")),
        ("x86_64-apple-darwin", ("posix", "x86_64", "Darwin", "darwin")),
        ("windows", ("nt", "AMD64", "Windows", "win32")),
        ("win_arm64", ("nt", "ARM64", "Windows", "win32")),
        ("win32", ("nt", "x86", "Windows", "win32")),
    ],
)
def test_the_marker_variables_of_a_platform(platform: str, values: tuple[str, ...]) -> None:
    (target,) = parse_targets(["3.12.4"], [platform])
    environment = dict(target.environment)
    asked = ("os_name", "platform_machine", "platform_system", "sys_platform")
    assert tuple(environment[name] for name in asked) == values
    assert environment["platform_release"] == environment["platform_version"] == ""
    assert environment["python_full_version"] == environment["implementation_version"] == "3.12.4"
    assert environment["python_version"] == "3.12"
    assert environment["implementation_name"] == "cpython"
    assert environment["platform_python_implementation"] == "CPython"
    assert environment.keys() == MARKER_VARIABLES


def test_the_marker_variables_of_pypy() -> None:
    (target,) = parse_targets(["pypy3.10"], ["linux"])
    assert target.environment["implementation_name"] == "pypy"
    assert target.environment["platform_python_implementation"] == "PyPy"
    assert target.environment.keys() == MARKER_VARIABLES


def test_a_wheel_ranks_by_its_best_tag() -> None:
    (target,) = parse_targets(["3.12"], ["linux"])
    several = parse_tag("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.win_amd64")
    assert target.rank(several) == target.rank([Tag("cp312", "cp312", "manylinux_2_17_x86_64")])
    assert target.rank([Tag("cp312", "cp312", "manylinux_2_31_x86_64")]) is None
    assert target.rank([]) is None


def test_installers_preferences() -> None:
    (target,) = parse_targets(["3.12"], ["linux"])
    wheels = [
        "p-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "p-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "p-1-cp312-cp312-manylinux1_x86_64.whl",
        "p-1-cp312-abi3-manylinux2014_x86_64.whl",
        "p-1-cp38-abi3-manylinux2014_x86_64.whl",
        "p-1-py3-none-manylinux2014_x86_64.whl",
        "p-1-py3-none-any.whl",
    ]
    ranks = [target.rank(parse_wheel_filename(wheel)[3]) for wheel in wheels]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda rank: -1 if rank is None else rank)
    unfit = [
        "cp313-abi3-manylinux2014_x86_64",
        "cp312-cp312t-linux_x86_64",
        "cp312-cp312-musllinux_1_2_x86_64",
    ]
    assert [target.rank(parse_tag(tags)) for tags in unfit] == [None, None, None]


@pytest.mark.parametrize(
    ("python", "requires", "admitted"),
    [
        ("3.12", ">=3.12", True),
        ("3.12", ">=3.12.1", False),
        ("3.12.4", ">=3.12.1,<4", True),
        ("3.12", "!=3.12.*", False),
        ("3.15.0rc1", ">=3.14", True),
        ("3.15.0rc1", ">=3.15", False),
        ("3.12", "", True),
    ],
)
def test_requires_python(python: str, requires: str, admitted: bool) -> None:  # noqa: FBT001 (a table)
    (target,) = parse_targets([python], ["linux"])
    assert target.admits_python(SpecifierSet(requires)) is admitted


def test_a_target_can_be_renamed_and_put_in_a_set() -> None:
    (target,) = parse_targets(["3.12"], ["linux"])
    renamed = replace(target, name="build farm")
    assert renamed.rank(target.tags) == 0
    assert len({target, renamed, *parse_targets(["cp312"], ["linux"])}) == 2


def test_the_environment_cannot_be_changed_from_outside() -> None:
    environment = {name: str(value) for name, value in default_environment().items()}
    target = current_target(environment, list(sys_tags()))
    environment["sys_platform"] = "changed"
    assert target.environment["sys_platform"] == sys.platform


def test_current_is_what_was_handed_in(here: Target) -> None:
    assert parse_targets(["current"], ["Current"], current=here) == (here,)
    assert here.name == "current"
    assert here.environment == default_environment()
    assert here.tags == tuple(sys_tags())
    assert here.python_version == sys.version_info[:2]


def test_current_on_one_side(here: Target) -> None:
    python, platform = parse_targets(["current"], ["windows"], current=here) + parse_targets(
        ["3.9"], ["current"], current=here
    )
    assert python.python_full_version == here.python_full_version
    assert python.environment["sys_platform"] == "win32"
    assert platform.name == "cp39-current"
    assert platform.platform == here.platform
    assert platform.environment["platform_release"] == here.environment["platform_release"]
    assert {tag.platform for tag in platform.tags} == {tag.platform for tag in here.tags}


def test_the_current_python_by_another_name_is_no_double(here: Target) -> None:
    (python,) = parse_targets(["current"], ["win32"], current=here)
    by_name = python.name.split("-", 1)[0]
    assert parse_targets(["current", by_name], ["current"], current=here) == (here,)


def test_current_stands_for_nothing_unless_handed_in() -> None:
    with pytest.raises(TargetError, match=r"'current' stands for nothing here\n'CURRENT' stands"):
        parse_targets(["current"], ["CURRENT"])


@pytest.mark.parametrize(
    ("full_version", "abi", "name"),
    [
        ("3.15.0a3+", "cp315", "cp3.15.0a3-win32"),
        ("3.14.0", "cp314t", "cp314t-win32"),
        ("3.14.2", "cp314td", "cp3.14.2t-win32"),
        ("3.14.2", "cp314d", "cp3.14.2-win32"),
        ("3.7.16", "cp37m", "cp3.7.16-win32"),
    ],
)
def test_builds_that_are_not_plain(full_version: str, abi: str, name: str) -> None:
    short = ".".join(full_version.split(".")[:2])
    (made,) = parse_targets([short], ["linux_x86_64"])
    versions = {"python_full_version": full_version, "implementation_version": full_version}
    here = current_target({**made.environment, **versions}, [Tag("cp3", abi, "linux_x86_64")])
    assert here.admits_python(SpecifierSet(">=3.7"))
    assert here.platform == "linux_x86_64"
    assert names(parse_targets(["current"], ["win32"], current=here)) == [name]


def test_another_implementation_can_be_current_but_not_travel() -> None:
    (made,) = parse_targets(["3.12"], ["linux"])
    here = current_target({**made.environment, "implementation_name": "graalpy"}, made.tags)
    assert here.implementation == "graalpy"
    with pytest.raises(TargetError, match=r"'graalpy3.12.0' is no Python"):
        parse_targets(["current"], ["windows"], current=here)
