"""Runs that follow dependencies: what is mirrored, what is asked of upstream, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import make_sdist, make_wheel
from faults import Status

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror

TAGS = {
    "linux": "manylinux_2_17_x86_64",
    "windows": "win_amd64",
    "macos": "macosx_11_0_arm64",
}


@pytest.fixture
def follower(mirror: Mirror) -> Mirror:
    """A mirror whose runs follow dependencies."""
    mirror.follows = True
    return mirror


def wheel(
    mirror: Mirror,
    name: str,
    version: str,
    *requires: str,
    tag: str = "py3-none-any",
    python: str | None = None,
) -> str:
    """Offer a wheel, core metadata announced; its file name."""
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    content = make_wheel(name, version, requires=requires, tag=tag, requires_python=python)
    mirror.upstream.add_file(
        name, filename, content=content, core_metadata=True, requires_python=python, version=version
    )
    return filename


def sdist(mirror: Mirror, name: str, version: str, *requires: str) -> str:
    filename = f"{name}-{version}.tar.gz"
    mirror.upstream.add_file(name, filename, content=make_sdist(name, version, requires=requires))
    return filename


def paths(mirror: Mirror) -> list[str]:
    return sorted(request.path for request in mirror.upstream.requests)


# -- what is mirrored


def test_dependencies_come_along(follower: Mirror) -> None:
    top = wheel(follower, "top", "1.0", "middle>=2", 'never; python_version < "3"')
    middle = wheel(follower, "middle", "2.0", "bottom[extra]")
    wheel(follower, "middle", "1.0")
    bottom = wheel(follower, "bottom", "1.0", 'more; extra == "extra"', "top")
    more = wheel(follower, "more", "1.0")
    ran = follower.sync("top")
    assert follower.files() == {top, middle, bottom, more}
    assert ran.report["totals"]["fetched"] == 4


def test_each_page_and_each_metadata_is_asked_for_once(follower: Mirror) -> None:
    top = wheel(follower, "top", "1.0", "bottom")
    bottom = wheel(follower, "bottom", "1.0")
    follower.sync("top", "bottom>=1")
    files = follower.upstream.file_path
    names = [("top", top), ("bottom", bottom)]
    assert paths(follower) == sorted(
        ["/simple/top/", "/simple/bottom/"]
        + [f"{files(name, file)}{end}" for name, file in names for end in ("", ".metadata")]
    )


def test_without_dependencies(follower: Mirror) -> None:
    top = wheel(follower, "top", "1.0", "bottom")
    follower.sync("top", "--no-deps")
    assert follower.files() == {top}
    assert len(follower.upstream.requests) == 2


@pytest.mark.parametrize(("depth", "count"), [("0", 1), ("1", 2), ("2", 3), ("9", 4)])
def test_max_depth(follower: Mirror, depth: str, count: int) -> None:
    for number in range(4):
        wheel(follower, f"level-{number}", "1.0", *([f"level-{number + 1}"] if number < 3 else []))
    follower.sync("level-0", "--max-depth", depth)
    assert len(follower.files()) == count


def test_one_version_serves_all_requirements(follower: Mirror) -> None:
    """The newest of what one asks for is not what both can have."""
    one, other = wheel(follower, "one", "1.0", "shared<2"), wheel(follower, "other", "1.0", "shared")
    old = wheel(follower, "shared", "1.9")
    wheel(follower, "shared", "2.0")
    follower.sync("one", "other")
    assert follower.files() == {one, other, old}


def test_constraints_bound_dependencies(follower: Mirror, tmp_path: Path) -> None:
    top, old = wheel(follower, "top", "1.0", "shared"), wheel(follower, "shared", "1.0")
    wheel(follower, "shared", "2.0")
    constraints = tmp_path / "c.txt"
    constraints.write_text("shared<2\n")
    follower.sync("top", "-c", str(constraints))
    assert follower.files() == {top, old}


def test_overrides_replace_what_dependencies_ask_for(follower: Mirror, tmp_path: Path) -> None:
    top, new = wheel(follower, "top", "1.0", "shared<2"), wheel(follower, "shared", "2.0")
    overrides = tmp_path / "o.txt"
    overrides.write_text("shared>=2\n")
    follower.sync("top", "--override", str(overrides))
    assert follower.files() == {top, new}


def test_all_that_match(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "shared<2")
    wheel(follower, "top", "2.0", "shared")
    wheel(follower, "shared", "1.0")
    wheel(follower, "shared", "2.0")
    follower.sync("top", "--closure", "all-matching")
    assert len(follower.files()) == 4


def test_a_source_archive_that_says_what_it_needs(follower: Mirror) -> None:
    top, bottom = sdist(follower, "top", "1.0", "bottom"), wheel(follower, "bottom", "1.0")
    follower.sync("top")
    assert follower.files() == {top, bottom}


def test_exclude_newer_holds_for_dependencies(follower: Mirror) -> None:
    top, old = wheel(follower, "top", "1.0", "shared"), wheel(follower, "shared", "1.0")
    content = make_wheel("shared", "2.0")
    follower.upstream.add_file(
        "shared",
        "shared-2.0-py3-none-any.whl",
        content=content,
        core_metadata=True,
        upload_time="2024-01-01T00:00:00Z",
    )
    follower.sync("top", "--exclude-newer", "2023-12-31")
    assert follower.files() == {top, old}


def test_the_newest_of_several_are_still_mirrored(follower: Mirror) -> None:
    wheel(follower, "top", "1.0")
    wheel(follower, "top", "2.0", "bottom")
    wheel(follower, "bottom", "1.0")
    follower.sync("top", "--latest", "2")
    assert len(follower.files()) == 3


# -- targets


def test_only_what_fits_the_targets(follower: Mirror) -> None:
    wheels = {name: wheel(follower, "fast", "1.0", tag=f"cp312-cp312-{tag}") for name, tag in TAGS.items()}
    source = sdist(follower, "fast", "1.0")
    windows = wheel(follower, "winonly", "1.0")
    wheel(follower, "top", "1.0", "fast", 'winonly; sys_platform == "win32"')
    where = ["--python-version", "3.12", "--platform", "linux"]
    follower.sync("top", *where)
    assert follower.files() == {"top-1.0-py3-none-any.whl", wheels["linux"]}
    follower.sync("top", *where, "--platform", "windows", "--with-sdists")
    assert follower.files() == {
        "top-1.0-py3-none-any.whl",
        wheels["linux"],
        wheels["windows"],
        source,
        windows,
    }


def test_targets_that_need_different_versions_get_them(follower: Mirror) -> None:
    old = wheel(follower, "shared", "1.0")
    new = wheel(follower, "shared", "2.0", python=">=3.13")
    follower.sync("shared", "--python-version", "3.12", "--python-version", "3.13", "--platform", "linux")
    assert follower.files() == {old, new}


def test_without_targets_every_file_of_a_version_comes(follower: Mirror) -> None:
    wheels = {wheel(follower, "fast", "1.0", tag=f"cp312-cp312-{tag}") for tag in TAGS.values()}
    source = sdist(follower, "fast", "1.0")
    follower.sync("fast")
    assert follower.files() == {*wheels, source}


def test_what_goes_on_few_of_the_default_targets_is_no_failure(follower: Mirror) -> None:
    only = wheel(follower, "winonly", "1.0", "shared", tag="cp312-cp312-win_amd64")
    shared, top = wheel(follower, "shared", "1.0"), wheel(follower, "top", "1.0", "shared")
    ran = follower.sync("winonly", "top")
    assert follower.files() == {only, shared, top}
    (warning,) = ran.warnings()
    assert "winonly" in warning
    assert "has no file that fits" in warning


def test_on_a_target_that_was_named_it_is(follower: Mirror) -> None:
    wheel(follower, "winonly", "1.0", tag="cp312-cp312-win_amd64")
    ran = follower.sync("winonly", "--platform", "linux", "--python-version", "3.12", code=3)
    (line,) = ran.errors()
    assert "winonly" in line
    assert "cp312-manylinux_2_28_x86_64" in line


# -- no solution


def test_a_conflict_is_told(follower: Mirror) -> None:
    wheel(follower, "one", "1.0", "shared<2")
    wheel(follower, "other", "1.0", "shared>=2")
    wheel(follower, "shared", "1.0")
    wheel(follower, "shared", "2.0")
    ran = follower.sync("one", "other", "--platform", "linux", "--python-version", "3.12", code=3)
    (line,) = ran.errors()
    assert "no version of shared satisfies shared<2 of one 1.0" in line
    assert "shared>=2 of other 1.0" in line
    assert not follower.files()


def test_roots_that_contradict_each_other_fail_without_targets_too(follower: Mirror) -> None:
    wheel(follower, "one", "1.0", "shared<2")
    wheel(follower, "shared", "1.0")
    wheel(follower, "shared", "2.0")
    ran = follower.sync("one", "shared>=2", code=3)
    assert any("one 1.0 needs shared<2" in line for line in ran.errors())


TARGET = ("--python-version", "3.12", "--platform", "linux")


@pytest.mark.parametrize("where", [(), TARGET])
def test_the_ways_out_for_those_who_pin_differently(
    follower: Mirror, tmp_path: Path, where: tuple[str, ...]
) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheel(follower, "shared", version)
    pins = [f"shared-{version}-py3-none-any.whl" for version in ("1.0", "2.0")]
    (line,) = follower.sync("shared==1.0", "shared==2.0", *where, code=3).errors()
    assert "but --closure all-matching takes what each asks for, and so do lock files of their own" in line
    follower.sync("shared==1.0", "shared==2.0", "--closure", "all-matching", *where)
    assert follower.files() == set(pins)
    locks = []
    for version in ("1.0", "2.0"):
        locks += ["-r", str(tmp_path / f"pylock.team{version[0]}.toml")]
        follower.sync(f"shared=={version}", "--lock-output", locks[-1], *where)
    ran = follower.sync(*locks, *where)
    assert sorted(one["filename"] for one in ran.report["files"]) == pins


def test_each_line_alone_or_all_together(follower: Mirror) -> None:
    for version in ("1.0", "2.0"):
        wheel(follower, "shared", version)
    together = follower.sync("shared", "shared==1.0", "--dry-run")
    assert [one["filename"] for one in together.report["files"]] == ["shared-1.0-py3-none-any.whl"]
    alone = follower.sync("shared", "shared==1.0", "--no-deps", "--dry-run")
    assert len(alone.report["files"]) == 2


def test_with_keep_going_other_targets_are_mirrored(follower: Mirror) -> None:
    windows = wheel(follower, "winonly", "1.0", tag="cp312-cp312-win_amd64")
    where = ["--platform", "linux", "--platform", "windows", "--python-version", "3.12"]
    follower.sync("winonly", *where, "--keep-going", code=3)
    assert follower.files() == {windows}


def test_a_dependency_that_upstream_lacks(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "gone")
    ran = follower.sync("top", "--platform", "linux", "--python-version", "3.12", code=3)
    assert any("gone" in line and "no such project" in line for line in ran.errors())


def test_metadata_of_another_project_is_refused_by_name(follower: Mirror) -> None:
    content = make_wheel("other", "1.0")
    follower.upstream.add_file(
        "top",
        "top-1.0-py3-none-any.whl",
        content=content,
        core_metadata={"md5": ""},
        metadata=b"Name: other\n",
    )
    ran = follower.sync("top", code=1)
    assert any("top-1.0-py3-none-any.whl" in line for line in ran.errors())


def test_metadata_that_is_refused_is_passed_over(follower: Mirror) -> None:
    """Where another version does, nothing is lost, as for an installer; each run says so."""
    wheel(follower, "top", "2.0", "middle >=1.*")
    good = wheel(follower, "top", "1.0", "middle")
    middle = wheel(follower, "middle", "1.0")
    first = follower.sync("top")
    assert follower.files() == {good, middle}
    (warning,) = [line for line in first.err.splitlines() if "top-2.0-py3-none-any.whl" in line]
    assert warning.startswith("warning: ")
    assert warning.endswith("; passed over")
    follower.upstream.requests.clear()
    second = follower.sync("top")
    assert warning in second.err.splitlines()
    assert paths(follower) == ["/simple/middle/", "/simple/top/"]


def test_a_page_that_cannot_be_read_is_a_failure_of_that_project(follower: Mirror) -> None:
    top = wheel(follower, "top", "1.0")
    wheel(follower, "broken", "1.0")
    follower.upstream.always("/simple/broken/", Status(403))
    ran = follower.sync("top", "broken", "--keep-going", code=1)
    assert follower.files() == {top}
    assert [line for line in ran.errors() if "403" in line]


# -- the second run


def test_while_nothing_changes_nothing_is_resolved_anew(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "middle")
    wheel(follower, "middle", "1.0", "bottom")
    wheel(follower, "bottom", "1.0")
    follower.sync("top")
    before = follower.identities()
    follower.upstream.requests.clear()
    ran = follower.sync("top")
    assert paths(follower) == ["/simple/bottom/", "/simple/middle/", "/simple/top/"]
    assert all("if-none-match" in request.headers for request in follower.upstream.requests)
    assert follower.identities() == before
    assert ran.report["totals"]["held"] == 3


def test_a_change_of_a_dependency_is_followed(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "bottom")
    wheel(follower, "bottom", "1.0")
    follower.sync("top")
    new, deeper = wheel(follower, "bottom", "2.0", "deeper"), wheel(follower, "deeper", "1.0")
    follower.sync("top")
    assert {new, deeper} <= follower.files()


def test_another_requirement_is_another_closure(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "bottom")
    wheel(follower, "bottom", "1.0")
    wheel(follower, "bottom", "2.0")
    follower.sync("top")
    follower.sync("top", "bottom<2")
    assert "bottom-1.0-py3-none-any.whl" in follower.files()


def test_what_is_held_tells_its_metadata_itself(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "bottom")
    wheel(follower, "bottom", "1.0")
    follower.sync("top")
    wheel(follower, "bottom", "2.0")
    follower.upstream.requests.clear()
    follower.sync("top")
    asked = [path for path in paths(follower) if path.endswith(".metadata")]
    assert asked == ["/files/bottom/bottom-2.0-py3-none-any.whl.metadata"]


def test_a_dry_run_plans_dependencies_and_writes_nothing(follower: Mirror) -> None:
    wheel(follower, "top", "1.0", "bottom")
    wheel(follower, "bottom", "1.0")
    ran = follower.sync("top", "--dry-run")
    assert "bottom" in ran.out
    assert not follower.dest.exists()


def test_rules_of_projects_hold_for_dependencies(follower: Mirror, tmp_path: Path) -> None:
    top, pre = wheel(follower, "top", "1.0", "shared", "big"), wheel(follower, "shared", "2.0rc1")
    wheel(follower, "shared", "1.0")
    small = wheel(follower, "big", "1.0")
    follower.upstream.add_file("big", "big-2.0-py3-none-any.whl", core_metadata=True, size=10_000_000)
    settings = tmp_path / "aiomirror.toml"
    settings.write_text('[project.shared]\npre = true\n[project.big]\nmax-file-size = "1MB"\n')
    follower.sync("top", "--config", str(settings))
    assert follower.files() == {top, pre, small}


def test_what_a_conflict_keeps_out_is_not_pruned(follower: Mirror) -> None:
    where = ["--platform", "linux", "--python-version", "3.12", "--keep-going"]
    prune = ["--prune", "--grace", "0d"]
    wheel(follower, "top", "1.0", "shared")
    wheel(follower, "shared", "1.0")
    follower.sync("top", *where)
    before = follower.files()
    wheel(follower, "rival", "1.0", "shared>=2")
    follower.sync("top", "rival", *where, *prune, code=3)
    assert follower.files() == before


def test_dependencies_that_nothing_needs_any_more_are_pruned(follower: Mirror) -> None:
    top = wheel(follower, "top", "1.0", "shared")
    wheel(follower, "shared", "1.0")
    other = wheel(follower, "other", "1.0")
    follower.sync("top", "other")
    new = wheel(follower, "top", "2.0")
    follower.sync("top", "other", "--prune", "--grace", "0d")
    assert follower.files() == {new, other}
    assert top not in follower.files()
