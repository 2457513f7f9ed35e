"""``aiomirror explain``: what the state and the tree know of projects and files, and of names they do not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from aiomirror.cli import main
from aiomirror.errors import DestinationError
from aiomirror.explain import Asked, Condition, Explanation, FileFacts, Presence, ProjectFacts, explain
from aiomirror.plan import FileRecord, FileStat, Remembered, Visited
from aiomirror.progress import Silent
from aiomirror.pruning import DAY, EXCLUDED, UNASKED, UNLISTED, Withdrawal, Withdrawn
from aiomirror.selection import LeftOut
from aiomirror.state import Run, Trouble
from aiomirror.state.reasons import packed
from aiomirror.store import Store
from aiomirror.targets import parse_targets
from builders import make_wheel
from library import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aiomirror.report import Problem
    from mirror import Mirror, Ran

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")
OLD, NEW, WHEEL = "foo-1.0.tar.gz", "foo-2.0.tar.gz", "foo-1.0-py3-none-any.whl"
PRE = "foo-3.0rc1.tar.gz"


class Told(Silent):
    """Remembers what failed, and what was odd."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def failed(self, problem: Problem) -> None:
        self.problems.append(problem)

    def warned(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def library(mirror: Mirror) -> Library:
    """A mirror of the newest foo, in which an older one is wanted no more, and of bar."""
    mirror.upstream.add_file("foo", WHEEL)
    mirror.upstream.add_file("foo", OLD)
    mirror.upstream.add_file("foo", NEW)
    mirror.upstream.add_file("foo", PRE)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    made = Library(mirror)
    made.sync("foo<2", "bar")
    made.wait(1)
    made.sync("foo>=1", "bar")
    note(made, {PRE: LeftOut.PRE_RELEASE, OLD: LeftOut.OLDER, WHEEL: LeftOut.OLDER})
    return made


def note(library: Library, left_out: Mapping[str, LeftOut]) -> None:
    """Have the last visit of foo tell why it left files out."""
    with library.state() as state:
        visited = state.desired.visited(FOO)
        assert visited is not None
        state.save([*state.recall([FOO]).values()], {FOO: replace(visited, left_out=packed(left_out))})


def trouble(library: Library, *troubles: Trouble) -> None:
    """Have a last run of sync that failed."""
    with library.state() as state:
        number = state.desired.begin_run(Run("sync", 5))
        state.desired.end_run(number, Run("sync", 5, 1.0, 3, troubles=troubles))


def asked(library: Library, *names: str, code: int = 0, **settings: Any) -> Explanation:  # noqa: ANN401 (explain's)
    told = Told()
    found = asyncio.run(explain(library.mirror.dest, names, told, **settings))
    assert found.exit_code == code
    assert told.problems == found.problems
    assert told.warnings == found.warnings
    assert [one.name for one in found.answers] == list(names)
    return found


def project(library: Library, name: str, **settings: Any) -> ProjectFacts:  # noqa: ANN401 (as above)
    (answer,) = asked(library, name, **settings).answers
    assert answer.facts is not None
    return answer.facts


def file(library: Library, name: str, **settings: Any) -> FileFacts:  # noqa: ANN401 (as above)
    (found,) = project(library, name, **settings).files
    assert name.endswith(found.filename)
    return found


# -- files that are here


def test_a_wanted_file_is_told_with_the_requirement_that_wants_it(library: Library) -> None:
    size = (library.mirror.dest / "foo" / NEW).stat().st_size
    assert file(library, NEW) == FileFacts(
        NEW, Presence.LISTED, Condition.INTACT, size, wanted_by=("foo>=1 (command line)",)
    )


def test_a_file_that_nothing_wants_is_told_with_its_date_and_the_end_of_its_grace(library: Library) -> None:
    found = file(library, OLD, grace=3 * DAY)
    assert (found.presence, found.wanted_by, found.left_out) == (Presence.LISTED, (), "")
    assert found.unwanted is not None
    assert found.unwanted.why == str(LeftOut.OLDER)
    assert (found.unwanted.since, found.unwanted.prunable) == (library.now, library.now + 3 * DAY)


def test_a_grace_beyond_the_calendar(library: Library) -> None:
    text = asked(library, OLD, grace=1e13).headline
    assert text.endswith("prune may remove it from 9999-12-31 23:59 UTC on")


def test_a_file_that_upstream_has_dropped(library: Library) -> None:
    files = library.mirror.upstream.projects["foo"].files
    files[:] = [entry for entry in files if entry["filename"] != OLD]
    library.sync("foo>=1", "bar")
    found = file(library, OLD).unwanted
    assert found is not None
    assert found.why == UNLISTED


def test_nothing_of_a_project_that_no_requirement_names_is_wanted(library: Library) -> None:
    library.sync("foo>=1")
    found = project(library, "bar")
    assert found.published
    assert found.unwanted is not None
    assert found.unwanted.why == UNASKED
    assert [(one.wanted_by, one.unwanted) for one in found.files] == [((), found.unwanted)]
    text = asked(library, "bar").headline
    assert text.count(UNASKED) == 1


def test_a_dependency_is_told_with_the_chain_that_led_to_it(library: Library) -> None:
    chain = "app>=2 (req.txt:3) → app 2.1 → foo>=1"
    with library.state() as state:
        state.save([*state.recall([FOO]).values()], {FOO: Visited(5, 4, {NEW: (chain,)})})
        state.desired.save_asked([("foo", chain, "command line")])
    assert file(library, NEW).wanted_by == (chain,)
    assert project(library, "foo").asked == (Asked("foo>=1", "app 2.1", tuple(chain.split(" → "))),)
    assert f"  asked for by  {chain}\n" in asked(library, "foo").headline
    assert "command line" not in asked(library, "foo").headline


@pytest.mark.parametrize("origins", [("a.txt:1",), ("a.txt:1", "b.txt:7")])
def test_a_requirement_is_told_with_every_place_where_it_stands(
    library: Library, origins: tuple[str, ...]
) -> None:
    with library.state() as state:
        state.desired.save_asked([("foo", "foo>=1", origin) for origin in origins])
    assert file(library, NEW).wanted_by == (f"foo>=1 ({', '.join(origins)})",)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("change", "presence", "condition"),
    [
        (cut, Presence.LISTED, Condition.DAMAGED),
        (touch, Presence.LISTED, Condition.TOUCHED),
        (os.unlink, Presence.MISSING, None),
    ],
)
def test_what_one_stat_tells(
    library: Library,
    change: Callable[[Path], None],
    presence: Presence,
    condition: Condition | None,
) -> None:
    change(library.mirror.dest / "foo" / NEW)
    found = file(library, NEW)
    assert (found.presence, found.condition) == (presence, condition)
    assert found.wanted_by


