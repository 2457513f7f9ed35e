from __future__ import annotations

import platform
from typing import NoReturn

import pytest
from packaging import tags as packaging_tags
from packaging.tags import compatible_tags, cpython_tags, generic_tags, parse_tag

from aiomirror.targets import default_matrix, parse_targets
from aiomirror.targets.platforms import parse_platform

FITS = (
    ("3.12", "linux", "cp312-cp312-manylinux_2_28_x86_64"),
    ("3.12", "linux", "cp312-cp312-manylinux1_x86_64"),
    ("3.12", "linux", "cp36-abi3-manylinux2010_x86_64"),
    ("3.12", "linux", "py2.py3-none-any"),
    ("3.12", "linux", "cp312-cp312-linux_x86_64"),
    ("3.12", "linux_x86_64", "cp312-cp312-linux_x86_64"),
    ("3.12", "manylinux2014_aarch64", "cp312-cp312-manylinux_2_17_aarch64"),
    ("3.12", "musllinux_1_2_x86_64", "cp312-cp312-musllinux_1_1_x86_64"),
    ("3.12", "macos", "cp312-cp312-macosx_13_0_arm64"),
    ("3.12", "macos", "cp312-cp312-macosx_11_0_arm64"),
    ("3.12", "macos", "cp312-cp312-macosx_10_9_universal2"),
    ("3.12", "x86_64-apple-darwin", "cp312-cp312-macosx_10_9_x86_64"),
    ("3.12", "x86_64-apple-darwin", "cp312-cp312-macosx_10_9_intel"),
    ("3.12", "win32", "cp312-cp312-win32"),
    ("3.7", "linux", "cp37-cp37m-manylinux1_x86_64"),
    ("3.13t", "linux", "cp313-cp313t-manylinux2014_x86_64"),
    ("pypy3.10", "linux", "pp310-pypy310_pp73-manylinux2014_x86_64"),
    ("pypy3.10", "linux", "pp3-none-any"),
    ("pypy3.10", "linux", "py3-none-manylinux2014_x86_64"),
)
DOES_NOT_FIT = (
    ("3.12", "linux", "cp311-cp311-manylinux_2_28_x86_64"),
    ("3.12", "linux", "cp313-abi3-manylinux_2_28_x86_64"),
    ("3.12", "linux", "cp312-cp312-manylinux_2_29_x86_64"),
    ("3.12", "linux", "cp312-cp312-manylinux_2_28_aarch64"),
    ("3.12", "linux", "cp312-cp312-musllinux_1_2_x86_64"),
    ("3.12", "linux", "py313-none-any"),
    ("3.12", "linux_x86_64", "cp312-cp312-manylinux1_x86_64"),
    ("3.12", "manylinux2014_aarch64", "cp312-cp312-manylinux1_aarch64"),
    ("3.12", "musllinux_1_2_x86_64", "cp312-cp312-manylinux1_x86_64"),
    ("3.12", "macos", "cp312-cp312-macosx_14_0_arm64"),
    ("3.12", "macos", "cp312-cp312-macosx_11_0_x86_64"),
    ("3.12", "windows", "cp312-cp312-win32"),
    ("3.13", "linux", "cp313-cp313t-manylinux2014_x86_64"),
    ("3.13t", "linux", "cp313-cp313-manylinux2014_x86_64"),
    ("3.13t", "linux", "cp313-abi3-manylinux2014_x86_64"),
    ("pypy3.10", "linux", "cp310-cp310-manylinux2014_x86_64"),
    ("pypy3.10", "linux", "cp310-abi3-manylinux2014_x86_64"),
)


@pytest.mark.parametrize(("python", "platform_", "wheel"), FITS)
def test_wheels_that_fit(python: str, platform_: str, wheel: str) -> None:
    (target,) = parse_targets([python], [platform_])
    assert target.rank(parse_tag(wheel)) is not None


@pytest.mark.parametrize(("python", "platform_", "wheel"), DOES_NOT_FIT)
def test_wheels_that_do_not_fit(python: str, platform_: str, wheel: str) -> None:
    (target,) = parse_targets([python], [platform_])
    assert target.rank(parse_tag(wheel)) is None


def test_the_tags_of_linux_in_order() -> None:
    (target,) = parse_targets(["3.12"], ["manylinux_2_18_x86_64"])
    best = [tag.platform for tag in target.tags if tag.abi == "cp312"]
    assert best[:5] == [
        "linux_x86_64",
        "manylinux_2_18_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_16_x86_64",
    ]
    assert best[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]


@pytest.mark.parametrize("spelling", ["linux", "macos", "windows"])
@pytest.mark.parametrize(
    ("minor", "flag"), [(6, "m"), (7, "m"), (8, ""), (12, ""), (13, "t"), (15, ""), (15, "t"), (16, "t")]
)
def test_the_tags_of_cpython_in_order(minor: int, flag: str, spelling: str) -> None:
    own, platforms = f"cp3{minor}", parse_platform(spelling).tags
    expected = [
        *cpython_tags((3, minor), [f"{own}{flag}"], platforms),
        *compatible_tags((3, minor), own, platforms),
    ]
    (target,) = parse_targets([f"3.{minor}{'t' if flag == 't' else ''}"], [spelling])
    assert list(target.tags) == expected
    assert list(target.fitting) == [str(tag) for tag in expected]


@pytest.mark.parametrize("spelling", ["linux", "macos", "windows"])
def test_the_tags_of_pypy_in_order(spelling: str) -> None:
    platforms = parse_platform(spelling).tags
    expected = [
        *generic_tags("pp310", ["pypy310_pp73"], platforms),
        *compatible_tags((3, 10), "pp3", platforms),
    ]
    (target,) = parse_targets(["pypy3.10"], [spelling])
    assert list(target.tags) == expected


def test_the_running_interpreter_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (*default_matrix(), *parse_targets(["pypy3.10", "3.14t"], ["linux", "macos", "win32"]))

    def asked(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    for name in (
        "platform_tags",
        "interpreter_name",
        "interpreter_version",
        "_cpython_abis",
        "_generic_abi",
        "_get_config_var",
    ):
        monkeypatch.setattr(packaging_tags, name, asked)
    # Packaging before 26 asks for this and leaves the answer aside.
    monkeypatch.setattr(platform, "mac_ver", lambda: ("99.0", ("", "", ""), "ppc"))
    for name in ("machine", "python_version", "system"):
        monkeypatch.setattr(platform, name, asked)
    found = (*default_matrix(), *parse_targets(["pypy3.10", "3.14t"], ["linux", "macos", "win32"]))
    assert found == expected


def test_a_tag_set_that_stands_for_too_many_tags_fits_nothing() -> None:
    (target,) = parse_targets(["3.12"], ["linux"])
    assert target.rank_of("py2.py3-none-any") == target.rank(parse_tag("py3-none-any"))
    assert target.rank_of(f"{'.'.join(['py3'] * 99)}-{'.'.join(['none'] * 99)}-any") is None
    assert target.rank_of("py3") is None


@pytest.mark.parametrize("text", [None, "", ">=3.12", "three", f">={'9' * 5000}"])
def test_a_requires_python_that_cannot_be_read_is_ignored(text: str | None) -> None:
    (target,) = parse_targets(["3.12"], ["linux"])
    assert target.admits(text)
    assert not target.admits(">=3.13")
