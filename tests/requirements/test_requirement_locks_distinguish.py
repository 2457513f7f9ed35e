"""Markers that tell the environments of targets apart: true where they are to be, and short."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from packaging.markers import Marker

from aiomirror.requirements.locks import Places, distinguish
from aiomirror.targets import Target, default_matrix, parse_targets

MATRIX = default_matrix()
PYTHONS = ("3.9", "3.12", "3.12.4", "3.13", "3.13t", "3.14.0rc1", "3.14", "pypy3.10", "pypy3.11")
PLATFORMS = (
    "linux", "manylinux2014_x86_64", "musllinux_1_2_x86_64", "manylinux_2_28_aarch64", "macosx_13_0_arm64",
    "macosx_13_0_x86_64", "win_amd64", "win32", "win_arm64",
)  # fmt: skip
MANY = parse_targets(PYTHONS, PLATFORMS)


def places_of(targets: tuple[Target, ...]) -> Places:
    """Of targets that take each something else."""
    return distinguish(
        {one.name: one.environment for one in targets}, {one.name: one.name for one in targets}
    )


def holds(marker: str | None, target: Target) -> bool:
    return marker is None or Marker(marker).evaluate(dict(target.environment))


def test_a_place_is_all_that_markers_say() -> None:
    x86, windows = (
        f"sys_platform == '{system}' and platform_machine == '{machine}'"
        for system, machine in (("linux", "x86_64"), ("win32", "AMD64"))
    )
    assert places_of(parse_targets(["3.12", "pypy3.11"], ["linux", "windows"])).markers == [
        f"python_version == '3.12' and {x86} and implementation_name == 'cpython'",
        f"python_version == '3.12' and {windows} and implementation_name == 'cpython'",
        f"python_version == '3.11' and {x86} and implementation_name == 'pypy'",
        f"python_version == '3.11' and {windows} and implementation_name == 'pypy'",
    ]


@pytest.mark.parametrize(
    ("names", "marker"),
    [
        ("cp3", None),
        ("win", "sys_platform == 'win32'"),
        ("cp311-", "python_version < '3.12'"),
        ("cp313-", "python_version == '3.13'"),
        ("cp315-", "python_version >= '3.15'"),
        ("linux", "sys_platform == 'linux'"),
        ("aarch64", "platform_machine == 'aarch64'"),
        ("x86_64 cp312-", "platform_machine == 'x86_64' or python_version == '3.12'"),
        ("cp311-win", "python_version < '3.12' and sys_platform == 'win32'"),
        ("cp312- cp313-", "python_version >= '3.12' and python_version < '3.14'"),
        (
            "cp311- cp312-win",
            "python_version < '3.12' or (python_version < '3.13' and sys_platform == 'win32')",
        ),
    ],
)
def test_short_markers(names: str, marker: str | None) -> None:
    """For the targets whose names have one of the parts."""
    places = places_of(MATRIX)
    wanted = {places.of[one.name] for one in MATRIX if any(part in one.name for part in names.split())}
    assert places.marker(wanted) == marker


@pytest.mark.parametrize("without", ["win", "cp311-", "cp313-", "aarch64"])
def test_all_but_some(without: str) -> None:
    places = places_of(MATRIX)
    marker = places.marker({places.of[one.name] for one in MATRIX if without not in one.name})
    assert marker is not None
    assert " " not in marker.replace(" != ", "").replace(" >= ", "")  # it is one condition


@pytest.mark.parametrize(
    ("pythons", "platforms"),
    [
        (
            ["3.12"],
            ["manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "musllinux_1_2_x86_64", "linux_x86_64"],
        ),
        (["3.13", "3.13t"], ["windows"]),
        (["3.12"], ["macosx_11_0_arm64", "macosx_14_0_arm64"]),
    ],
)
def test_what_no_marker_tells_apart(pythons: list[str], platforms: list[str]) -> None:
    places = places_of(parse_targets(pythons, platforms))
    assert set(places.of.values()) == {0}
    assert places.marker({0}) is None


def test_micro_versions_count_where_they_alone_differ() -> None:
    targets = parse_targets(["3.12.1", "3.12.4"], ["linux"]) + parse_targets(["3.12.4"], ["windows"])
    places = places_of(targets)
    assert [places.marker({place}) for place in range(3)] == [
        "python_full_version == '3.12.1'",
        "python_full_version == '3.12.4' and sys_platform == 'linux'",
        "sys_platform == 'win32'",
    ]
    assert "python_full_version" in places.markers[0]
    assert places_of(targets[1:]).markers[0].startswith("python_version == '3.12' and sys_platform")


def test_micro_versions_do_not_count_where_nothing_differs() -> None:
    targets = parse_targets(["3.12.1", "3.12.4"], ["linux", "windows"])
    places = distinguish(
        {one.name: one.environment for one in targets}, {one.name: one.platform for one in targets}
    )
    assert len(places.markers) == 2
    assert "python_full_version" not in " ".join(places.markers)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(MANY), min_size=1, max_size=12, unique_by=lambda one: one.name), st.data())
def test_they_hold_in_these_places_and_in_no_others(targets: list[Target], data: st.DataObject) -> None:
    places = places_of(tuple(targets))
    wanted = data.draw(st.sets(st.sampled_from(sorted(set(places.of.values()))), min_size=1))
    marker = places.marker(wanted)
    assert {one.name for one in targets if holds(marker, one)} == {
        one.name for one in targets if places.of[one.name] in wanted
    }
    assert (marker is None) == (wanted == set(places.of.values()))
    for place, text in enumerate(places.markers):
        assert [holds(text, one) for one in targets] == [places.of[one.name] == place for one in targets]
