"""What is chosen of a page when a lock file names the files."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from aiomirror.requirements import FormatControl, Wanted, parse_spec
from aiomirror.selection import MAX_NAMED, LeftOut, Policy, Selection, demands, select
from aiomirror.simple.values import ProjectFile, ProjectPage, ProjectStatus
from aiomirror.targets import parse_targets

A, B, C = "a" * 64, "b" * 64, "c" * 64
FOO = canonicalize_name("foo")
WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"


def page(files: dict[str, str], *, status: str = "active", yanked: str | None = None) -> ProjectPage:
    """Files by name with their sha256; "" for one that has none listed."""
    made = (
        ProjectFile(
            filename=name,
            url=f"https://files.example/{name}",
            hashes={"sha256": digest} if digest else {},
            yanked=yanked,
        )
        for name, digest in files.items()
    )
    return ProjectPage(project=FOO, files=tuple(made), status=ProjectStatus(status))


def locked(files: dict[str, str], version: str = "1.0") -> Wanted:
    hashes = {name: frozenset({("sha256", digest)} if digest else ()) for name, digest in files.items()}
    return Wanted(FOO, SpecifierSet(f"=={version}"), origin="uv.lock:5", text=f"foo=={version}", files=hashes)


def chosen(selection: Selection) -> dict[str, set[str]]:
    """File → the digests that its bytes are to be checked for."""
    return {one.file.filename: {digest for _, digest in one.accepted} for one in selection.chosen}


def errors(selection: Selection) -> list[str]:
    return [str(error) for error in selection.unsatisfied]


def test_only_the_files_that_are_listed() -> None:
    there = {WHEEL: A, SDIST: B, "foo-1.0-py2-none-any.whl": C, "foo-1.1.tar.gz": C}
    selection = select(page(there), [locked({WHEEL: A, SDIST: B})], Policy())
    assert chosen(selection) == {WHEEL: set(), SDIST: set()}
    assert not selection.unsatisfied
    assert selection.left_out == {
        "foo-1.0-py2-none-any.whl": LeftOut.NOT_LOCKED,
        "foo-1.1.tar.gz": LeftOut.OTHER_VERSION,
    }


def test_no_file_vouches_for_another() -> None:
    selection = select(page({WHEEL: B, SDIST: B}), [locked({WHEEL: A, SDIST: B})], Policy())
    assert chosen(selection) == {SDIST: set()}
    (error,) = errors(selection)
    assert error.startswith(
        f"foo: nothing satisfies '{WHEEL}'; the newest version is 1.0 (locked in uv.lock:5; "
    )
    assert error.endswith("; its digest is none of those that the requirement lists)")


def test_digests_that_upstream_does_not_list_are_looked_for_in_the_bytes() -> None:
    selection = select(page({WHEEL: "", SDIST: ""}), [locked({WHEEL: A, SDIST: ""})], Policy())
    assert chosen(selection) == {WHEEL: {A}, SDIST: set()}


def test_files_that_upstream_lacks_are_named() -> None:
    selection = select(page({SDIST: B, "foo-2.0.tar.gz": C}), [locked({WHEEL: A, SDIST: B})], Policy())
    assert chosen(selection) == {SDIST: set()}
    (error,) = errors(selection)
    assert error.startswith(f"foo: nothing satisfies '{WHEEL}'; the newest version is 2.0 ")
    assert error.endswith("(locked in uv.lock:5; not listed upstream)")
    selection = select(page({"foo-2.0.tar.gz": C}), [locked({WHEEL: A, SDIST: B})], Policy())
    assert errors(selection)[0].startswith(f"foo: nothing satisfies '{WHEEL}, {SDIST}'; ")


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("foo-1.0-py3-none-any.whl", "Foo-1.0-py3-none-any.whl"),
        ("foo-1.0-py3-none-any.whl", "foo-1.0.0-py3-none-any.whl"),
        ("foo-1.0-py2.py3-none-any.whl", "FOO-1.0-py3.py2-none-any.whl"),
        ("foo-1.0-1-py3-none-any.whl", "Foo-1.0-1-py3-none-any.whl"),
        ("foo-1.0.tar.gz", "Foo-1.0.tar.gz"),
        ("foo-1.0rc1.tar.gz", "foo-1.0-rc1.tar.gz"),
    ],
)
def test_a_name_that_upstream_spells_otherwise(name: str, listed: str) -> None:
    want = replace(locked({name: A}), specifier=SpecifierSet(">=0a0"))
    assert chosen(select(page({listed: A}), [want], Policy())) == {listed: set()}
    assert chosen(select(page({listed: ""}), [want], Policy())) == {listed: {A}}
    selection = select(page({listed: B}), [want], Policy())
    assert not selection.chosen
    assert "its digest is none of those" in errors(selection)[0]


@pytest.mark.parametrize(
    "other",
    [
        "Foo-1.0-py2-none-any.whl",
        "Foo-1.0-1-py3-none-any.whl",
        "Foo-1.0.1-py3-none-any.whl",
        "Foo-1.0.tar.gz",
        "Foo-1.0-py3-none-any.exe",
        "foo_bar-1.0-py3-none-any.whl",
    ],
)
def test_a_name_that_says_something_else(other: str) -> None:
    selection = select(page({other: A}), [locked({WHEEL: A})], Policy())
    assert not selection.chosen
    assert errors(selection)[0].startswith(f"foo: nothing satisfies '{WHEEL}'; ")
    assert errors(selection)[0].endswith("; not listed upstream)")


def test_of_several_spellings_the_one_with_the_digest() -> None:
    there = {"foo-1.0.0.tar.gz": B, "foo-1.0.0.0.tar.gz": A}
    assert chosen(select(page(there), [locked({SDIST: A})], Policy())).keys() == {"foo-1.0.0.0.tar.gz"}
    there[SDIST] = C  # which has the very name
    assert not select(page(there), [locked({SDIST: A})], Policy()).chosen


def test_of_many_files_that_are_missing_a_few_are_named() -> None:
    wheels = {f"foo-1.0-cp3{n}-none-any.whl": A for n in range(10, 10 + MAX_NAMED + 3)}
    (error,) = errors(select(page({}), [locked(wheels)], Policy()))
    assert "foo-1.0-cp310-none-any.whl, " in error
    assert " and 3 more'" in error


def test_files_that_the_policy_rules_out_are_not_missed() -> None:
    wheels = Policy(formats=FormatControl(only_binary=frozenset({":all:"})))
    lock = locked({WHEEL: A, SDIST: B, "foo-1.0-py3.11.egg": C})
    for there in ({WHEEL: A, SDIST: B}, {WHEEL: A}):
        selection = select(page(there), [lock], wheels)
        assert (chosen(selection), errors(selection)) == ({WHEEL: set()}, [])
    (error,) = errors(select(page({SDIST: B}), [locked({SDIST: B})], wheels))
    assert "--only-binary leaves those out" in error


def test_a_lock_is_a_pin() -> None:
    lock = locked({"foo-1.0rc1.tar.gz": A}, "1.0rc1")
    selection = select(page({"foo-1.0rc1.tar.gz": A, SDIST: B}, yanked="broken"), [lock], Policy())
    assert chosen(selection) == {"foo-1.0rc1.tar.gz": set()}


def test_every_file_is_taken_whatever_versions_it_is_of() -> None:
    files = {"foo-1.0+cpu-py3-none-any.whl": A, SDIST: B}
    assert chosen(select(page(files), [locked(files)], Policy(latest=1))).keys() == files.keys()


def test_of_a_quarantined_project_nothing() -> None:
    selection = select(page({SDIST: B}, status="quarantined"), [locked({SDIST: B})], Policy())
    assert not selection.chosen
    assert "quarantined" in errors(selection)[0]


def test_a_lock_beside_other_requirements() -> None:
    newest = parse_spec("foo")
    assert isinstance(newest, Wanted)
    there = {WHEEL: A, SDIST: B, "foo-2.0.tar.gz": C}
    selection = select(page(there), [locked({WHEEL: A}), newest], Policy())
    assert chosen(selection).keys() == {WHEEL, "foo-2.0.tar.gz"}


@pytest.mark.parametrize("other", [{WHEEL: B}, {SDIST: A}, {WHEEL: A, SDIST: A}])
def test_locks_that_differ_are_kept_apart(other: dict[str, str]) -> None:
    first, again, second = locked({WHEEL: A}), locked({WHEEL: A}), locked(other)
    assert demands([first, again, second], []) == {FOO: (first, second)}


def test_constraints_bind_locks() -> None:
    bound = parse_spec("foo<1")
    assert isinstance(bound, Wanted)
    (want,) = demands([locked({SDIST: A})], [bound])[FOO]
    (error,) = errors(select(page({SDIST: A}), [want], Policy()))
    assert error.endswith("; the constraint foo<1 (command line) excludes 1.0)")


LINUX, WINDOWS = (
    f"foo-1.0-cp312-cp312-{platform}.whl" for platform in ("manylinux_2_17_x86_64", "win_amd64")
)
FOR_LINUX = Policy(targets=parse_targets(["3.12"], ["linux"]))


@pytest.mark.parametrize("best", [False, True])
def test_targets_do_without_what_a_lock_lists_for_others(*, best: bool) -> None:
    files = {LINUX: A, WHEEL: A, WINDOWS: A, SDIST: B}
    selection = select(page(files), [locked(files)], replace(FOR_LINUX, best_wheel=best))
    assert chosen(selection).keys() == ({LINUX} if best else {LINUX, WHEEL})
    assert not selection.unsatisfied


@pytest.mark.parametrize("there", [{WINDOWS: A}, {}])
def test_a_lock_lists_versions_that_are_for_other_machines(there: dict[str, str]) -> None:
    selection = select(page(there), [locked({WINDOWS: A})], FOR_LINUX)
    assert not selection.chosen
    assert not selection.unsatisfied


def test_a_lock_lists_versions_that_are_for_other_pythons() -> None:
    newer = ProjectFile(filename=WHEEL, url="", hashes={"sha256": A}, requires_python=">=3.13")
    selection = select(ProjectPage(project=FOO, files=(newer,)), [locked({WHEEL: A})], FOR_LINUX)
    assert not selection.chosen
    assert not selection.unsatisfied


def test_what_a_target_needs_of_a_lock_is_missed() -> None:
    selection = select(page({WINDOWS: A}), [locked({WINDOWS: A, SDIST: B})], FOR_LINUX)
    assert selection.unsatisfied
    selection = select(page({WINDOWS: A}), [locked({WINDOWS: A, LINUX: B})], FOR_LINUX)
    (error,) = errors(selection)
    assert error.endswith("(locked in uv.lock:5; not listed upstream)")


def test_what_is_locked_for_some_targets_is_not_missed_by_others() -> None:
    both = Policy(targets=parse_targets(["3.12"], ["linux", "windows"]))
    for_linux = replace(locked({LINUX: A, WINDOWS: B}), targets=(both.targets[0].name,))
    selection = select(page({LINUX: A}), [for_linux], both)
    assert chosen(selection).keys() == {LINUX}
    assert not selection.unsatisfied
    assert select(page({LINUX: A}), [replace(for_linux, targets=())], both).unsatisfied
    assert not select(page({}), [replace(locked({WINDOWS: B}), targets=for_linux.targets)], both).unsatisfied
