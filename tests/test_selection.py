"""What is chosen of a page, and the reason for each file that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from aiomirror.requirements import FormatControl, Wanted, parse_spec
from aiomirror.selection import LeftOut, Policy, Selection, demands, select
from aiomirror.simple.values import ProjectFile, ProjectPage, ProjectStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

WHEELS = FormatControl(only_binary=frozenset({":all:"}))
SOURCES = FormatControl(no_binary=frozenset({":all:"}))


def page(*files: ProjectFile | str, project: str = "foo", status: str = "active") -> ProjectPage:
    made = [file if isinstance(file, ProjectFile) else entry(file) for file in files]
    return ProjectPage(project=canonicalize_name(project), files=tuple(made), status=ProjectStatus(status))


def entry(
    filename: str,
    *,
    yanked: str | None = None,
    size: int | None = None,
    hashes: dict[str, str] | None = None,
) -> ProjectFile:
    return ProjectFile(
        filename=filename,
        url=f"https://files.example/{filename}",
        hashes=hashes or {},
        yanked=yanked,
        size=size,
    )


def sdists(*versions: str) -> list[str]:
    return [f"foo-{version}.tar.gz" for version in versions]


def want(text: str, hashes: Iterable[tuple[str, str]] = ()) -> Wanted:
    wanted = parse_spec(text)
    assert isinstance(wanted, Wanted)
    return Wanted(wanted.project, wanted.specifier, hashes=frozenset(hashes), text=wanted.text)


def chosen(selection: Selection) -> list[str]:
    return sorted(one.file.filename for one in selection.chosen)


@pytest.mark.parametrize(
    ("spec", "versions", "expected"),
    [
        ("foo", ["1.0", "1.10", "1.9"], ["1.10"]),
        ("foo=1.0", ["1.0", "1.10"], ["1.0"]),
        ("foo==1.0", ["1.0", "1.10"], ["1.0"]),
        ("foo>=1.1,<1.10", ["1.0", "1.2", "1.9", "1.10"], ["1.9"]),
        ("foo~=1.2", ["1.2", "1.9", "2.0"], ["1.9"]),
        ("foo!=2.0", ["1.0", "2.0"], ["1.0"]),
        ("foo==1.*", ["1.0", "1.5", "2.0"], ["1.5"]),
        ("foo", ["1.0", "2.0rc1"], ["1.0"]),
        ("foo", ["1.0a1", "1.0b1"], ["1.0b1"]),
        ("foo>=2.0rc1", ["1.0", "2.0rc1", "2.0rc2"], ["2.0rc2"]),
        ("foo", ["1.0", "1.0.post1"], ["1.0.post1"]),
        ("foo", ["1!0.1", "2024.1"], ["1!0.1"]),
        ("foo===2014g", ["2014g", "2015.1"], ["2014g"]),
        ("foo===2014G", ["2014g", "2015.1"], ["2014g"]),
        ("foo===1.0-1", ["1.0-1", "1.1"], ["1.0-1"]),
        ("foo===1.0.post1", ["1.0-1", "1.1"], []),
        ("foo==1.0.post1", ["1.0-1", "1.1"], ["1.0-1"]),
        ("foo", ["2014z-final", "2014.1"], ["2014.1"]),
    ],
)
def test_the_newest_version_that_matches(spec: str, versions: list[str], expected: list[str]) -> None:
    selection = select(page(*sdists(*versions)), [want(spec)], Policy())
    assert chosen(selection) == sorted(sdists(*expected))
    assert len(selection.left_out) == len(versions) - len(expected)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), ["2.0"]),
        (Policy(prereleases=True), ["3.0rc1"]),
        (Policy(latest=2), ["1.0", "2.0"]),
        (Policy(latest=2, prereleases=True), ["2.0", "3.0rc1"]),
        (Policy(latest=9), ["0.9", "1.0", "2.0"]),
        (Policy(latest=None), ["0.9", "1.0", "1.0-final", "2.0"]),
        (Policy(latest=None, prereleases=True), ["0.9", "1.0", "1.0-final", "2.0", "3.0rc1"]),
    ],
)
def test_policy_bounds_the_versions(policy: Policy, expected: list[str]) -> None:
    everything = page(*sdists("0.9", "1.0", "2.0", "3.0rc1", "1.0-final"))
    assert chosen(select(everything, [want("foo")], policy)) == sorted(sdists(*expected))


def test_all_versions_means_all_that_match_a_specifier() -> None:
    everything = page(*sdists("0.9", "1.0", "2.0", "1.0-final"))
    selection = select(everything, [want("foo>=1")], Policy(latest=None))
    assert chosen(selection) == sorted(sdists("1.0", "2.0"))
    assert selection.left_out["foo-1.0-final.tar.gz"] is LeftOut.OTHER_VERSION


def test_every_file_of_a_chosen_version_is_taken() -> None:
    files = ["foo-2.0.tar.gz", "foo-2.0-py3-none-any.whl", "foo-2.0.zip", "foo-1.0.tar.gz"]
    assert chosen(select(page(*files), [want("foo")], Policy())) == sorted(files[:3])


@pytest.mark.parametrize(
    ("formats", "expected", "reason"),
    [
        (WHEELS, "foo-1.0-py3-none-any.whl", LeftOut.SOURCE_ARCHIVE),
        (SOURCES, "foo-2.0.tar.gz", LeftOut.WHEEL),
    ],
)
def test_formats_are_ruled_out_before_the_newest_is_taken(
    formats: FormatControl, expected: str, reason: LeftOut
) -> None:
    selection = select(
        page("foo-2.0.tar.gz", "foo-1.0-py3-none-any.whl"), [want("foo")], Policy(formats=formats)
    )
    assert chosen(selection) == [expected]
    assert list(selection.left_out.values()) == [reason]


def test_yanked_files_need_an_exact_pin() -> None:
    listed = page(entry("foo-2.0.tar.gz", yanked="broken"), "foo-1.0.tar.gz")
    assert chosen(select(listed, [want("foo")], Policy())) == ["foo-1.0.tar.gz"]
    assert chosen(select(listed, [want("foo>=2")], Policy())) == []
    assert chosen(select(listed, [want("foo==2.*")], Policy())) == []
    assert chosen(select(listed, [want("foo==2.0")], Policy())) == ["foo-2.0.tar.gz"]
    assert chosen(select(listed, [want("foo===2.0")], Policy())) == ["foo-2.0.tar.gz"]
    assert chosen(select(listed, [want("foo")], Policy(latest=None))) == ["foo-1.0.tar.gz"]


def test_what_is_yanked_is_told_with_the_reason() -> None:
    listed = page(
        entry("foo-2.0.tar.gz", yanked=""), entry("foo-2.0-py3-none-any.whl", yanked="broken"), *sdists("1.0")
    )
    assert select(listed, [want("foo==2.0"), want("foo")], Policy()).yanked() == {"2.0": "broken"}
    assert select(listed, [want("foo")], Policy()).yanked() == {}


def test_a_version_that_is_yanked_in_part_keeps_the_rest() -> None:
    listed = page(entry("foo-2.0.tar.gz", yanked=""), "foo-2.0-py3-none-any.whl")
    selection = select(listed, [want("foo")], Policy())
    assert chosen(selection) == ["foo-2.0-py3-none-any.whl"]
    assert selection.left_out == {"foo-2.0.tar.gz": LeftOut.YANKED}


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("foo-1.0.egg", LeftOut.LEGACY_FORMAT),
        ("foo-1.0.win32.exe", LeftOut.LEGACY_FORMAT),
        ("foo-1.0.tar.gz.asc", LeftOut.NOT_A_DISTRIBUTION),
        ("bar-1.0.tar.gz", LeftOut.OTHER_PROJECT),
        ("foo.tar.gz", LeftOut.NO_VERSION),
    ],
)
def test_reasons_of_files_that_cannot_be_chosen(filename: str, reason: LeftOut) -> None:
    selection = select(page(filename, "foo-0.1.tar.gz"), [want("foo")], Policy())
    assert selection.left_out == {filename: reason}


def test_reasons_are_counted_in_their_own_words() -> None:
    upstream = page(*sdists("1.0", "1.1", "1.2"), "foo-1.2.exe")
    counts = select(upstream, [want("foo")], Policy()).counts()
    assert counts == {str(LeftOut.OLDER): 2, str(LeftOut.LEGACY_FORMAT): 1}
    assert not select(page(), [], Policy()).counts()


def test_of_names_that_differ_in_case_alone_the_first_of_the_page_is_the_one() -> None:
    listed = page("Foo-1.0.zip", "foo-1.0.zip", "foo-1.0.tar.gz", "FOO-1.0.zip")
    selection = select(listed, [want("foo")], Policy())
    assert chosen(selection) == ["Foo-1.0.zip", "foo-1.0.tar.gz"]
    doubles = ("foo-1.0.zip", "FOO-1.0.zip")
    assert selection.left_out == dict.fromkeys(doubles, LeftOut.SAME_BUT_FOR_CASE)


def test_nor_is_the_second_one_when_the_first_is_ruled_out() -> None:
    listed = page(entry("Foo-1.0.zip", size=1001), entry("foo-1.0.zip", size=1000), "foo-0.9.zip")
    selection = select(listed, [want("foo")], Policy(max_file_size=1000))
    assert chosen(selection) == ["foo-0.9.zip"]


def test_legacy_formats_on_demand() -> None:
    files = ["foo-1.0-py2.7.egg", "foo-1.0.win32.exe", "foo-1.0.win-amd64-py3.4.msi"]
    assert chosen(select(page(*files), [want("foo")], Policy(legacy_formats=True))) == sorted(files)


def test_size_limit() -> None:
    listed = page(entry("foo-1.0.tar.gz", size=1001), entry("foo-1.0.zip", size=1000), "foo-1.0.tar.bz2")
    selection = select(listed, [want("foo")], Policy(max_file_size=1000))
    assert selection.left_out == {"foo-1.0.tar.gz": LeftOut.TOO_LARGE}


def test_digests_admit_only_the_files_that_have_them() -> None:
    right, wrong = "a" * 64, "b" * 64
    listed = page(
        entry("foo-2.0.tar.gz", hashes={"sha256": wrong}), entry("foo-1.0.tar.gz", hashes={"sha256": right})
    )
    selection = select(listed, [want("foo", [("sha256", right)])], Policy())
    assert chosen(selection) == ["foo-1.0.tar.gz"]
    assert selection.left_out == {"foo-2.0.tar.gz": LeftOut.OTHER_DIGEST}
    assert selection.chosen[0].accepted == frozenset()


def test_digests_that_upstream_does_not_list_are_checked_on_arrival() -> None:
    pairs = [("sha256", "a" * 64)]
    selection = select(
        page(entry("foo-1.0.tar.gz", hashes={"md5": "c" * 32})), [want("foo", pairs)], Policy()
    )
    assert selection.chosen[0].accepted == frozenset(pairs)


def test_union_of_several_requirements() -> None:
    selection = select(page(*sdists("1.0", "2.0", "3.0")), [want("foo<2"), want("foo==2.0")], Policy())
    assert chosen(selection) == sdists("1.0", "2.0")
    assert selection.left_out == {"foo-3.0.tar.gz": LeftOut.OTHER_VERSION}


@pytest.mark.parametrize(
    ("files", "spec", "newest", "why"),
    [
        (["foo-1.0.tar.gz"], "foo>=2", "1.0", ""),
        ([], "foo", None, ""),
        ([entry("foo-2.0.tar.gz", yanked="oops")], "foo>=2", "2.0", "yanked"),
        (["foo-2014z-final.tar.gz"], "foo", "2014z-final", "PEP 440"),
    ],
)
def test_what_nothing_satisfies_says_what_there_is(
    files: list[str | ProjectFile], spec: str, newest: str | None, why: str
) -> None:
    (error,) = select(page(*files), [want(spec)], Policy()).unsatisfied
    assert error.newest == newest
    assert why in str(error)
    assert spec in str(error)


def test_a_quarantined_project_says_so() -> None:
    (error,) = select(page(status="quarantined"), [want("foo")], Policy()).unsatisfied
    assert "quarantined" in str(error)


def test_constraints_narrow_and_the_same_demand_counts_once() -> None:
    wanted = demands([want("foo"), want("bar"), want("foo<9"), want("Foo")], [want("foo<2"), want("baz==1")])
    assert list(wanted) == ["foo", "bar"]
    assert [str(one.specifier) for one in wanted[canonicalize_name("foo")]] == ["<2", "<2,<9"]


@pytest.mark.parametrize(
    ("spec", "bounds", "versions", "why"),
    [
        ("foo", ["foo>=2"], ["1.0", "1.1"], "the constraint foo>=2 (c.txt:1) excludes 1.1"),
        ("foo>=2", ["foo>1", "foo<2"], ["1.5", "3.0"], "the constraint foo<2 (c.txt:2) excludes 3.0"),
        ("foo", ["foo>=2"], ["1.0", "1.1rc1"], "the constraint foo>=2 (c.txt:1) excludes 1.0"),
        (
            "foo",
            ["foo>=2", "foo!=1.*"],
            ["1.0"],
            "the constraint foo>=2 (c.txt:1) excludes 1.0, and so does foo!=1.* (c.txt:2)",
        ),
        ("foo>=3", ["foo>=2"], ["1.0"], ""),
        ("foo", ["foo>=2"], [], ""),
    ],
)
def test_a_constraint_that_leaves_nothing_is_named(
    spec: str, bounds: list[str], versions: list[str], why: str
) -> None:
    constraints = [replace(want(bound), origin=f"c.txt:{line}") for line, bound in enumerate(bounds, 1)]
    (wants,) = demands([want(spec)], constraints).values()
    (error,) = select(page(*sdists(*versions)), wants, Policy()).unsatisfied
    assert (error.requirement, error.why) == (spec, why)


def test_a_constraint_that_rules_out_the_digests_is_named() -> None:
    there = entry("foo-1.0.tar.gz", hashes={"sha256": "a" * 64})
    bound = replace(want("foo==1.0", [("sha256", "b" * 64)]), origin="c.txt:1")
    (wants,) = demands([want("foo")], [bound]).values()
    (error,) = select(page(there), wants, Policy()).unsatisfied
    assert error.why.endswith("those that the requirement lists, or the constraint foo==1.0 (c.txt:1)")


@pytest.mark.parametrize(
    ("asked", "bound", "versions"),
    [("ab", "bc", "2"), ("ab", "", "12"), ("", "bc", "23"), ("a", "c", ""), ("", "", "123")],
)
def test_a_file_has_a_digest_that_requirement_and_constraint_list(
    asked: str, bound: str, versions: str
) -> None:
    listed = [
        entry(f"foo-{n}.tar.gz", hashes={"sha256": one * 64}) for n, one in zip("123", "abc", strict=True)
    ]
    pairs = [[("sha256", one * 64) for one in ones] for ones in (asked, bound)]
    (wants,) = demands([want("foo", pairs[0])], [want("foo", pairs[1])]).values()
    found = select(page(*listed), wants, Policy(latest=None))
    assert {one.file.filename[4] for one in found.chosen} == set(versions)
    assert bool(found.unsatisfied) is not bool(versions)
