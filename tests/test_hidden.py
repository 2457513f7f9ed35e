"""What was hidden because upstream took it back: it stays hidden, and the mirror's, whatever is mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import main
from aiomirror.pruning import Withdrawal, Withdrawn
from catalogue import sha256
from library import AT_ONCE, Library, removed
from mirror import PAGES, Ran

if TYPE_CHECKING:
    from mirror import Mirror

FILES = ["foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"]
HIDE = Withdrawn(deleted=Withdrawal.HIDE, quarantined=Withdrawal.HIDE)
REMOVE = Withdrawn(deleted=Withdrawal.REMOVE, quarantined=Withdrawal.REMOVE)


@pytest.fixture
def library(mirror: Mirror) -> Library:
    for name in FILES:
        mirror.upstream.add_file("foo", name, core_metadata=name.endswith(".whl"))
    mirror.upstream.add_file("bar", "bar-1.zip")
    library = Library(mirror)
    library.sync("foo", "bar")
    return library


def verified(library: Library, capsys: pytest.CaptureFixture[str], *args: str) -> Ran:
    mirror = library.mirror
    capsys.readouterr()
    path = mirror.folder / "verified.json"
    where = ["-i", mirror.upstream.url, "--retries", "0"] if args else []
    code = main(["verify", "-d", str(mirror.dest), "--report", str(path), *args, *where])
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err, json.loads(path.read_bytes()))


def quarantine(library: Library) -> None:
    """Upstream has the project under quarantine, and our page offers nothing any more."""
    library.mirror.upstream.projects["foo"].status = "quarantined"
    library.sync("foo", "bar", code=3, withdrawn=HIDE)
    assert not library.mirror.listed("foo")


def delete(library: Library) -> None:
    """Upstream has no such project, and we have no page of it."""
    library.mirror.upstream.projects.pop("foo")
    library.sync("foo", "bar", code=3, withdrawn=HIDE)
    assert not (library.mirror.dest / "foo" / "index.html").exists()


def test_an_address_that_has_no_project_at_all_takes_none_back(library: Library) -> None:
    """It is none of an index, or of another one: a path too few in it must not empty the mirror."""
    mirror = library.mirror
    known = mirror.contents()
    gone = dict(mirror.upstream.projects)
    mirror.upstream.projects.clear()
    for withdrawn in (HIDE, REMOVE):
        report = library.sync("foo", "bar", code=3, withdrawn=withdrawn, pruning=AT_ONCE)
        assert any("has none of what is mirrored (2 projects)" in warning for warning in report.warnings)
        assert mirror.contents() == known
    mirror.upstream.projects.update(gone)
    library.sync("foo", "bar")
    assert mirror.contents() == known


def offered(mirror: Mirror) -> list[str]:
    """What is listed of the project."""
    return mirror.listed("foo") if (mirror.dest / "foo" / "index.v1_json").exists() else []


@pytest.mark.parametrize("repair", [(), ("--repair",)])
def test_a_deleted_project_that_is_hidden_is_no_damage(
    library: Library, capsys: pytest.CaptureFixture[str], repair: tuple[str, ...]
) -> None:
    delete(library)
    before = library.mirror.contents()
    ran = verified(library, capsys, *repair)
    assert (ran.code, ran.errors()) == (0, [])
    assert ran.warnings() == [f"foo: on disk, and no page lists it: {', '.join(FILES)}"]
    assert library.mirror.contents() == before


def test_index_leaves_a_deleted_project_hidden(library: Library) -> None:
    delete(library)
    before = library.mirror.contents()
    assert library.mirror.index().warnings() == [
        "foo: hidden, since upstream has deleted it; no page lists its files"
    ]
    assert library.mirror.contents() == before


def test_index_lists_what_it_does_not_know_to_be_hidden(library: Library) -> None:
    delete(library)
    for path in (library.mirror.dest / ".aiomirror").glob("state.sqlite*"):
        path.unlink()
    library.mirror.index()
    assert sorted(offered(library.mirror)) == FILES


def test_index_lists_again_what_has_lost_its_pages(library: Library) -> None:
    for form in PAGES:
        (library.mirror.dest / "foo" / form).unlink()
    library.mirror.index()
    assert sorted(offered(library.mirror)) == FILES


@pytest.mark.parametrize("lost", [[], ["index.html"], ["index.v1_json"], list(PAGES)])
def test_index_leaves_a_quarantined_project_hidden(library: Library, lost: list[str]) -> None:
    quarantine(library)
    for form in lost:
        (library.mirror.dest / "foo" / form).unlink()
    library.mirror.index()
    assert not offered(library.mirror)
    assert library.mirror.page("foo").status.marker == "quarantined"


@pytest.mark.parametrize("reachable", [True, False])
@pytest.mark.parametrize("lost", [["index.html"], ["index.v1_json"], list(PAGES)])
def test_repair_leaves_a_quarantined_project_hidden(
    library: Library, capsys: pytest.CaptureFixture[str], lost: list[str], *, reachable: bool
) -> None:
    quarantine(library)
    mirror = library.mirror
    for form in lost:
        (mirror.dest / "foo" / form).unlink()
    if not reachable:
        mirror.upstream.projects.pop("foo")
    assert verified(library, capsys, "--repair").code == 0
    assert not offered(mirror)
    assert mirror.page("foo").status.marker == "quarantined"
    assert {*FILES} < mirror.files()
    assert verified(library, capsys).code == 0


def test_what_is_hidden_is_known_to_be_the_mirrors_after_a_repair(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(library)
    mirror = library.mirror
    known = mirror.contents()
    (mirror.dest / "foo" / "index.html").write_text("no page")
    assert verified(library, capsys, "--repair").code == 0
    report = library.sync("foo", "bar", code=3, withdrawn=REMOVE, pruning=AT_ONCE)
    assert sorted(removed(report)) == FILES
    assert mirror.files() == {"bar-1.zip"}
    assert sha256(known["bar/bar-1.zip"]) == mirror.entry("bar", "bar-1.zip").hashes["sha256"]
