from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from aiomirror.targets import Target, TargetError, parse_targets

PYTHONS = (
    ("3.12", "cp312", "3.12.0"),
    ("3.12.0", "cp312", "3.12.0"),
    ("312", "cp312", "3.12.0"),
    ("39", "cp39", "3.9.0"),
    ("cp312", "cp312", "3.12.0"),
    ("cpython3.12", "cp312", "3.12.0"),
    ("cpython-3.12", "cp312", "3.12.0"),
    ("python3.12", "cp312", "3.12.0"),
    (" CP312 ", "cp312", "3.12.0"),
    ("3.12.4", "cp3.12.4", "3.12.4"),
    ("cp3.12.4", "cp3.12.4", "3.12.4"),
    ("3.15.0rc1", "cp3.15.0rc1", "3.15.0rc1"),
    ("cp313t", "cp313t", "3.13.0"),
    ("3.13t", "cp313t", "3.13.0"),
    ("3.13.2t", "cp3.13.2t", "3.13.2"),
    ("3.6", "cp36", "3.6.0"),
    ("pypy3.10", "pp310", "3.10.0"),
    ("pp310", "pp310", "3.10.0"),
    ("pp3.10.14", "pp3.10.14", "3.10.14"),
)
PLATFORMS = (
    ("manylinux_2_28_x86_64", "manylinux_2_28_x86_64"),
    ("manylinux1_i686", "manylinux_2_5_i686"),
    ("manylinux2010_x86_64", "manylinux_2_12_x86_64"),
    ("manylinux2014_aarch64", "manylinux_2_17_aarch64"),
    ("manylinux_2_39_riscv64", "manylinux_2_39_riscv64"),
    ("musllinux_1_2_x86_64", "musllinux_1_2_x86_64"),
    ("linux_armv7l", "linux_armv7l"),
    ("linux-x86_64", "linux_x86_64"),
    ("win32", "win32"),
    ("win_amd64", "win_amd64"),
    ("win-arm64", "win_arm64"),
    ("macosx_11_0_arm64", "macosx_11_0_arm64"),
    ("macosx-14.5-arm64", "macosx_14_0_arm64"),
    ("macosx_26_0_x86_64", "macosx_26_0_x86_64"),
    ("macosx_10_9_x86_64", "macosx_10_9_x86_64"),
    ("linux", "manylinux_2_28_x86_64"),
    ("Linux", "manylinux_2_28_x86_64"),
    ("macos", "macosx_13_0_arm64"),
    ("windows", "win_amd64"),
    ("x86_64-unknown-linux-gnu", "manylinux_2_28_x86_64"),
    ("aarch64-unknown-linux-gnu", "manylinux_2_28_aarch64"),
    ("x86_64-unknown-linux-musl", "musllinux_1_2_x86_64"),
    ("aarch64-unknown-linux-musl", "musllinux_1_2_aarch64"),
    ("riscv64-unknown-linux", "manylinux_2_39_riscv64"),
    ("aarch64-apple-darwin", "macosx_13_0_arm64"),
    ("x86_64-apple-darwin", "macosx_13_0_x86_64"),
    ("x86_64-pc-windows-msvc", "win_amd64"),
    ("aarch64-pc-windows-msvc", "win_arm64"),
    ("i686-pc-windows-msvc", "win32"),
    ("x86_64-manylinux2014", "manylinux_2_17_x86_64"),
    ("aarch64-manylinux_2_40", "manylinux_2_40_aarch64"),
)

cpythons = st.builds("{}3.{}.{}".format, st.sampled_from(["", "cp"]), st.integers(6, 19), st.integers(0, 999))
pypys = st.builds("pypy3.{}".format, st.integers(6, 11))
free_threaded = st.builds("cp3{}t".format, st.integers(13, 19))
pythons = st.one_of(cpythons, pypys, free_threaded, st.sampled_from([text for text, *_ in PYTHONS]))
platforms = st.one_of(
    st.builds("manylinux_2_{}_x86_64".format, st.integers(5, 42)),
    st.builds("s390x-manylinux_2_{}".format, st.integers(17, 42)),
    st.builds("musllinux_1_{}_ppc64le".format, st.integers(0, 9)),
    st.builds("macosx_{}_{}_arm64".format, st.integers(11, 30), st.integers(0, 9)),
    st.builds("macosx_10_{}_x86_64".format, st.integers(4, 16)),
    st.sampled_from([text for text, _ in PLATFORMS]),
)


