"""Desired state: what nothing wants any more is noted, and after its grace removed, under guards."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.config.kinds import LIMIT
from aiomirror.errors import PruneRefusedError, PruneUnsafeError
from aiomirror.plan import Visited
from aiomirror.pruning import (
    DELETED,
    QUARANTINED,
    UNASKED,
    UNLISTED,
    UNWANTED,
    WHOLE,
    Census,
    Fate,
    PrunePolicy,
    Removal,
    Tombstone,
    Withdrawal,
    Withdrawn,
    buried,
    check_limit,
    due,
    has_shrunk,
)
from aiomirror.simple.values import ProjectFile, ProjectPage
from aiomirror.state import Run
from builders import make_wheel
from catalogue import sha256
from faults import Status
from library import AFTER_A_WEEK, AT_ONCE, Library, removed

if TYPE_CHECKING:
    from mirror import Mirror

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")
OLD, NEW, WHEEL = "foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-1.0-py3-none-any.whl"
CODE_REFUSED = 5


# -- what is decided


def stone(name: str, since: int = 0, why: str = UNWANTED) -> Tombstone:
    return Tombstone(FOO, name, since, why)


def test_a_tombstone_keeps_its_date_and_goes_when_the_file_is_wanted_again() -> None:
    census = Census()
    census.count(FOO, ["a", "b", "c"], {"c"}, {"a": "because"})
    known = {(FOO, "b"): stone("b", 5, "older"), (FOO, "c"): stone("c", 5)}
    assert buried(census, known, 9) == {
        (FOO, "a"): stone("a", 9, "because"),
        (FOO, "b"): stone("b", 5, "older"),
    }


def test_nothing_of_a_doubtful_project_has_a_tombstone() -> None:
    census = Census(doubtful={FOO})
    census.count(FOO, ["a"], (), {})
    assert not buried(census, {(FOO, "a"): stone("a")}, 9)
    census.withdrawn.add(FOO)
    assert list(buried(census, {}, 9)) == [(FOO, "a")]


def test_grace() -> None:
    stones = [stone("b", 100), stone("a", 90), stone("c", 101)]
    assert due(stones, 110, 10) == {FOO: (stone("a", 90), stone("b", 100))}
    assert due(stones, 101, 0) == {FOO: (stone("a", 90), stone("b", 100), stone("c", 101))}
    assert not due(stones, 110, 1000)


@pytest.mark.parametrize("places", [0, 1, 9])
def test_a_share_is_as_many_files_as_it_says(places: int) -> None:
    whole = 100 * 10**places
    for held in (50, 100, 1000, whole):
        for part in range(0, whole + 1, max(1, whole // 1000)):
            share, files = LIMIT.parse(f"{part / 10**places:.{places}f}%")
            policy = PrunePolicy(max_delete_share=share, max_delete_files=files)
            assert policy.limit(held) == part * held // whole


@pytest.mark.parametrize(("share", "refused"), [("28.999999999%", True), ("29%", False)])
def test_a_share_of_what_is_held_may_go(mirror: Mirror, share: str, refused: bool) -> None:  # noqa: FBT001
    for number in range(100):
        mirror.upstream.add_file("foo", f"foo-{number}.tar.gz", content=b"%d" % number)
    mirror.sync("foo", "--all-versions")
    mirror.sync("foo>=29", "--all-versions")
    ran = mirror.run(
        "prune", "-d", str(mirror.dest), "--grace", "0s", "--max-delete", share, code=5 if refused else 0
    )
    assert len(mirror.files()) == (100 if refused else 71)
    assert ("29 of 100 files would be removed, and --max-delete allows 28" in ran.err) == refused


@pytest.mark.parametrize(
    ("count", "held", "refused"),
    [(100, 200, False), (101, 200, True), (200, 2000, False), (201, 2000, True), (0, 0, False)],
)
def test_the_larger_of_two_limits(count: int, held: int, refused: bool) -> None:  # noqa: FBT001
    chosen = [Removal(FOO, str(number), 1, 0, "") for number in range(count)]
    if not refused:
        check_limit(chosen, held, PrunePolicy())
        return
    with pytest.raises(PruneRefusedError) as caught:
        check_limit(chosen, held, PrunePolicy())
    limit = PrunePolicy().limit(held)
    assert str(caught.value) == (
        f"{count} of {held:,} files would be removed, and --max-delete allows {limit:,}; nothing is"
    )


def page(*names: str) -> ProjectPage:
    return ProjectPage(project=FOO, files=files(*names))


def files(*names: str) -> tuple[ProjectFile, ...]:
    return tuple(ProjectFile(filename=name, url=name, hashes={}) for name in names)


@pytest.mark.parametrize(
    ("now", "listed", "wanted", "before"),
    [
        ("ab", 4, "ab", None),
        ("a", 4, "ab", 4),
        ("a", 3, "ab", None),
        ("", 1, "", 1),
        ("", 0, "", None),
        ("", 0, "ab", 2),
        ("wxyz", 4, "abcd", 4),
        ("cdxy", 4, "abcd", None),
        ("xyz", 3, "abc", None),
        ("uvwxyz", 8, "abcd", None),
        ("uvwxyz", 7, "abcd", 7),
    ],
)
def test_a_page_that_has_lost_more_than_half(now: str, listed: int, wanted: str, before: int | None) -> None:
    visited = Visited(0, listed, dict.fromkeys(wanted, ("foo",)))
    assert has_shrunk(page(*now), visited, {}) == before


def test_without_a_state_our_own_page_tells_what_was_listed() -> None:
    ours = {file.filename: file for file in files("a", "b", "c", "d")}
    assert has_shrunk(page("a", "b"), None, ours) is None
    assert has_shrunk(page("a"), None, ours) == 4
    assert has_shrunk(page(), None, ours) == 4


# -- whole runs


@pytest.fixture
def library(mirror: Mirror) -> Library:
    """A mirror of two versions of foo, the second newer, and of bar."""
    mirror.upstream.add_file("foo", WHEEL, core_metadata=True)
    mirror.upstream.add_file("foo", OLD)
    mirror.upstream.add_file("foo", NEW)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    made = Library(mirror)
    made.sync("foo", "bar", latest=None)
    assert mirror.files() == {OLD, NEW, WHEEL, "bar-1.tar.gz"}
    return made


def test_without_prune_everything_stays_and_is_noted(library: Library) -> None:
    before = library.mirror.identities()
    report = library.sync("foo")
    assert library.mirror.identities() == before
    assert library.tombstones() == {
        ("foo", OLD): "older than the newest that match",
        ("foo", WHEEL): "older than the newest that match",
        ("bar", WHOLE): UNASKED,
    }
    assert (report.unwanted, report.removals) == (3, [])


def test_what_nothing_wants_goes_after_the_grace(library: Library) -> None:
    library.sync("foo", "bar", pruning=AFTER_A_WEEK)
    library.wait(6.9)
    assert not library.sync("foo", "bar", pruning=AFTER_A_WEEK).removals
    library.wait(0.1)
    report = library.sync("foo", "bar", pruning=AFTER_A_WEEK)
    assert removed(report) == [WHEEL, OLD]
    assert {removal.fate for removal in report.removals} == {Fate.REMOVED}
    assert library.mirror.files() == {NEW, "bar-1.tar.gz"}
    assert library.mirror.listed("foo") == [NEW]
    assert not list(library.mirror.dest.rglob("*.metadata"))
    assert not library.tombstones()
    assert report.unwanted == 0


def test_after_a_prune_a_run_finds_nothing_to_do(library: Library) -> None:
    library.sync("foo", pruning=AT_ONCE)
    before = library.mirror.identities()
    library.mirror.upstream.clear()
    report = library.sync("foo", pruning=AT_ONCE)
    assert library.mirror.identities() == before
    assert not library.mirror.upstream.file_requests()
    assert (report.pages_written, report.removals, report.unwanted) == (0, [], 0)


def test_the_grace_counts_from_the_first_complete_run(library: Library) -> None:
    library.sync("foo", "bar")
    library.wait(4)
    library.sync("foo", "bar")
    library.wait(3)
    assert removed(library.sync("foo", "bar", pruning=AFTER_A_WEEK)) == [WHEEL, OLD]


def test_wanted_again_the_grace_begins_anew(library: Library) -> None:
    library.sync("foo", "bar")
    library.wait(6)
    library.sync("foo==1.0", "foo", "bar")
    assert not library.tombstones()
    library.wait(6)
    library.sync("foo", "bar")
    library.wait(6)
    assert not library.sync("foo", "bar", pruning=AFTER_A_WEEK).removals
    library.wait(1)
    assert removed(library.sync("foo", "bar", pruning=AFTER_A_WEEK)) == [WHEEL, OLD]


def test_what_upstream_no_longer_lists(library: Library) -> None:
    library.mirror.upstream.remove_file("foo", OLD)
    library.sync("foo", "bar", latest=None)
    assert library.tombstones() == {("foo", OLD): UNLISTED}
    assert OLD in library.mirror.listed("foo")
    library.sync("foo", "bar", latest=None, pruning=AT_ONCE)
    assert library.mirror.files() == {NEW, WHEEL, "bar-1.tar.gz"}


def test_a_project_that_nothing_asks_for(library: Library) -> None:
    report = library.sync("foo", latest=None, pruning=AT_ONCE)
    assert [(removal.project, removal.why) for removal in report.removals] == [("bar", UNASKED)]
    assert not (library.mirror.dest / "bar").exists()
    assert "bar" not in (library.mirror.dest / "index.html").read_text()
    library.sync("bar", "foo", latest=None)
    assert library.mirror.listed("bar") == ["bar-1.tar.gz"]


def test_the_last_project_goes_too(library: Library) -> None:
    library.mirror.upstream.add_file("last", "last-1.zip")
    library.sync("last", pruning=AT_ONCE)
    library.sync("bar", pruning=AT_ONCE)
    assert library.mirror.files() == {"bar-1.tar.gz"}


def test_a_dry_run_tells_and_changes_nothing(library: Library) -> None:
    before = library.mirror.identities()
    report = library.sync("foo", pruning=AT_ONCE, dry_run=True)
    assert sorted(removed(report)) == ["bar-1.tar.gz", WHEEL, OLD]
    assert {removal.fate for removal in report.removals} == {Fate.PLANNED}
    assert not library.tombstones()
    library.sync("foo")
    assert sorted(removed(library.prune(dry_run=True))) == ["bar-1.tar.gz", WHEEL, OLD]
    assert library.mirror.identities() == before


def test_prune_alone_goes_by_the_last_sync(library: Library) -> None:
    assert not library.prune().removals
    library.sync("foo")
    requests = len(library.mirror.upstream.requests)
    assert not library.prune(AFTER_A_WEEK).removals
    library.wait(7)
    assert sorted(removed(library.prune(AFTER_A_WEEK))) == ["bar-1.tar.gz", WHEEL, OLD]
    assert library.mirror.files() == {NEW}
    assert len(library.mirror.upstream.requests) == requests
    assert library.prune().headline.startswith("nothing to remove, 0 unwanted in ")


def test_prune_without_a_state_removes_nothing(library: Library) -> None:
    library.sync("foo")
    shutil.rmtree(library.mirror.dest / ".aiomirror")
    assert not library.prune().removals
    assert len(library.mirror.files()) == 4


def test_a_state_that_is_lost_costs_the_grace_only(library: Library) -> None:
    library.sync("foo")
    shutil.rmtree(library.mirror.dest / ".aiomirror")
    library.wait(30)
    assert not library.sync("foo", pruning=AFTER_A_WEEK).removals
    library.wait(7)
    assert len(library.sync("foo", pruning=AFTER_A_WEEK).removals) == 3
    assert library.mirror.files() == {NEW}


# -- what somebody has put there


@pytest.mark.parametrize("lost", ["", "before", "after", "pages", "repaired", "bytes"])
def test_local_files_are_never_removed(library: Library, lost: str) -> None:
    """Not when nothing wants them, nor when the state, their pages or their bytes are lost for a while."""
    mirror = library.mirror
    library.sync("foo", "bar")
    own, beside = mirror.dest / "my-pkg" / "my_pkg-1.0-py3-none-any.whl", mirror.dest / "foo" / "foo-0.5.zip"
    own.parent.mkdir()
    for path, content in (own, make_wheel("my-pkg", "1.0")), (beside, b"old"):
        path.write_bytes(content)
    if lost == "before":
        shutil.rmtree(mirror.dest / ".aiomirror")
    mirror.index()
    if lost == "after":
        shutil.rmtree(mirror.dest / ".aiomirror")
    if lost in {"pages", "repaired"}:
        for folder in ("foo", "my-pkg"):
            for page in (mirror.dest / folder).glob("index.*"):
                page.unlink()
    if lost == "repaired":
        mirror.run("verify", "--repair", "-d", str(mirror.dest), "-i", mirror.upstream.url)
    if lost == "bytes":  # for a while, in which the page drops it
        beside.write_bytes(b"not")
        library.sync("foo", "bar", code=5, pruning=AT_ONCE)
        beside.write_bytes(b"old")
        mirror.index()
    library.sync("foo", "bar", pruning=AT_ONCE)
    mirror.index()
    assert {own.name, beside.name, NEW, "bar-1.tar.gz"} <= mirror.files()
    for _ in range(2):
        library.sync("bar", pruning=AT_ONCE)
        library.prune()
        assert mirror.files() == {own.name, beside.name, "bar-1.tar.gz"}
    assert (mirror.listed("foo"), mirror.listed("my-pkg")) == ([beside.name], [own.name])
    assert not library.tombstones()
    library.sync("foo", "bar", pruning=AT_ONCE)
    assert {beside.name, NEW} <= set(mirror.listed("foo"))


def test_a_local_file_that_upstream_lists_is_the_mirrors(library: Library) -> None:
    mirror = library.mirror
    library.sync("bar")
    content = mirror.upstream.add_file("foo", "foo-0.1.zip")
    mirror.upstream.remove_file("foo", "foo-0.1.zip")
    (mirror.dest / "foo").mkdir(exist_ok=True)
    (mirror.dest / "foo" / "foo-0.1.zip").write_bytes(content)
    mirror.index()
    mirror.upstream.add_file("foo", "foo-0.1.zip", content=content)
    library.sync("foo", "bar", pruning=AFTER_A_WEEK)
    library.wait(7)
    assert "foo-0.1.zip" in removed(library.sync("foo", "bar", pruning=AFTER_A_WEEK))


# -- guards


def test_nothing_goes_when_a_page_could_not_be_read(library: Library) -> None:
    library.mirror.upstream.always("/simple/bar/", Status(503))
    before = library.mirror.identities()
    report = library.sync("foo", "bar", code=1, pruning=AT_ONCE)
    assert any(text.startswith("nothing is removed: ") for text in report.warnings)
    assert library.mirror.identities() == before
    assert not library.tombstones()
    assert not report.complete
    with pytest.raises(PruneUnsafeError):
        library.prune()


def test_a_run_that_stops_early_removes_nothing(library: Library) -> None:
    library.mirror.upstream.add_file("new", "new-1.zip")
    report = library.sync("nothing", "foo", "new", code=3, keep_going=False, jobs=1, pruning=AT_ONCE)
    assert report.not_started
    assert not report.removals
    assert not library.tombstones()


def test_nothing_goes_of_a_project_with_a_problem(library: Library) -> None:
    """What would replace it is not here: then what is here stays."""
    library.sync("foo", "bar")
    library.mirror.upstream.add_file("foo", "foo-3.0.tar.gz")
    library.mirror.upstream.always("/files/foo/foo-3.0.tar.gz", Status(404))
    assert not library.sync("foo", "bar", code=1, pruning=AT_ONCE).removals
    assert not library.sync("foo==9", "bar", code=3, pruning=AT_ONCE).removals
    assert not library.tombstones()
    library.mirror.upstream.always("/files/foo/foo-3.0.tar.gz")
    report = library.sync("foo", "bar", pruning=AT_ONCE)
    assert sorted(removed(report)) == [WHEEL, OLD, NEW]


def test_more_than_may_go_is_refused_with_the_list(library: Library) -> None:
    strict = PrunePolicy(enabled=True, grace=0, max_delete_files=2)
    before = library.mirror.identities()
    report = library.sync("foo", code=CODE_REFUSED, pruning=strict)
    assert [problem.message for problem in report.problems] == [
        "3 of 4 files would be removed, and --max-delete allows 2; nothing is"
    ]
    assert len(removed(report)) == 3
    assert {removal.fate for removal in report.removals} == {Fate.REFUSED}
    assert library.mirror.identities() == before
    assert len(library.prune(strict, code=CODE_REFUSED).removals) == 3
    assert library.mirror.identities() == before
    assert len(library.prune().removals) == 3


def test_an_empty_page_is_kept_aside_and_not_obeyed(library: Library) -> None:
    library.mirror.upstream.projects["foo"].files.clear()
    before = library.mirror.identities()
    for _ in range(2):
        report = library.sync("foo", "bar", code=3, pruning=AT_ONCE)
        assert not report.removals
        assert report.problems[0].message.startswith("foo: upstream lists 0 of what were 3 files; ")
    aside = library.mirror.dest / ".aiomirror" / "aside" / "foo.json"
    assert b'"files": []' in aside.read_bytes() or b'"files":[]' in aside.read_bytes()
    assert aside.stat().st_mode & 0o777 == 0o600
    assert library.mirror.identities() == before


def test_prune_alone_does_not_go_by_a_sync_that_was_killed(library: Library) -> None:
    library.sync("foo")
    with library.state() as state:
        state.desired.begin_run(Run("sync", int(library.now)))
    with pytest.raises(PruneUnsafeError):
        library.prune()
    library.sync("foo")
    assert len(library.prune().removals) == 3


@pytest.mark.parametrize("stateless", [False, True])
def test_a_page_that_lost_most_of_its_files(mirror: Mirror, stateless: bool) -> None:  # noqa: FBT001
    library = Library(mirror)
    for number in range(5):
        mirror.upstream.add_file("foo", f"foo-{number}.tar.gz")
    library.sync("foo", latest=None)
    for number in (0, 1, 2):
        mirror.upstream.remove_file("foo", f"foo-{number}.tar.gz")
    if stateless:
        shutil.rmtree(mirror.dest / ".aiomirror")
    for _ in range(2):
        library.sync("foo", code=3, latest=None, pruning=AT_ONCE)
        assert len(mirror.listed("foo")) == 5
    library.sync("foo", latest=None, pruning=AT_ONCE, accept_changed=True)
    assert mirror.listed("foo") == ["foo-3.tar.gz", "foo-4.tar.gz"]
    library.sync("foo", latest=None, pruning=AT_ONCE)


def test_a_shrunk_page_that_was_accepted_is_the_new_measure(mirror: Mirror) -> None:
    """Also while what it no longer lists is still here."""
    library = Library(mirror)
    for number in range(5):
        mirror.upstream.add_file("foo", f"foo-{number}.tar.gz")
    library.sync("foo", latest=None)
    for number in (0, 1, 2):
        mirror.upstream.remove_file("foo", f"foo-{number}.tar.gz")
    library.sync("foo", latest=None, accept_changed=True)
    mirror.upstream.add_file("foo", "foo-9.tar.gz")
    library.sync("foo", latest=None)
    assert len(mirror.listed("foo")) == 6


# -- what others made


def test_what_others_made_is_left_alone(library: Library) -> None:
    dest = library.mirror.dest
    own = {
        "bar/notes.txt": b"mine",
        "bar/bar-9.tar.gz": b"mine, and like one of theirs",
        "foo/foo-0.1.tar.gz": b"mine",
        "foo/foo-0.1.tar.gz.metadata": b"mine",
        "docs/index.html": b"mine",
        "docs/docs-1.tar.gz": b"mine",
    }
    for name, body in own.items():
        (dest / name).parent.mkdir(exist_ok=True)
        (dest / name).write_bytes(body)
    (dest / "bar" / "sub").mkdir()
    library.checked = False  # a page of somebody's is none of ours
    library.sync("foo")
    assert sorted(removed(library.prune())) == ["bar-1.tar.gz", WHEEL, OLD]
    for name, body in own.items():
        assert (dest / name).read_bytes() == body
    assert not (dest / "bar" / "index.html").exists()


def test_a_file_that_somebody_replaced_is_left_alone(library: Library) -> None:
    library.sync("foo", "bar")
    path = library.mirror.path(OLD)
    path.unlink()
    path.write_bytes(b"patched here")
    library.checked = False  # it is damage, which verify tells of
    assert removed(library.prune()) == [WHEEL]
    assert path.read_bytes() == b"patched here"


def test_a_copy_of_a_mirror_is_pruned_all_the_same(library: Library) -> None:
    """Its files have other inodes and times: their bytes tell."""
    library.sync("foo", "bar")
    copy = library.mirror.folder / "copy"
    shutil.copytree(library.mirror.dest, copy, copy_function=shutil.copyfile)
    library.mirror.dest = copy
    assert removed(library.prune()) == [WHEEL, OLD]
    assert library.mirror.listed("foo") == [NEW]


def test_a_page_that_cannot_be_read_is_not_written_anew(library: Library) -> None:
    library.sync("foo", "bar")
    path = library.mirror.dest / "foo" / "index.v1_json"
    path.write_bytes(b"{")
    library.checked = False
    assert removed(library.prune()) == []
    assert path.read_bytes() == b"{"
    library.checked = True
    library.sync("foo", "bar", pruning=AT_ONCE)
    assert library.mirror.files() == {NEW, "bar-1.tar.gz"}


# -- what upstream takes back


def test_a_deleted_project_stays_and_is_named(library: Library) -> None:
    library.mirror.upstream.projects.pop("bar")
    before = library.mirror.identities()
    report = library.sync("bar", "foo", code=3, latest=None, pruning=AT_ONCE, keep_going=False)
    assert "bar: deleted upstream; what is mirrored stays as it is" in report.warnings
    assert library.mirror.identities() == before
    assert not report.not_started, "the others do not wait for what will not come back"


def test_a_deleted_project_is_removed_after_the_grace(library: Library) -> None:
    policy = Withdrawn(deleted=Withdrawal.REMOVE)
    library.mirror.upstream.projects.pop("bar")
    library.sync("foo", "bar", code=3, latest=None, pruning=AFTER_A_WEEK, withdrawn=policy)
    assert library.tombstones() == {("bar", WHOLE): DELETED}
    library.wait(7)
    report = library.sync("foo", "bar", code=3, latest=None, pruning=AFTER_A_WEEK, withdrawn=policy)
    assert removed(report) == ["bar-1.tar.gz"]
    assert not (library.mirror.dest / "bar").exists()


def test_a_deleted_project_is_hidden_and_comes_back(library: Library) -> None:
    policy = Withdrawn(deleted=Withdrawal.HIDE)
    bar = library.mirror.upstream.projects.pop("bar")
    before = library.mirror.contents()
    report = library.sync("foo", "bar", code=3, latest=None, withdrawn=policy)
    assert [(one.filename, one.fate) for one in report.removals] == [("bar-1.tar.gz", Fate.HIDDEN)]
    assert not (library.mirror.dest / "bar" / "index.html").exists()
    assert "bar-1.tar.gz" in library.mirror.files()
    assert not library.sync("foo", "bar", code=3, latest=None, withdrawn=policy).removals
    library.mirror.upstream.projects["bar"] = bar
    library.mirror.upstream.clear()
    library.sync("foo", "bar", latest=None, withdrawn=policy)
    assert library.mirror.contents() == before
    assert not library.mirror.upstream.file_requests()


def test_hiding_has_the_same_limit(library: Library) -> None:
    library.mirror.upstream.projects.pop("foo")
    none = PrunePolicy(max_delete_files=2)
    before = library.mirror.identities()
    report = library.sync(
        "foo", "bar", code=1, latest=None, pruning=none, withdrawn=Withdrawn(deleted=Withdrawal.HIDE)
    )
    assert {problem.exit_code for problem in report.problems} == {3, CODE_REFUSED}
    assert library.mirror.identities() == before


@pytest.mark.parametrize("policy", list(Withdrawal))
def test_a_quarantined_project(library: Library, policy: Withdrawal) -> None:
    library.mirror.upstream.projects["foo"].status = "quarantined"
    before = library.mirror.identities()
    withdrawn = Withdrawn(quarantined=policy)
    for _ in range(2):
        report = library.sync("foo", "bar", code=3, latest=None, pruning=AFTER_A_WEEK, withdrawn=withdrawn)
        assert any(text.startswith("foo: quarantined upstream; ") for text in report.warnings)
        assert library.mirror.files() == {OLD, NEW, WHEEL, "bar-1.tar.gz"}
    assert (library.mirror.identities() == before) is (policy is Withdrawal.KEEP)
    assert len(library.mirror.listed("foo")) == (3 if policy is Withdrawal.KEEP else 0)
    library.wait(7)
    report = library.sync("foo", "bar", code=3, latest=None, pruning=AFTER_A_WEEK, withdrawn=withdrawn)
    if policy is Withdrawal.REMOVE:
        assert sorted(removed(report)) == [WHEEL, OLD, NEW]
        assert {removal.why for removal in report.removals} == {QUARANTINED}
        assert library.mirror.files() == {"bar-1.tar.gz"}
        assert library.mirror.page("foo").status.marker == "quarantined"
    else:
        assert not report.removals


def test_what_was_quarantined_long_ago_can_still_be_pruned(library: Library) -> None:
    """No page lists the files for many runs; that they are the mirror's is not forgotten."""
    library.mirror.upstream.projects["foo"].status = "quarantined"
    library.mirror.upstream.projects["foo"].files.clear()
    for _ in range(3):
        library.sync("foo", "bar", code=3)
    library.sync("bar", pruning=AT_ONCE)
    assert library.mirror.files() == {"bar-1.tar.gz"}
    assert not (library.mirror.dest / "foo").exists()