def test_without_a_state_the_tree_still_tells_what_is_here(library: Library) -> None:
    for path in (library.mirror.dest / ".aiomirror").glob("state.sqlite*"):
        path.unlink()
    found = project(library, "foo")
    assert {(one.presence, one.condition) for one in found.files} == {(Presence.LISTED, Condition.UNVERIFIED)}
    assert (len(found.files), found.asked, found.read) == (3, (), None)


def test_a_page_that_tells_no_sizes(library: Library) -> None:
    (library.mirror.dest / "foo" / "index.v1_json").unlink()
    assert file(library, NEW).condition is Condition.INTACT
    touch(library.mirror.dest / "foo" / NEW)
    assert file(library, NEW).condition is Condition.TOUCHED


def test_files_of_others_are_told_apart(library: Library) -> None:
    for name in ("foo-9.tar.gz", "notes.txt"):
        (library.mirror.dest / "foo" / name).touch()
    found = {one.filename: one.presence for one in project(library, "foo").files}
    assert found["foo-9.tar.gz"] is Presence.FOREIGN
    assert "notes.txt" not in found, "it is told of when it is named"
    assert file(library, "foo/notes.txt").presence is Presence.FOREIGN


def test_the_files_of_a_quarantined_project_are_on_no_page(library: Library) -> None:
    library.mirror.upstream.projects["foo"].status = "quarantined"
    library.sync("foo>=1", "bar", code=3)
    found = project(library, "foo")
    assert (found.published, found.status) == (True, "quarantined")
    assert {one.presence for one in found.files if one.is_here} == {Presence.UNLISTED}
    assert "quarantined, and so its page lists no file" in asked(library, "foo").headline


