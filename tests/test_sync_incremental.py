"""The second run and the ones after it: what has not changed costs next to nothing, and damage is noticed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from aiomirror.simple.read import read_root
from faults import NoEtag, Status
from mirror import OURS, PAGES

if TYPE_CHECKING:
    from mirror import Mirror

MANY = [f"project-{number}" for number in range(20)]


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    mirror.upstream.add_file("foo", "foo-1.0.tar.gz")
    return mirror


@pytest.fixture
def many(mirror: Mirror) -> Mirror:
    mirror.upstream.serials = True
    for name in MANY:
        mirror.upstream.add_file(name, f"{name}-1.0.tar.gz")
    return mirror


def asked(mirror: Mirror) -> list[tuple[str, int]]:
    """Path and status of the requests since the last look."""
    answers = [(request.path, request.status) for request in mirror.upstream.requests]
    mirror.upstream.clear()
    return answers


def test_an_unchanged_page_costs_one_304(foo: Mirror) -> None:
    first = foo.sync("foo")
    before = foo.identities()
    asked(foo)
    second = foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 304)]
    assert foo.identities() == before
    assert second.report["totals"]["held"] == 1
    assert second.report["files"] == [{**first.report["files"][0], "status": "held"}]
    assert second.report["projects"]["foo"]["left_out"] == first.report["projects"]["foo"]["left_out"]


def test_without_validators_an_unchanged_page_is_told_by_its_digest(foo: Mirror) -> None:
    foo.upstream.always("/simple/foo/", NoEtag())
    foo.sync("foo")
    asked(foo)
    ran = foo.sync("foo", "-v")
    assert asked(foo) == [("/simple/foo/", 200)]
    assert ran.err == "foo: unchanged\n"


def test_a_changed_page_is_read(foo: Mirror) -> None:
    foo.sync("foo")
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    asked(foo)
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 200), ("/files/foo/foo-2.0.tar.gz", 200)]
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 304)]


@pytest.mark.parametrize(
    "args", [("foo<2",), ("foo", "--all-versions"), ("foo", "--pre"), ("foo", "--no-binary", ":all:")]
)
def test_another_demand_reads_the_page_again(foo: Mirror, args: tuple[str, ...]) -> None:
    foo.sync("foo")
    asked(foo)
    foo.sync(*args)
    assert asked(foo) == [("/simple/foo/", 200)]


def test_other_rules_of_selection_are_another_demand(foo: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new release may choose better, and nothing upstream says so."""
    foo.sync("foo")
    asked(foo)
    monkeypatch.setattr("aiomirror.visit.METHOD", 0)
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 200)]


def test_another_upstream_is_another_demand(foo: Mirror) -> None:
    foo.sync("foo")
    asked(foo)
    foo.sync("foo", "-i", f"{foo.upstream.base}/simple")
    assert asked(foo) == [("/simple/foo/", 304)]
    foo.sync("foo", "-i", foo.upstream.url.replace("127.0.0.1", "localhost"))
    assert asked(foo) == [("/simple/foo/", 200)]


@pytest.mark.parametrize("name", ["foo-1.0.tar.gz", "index.html", "index.v1_json"])
@pytest.mark.parametrize("damage", ["removed", "changed"])
def test_damage_is_noticed_though_upstream_has_not_changed(foo: Mirror, name: str, damage: str) -> None:
    foo.sync("foo")
    before = foo.contents()
    path = foo.dest / "foo" / name
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    asked(foo)
    foo.sync("foo")
    assert asked(foo)[0] == ("/simple/foo/", 200)
    assert foo.contents() == before


def test_what_failed_is_looked_at_again(foo: Mirror) -> None:
    foo.upstream.fault("/files/foo/foo-1.0.tar.gz", Status(404))
    foo.sync("foo", code=1)
    asked(foo)
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 200), ("/files/foo/foo-1.0.tar.gz", 200)]


def test_what_is_unsatisfied_is_said_on_every_run(foo: Mirror) -> None:
    for _ in range(2):
        assert "nothing satisfies" in foo.sync("foo==9", code=3).err


def test_the_serials_of_the_root_index_spare_the_pages(many: Mirror) -> None:
    many.sync(*MANY)
    before = many.identities()
    asked(many)
    second = many.sync(*MANY)
    assert asked(many) == [("/simple/", 200)]
    third = many.sync(*MANY)
    assert asked(many) == [("/simple/", 304)]
    assert many.identities() == before
    assert second.report["totals"]["held"] == third.report["totals"]["held"] == len(MANY)


def test_only_the_projects_with_other_serials_are_asked_for(many: Mirror) -> None:
    many.sync(*MANY)
    many.sync(*MANY)
    many.upstream.add_file("project-7", "project-7-2.0.tar.gz")
    asked(many)
    many.sync(*MANY)
    assert asked(many) == [
        ("/simple/", 200),
        ("/simple/project-7/", 200),
        ("/files/project-7/project-7-2.0.tar.gz", 200),
    ]
    many.sync(*MANY)
    assert asked(many) == [("/simple/", 304)]


