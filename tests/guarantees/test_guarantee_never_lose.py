"""GUARANTEES, Never lose: G11 to G13."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import ANY_FAILURE

from catalogue import JSON_TYPE
from faults import Body, Cut, Redirect, Reset, Stall, Status, content_type
from library import AT_ONCE, Library

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror

SDIST, WHEEL, OLD = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-0.9.tar.gz"
PAGE = "/simple/foo/"
EMPTY = json.dumps({"meta": {"api-version": "1.1"}, "name": "foo", "files": [], "versions": []}).encode()


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    """A mirror of two versions of foo, and of bar."""
    for name in (SDIST, WHEEL, OLD):
        mirror.upstream.add_file("foo", name)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    mirror.sync("foo", "bar", "--all-versions")
    return mirror


@pytest.mark.parametrize(
    "fault",
    [
        *(Status(status) for status in (204, 300, 301, 401, 403, 404, 410, 503)),
        Body(b""),
        Body(b"{}"),
        Body(EMPTY),
        Body(EMPTY.replace(b'"foo"', b'"bar"')),
        Body(EMPTY.replace(b"1.1", b"2.0")),
        Body(b"[" * 200_000),
        (Body(b"<html><title>Sign in</title>"), content_type("text/html")),
        content_type("application/json"),
        content_type(None),
        Cut(40),
        Reset(),
        Stall(),
        Redirect("ftp://files.example/"),
        Redirect(PAGE),
    ],
    ids=str,
)
def test_G11_nothing_that_upstream_answers_takes_anything_away(
    foo: Mirror, fault: Fault | tuple[Fault, ...]
) -> None:
    before = foo.identities()
    foo.upstream.always(PAGE, *(fault if isinstance(fault, tuple) else (fault,)))
    for args in (["foo", "bar"], ["foo==1.0", "bar", "--all-versions"]):
        ran = foo.sync(*args, "--keep-going", "--retries", "0", "--timeout", "0.3", code=ANY_FAILURE)
        assert any(line.startswith("foo: ") for line in ran.errors())
        assert foo.identities() == before
    foo.upstream.always(PAGE)
    foo.upstream.clear()
    foo.sync("foo", "bar")
    assert foo.identities() == before
    assert not foo.upstream.file_requests()


@pytest.mark.parametrize(
    "fault",
    [Status(404), Status(401), Status(503), Body(EMPTY), Body(b"{}"), Cut(40), Stall()],
    ids=str,
)
def test_G11_nor_does_it_with_pruning(foo: Mirror, fault: Fault) -> None:
    """What was doomed before, and what would be by this answer, is there when the answer is not one."""
    library = Library(foo)
    library.sync("foo", "bar")
    before = foo.identities()
    foo.upstream.always(PAGE, fault)
    for specs in (["foo<2", "bar"], ["foo==1.0", "bar"]):  # of which no earlier answer is known
        report = library.sync(*specs, code=ANY_FAILURE, retries=0, timeout=0.3, pruning=AT_ONCE)
        assert not report.removals
        assert foo.identities() == before


@pytest.mark.parametrize("name", [SDIST, WHEEL, OLD])
def test_G11_a_file_that_upstream_drops_stays_listed(foo: Mirror, name: str) -> None:
    before = foo.contents()
    foo.upstream.remove_file("foo", name)
    foo.sync("foo", "--all-versions")
    assert foo.contents() == before


def test_G11_what_is_no_longer_asked_for_stays(foo: Mirror) -> None:
    before = foo.identities()
    foo.sync("bar")
    foo.sync("foo==1.0", "--only-binary", ":all:", "--max-file-size", "1", code=3)
    assert foo.identities() == before


def test_G11_all_projects_but_one_gone_from_upstream(foo: Mirror) -> None:
    before = foo.identities()
    foo.upstream.projects.pop("foo")
    foo.upstream.blobs.clear()
    foo.sync("foo", "bar", "--keep-going", code=3)
    foo.index()
    assert foo.identities() == before


STRANGE = {
    "README": b"mine",
    ".htaccess": b"mine",
    "style.css": b"mine",
    "foo/notes.txt": b"mine",
    "foo/.hidden": b"mine",
    "foo/foo-9.tar.gz": b"mine, and like one of theirs",
    "foo/foo-9.tar.gz.asc": b"mine",
    "foo/sub/index.html": b"mine",
    "Not_Normal/page.html": b"mine",
    "empty/nothing.bin": b"",
    ".aiomirror/notes": b"mine, though in a place of theirs",
}


def test_G12_files_of_others_are_left_alone(foo: Mirror) -> None:
    for name, body in STRANGE.items():
        path = foo.dest / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    (foo.dest / "foo" / "link.txt").symlink_to("notes.txt")
    (foo.dest / "dangling").symlink_to("nowhere")
    before = {name: (foo.dest / name).stat() for name in STRANGE}
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    foo.sync("foo", "bar", "--all-versions")
    for name, body in STRANGE.items():
        assert (foo.dest / name).read_bytes() == body
        assert (foo.dest / name).stat().st_mtime_ns == before[name].st_mtime_ns
        assert (foo.dest / name).stat().st_ino == before[name].st_ino
    assert (foo.dest / "foo" / "link.txt").readlink().name == "notes.txt"
    assert (foo.dest / "dangling").is_symlink()


def test_G12_nor_are_they_pruned(foo: Mirror) -> None:
    library = Library(foo, checked=False)  # a page of somebody's own is not in order
    library.sync("bar")
    own = {**STRANGE, "docs/index.html": b"mine", "bar/bar-9.tar.gz": b"mine", "foo/foo-8.zip": b"mine"}
    for name, body in own.items():
        path = foo.dest / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    outside = foo.folder / "outside.tar.gz"
    outside.write_bytes(b"elsewhere")
    foo.path(SDIST).unlink()
    (foo.dest / "foo" / SDIST).symlink_to(outside)
    library.sync("bar", pruning=AT_ONCE)
    assert not (foo.dest / "foo" / "index.html").exists()
    assert not (foo.dest / "foo" / WHEEL).exists()
    assert outside.read_bytes() == b"elsewhere"
    assert (foo.dest / "foo" / SDIST).is_symlink()
    assert all((foo.dest / name).read_bytes() == body for name, body in own.items())


@pytest.mark.parametrize("formats", ["json", "html"])
def test_G12_a_file_of_somebodys_own_where_upstream_has_another(mirror: Mirror, formats: str) -> None:
    """A patched build put beside the mirrored ones, before ``aiomirror index`` has listed it."""
    mirror.upstream.formats = formats
    mirror.upstream.add_file("foo", OLD)
    mirror.sync("foo")
    mirror.upstream.add_file("foo", SDIST)
    own = mirror.dest / "foo" / SDIST
    own.write_bytes(b"patched here")
    mirror.sync("foo", code=ANY_FAILURE)
    assert own.read_bytes() == b"patched here"


@pytest.mark.parametrize("formats", ["json", "html"])
def test_G13_the_yanked_state_follows_at_once(foo: Mirror, formats: str) -> None:
    foo.upstream.formats = formats
    for yanked, published in (
        ("bad", "bad"),
        ("worse", "worse"),
        (True, ""),
        (False, None),
        ("again", "again"),
    ):
        body = foo.upstream.blobs[f"/files/foo/{OLD}"].body
        foo.upstream.add_file("foo", OLD, content=body, yanked=yanked)
        foo.upstream.clear()
        foo.sync("foo")  # which asks for the newest, not for this one
        assert foo.entry("foo", OLD).yanked == published
        assert not foo.upstream.file_requests()


@pytest.mark.parametrize("stateless", [False, True])
def test_G13_a_quarantined_project_is_withdrawn_and_comes_back(
    foo: Mirror,
    stateless: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    before, files = foo.contents(), foo.files()
    foo.upstream.projects["foo"].status = "quarantined"
    for _ in range(2):
        foo.sync("foo", code=3)
        assert (foo.listed("foo"), foo.files()) == ([], files)
        if stateless:
            shutil.rmtree(foo.dest / ".aiomirror")
    foo.upstream.projects["foo"].status = None
    foo.upstream.clear()
    foo.sync("foo")
    assert foo.contents() == before
    assert not foo.upstream.file_requests()


def test_G13_a_page_in_the_other_format_loses_no_mark(foo: Mirror) -> None:
    """HTML has no reason for an empty mark, JSON may: whichever upstream serves, the mark is there."""
    foo.upstream.projects["foo"].files[0]["yanked"] = True
    for formats in ("json", "html"):
        foo.upstream.formats = formats
        foo.sync("foo==1.0")
        assert foo.entry("foo", SDIST).yanked == ""
        assert 'data-yanked=""' in foo.text("foo")
    assert JSON_TYPE in foo.upstream.requests[-1].headers["accept"]