def test_the_files_of_a_hidden_project_are_on_no_page(library: Library) -> None:
    del library.mirror.upstream.projects["foo"]
    library.sync("foo>=1", "bar", code=3, withdrawn=Withdrawn(deleted=Withdrawal.HIDE))
    found = project(library, "foo")
    assert not found.published
    assert {one.presence for one in found.files if one.is_here} == {Presence.UNLISTED}
    assert asked(library, "foo").headline.startswith("foo: mirrored, 3 files, no page\n")


# -- files that are not


def test_a_file_that_a_rule_left_out(library: Library) -> None:
    assert file(library, PRE) == FileFacts(PRE, Presence.ABSENT, left_out=str(LeftOut.PRE_RELEASE))


def test_a_wanted_file_that_could_not_be_had(library: Library) -> None:
    with library.state() as state:
        state.save([], {BAR: Visited(5, 2, {"bar-2.tar.gz": ("bar",)})})
    trouble(library, Trouble("bar", "bar-2.tar.gz", "bar: bar-2.tar.gz: HTTP 404"))
    found = file(library, "bar-2.tar.gz")
    assert (found.presence, found.problems) == (Presence.AWAITED, ("bar: bar-2.tar.gz: HTTP 404",))
    assert found.wanted_by == ("bar (command line)",)


def test_files_that_are_left_out_are_grouped_by_reason(library: Library) -> None:
    note(
        library, {f"foo-0.{number}.tar.gz": LeftOut.OLDER for number in range(7)} | {PRE: LeftOut.PRE_RELEASE}
    )
    named = ", ".join(f"foo-0.{number}.tar.gz" for number in (6, 5, 4, 3, 2))
    lines = asked(library, "foo").headline.splitlines()
    assert lines[-2:] == [
        f"        7  {LeftOut.OLDER}: {named}, 2 more",
        "        1  a pre-release; --pre takes it: foo-3.0rc1.tar.gz",
    ]


def test_where_no_names_are_known_the_numbers_are_told(library: Library) -> None:
    note(library, {})
    found = project(library, "foo")
    assert found.unnamed == {str(LeftOut.OLDER): 2, str(LeftOut.PRE_RELEASE): 1}
    assert f"        2  {LeftOut.OLDER}\n" in asked(library, "foo").headline


def test_the_targets_that_would_take_a_wheel(library: Library) -> None:
    library.mirror.upstream.add_file("foo", "foo-2.0-cp312-cp312-win_amd64.whl", requires_python=">=3.12")
    library.mirror.upstream.add_file("foo", "foo-2.0-py3-none-any.whl", requires_python=">=3.12")
    library.sync("foo>=1", "bar")
    targets = parse_targets(["3.11", "3.12"], ["windows", "linux"])
    found = {one.filename: one.targets for one in project(library, "foo", targets=targets).files}
    windows = [one.name for one in targets if one.python_version == (3, 12) and "win" in one.platform]
    later = [one.name for one in targets if one.python_version == (3, 12)]
    assert found["foo-2.0-cp312-cp312-win_amd64.whl"] == tuple(windows)
    assert found["foo-2.0-py3-none-any.whl"] == tuple(later)
    assert found[WHEEL] == tuple(one.name for one in targets)
    assert found[NEW] == (), "which needs no target"