# -- other bytes under the same name


def changed(library: Library) -> bytes:
    """Upstream has other bytes under a known name."""
    library.mirror.upstream.add_file("foo", NEW, content=b"others")
    return library.mirror.path(NEW).read_bytes()


def test_a_changed_file_is_kept_and_reported(library: Library) -> None:
    ours = changed(library)
    report = library.sync("foo", "bar", code=1, pruning=AT_ONCE)
    assert "what is held" in report.problems[0].message
    assert library.mirror.path(NEW).read_bytes() == ours
    assert library.mirror.entry("foo", NEW).hashes["sha256"] == sha256(ours)


def test_a_changed_file_is_taken_when_asked(library: Library) -> None:
    changed(library)
    library.sync("foo", "bar", latest=None, accept_changed=True)
    assert library.mirror.path(NEW).read_bytes() == b"others"
    assert len(library.mirror.listed("foo")) == 3
    before = library.mirror.identities()
    library.sync("foo", "bar", latest=None)
    assert library.mirror.identities() == before


def test_a_changed_file_that_cannot_be_had_is_listed_as_it_was(library: Library) -> None:
    before = library.mirror.contents()
    changed(library)
    library.mirror.upstream.always(f"/files/foo/{NEW}", Status(404))
    library.sync("foo", "bar", code=1, latest=None, accept_changed=True)
    assert library.mirror.contents() == before