def test_a_project_that_changed_while_it_was_not_asked_for_is_read(many: Mirror) -> None:
    many.sync(*MANY)
    many.sync(*MANY)
    many.upstream.add_file("project-7", "project-7-2.0.tar.gz")
    rest = [name for name in MANY if name != "project-7"]
    many.sync(*rest)
    asked(many)
    many.sync(*MANY)
    assert asked(many) == [
        ("/simple/", 304),
        ("/simple/project-7/", 200),
        ("/files/project-7/project-7-2.0.tar.gz", 200),
    ]


def test_damage_is_noticed_without_a_word_from_upstream(many: Mirror) -> None:
    many.sync(*MANY)
    (many.dest / "project-3/project-3-1.0.tar.gz").write_bytes(b"rotten")
    asked(many)
    many.sync(*MANY)
    assert asked(many)[1:] == [
        ("/simple/project-3/", 200),
        ("/files/project-3/project-3-1.0.tar.gz", 200),
    ]


@pytest.mark.parametrize("asked_for", [MANY, MANY[:18]], ids=["all", "most"])
def test_lost_root_pages_list_everything_that_has_a_page(many: Mirror, asked_for: list[str]) -> None:
    many.sync(*MANY)
    before = many.contents()
    (many.dest / "index.html").unlink()
    (many.dest / "index.v1_json").write_bytes(b"damaged")
    many.sync(*asked_for)
    assert many.contents() == before


def test_the_root_page_drops_what_lost_its_pages_and_cannot_be_asked_for(many: Mirror) -> None:
    many.sync(*MANY)
    for form in PAGES:
        (many.dest / "project-3" / form).unlink()
    many.upstream.always("/simple/project-3/", Status(403))
    many.sync(*MANY, code=1)
    listed = read_root((many.dest / "index.v1_json").read_bytes(), PAGES["index.v1_json"], OURS)
    assert listed.keys() == set(MANY) - {"project-3"}


def test_a_folder_that_cannot_be_looked_at_ends_the_run(many: Mirror) -> None:
    many.sync(*MANY)
    (many.dest / "project-3").rename(many.folder / "elsewhere")
    (many.dest / "project-3").symlink_to(many.folder / "elsewhere")
    assert "project-3: is a link" in many.sync(*MANY, "--dry-run", code=6).err


def test_a_run_with_other_projects_among_the_unchanged_tells_of_all(many: Mirror) -> None:
    many.sync(*MANY[:18])
    many.upstream.add_file("project-7", "project-7-2.0.tar.gz")
    ran = many.sync(*MANY, "-v")
    unchanged = {f"{name}: unchanged" for name in MANY[:18] if name != "project-7"}
    assert {line for line in ran.err.splitlines() if line.endswith("unchanged")} == unchanged
    assert {file["project"]: file["status"] for file in ran.report["files"]} == {
        name: "fetched" if name in {"project-7", *MANY[18:]} else "held" for name in MANY
    }


def test_a_root_index_that_cannot_be_read_leaves_the_pages(many: Mirror) -> None:
    many.sync(*MANY)
    many.upstream.always("/simple/", Status(403))
    asked(many)
    many.sync(*MANY)
    assert sorted(asked(many)) == [("/simple/", 403), *sorted((f"/simple/{name}/", 304) for name in MANY)]


def test_a_root_index_that_costs_more_than_the_pages_is_asked_once(many: Mirror) -> None:
    for number in range(700):
        many.upstream.add_project(f"somebody-elses-project-{number}")
    many.sync(*MANY)
    asked(many)
    many.sync(*MANY)
    assert asked(many)[0] == ("/simple/", 200)
    many.sync(*MANY)
    assert sorted(asked(many)) == sorted((f"/simple/{name}/", 304) for name in MANY)


def test_a_few_projects_do_without_the_root_index(many: Mirror) -> None:
    many.sync(*MANY[:5])
    asked(many)
    many.sync(*MANY[:5])
    assert sorted(asked(many)) == sorted((f"/simple/{name}/", 304) for name in MANY[:5])


def test_a_lost_state_costs_time_only(foo: Mirror) -> None:
    foo.sync("foo")
    before = foo.identities()
    shutil.rmtree(foo.dest / ".aiomirror")
    asked(foo)
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 200)]
    foo.sync("foo")
    assert asked(foo) == [("/simple/foo/", 304)]
    assert foo.identities() == before


def test_a_dry_run_says_the_same_of_what_is_unchanged(foo: Mirror) -> None:
    foo.sync("foo")
    asked(foo)
    ran = foo.sync("foo", "--dry-run")
    assert asked(foo) == [("/simple/foo/", 304)]
    assert ran.report["totals"]["held"] == 1