# -- projects that are not mirrored


def test_a_project_that_was_asked_for_in_vain(library: Library) -> None:
    library.sync("foo>=1", "bar", "quux", code=3)
    trouble(library, Trouble("quux", "", "quux: the index has no such project"))
    found = project(library, "quux")
    assert found == ProjectFacts(
        canonicalize_name("quux"),
        asked=(Asked("quux", "command line"),),
        problems=("quux: the index has no such project",),
    )
    assert asked(library, "Quux").headline == (
        "quux: not mirrored\n"
        "  asked for by  quux (command line)\n"
        "  problem       quux: the index has no such project"
    )


def test_a_project_that_the_configuration_excludes(library: Library) -> None:
    found = project(library, "quux", excluded=[canonicalize_name("quux")])
    assert found.excluded
    assert not found.published


def test_of_an_excluded_project_nobody_says_that_none_asks_for_it(library: Library) -> None:
    """Runs leave it out before they note what they are asked for."""
    path = library.mirror.folder / "other.toml"
    path.write_text("requirements = ['foo', 'bar']\n[project.bar]\nexclude = true\n")
    library.mirror.sync("--config", str(path))
    out = command(library, "bar", "--config", str(path)).out
    assert "  excluded      by the configuration, whoever asks for it\n" in out
    assert f": {EXCLUDED}; prune may remove it from " in out
    assert "no requirement" not in out


def test_a_name_that_nothing_is_known_of(library: Library) -> None:
    found = asked(library, "fooo", "foo", "zzz", code=1)
    assert [one.message for one in found.problems] == [
        "fooo: the mirror knows nothing of it; did you mean foo?",
        "zzz: the mirror knows nothing of it",
    ]
    assert [one.is_known for one in found.answers] == [False, True, False]
    assert found.headline.startswith("foo: mirrored")


def test_a_file_that_upstream_did_not_list(library: Library) -> None:
    (problem,) = asked(library, "foo-2.1.tar.gz", code=1).problems
    assert problem.message.startswith(
        "foo-2.1.tar.gz: upstream did not list it when the page of foo was last read, 2023-11-15 22:13 UTC; "
        f"did you mean {NEW}, "
    )


def test_a_longer_name_is_no_file_of_the_project(library: Library) -> None:
    (problem,) = asked(library, "foo-extras", code=1).problems
    assert problem.message == "foo-extras: the mirror knows nothing of it"


def test_a_folder_of_somebody_else_is_not_known(library: Library) -> None:
    (library.mirror.dest / "assets").mkdir()
    found = asked(library, "assets", "asset", code=1)
    assert found.headline == "nothing is known of what was asked"
    assert [one.similar for one in found.answers] == [(), ()]
    assert [one.message for one in found.problems] == [
        "assets: a folder in which there is nothing of the mirror's",
        "asset: the mirror knows nothing of it",
    ]


def test_a_mirror_that_is_not_there(library: Library, tmp_path: Path) -> None:
    with pytest.raises(DestinationError):
        asyncio.run(explain(tmp_path / "elsewhere", ["foo"], Silent()))
    (tmp_path / "empty").mkdir()
    assert asyncio.run(explain(tmp_path / "empty", ["foo"], Silent())).exit_code == 1
    assert not list((tmp_path / "empty").iterdir())


def test_whether_nobody_asked_or_nobody_noted_it(library: Library) -> None:
    (library.mirror.dest / "baz").mkdir()
    (library.mirror.dest / "baz" / "baz-1.tar.gz").write_bytes(b"")
    library.sync("foo", "bar")
    nobody = "  asked for by  no requirement of the last complete sync\n"
    assert nobody in asked(library, "baz").headline
    shutil.rmtree(library.mirror.dest / ".aiomirror")
    assert "  asked for by  not known: no complete sync is remembered\n" in asked(library, "baz").headline