def one(python: str, platform: str) -> Target:
    (target,) = parse_targets([python], [platform])
    return target


@pytest.mark.parametrize(("text", "name", "full_version"), PYTHONS)
def test_spellings_of_pythons(text: str, name: str, full_version: str) -> None:
    target = one(text, "win_amd64")
    assert target.name == f"{name}-win_amd64"
    assert target.python_full_version == full_version
    assert target.implementation == ("pypy" if name.startswith("pp") else "cpython")
    assert ".".join(map(str, target.python_version)) == target.environment["python_version"]


@pytest.mark.parametrize(("text", "platform"), PLATFORMS)
def test_spellings_of_platforms(text: str, platform: str) -> None:
    target = one("3.12", text)
    assert target.name == f"cp312-{platform}"
    assert target.platform == platform


@settings(max_examples=40)
@given(python=pythons, platform=platforms)
def test_a_name_is_a_spelling_of_its_target(python: str, platform: str) -> None:
    target = one(python, platform)
    assert one(*target.name.split("-", 1)) == target


@settings(max_examples=40)
@given(python=pythons, platform=platforms)
def test_each_tag_stands_once_and_ranks_where_it_stands(python: str, platform: str) -> None:
    target = one(python, platform)
    assert [target.rank([tag]) for tag in target.tags] == list(range(len(target.tags)))


@settings(max_examples=40)
@given(python=pythons, platform=platforms)
def test_the_platform_is_a_tag_of_the_target(python: str, platform: str) -> None:
    target = one(python, platform)
    assert target.platform in {tag.platform for tag in target.tags}


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("3", "3.15"),
        ("3.5", "3.15"),
        ("2.7", "3.7"),
        ("3.120", "3.12"),
        ("3.012", "3.12"),
        ("pyhton3.11", "python3.11"),
        ("3.12t", "3.12"),
        ("pp310t", "pp310"),
        ("py312", "cp312"),
        ("curent", "current"),
    ],
)
def test_a_misspelt_python_names_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets([text], ["linux"])
    (problem,) = caught.value.problems
    assert problem.startswith(f"{text!r} is no Python: write 3.N or 3.N.MICRO, N from 6 to 99")
    assert problem.endswith(f"; did you mean {nearest!r}?")


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("mac", "macos"),
        ("win64", "win_amd64"),
        ("manylinux_2_28", "manylinux_2_28_x86_64"),
        ("manylinux_2_4_x86_64", "manylinux_2_28_x86_64"),
        ("manylinux_2_16_aarch64", "manylinux_2_28_aarch64"),
        ("manylinux2010_aarch64", "manylinux2014_aarch64"),
        ("macosx_14_0_universal2", "macosx_14_0_arm64"),
        ("macosx_10_9_arm64", "macosx_13_0_arm64"),
        ("macosx_10_17_x86_64", "macosx_13_0_x86_64"),
        ("linux_x64", "linux_x86_64"),
        ("x86_64", "x86_64-unknown-linux-gnu"),
        ("aarch64-pc-windows-msvcc", "aarch64-pc-windows-msvc"),
    ],
)
def test_a_misspelt_platform_names_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets(["3.12"], [text])
    (problem,) = caught.value.problems
    assert problem.startswith(f"{text!r} is no platform: write a platform tag of wheels")
    assert problem.endswith(f"; did you mean {nearest!r}?")


@pytest.mark.parametrize("text", ["", " ", "٣.١٢", "3.12\n.4", "any", "win_amd64\0", "wasm32-pyodide2024"])
def test_what_is_nothing_on_either_side(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets([text], [text])
    assert len(caught.value.problems) == 2


@given(st.text())
def test_any_text_is_a_target_or_a_target_error(text: str) -> None:
    for sides in ([text], ["linux"]), (["3.12"], [text]):
        try:
            (target,) = parse_targets(*sides)
        except TargetError as error:
            assert repr(text) in str(error)  # noqa: PT017 (either outcome is right)
        else:
            assert target.tags


def test_every_misspelling_is_told_at_once() -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets(["3.12", "three", "4.0"], ["beos", "linux"])
    texts = [problem.split(" is no ")[0] for problem in caught.value.problems]
    assert texts == ["'three'", "'4.0'", "'beos'"]
    assert str(caught.value).splitlines() == list(caught.value.problems)
