"""Wanted against held: what is fetched, what is kept, what is reported."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from aiomirror.errors import ChangedError, DamagedError, FileError
from aiomirror.plan import FileRecord, FileStat, HeldFile, Holdings, ProjectPlan, plan_project
from aiomirror.selection import Chosen
from aiomirror.simple.values import ProjectFile, ProjectPage

FOO = canonicalize_name("foo")
SDIST, WHEEL = "foo-1.tar.gz", "foo-1-py3-none-any.whl"
A, B = "a" * 64, "b" * 64


def file(name: str = SDIST, sha256: str = A, **more: str) -> ProjectFile:
    return ProjectFile(
        filename=name,
        url=f"https://files.example/{name}",
        hashes={"sha256": sha256, **more} if sha256 else more,
        size=10,
    )


def announcing(name: str) -> ProjectFile:
    return ProjectFile(
        filename=name, url=f"https://files.example/{name}", hashes={"sha256": A}, core_metadata={}
    )


def record(name: str = SDIST, sha256: str = A) -> FileRecord:
    return FileRecord(name, sha256, FileStat(size=10, mtime_ns=1, inode=1))


def held(name: str = SDIST, sha256: str = A, *, sibling: bool = False) -> HeldFile:
    return HeldFile(record(name, sha256), {"sha256": sha256}, record(f"{name}.metadata") if sibling else None)


def holdings(*files: HeldFile, listed: tuple[ProjectFile, ...] | None = None) -> Holdings:
    on_disk = {one.record.filename: one for one in files}
    ours = (
        listed
        if listed is not None
        else tuple(file(name, one.record.sha256) for name, one in on_disk.items())
    )
    return Holdings({one.filename: one for one in ours}, on_disk, published=True)


def plan(
    upstream: tuple[ProjectFile, ...],
    ours: Holdings,
    *wanted: ProjectFile,
    accepted: frozenset[tuple[str, str]] = frozenset(),
) -> ProjectPlan:
    chosen = tuple(Chosen(one, "1", ("foo",), accepted) for one in wanted)
    return plan_project(ProjectPage(project=FOO, files=upstream), chosen, ours)


def fetched(made: ProjectPlan) -> list[str]:
    return [job.file.filename for job in made.fetch if job.held is None]


def mended(made: ProjectPlan) -> list[str]:
    """Files of which only the core metadata is made."""
    return [job.file.filename for job in made.fetch if job.held is not None]


def test_what_is_wanted_and_not_held_is_fetched() -> None:
    made = plan((file(),), Holdings(), file())
    assert (fetched(made), made.keep, made.problems) == ([SDIST], {}, ())
    assert made.size == 10
    assert made.fetch[0].key == ("foo", SDIST)


def test_what_is_held_is_kept_and_not_fetched() -> None:
    made = plan((file(),), holdings(held()), file())
    assert (made.fetch, set(made.keep), set(made.wanted)) == ((), {SDIST}, {SDIST})


def test_what_is_neither_wanted_nor_held_is_left_out() -> None:
    made = plan((file(), file(WHEEL)), Holdings(), file())
    assert fetched(made) == [SDIST]
    assert WHEEL not in made.facts


def test_what_is_no_longer_wanted_or_listed_upstream_is_kept() -> None:
    made = plan((), holdings(held()))
    assert (made.fetch, set(made.keep), made.wanted) == ((), {SDIST}, frozenset())


def test_what_upstream_says_now_is_what_is_published() -> None:
    now = ProjectFile(filename=SDIST, url="https://files.example/x", hashes={"sha256": A}, yanked="bad")
    assert plan((now,), holdings(held())).facts[SDIST] == now


def test_another_digest_upstream_changes_nothing() -> None:
    made = plan((file(sha256=B),), holdings(held()), file(sha256=B))
    assert (made.fetch, set(made.keep)) == ((), {SDIST})
    assert made.facts[SDIST].hashes == {"sha256": A}
    (problem,) = made.problems
    assert isinstance(problem, ChangedError)
    assert (problem.held, problem.listed) == (f"sha256 {A}", f"sha256 {B}")


def test_digests_without_an_algorithm_in_common_are_no_conflict() -> None:
    assert not plan((file(sha256="", md5="c" * 32),), holdings(held())).problems


def test_what_is_damaged_is_fetched_again_wanted_or_not() -> None:
    made = plan((file(),), holdings(held(sha256=B), listed=(file(),)))
    assert (fetched(made), made.keep) == ([SDIST], {})


def test_what_is_damaged_and_gone_upstream_is_a_problem() -> None:
    made = plan((), holdings(listed=(file(),)))
    assert (made.fetch, made.keep) == ((), {})
    assert [type(problem) for problem in made.problems] == [DamagedError]


def test_what_is_damaged_is_not_replaced_by_something_else() -> None:
    made = plan((file(sha256=B),), holdings(held(sha256=B), listed=(file(),)), file(sha256=B))
    assert not made.fetch
    assert {type(problem) for problem in made.problems} == {ChangedError, DamagedError}


def test_what_is_held_and_unlisted_is_kept_when_upstream_lists_it() -> None:
    made = plan((file(),), holdings(held(), listed=()), file())
    assert (made.fetch, set(made.keep)) == ((), {SDIST})


def test_a_held_file_without_the_digest_that_a_requirement_lists() -> None:
    made = plan((file(),), holdings(held()), file(), accepted=frozenset({("sha256", B)}))
    assert [type(problem) for problem in made.problems] == [FileError]
    assert set(made.keep) == {SDIST}
    assert not plan((file(),), holdings(held()), file(), accepted=frozenset({("sha256", A)})).problems


def test_jobs_know_which_digests_are_admitted() -> None:
    accepted = frozenset({("sha256", B)})
    (job,) = plan((file(sha256=""),), Holdings(), file(sha256=""), accepted=accepted).fetch
    assert job.accepted == accepted


def test_a_lost_sibling_is_made_again_where_there_can_be_one() -> None:
    assert mended(plan((file(WHEEL),), holdings(held(WHEEL)))) == [WHEEL]
    assert mended(plan((announcing(SDIST),), holdings(held()))) == [SDIST]
    assert mended(plan((file(),), holdings(held()))) == []
    assert mended(plan((file(WHEEL),), holdings(held(WHEEL, sibling=True)))) == []
    assert plan((file(WHEEL),), holdings(held(WHEEL))).size == 0


def test_upstream_is_not_asked_for_the_sibling_of_what_it_does_not_list() -> None:
    listed = (announcing(WHEEL), announcing(SDIST))
    made = plan((), holdings(held(WHEEL), held(SDIST), listed=listed))
    assert [(job.file.filename, job.file.core_metadata) for job in made.fetch] == [(WHEEL, None)]


# -- other bytes under a known name, where they are to be taken


def accepting(upstream: tuple[ProjectFile, ...], ours: Holdings) -> ProjectPlan:
    return plan_project(ProjectPage(project=FOO, files=upstream), (), ours, accept_changed=True)


def test_other_bytes_are_fetched_and_the_old_file_is_off_the_page_until_then() -> None:
    old = held(sibling=True)
    made = accepting((file(sha256=B), file(WHEEL)), holdings(old, held(WHEEL)))
    assert (fetched(made), set(made.keep), made.problems) == ([SDIST], {WHEEL}, ())
    assert made.replaced == {SDIST: (old, file())}
    assert set(made.unlisted) == {SDIST, f"{SDIST}.metadata"}
    assert made.facts[SDIST].hashes == {"sha256": B}


def test_what_is_the_same_is_not_replaced() -> None:
    made = accepting((file(),), holdings(held()))
    assert (fetched(made), set(made.keep), made.replaced) == ([], {SDIST}, {})


def test_there_is_nothing_to_go_back_to_for_what_is_damaged() -> None:
    made = accepting((file(sha256=B),), holdings(listed=(file(),)))
    assert (fetched(made), made.replaced, made.problems) == ([SDIST], {SDIST: None}, ())


# -- ours, and on no page


def test_what_no_page_lists_stays_known() -> None:
    ours = Holdings(unlisted={SDIST: record()})
    assert plan((), ours).unlisted == {SDIST: record()}


def test_what_no_page_lists_is_not_described_with_other_bytes() -> None:
    made = plan((file(sha256=B),), holdings(held(), listed=()), file(sha256=B))
    assert [type(problem) for problem in made.problems] == [ChangedError]
    assert (made.fetch, made.keep, dict(made.unlisted)) == ((), {}, {SDIST: record()})