# -- names


@pytest.mark.parametrize(
    "name", [NEW, f"foo/{NEW}", f"/srv/mirror/foo/{NEW}", f"Foo/{NEW}", f"{NEW}.metadata"]
)
def test_a_file_may_be_named_with_its_folder(library: Library, name: str) -> None:
    (answer,) = asked(library, name).answers
    assert answer.facts is not None
    assert (answer.facts.project, answer.filename, answer.facts.files[0].filename) == ("foo", NEW, NEW)


@pytest.mark.parametrize("name", ["foo", "Foo", "foo/", "./simple/foo/"])
def test_a_project_may_be_named_with_its_folder(library: Library, name: str) -> None:
    (answer,) = asked(library, name).answers
    assert answer.facts is not None
    assert (answer.facts.project, answer.filename, len(answer.facts.files)) == ("foo", "", 4)


def test_of_two_projects_that_a_file_may_belong_to_the_longer_name_counts(library: Library) -> None:
    library.mirror.upstream.add_file("foo-2", "foo-2-1.0.tar.gz", version="1.0")
    library.sync("foo>=1", "foo-2")
    assert project(library, "foo-2-1.0.tar.gz").project == "foo-2"
    assert project(library, NEW).project == "foo"


# -- what runs note


def test_a_run_notes_why_it_left_files_out_and_what_failed(mirror: Mirror) -> None:
    library = Library(mirror)
    for name in (OLD, NEW, PRE):
        mirror.upstream.add_file("foo", name)
    library.sync("foo", "quux", code=3)
    assert file(library, PRE).left_out == str(LeftOut.PRE_RELEASE)
    assert file(library, OLD).left_out == str(LeftOut.OLDER)
    assert project(library, "foo").unnamed == {}
    assert project(library, "quux").problems == ("quux: the index has no such project",)
    library.sync("foo")
    assert file(library, PRE).left_out == str(LeftOut.PRE_RELEASE), "of a page that has not changed"
    asked(library, "quux", code=1)


# -- how it is said


def test_the_text(library: Library) -> None:
    (library.mirror.dest / "foo" / NEW).write_bytes(b"")
    assert asked(library, "foo", PRE).headline == (
        "foo: mirrored, 3 files\n"
        "  asked for by  foo>=1 (command line)\n"
        "  upstream      page last read 2023-11-15 22:13 UTC, 4 files listed\n"
        "  foo-2.0.tar.gz            here and listed, damaged; "
        "sync or verify --repair fetches it again (0 B)\n"
        "                              wanted by foo>=1 (command line)\n"
        f"  foo-1.0-py3-none-any.whl  here and listed, as it was verified ({size_of(library, WHEEL)} B)\n"
        "                              unwanted since 2023-11-15 22:13 UTC: older than the newest that match;"
        " prune may remove it from 2023-11-22 22:13 UTC on\n"
        f"  foo-1.0.tar.gz            here and listed, as it was verified ({size_of(library, OLD)} B)\n"
        "                              unwanted since 2023-11-15 22:13 UTC: older than the newest that match;"
        " prune may remove it from 2023-11-22 22:13 UTC on\n"
        "  left out of what upstream lists: 1 file\n"
        "        1  a pre-release; --pre takes it: foo-3.0rc1.tar.gz\n"
        "\n"
        "foo:\n"
        "  asked for by  foo>=1 (command line)\n"
        "  upstream      page last read 2023-11-15 22:13 UTC, 4 files listed\n"
        "  foo-3.0rc1.tar.gz  not here\n"
        "                       left out: a pre-release; --pre takes it"
    )


def size_of(library: Library, name: str) -> int:
    return (library.mirror.dest / "foo" / name).stat().st_size