def test_a_changed_file_that_no_page_lists_is_left_so(library: Library) -> None:
    """As a kill leaves it that comes between the page without the file and its new bytes."""
    library.mirror.upstream.projects["foo"].status = "quarantined"
    library.sync("foo", "bar", code=3, latest=None)
    changed(library)
    library.mirror.upstream.projects["foo"].status = None
    report = library.sync("foo", "bar", code=1, latest=None)
    assert "what is held" in report.problems[0].message
    assert sorted(library.mirror.listed("foo")) == [WHEEL, OLD]
    assert NEW in library.mirror.files()
    library.sync("foo", "bar", latest=None, accept_changed=True)
    assert library.mirror.path(NEW).read_bytes() == b"others"
    assert len(library.mirror.listed("foo")) == 3


# -- what is remembered


def test_what_asked_for_a_file_is_known(library: Library) -> None:
    library.sync("foo<2", "foo", "bar")
    with library.state() as state:
        visited = state.desired.visited(FOO)
        assert visited is not None
        assert (visited.seen, visited.listed) == (int(library.now), 3)
        assert visited.wanted_by == {WHEEL: ("foo<2",), OLD: ("foo<2",), NEW: ("foo",)}
        assert state.desired.asked() == {
            ("foo", "foo<2", "command line"),
            ("foo", "foo", "command line"),
            ("bar", "bar", "command line"),
        }


def test_runs_are_kept_with_their_counts(library: Library) -> None:
    library.wait(1)
    library.sync("foo", "nothing", code=3)
    library.prune()
    with library.state() as state:
        prune, last, first = state.desired.runs()
    assert (prune.verb, prune.counts["removed"], prune.complete) == ("prune", 3, True)
    assert (last.verb, last.exit_code, last.complete, last.started) == ("sync", 3, True, int(library.now))
    assert (first.exit_code, first.counts["fetched"]) == (0, 4)
