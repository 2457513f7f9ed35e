"""Publishing: what the tree holds after one run and after the next, and ``aiomirror index``."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from builders import make_sdist, make_wheel, make_zip_sdist
from catalogue import sha256
from faults import Status

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"


@pytest.fixture
def foo(mirror: Mirror) -> Mirror:
    """A mirror of foo 1.0, a wheel and a source archive."""
    mirror.upstream.add_file("foo", WHEEL, requires_python=">=3.8", core_metadata=True)
    mirror.upstream.add_file("foo", SDIST, requires_python=">=3.8", upload_time="2021-01-01T00:00:00Z")
    mirror.sync("foo")
    return mirror


def test_the_tree(foo: Mirror) -> None:
    assert set(foo.tree()) == {
        "index.html",
        "index.v1_json",
        *(f"foo/{name}" for name in ("index.html", "index.v1_json", WHEEL, f"{WHEEL}.metadata", SDIST)),
    }


def test_files_are_sorted_by_version_then_name(mirror: Mirror) -> None:
    names = [
        "foo-1.10.tar.gz",
        "foo-1.9.zip",
        "foo-1.9.tar.gz",
        "foo-1.9-py3-none-any.whl",
        "foo-2.0rc1.tar.gz",
    ]
    for name in names:
        mirror.upstream.add_file("foo", name)
    mirror.sync("foo", "--all-versions", "--pre")
    assert mirror.listed("foo") == [names[3], names[2], names[1], names[0], names[4]]
    assert '"versions":["1.9","1.10","2.0rc1"]' in mirror.text("foo", "index.v1_json").replace(" ", "")


def test_pages_are_a_function_of_what_is_held(foo: Mirror) -> None:
    """However the files came, and in whatever order upstream lists them."""
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    foo.sync("foo==2.0")
    first = foo.contents()
    shutil.rmtree(foo.dest)
    foo.upstream.projects["foo"].files.reverse()
    foo.sync("foo", "--all-versions")
    assert foo.contents() == first


def test_the_mirror_accumulates(foo: Mirror) -> None:
    foo.upstream.add_file("bar", "bar-1.tar.gz")
    foo.upstream.add_file("foo", "foo-2.0.tar.gz")
    before = foo.identities()
    foo.sync("bar")
    assert foo.files() == {WHEEL, SDIST, "bar-1.tar.gz"}
    assert before.items() - foo.identities().items() == {
        (name, identity) for name, identity in before.items() if name in {"index.html", "index.v1_json"}
    }
    foo.sync("foo")
    assert foo.listed("foo") == [WHEEL, SDIST, "foo-2.0.tar.gz"]
    assert foo.listed("bar") == ["bar-1.tar.gz"]


def test_a_second_run_rewrites_nothing(foo: Mirror) -> None:
    before = foo.identities()
    ran = foo.sync("foo")
    assert foo.identities() == before
    assert ran.report["totals"]["pages_written"] == 0
    foo.index()
    assert foo.identities() == before


@pytest.mark.parametrize(("first", "then"), [(False, "bad"), ("bad", "worse"), ("bad", False), (False, True)])
def test_the_yanked_mark_follows_at_once(mirror: Mirror, first: str | bool, then: str | bool) -> None:  # noqa: FBT001
    mirror.upstream.add_file("foo", SDIST, yanked=first)
    mirror.sync("foo==1.0")
    mirror.upstream.add_file("foo", SDIST, yanked=then)
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz")
    mirror.upstream.clear()
    mirror.sync("foo")  # which asks for another version
    assert mirror.entry("foo", SDIST).yanked == (then if isinstance(then, str) else "" if then else None)
    assert len(mirror.upstream.file_requests()) == 1


def test_requires_python_that_is_changed_upstream_follows(foo: Mirror) -> None:
    foo.upstream.projects["foo"].files[0]["requires-python"] = ">=3.9"
    foo.sync("foo")
    assert foo.entry("foo", WHEEL).requires_python == ">=3.9"
    assert foo.entry("foo", SDIST).requires_python == ">=3.8"


def test_a_file_that_upstream_removes_is_kept(foo: Mirror) -> None:
    foo.upstream.remove_file("foo", SDIST)
    before = foo.contents()
    foo.sync("foo")
    assert foo.contents() == before


def test_a_digest_that_changes_upstream_changes_nothing_here_and_is_reported(foo: Mirror) -> None:
    before = foo.contents()
    new = foo.upstream.add_file("foo", SDIST, content=b"other bytes", requires_python=">=3")
    for _ in range(2):
        foo.upstream.clear()
        (line,) = foo.sync("foo", code=1).errors()
        assert line.startswith(
            f"foo: {SDIST}: upstream now lists sha256 {sha256(new)}; what is held, sha256 "
        )
        assert foo.contents() == before
        assert not foo.upstream.file_requests()


def test_a_page_that_is_suddenly_empty_takes_nothing_away(foo: Mirror) -> None:
    before = foo.contents()
    foo.upstream.projects["foo"].files.clear()
    foo.sync("foo", code=3)
    assert foo.contents() == before


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_a_page_that_is_gone_takes_nothing_away(foo: Mirror, status: int) -> None:
    before = foo.identities()
    foo.upstream.always("/simple/foo/", Status(status))
    foo.sync("foo", "--retries", "0", code=3 if status in {404, 410} else 1)
    assert foo.identities() == before


def test_a_page_that_is_no_page_takes_nothing_away(foo: Mirror) -> None:
    before = foo.identities()
    foo.upstream.add_page("foo", b"<html><title>Sign in</title></html>", "application/xhtml+xml")
    foo.sync("foo", code=1)
    assert foo.identities() == before


def test_quarantine_withholds_the_files_and_lifting_it_brings_them_back(foo: Mirror) -> None:
    before = foo.contents()
    foo.upstream.projects["foo"].status = "quarantined"
    for _ in range(2):
        ran = foo.sync("foo", code=3)
        assert foo.listed("foo") == []
        assert foo.page("foo").status.marker == "quarantined"
        assert foo.files() == {WHEEL, SDIST}
        assert ran.warnings() == [
            f"foo: quarantined upstream; on disk and not listed: {WHEEL}, {SDIST}",
        ]
    foo.index()
    assert foo.listed("foo") == []
    foo.upstream.projects["foo"].status = None
    foo.upstream.clear()
    foo.sync("foo")
    assert foo.contents() == before
    assert not foo.upstream.file_requests()


def test_files_that_are_not_ours_are_left_alone(foo: Mirror) -> None:
    ours = foo.contents()
    strange = {
        "README": b"mine",
        "foo/notes.txt": b"mine, too",
        "foo/foo-9.tar.gz": b"by hand",
        "style.css": b"",
    }
    for name, body in strange.items():
        (foo.dest / name).write_bytes(body)
    foo.sync("foo")
    assert foo.contents() == {**ours, **strange}


def test_a_project_of_which_nothing_could_be_mirrored_gets_no_page(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404))
    mirror.sync("foo", code=1)
    assert set(mirror.tree()) == set()


def test_the_name_of_the_mirrors_folder_may_be_a_link(foo: Mirror) -> None:
    link = foo.folder / "link"
    link.symlink_to(foo.dest)
    foo.sync("foo", "-d", str(link))
    assert link.is_symlink()


# -- aiomirror index


def test_files_put_there_by_hand_are_listed(foo: Mirror) -> None:
    folder = foo.dest / "local-thing"
    folder.mkdir()
    wheel = make_wheel("local-thing", "1.0", requires_python=">=3.9")
    (folder / "local_thing-1.0-py3-none-any.whl").write_bytes(wheel)
    (folder / "local-thing-0.9.tar.gz").write_bytes(make_sdist("local-thing", "0.9", requires_python=">=3.7"))
    (folder / "local_thing-0.8.zip").write_bytes(make_zip_sdist("local-thing", "0.8"))
    before = foo.contents()
    ran = foo.index()
    assert ran.warnings() == []
    assert foo.listed("local-thing") == [
        "local_thing-0.8.zip",
        "local-thing-0.9.tar.gz",
        "local_thing-1.0-py3-none-any.whl",
    ]
    one = foo.entry("local-thing", "local_thing-1.0-py3-none-any.whl")
    assert (one.size, one.hashes, one.requires_python) == (len(wheel), {"sha256": sha256(wheel)}, ">=3.9")
    assert one.core_metadata is not None
    assert foo.entry("local-thing", "local-thing-0.9.tar.gz").requires_python == ">=3.7"
    assert foo.entry("local-thing", "local_thing-0.8.zip").requires_python is None
    assert ran.report["totals"]["held"] == 5
    assert {name: body for name, body in foo.contents().items() if name in before and "/" in name} == {
        name: body for name, body in before.items() if "/" in name
    }


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("foo-1.1-py3-none-any.whl", b"junk\n", "no wheel whose metadata can be read"),
        ("foo-1.1-py3-none-any.whl", make_wheel("bar", "1.1"), "no wheel whose metadata can be read"),
        (
            "foo-1.1.tar.gz",
            b"junk\n",
            "no source archive whose metadata can be read (not the compressed data",
        ),
        ("foo-1.1.tar.gz", make_sdist("bar", "1.1"), "(its folder is not named like the archive)"),
        ("foo-1.1.zip", b"", "(no end of a central directory)"),
        ("foo-1.1.zip", make_wheel("foo", "1.1"), "no source archive whose metadata can be read ("),
        ("foo-1.1-py3.12.egg", b"junk\n", ""),
    ],
)
def test_a_file_put_there_by_hand_that_says_nothing_of_itself_is_listed_with_a_warning(
    foo: Mirror, name: str, content: bytes, says: str
) -> None:
    (foo.dest / "foo" / name).write_bytes(content)
    ran = foo.index()
    assert foo.listed("foo") == [WHEEL, SDIST, name]
    assert len(ran.warnings()) == len(ran.report["warnings"]) == bool(says)
    for line in ran.warnings():
        assert line.startswith(f"foo: {name}: ")
        assert says in line
        assert line.endswith("; it is listed all the same")
    assert foo.index().warnings() == []


def test_a_file_put_there_by_hand_stays_listed_after_a_sync(foo: Mirror) -> None:
    (foo.dest / "foo" / "foo-1.0.post1.tar.gz").write_bytes(make_sdist("foo", "1.0.post1"))
    foo.index()
    foo.sync("foo")
    assert foo.listed("foo") == [WHEEL, SDIST, "foo-1.0.post1.tar.gz"]


def test_index_without_the_state_and_then_sync_downloads_nothing(foo: Mirror) -> None:
    before = foo.identities()
    shutil.rmtree(foo.dest / ".aiomirror")
    foo.index()
    assert foo.identities() == before
    foo.upstream.clear()
    foo.sync("foo")
    assert foo.identities() == before
    assert foo.upstream.paths() == ["/simple/foo/"]


def test_sync_without_the_state_downloads_nothing(foo: Mirror) -> None:
    before = foo.identities()
    shutil.rmtree(foo.dest / ".aiomirror")
    foo.upstream.clear()
    foo.sync("foo")
    assert foo.identities() == before
    assert foo.upstream.paths() == ["/simple/foo/"]


def test_index_without_pages_describes_the_files_themselves(foo: Mirror) -> None:
    for path in foo.dest.rglob("index.*"):
        path.unlink()
    foo.index()
    assert foo.listed("foo") == [WHEEL, SDIST]
    wheel = foo.entry("foo", WHEEL)
    assert (wheel.requires_python, wheel.core_metadata is not None) == (">=3.8", True)


def test_index_keeps_metadata_that_only_upstream_could_give(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, core_metadata=True, metadata=b"Name: foo\n")
    mirror.sync("foo")
    before = mirror.identities()
    mirror.index()
    assert mirror.identities() == before
    (mirror.dest / "foo" / f"{SDIST}.metadata").write_bytes(b"other")
    mirror.index()
    assert mirror.entry("foo", SDIST).core_metadata is None


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(b"damaged"), "; not listed"),
        (lambda path: path.unlink(), "listed, and not there"),
    ],
)
def test_index_no_longer_lists_a_damaged_file(foo: Mirror, damage: object, says: str) -> None:
    assert callable(damage)
    damage(foo.path(SDIST))
    (line,) = foo.index(code=5).errors()
    assert line.startswith(f"foo: {SDIST}: ")
    assert says in line
    assert foo.listed("foo") == [WHEEL]
    foo.sync("foo")
    assert foo.listed("foo") == [WHEEL, SDIST]


def test_index_does_not_take_damage_for_a_new_file_the_second_time(foo: Mirror) -> None:
    intact = foo.path(SDIST).read_bytes()
    foo.path(SDIST).write_bytes(b"damaged")
    first, second = foo.index(code=5), foo.index(code=5)
    assert first.errors() == second.errors()
    assert foo.listed("foo") == [WHEEL]
    foo.path(SDIST).write_bytes(intact)
    foo.index()
    assert foo.listed("foo") == [WHEEL, SDIST]


def test_index_takes_another_file_once_the_old_one_was_gone(foo: Mirror) -> None:
    path = foo.path(SDIST)
    path.unlink()
    foo.index(code=5)
    path.write_bytes(make_sdist("foo", "1.0", requires_python=">=3.12"))
    foo.index()
    assert foo.entry("foo", SDIST).requires_python == ">=3.12"


def test_a_file_of_another_project_in_the_folder_is_named_and_not_listed(foo: Mirror) -> None:
    (foo.dest / "foo" / "bar-1.0.tar.gz").write_bytes(make_sdist("bar", "1.0"))
    (line,) = foo.index(code=1).errors()
    assert line == "foo: bar-1.0.tar.gz: named as another project's file; it is not listed"
    assert foo.listed("foo") == [WHEEL, SDIST]


def test_index_leaves_alone_what_is_no_distribution(foo: Mirror) -> None:
    (foo.dest / "empty").mkdir()
    (foo.dest / "Not_Normal").mkdir()
    (foo.dest / "foo" / "notes.txt").write_text("mine")
    foo.index()
    assert foo.listed("foo") == [WHEEL, SDIST]
    assert not list((foo.dest / "empty").iterdir())


def test_index_with_a_damaged_state(foo: Mirror) -> None:
    (foo.dest / ".aiomirror" / "state.sqlite").write_bytes(b"no database" * 1000)
    before = foo.identities()
    ran = foo.index()
    assert foo.identities() == before
    (line,) = ran.warnings()
    assert line.endswith("begun anew")
    assert ran.report["warnings"] == [line]


def test_index_of_what_is_not_there(mirror: Mirror, tmp_path: Path) -> None:
    (line,) = mirror.index(code=6).errors()
    assert line.startswith(str(tmp_path / "mirror"))
    assert not mirror.dest.exists()