def test_upstreams_words_do_nothing_to_a_terminal(library: Library) -> None:
    note(library, {"foo-\x1b[31m.tar.gz": LeftOut.NO_VERSION})
    trouble(library, Trouble("foo", "", "foo: \x1b]0;x\x07"))
    assert "\x1b" not in asked(library, "foo").headline
    assert "\x1b" not in asked(library, "\x1b[31m", code=1).problems[0].message


def test_the_json_is_a_list_with_an_object_for_each_name(library: Library) -> None:
    trees = json.loads(asked(library, NEW, "fooo", "foo", code=1).to_json())
    first, unknown, whole = trees
    size = size_of(library, NEW)
    assert unknown == {"name": "fooo", "known": False, "similar": ["foo"]}
    assert first == {
        "name": NEW,
        "known": True,
        "project": "foo",
        "published": True,
        "status": "active",
        "excluded": False,
        "asked": [{"requirement": "foo>=1", "origin": "command line"}],
        "read": library.now,
        "listed_upstream": 4,
        "unwanted": None,
        "problems": [],
        "files": [
            {
                "filename": NEW,
                "presence": "listed",
                "condition": "intact",
                "size": size,
                "wanted_by": ["foo>=1 (command line)"],
            }
        ],
        "left_out": {},
    }
    absent, _, wheel, old = whole["files"]
    assert absent == {"filename": PRE, "presence": "absent", "left_out": str(LeftOut.PRE_RELEASE)}
    since = {"since": library.now, "why": str(LeftOut.OLDER), "prunable": library.now + 7 * DAY}
    assert [(one["filename"], one["unwanted"]) for one in (wheel, old)] == [(WHEEL, since), (OLD, since)]


# -- on what it goes by


def test_nothing_is_changed_and_no_lock_is_taken(library: Library) -> None:
    async def while_held() -> Explanation:
        async with Store(library.mirror.dest):
            before = entries(library.mirror.dest)
            found = await explain(library.mirror.dest, ["foo", "zzz"], Silent())
            assert entries(library.mirror.dest) == before
            return found

    requests = len(library.mirror.upstream.requests)
    assert asyncio.run(while_held()).answers[0].is_known
    assert len(library.mirror.upstream.requests) == requests


