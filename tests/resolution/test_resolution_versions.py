"""Which versions and files are taken: the rules of installers, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.utils import canonicalize_name
from synthetic_index import LINUX, MACOS, NEW, OLD, PURE, SDIST, WINDOWS, Index, resolve, wanted

from aiomirror.requirements.values import FormatControl
from aiomirror.resolution import Admission, Cutoff, Rules
from aiomirror.simple.values import ProjectStatus

LINUX_WHEEL = "cp312-cp312-manylinux_2_17_x86_64"
WINDOWS_WHEEL = "cp312-cp312-win_amd64"
OLD_METADATA = b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n"


def test_the_newest_version_is_taken_with_its_dependencies() -> None:
    index = Index().add("a", "1.0").add("a", "1.10", "b>=1").add("a", "1.9").add("b", "2").add("b", "0.1")
    assert resolve(index, "a").versions() == {"a": "1.10", "b": "2"}


def test_older_version_where_the_newest_does_not_go_with_the_rest() -> None:
    index = Index().add("a", "2", "b>=2").add("a", "1", "b").add("b", "2").add("b", "1")
    assert resolve(index, "a", "b<2").versions() == {"a": "1", "b": "1"}


def test_the_choice_of_a_transitive_project_is_taken_back() -> None:
    index = (
        Index().add("a", "1", "c").add("b", "1", "d").add("d", "1", "c<2").add("c", "2", "e").add("c", "1")
    )
    assert resolve(index.add("e", "1"), "a", "b").versions() == {"a": "1", "b": "1", "c": "1", "d": "1"}


def test_markers_are_asked_for_each_target() -> None:
    index = Index().add("a", "1", "b; sys_platform == 'win32'", "c; python_version < '3'").add("b", "1")
    run = resolve(index, "a", "x; sys_platform == 'nowhere'", targets=[LINUX, WINDOWS])
    assert run.versions(LINUX) == {"a": "1"}
    assert run.versions(WINDOWS) == {"a": "1", "b": "1"}
    assert run.closure.chosen[canonicalize_name("b")][0].targets == (WINDOWS.name,)
    assert "c" not in run.asked
    assert "x" not in run.asked


def test_targets_may_take_different_versions() -> None:
    index = Index().add("a", "1").add("a", "2", page_python=">=3.10").add("a", "3", python=">=3.99")
    run = resolve(index, "a", targets=[OLD, NEW])
    assert (run.versions(OLD), run.versions(NEW)) == ({"a": "1"}, {"a": "2"})
    assert [choice.version for choice in run.closure.chosen[canonicalize_name("a")]] == ["2", "1"]


def test_a_malformed_requires_python_is_ignored() -> None:
    assert resolve(Index().add("a", "1", page_python="three", python="four"), "a").versions() == {"a": "1"}


@pytest.mark.parametrize(
    ("root", "version"),
    [("a", "1"), ("a==2", "2"), ("a===2", "2"), ("a>=2", None), ("a==2.*", None)],
)
def test_yanked_files_are_for_pins(root: str, version: str | None) -> None:
    index = Index().add("a", "1").add("a", "2", yanked="broken")
    assert resolve(index, root).versions().get("a") == version


def test_yanked_files_are_not_taken_where_others_are_left() -> None:
    index = Index().add("a", "1", "b", yanked="", tags=[PURE]).add("a", "1", tags=[SDIST])
    assert resolve(index, "a==1").closure.chosen[canonicalize_name("a")][0].files == ("a-1.tar.gz",)


@pytest.mark.parametrize(
    ("root", "version"),
    [("a", "1"), ("a>=1", "1"), ("a>=2rc1", "2rc1"), ("b", "1.dev1"), ("b>0", "1.dev1"), ("a>1", "2rc1")],
)
def test_prereleases_come_in_if_named_or_if_there_is_nothing_else(root: str, version: str) -> None:
    index = Index().add("a", "1").add("a", "2rc1").add("b", "1.dev1")
    assert set(resolve(index, root).versions().values()) == {version}


def test_prereleases_come_in_where_a_dependency_or_the_rules_say_so() -> None:
    index = Index().add("a", "1").add("a", "2rc1").add("c", "1", "a>=2a0")
    assert resolve(index, "a", "c").versions()["a"] == "2rc1"
    assert resolve(index, "a", rules=Rules(Admission(prereleases=True))).versions() == {"a": "2rc1"}


def test_local_versions_count_as_the_public_one_and_are_newer() -> None:
    index = Index().add("a", "1").add("a", "1+cpu")
    assert resolve(index, "a==1").versions() == {"a": "1+cpu"}


def test_versions_that_pep_440_does_not_know_are_for_those_who_name_them() -> None:
    index = Index().add("a", "1").add("a", "2004d-x", tags=[SDIST])
    assert resolve(index, "a").versions() == {"a": "1"}
    assert resolve(index, "a===2004D-X").versions() == {"a": "2004d-x"}


def test_formats_that_are_not_wanted_are_not_there() -> None:
    index = Index().add("a", "1", tags=[SDIST]).add("a", "2", tags=[PURE])
    no_wheels = Rules(formats=FormatControl(no_binary=frozenset({"a"})))
    only_wheels = Rules(formats=FormatControl(only_binary=frozenset({":all:"})))
    assert resolve(index, "a", rules=no_wheels).versions() == {"a": "1"}
    assert resolve(index, "a<2", rules=only_wheels).conflict().endswith("the newest version is 2")


def test_files_that_are_too_large_or_too_new_are_not_there() -> None:
    day = datetime(2025, 6, 1, tzinfo=UTC)
    index = (
        Index()
        .add("a", "1")
        .add("a", "2", size=1_001)
        .add("a", "3", uploaded=day)
        .add("a", "4", uploaded=None)
    )
    assert resolve(index, "a", rules=Rules(Admission(max_file_size=1_000))).versions() == {"a": "4"}
    assert resolve(index, "a", rules=Rules(exclude_newer=Cutoff(day))).versions() == {"a": "2"}
    own = Cutoff(day, {canonicalize_name("a"): None})
    assert resolve(index, "a", rules=Rules(exclude_newer=own)).versions() == {"a": "4"}


def test_a_quarantined_project_offers_nothing() -> None:
    index = Index().add("a", "1")
    index.status[canonicalize_name("a")] = ProjectStatus(marker="quarantined")
    assert "quarantined" in resolve(index, "a").conflict()


def test_the_digests_of_a_root_choose_among_files() -> None:
    index = Index().add("a", "1", hashes={"sha256": "aa"}).add("a", "2", hashes={"sha256": "bb"})
    run = resolve(index, wanted("a", hashes=[("sha256", "aa")]))
    assert run.versions() == {"a": "1"}
    assert "digests" in resolve(index, wanted("a", hashes=[("sha256", "cc")])).conflict()
    bound = wanted("a", hashes=[("sha256", "bb")])
    both = wanted("a", hashes=[("sha256", "aa"), ("sha256", "bb")])
    assert resolve(index, both, constraints=[bound]).versions() == {"a": "2"}
    one = wanted("a", hashes=[("sha256", "aa")])
    assert "digests" in resolve(index, one, constraints=[bound]).conflict()


def test_the_metadata_is_that_of_the_file_that_the_target_takes() -> None:
    index = Index().add("a", "1", "b", tags=[LINUX_WHEEL]).add("a", "1", "c", tags=[WINDOWS_WHEEL])
    index.add("a", "1", tags=[PURE]).add("b", "1").add("c", "1")
    run = resolve(index, "a", targets=[LINUX, WINDOWS, MACOS])
    assert (run.versions(LINUX), run.versions(WINDOWS)) == ({"a": "1", "b": "1"}, {"a": "1", "c": "1"})
    assert run.versions(MACOS) == {"a": "1"}


def test_the_higher_build_number_of_equal_wheels_is_taken() -> None:
    index = Index().add("a", "1", build="-2").add("a", "1", build="-10b")
    assert resolve(index, "a").closure.chosen[canonicalize_name("a")][0].files == (
        "a-1-10b-py3-none-any.whl",
    )


def test_a_static_source_archive_speaks_for_itself() -> None:
    index = Index().add("a", "1", "b", tags=[SDIST, WINDOWS_WHEEL]).add("b", "1")
    run = resolve(index, "a")
    assert run.versions() == {"a": "1", "b": "1"}
    assert "a-1-cp312-cp312-win_amd64.whl" not in run.asked
    assert not run.closure.warnings


@pytest.mark.parametrize(
    "text", [OLD_METADATA, OLD_METADATA.replace(b"2.1", b"2.2") + b"Dynamic: Requires-Dist\n"]
)
def test_a_wheel_for_others_speaks_for_a_source_archive_that_leaves_it_open(text: bytes) -> None:
    index = (
        Index()
        .add("a", "1.0", text=text, tags=[SDIST])
        .add("a", "1.0", "b", tags=[WINDOWS_WHEEL])
        .add("b", "1")
    )
    run = resolve(index, "a")
    assert run.versions() == {"a": "1.0", "b": "1"}
    (warning,) = run.closure.warnings
    assert warning.startswith("a: a-1.0.tar.gz: ")
    assert warning.endswith("those of a-1.0-cp312-cp312-win_amd64.whl are taken")


def test_an_open_source_archive_is_taken_with_what_it_says_and_a_warning() -> None:
    index = Index().add("a", "1.0", text=OLD_METADATA + b"Requires-Dist: b\n", tags=[SDIST]).add("b", "1")
    run = resolve(index, "a")
    assert run.versions() == {"a": "1.0", "b": "1"}
    assert run.closure.warnings[0].endswith("those it states are taken")
    run = resolve(Index().add("a", "1.0", text=OLD_METADATA, tags=[SDIST]), "a")
    assert run.closure.warnings[0].endswith("none are taken")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "names no project"),
        (b"Metadata-Version: 2.1\nName: b\nVersion: 2\n", "names the project 'b'"),
        (b"Metadata-Version: 2.1\nName: a\nVersion: 3\n", "of version '3'"),
        (b"Metadata-Version: 2.1\nName: a\n", "names no version"),
        (b"Metadata-Version: 3.0\nName: a\nVersion: 2\n", "version 3.0, which is not known"),
        (b"Metadata-Version: 2.1\nName: a\nVersion: 2\nRequires-Dist: b >> 1\n", "no requirement"),
        (b"Metadata-Version: 2.1\nName: a\nVersion: 2\nRequires-Dist: b>" + b"9" * 5_000, "too long"),
        (b"Metadata-Version: 2.1\nName: a\nVersion: 2\nRequires-Dist: b; " + b"(" * 4_000, "no requirement"),
        (b"Name: a\nVersion: 2\n" + b"Requires-Dist: b\n" * 10_001, "10,000 requirements"),
        (b"Name: a\nVersion: 2\nSummary: " + b"x" * 3_000_000, "too large"),
        (None, "metadata cannot be had"),
    ],
)
def test_a_file_with_metadata_that_cannot_be_used_is_refused_by_name(text: bytes | None, why: str) -> None:
    index = Index().add("a", "2").add("a", "1")
    index.texts["a-2-py3-none-any.whl"] = text
    run = resolve(index, "a")
    assert run.versions() == {"a": "1"}
    (refusal,) = run.closure.refused
    assert refusal.filename == "a-2-py3-none-any.whl"
    assert why in refusal.why


def test_after_a_refused_wheel_comes_the_next_file_of_the_version() -> None:
    index = Index().add("a", "2", tags=[PURE, SDIST]).add("a", "1")
    index.texts["a-2-py3-none-any.whl"] = b"rubbish"
    assert resolve(index, "a").closure.chosen[canonicalize_name("a")][0].files == ("a-2.tar.gz",)


def test_fields_that_decide_nothing_may_say_what_they_like() -> None:
    text = b"Name: A\nVersion: 1.0.0\nKeywords: \xff\nDynamic: Nonsense\n\nRequires-Dist: z\n"
    assert resolve(Index().add("a", "1", text=text), "a").versions() == {"a": "1"}


def test_what_is_at_an_address_is_taken_from_the_index_with_a_warning() -> None:
    index = Index().add("a", "1", "b @ https://user:secret@files.example/b-1.zip").add("b", "1")
    run = resolve(index, "a")
    assert run.versions() == {"a": "1", "b": "1"}
    (warning,) = run.closure.warnings
    assert "a 1 requires" in warning
    assert "secret" not in warning


def test_a_name_that_stands_for_too_many_tags_fits_nothing() -> None:
    many = ".".join("abcdefghijklmnopqrst")
    index = Index().add("a", "2", tags=[f"{many}.py3-{many}.none-{many}.any"]).add("a", "1")
    assert resolve(index, "a").versions() == {"a": "1"}


def test_values_may_go_on_in_the_next_line_and_line_breaks_may_be_any() -> None:
    lines = [b"NAME: a", b"Version: 1", b"Requires-Dist: b", b"  >= 1,", b"\t< 2", b"License: x", b" y"]
    text = b"\r\n".join(lines)
    index = Index().add("a", "1", text=text).add("b", "1").add("b", "2")
    assert resolve(index, "a").versions() == {"a": "1", "b": "1"}


def test_fields_end_where_a_line_is_none() -> None:
    text = b"Name: a\nVersion: 1\nthe description begins here\nRequires-Dist: z\n"
    assert resolve(Index().add("a", "1", text=text), "a").versions() == {"a": "1"}


def test_a_value_of_very_many_lines_takes_no_more_than_its_length() -> None:
    text = b"Name: a\nVersion: 1\nRequires-Dist: b" + b"\n x" * 600_000
    run = resolve(Index().add("a", "1", text=text), "a")
    assert "too long" in run.closure.refused[0].why