def entries(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def test_a_state_that_an_earlier_version_left(library: Library) -> None:
    path = library.mirror.dest / ".aiomirror" / "state.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("reasons", "problems", "closures", "local_files"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute("PRAGMA user_version = 2")
    found = project(library, "foo")
    assert [one.filename for one in found.files] == [NEW, WHEEL, OLD]
    assert found.unnamed == {str(LeftOut.OLDER): 2, str(LeftOut.PRE_RELEASE): 1}


def test_a_state_that_is_damaged_is_done_without(library: Library) -> None:
    path = library.mirror.dest / ".aiomirror" / "state.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    told = Told()
    found = asyncio.run(explain(library.mirror.dest, ["foo"], told))
    assert found.exit_code == 0
    assert told.warnings == found.warnings
    assert "every file is looked at anew" in found.warnings[0]
    assert "  asked for by  not known: no complete sync is remembered\n" in found.headline


def test_a_file_that_was_found_damaged_before(library: Library) -> None:
    with library.state() as state:
        known = state.recall([FOO])[FOO]
        record = FileRecord(NEW, known.records[NEW].sha256, FileStat(-1, 0, 0))
        state.save([Remembered(FOO, {**known.records, NEW: record}, known.settled)])
    assert file(library, NEW).condition is Condition.DAMAGED


# -- the command line


def command(library: Library, *args: str, code: int = 0) -> Ran:
    return library.mirror.run("explain", "-d", str(library.mirror.dest), *args, code=code)


def test_the_command(library: Library) -> None:
    ran = command(library, NEW, "--grace", "3d", OLD)
    assert (ran.out, ran.err) == (f"{asked(library, NEW, OLD, grace=3 * DAY).headline}\n", "")


def test_the_command_says_what_it_does_not_know(library: Library) -> None:
    ran = command(library, "-q", "fooo", "foo", code=1)
    assert ran.out == ""
    assert ran.errors() == ["fooo: the mirror knows nothing of it; did you mean foo?"]


def test_the_command_writes_its_answers_in_place_of_a_report(library: Library) -> None:
    ran = command(library, "foo", "bar", "--report", "-")
    assert [one["project"] for one in json.loads(ran.out)] == ["foo", "bar"]


def test_the_command_goes_by_the_configuration(library: Library) -> None:
    path = library.mirror.folder / "other.toml"
    path.write_text(
        "grace = '30d'\n[project.quux]\nexclude = true\n"
        "[[target]]\nname = 'desk'\npython = '3.12'\nplatform = 'windows'\n"
    )
    out = command(library, "quux", "foo", "--config", str(path)).out
    assert "  excluded      by the configuration, whoever asks for it\n" in out
    assert "  fits desk\n" in out
    assert "prune may remove it from 2023-12-15 22:13 UTC on" in out
    assert "fits" not in command(library, "foo").out


@pytest.fixture
def following(mirror: Mirror) -> Mirror:
    """Of which runs follow dependencies; foo requires dep."""
    mirror.follows = True
    mirror.upstream.add_file("foo", OLD)
    content = make_wheel("foo", "2.0", requires=["dep>=1,<4"])
    mirror.upstream.add_file("foo", "foo-2.0-py3-none-any.whl", content=content, core_metadata=True)
    mirror.upstream.add_file("dep", "dep-1.0-py3-none-any.whl", core_metadata=True)
    (mirror.folder / "r (old).txt").write_text("foo >= 1\ndep (>=1)\n")
    return mirror


@pytest.mark.parametrize("args", [["--latest", "1"], ["--latest", "2"], ["--no-deps"]])
def test_each_requirement_and_its_place_are_told_once_however_the_run_chose(
    following: Mirror, args: list[str]
) -> None:
    path = following.folder / "r (old).txt"
    following.sync("foo", "-r", str(path), *args)
    foo, dep = json.loads(command(Library(following), "foo", "dep", "--report", "-").out)
    by_hand = [
        {"requirement": "foo", "origin": "command line"},
        {"requirement": "foo >= 1", "origin": f"{path}:1"},
    ]
    assert foo["asked"] in (by_hand, by_hand[:1])  # of two that lead to a version, one may be told
    assert {"requirement": "dep (>=1)", "origin": f"{path}:2"} in dep["asked"]
    for one in (foo, dep):
        for texts in [file["wanted_by"] for file in one["files"] if "wanted_by" in file]:
            assert len(set(texts)) == len(texts)
            assert set(texts) <= {f"{by['requirement']} ({by['origin']})" for by in one["asked"]}
    out = command(Library(following), "foo", "dep").out
    lines = [line for line in out.splitlines() if "asked for by" in line]
    assert len(set(lines)) == len(lines)
    assert f"  asked for by  dep (>=1) ({path}:2)" in lines


def test_the_requirement_of_a_dependency_stands_in_the_version_that_has_it(following: Mirror) -> None:
    following.sync("foo")
    ran = command(Library(following), "dep", "--report", "-")
    chain = ["foo (command line)", "foo 2.0", "dep<4,>=1"]
    (asked,) = json.loads(ran.out)[0]["asked"]
    assert asked["chain"][:2] == chain[:2]
    assert asked == {"requirement": asked["chain"][2], "origin": "foo 2.0", "chain": asked["chain"]}
    assert f"  asked for by  {' → '.join(asked['chain'])}\n" in command(Library(following), "dep").out


def test_the_command_wants_a_name(library: Library) -> None:
    command(library, code=2)


def test_its_exit_codes_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--help"]) == 0
    told = capsys.readouterr().out.partition("exit codes:")[2]
    assert "1 nothing is known of one" in told
    assert "upstream unreachable" not in told
