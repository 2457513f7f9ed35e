"""``aiomirror verify``: each kind of damage made on a real disk, found, told, and mended if that is asked."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import main
from builders import make_sdist
from catalogue import sha256
from faults import Stall, Status
from mirror import Ran, facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mirror import Mirror

    Damage = Callable[[Path], object]

WHEEL, SDIST = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"
SIBLING = f"{WHEEL}.metadata"
BAR = "bar-1.0.tar.gz"
JSON, HTML = "index.v1_json", "index.html"


@pytest.fixture
def pristine(mirror: Mirror) -> Mirror:
    """A mirror of foo, with every attribute that a page can carry, and of bar."""
    mirror.upstream.add_file("foo", WHEEL, requires_python=">=3.8", core_metadata=True, yanked="it is bad")
    mirror.upstream.add_file("foo", SDIST, requires_python=">=3.8", upload_time="2021-01-01T00:00:00Z")
    mirror.upstream.add_file("bar", BAR)
    mirror.sync("foo==1.0", "bar")
    mirror.upstream.clear()
    return mirror


@dataclass(frozen=True)
class Verify:
    """``aiomirror verify`` of a mirror, which is not expected to be right when it ends."""

    mirror: Mirror
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *args: str, code: int = 0) -> Ran:
        path = self.mirror.folder / "report.json"
        self.capsys.readouterr()
        ended = main(["verify", "-d", str(self.mirror.dest), "--report", str(path), *args])
        captured = self.capsys.readouterr()
        assert ended == code, captured.err
        assert "Traceback" not in captured.err
        return Ran(ended, captured.out, captured.err, json.loads(path.read_bytes()))

    def repair(self, *args: str, code: int = 0) -> Ran:
        """With repair; the mirror is right afterwards, whatever could not be had."""
        where = ("-i", self.mirror.upstream.url, "--retries", "0", "--timeout", "5")
        ran = self("--repair", *where, *args, code=code)
        self.mirror.check()
        return ran


@pytest.fixture
def verify(pristine: Mirror, capsys: pytest.CaptureFixture[str]) -> Verify:
    return Verify(pristine, capsys)


def edited(old: str, new: str) -> Damage:
    """A text of the page that is another."""

    def edit(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


def flipped(path: Path) -> None:
    """Bit rot: the size, the time and the inode stay."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def removed(path: Path) -> None:
    path.unlink()


def linked(path: Path) -> None:
    """The very bytes, but elsewhere."""
    outside = path.parents[2] / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def unlisted(name: str) -> Damage:
    """A JSON page without one of its files."""

    def edit(path: Path) -> None:
        page = json.loads(path.read_bytes())
        page["files"] = [file for file in page["files"] if file["filename"] != name]
        path.write_text(json.dumps(page))

    return edit


def emptied(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


DAMAGE: list[tuple[str, Damage, str]] = [
    (f"foo/{SDIST}", flipped, f"foo: {SDIST}: sha256 is "),
    (f"foo/{WHEEL}", flipped, f"foo: {WHEEL}: sha256 is "),
    (f"foo/{SDIST}", truncated, f"foo: {SDIST}: truncated: "),
    (f"foo/{SDIST}", lambda path: path.write_bytes(b"x" * 9999), f"foo: {SDIST}: 9,999 bytes, not "),
    (f"foo/{SDIST}", removed, f"foo: {SDIST}: is missing"),
    (f"foo/{SDIST}", linked, f"foo: {SDIST}: is a symbolic link, out of the mirror or nowhere"),
    (f"foo/{SIBLING}", removed, f"foo: {SIBLING}: is missing"),
    (f"foo/{SIBLING}", flipped, f"foo: {SIBLING}: sha256 is "),
    (f"foo/{SIBLING}", truncated, f"foo: {SIBLING}: sha256 is "),
    (f"foo/{JSON}", removed, f"foo: {JSON}: is missing"),
    (f"foo/{JSON}", truncated, f"foo: {JSON}: cannot be read: "),
    (f"foo/{JSON}", linked, f"foo: {JSON}: is a symbolic link, out of the mirror or nowhere"),
    (f"foo/{JSON}", edited('"name":"foo"', '"name":"bar"'), f"foo: {JSON}: cannot be read: "),
    (
        f"foo/{JSON}",
        edited('"yanked":"it is bad"', '"yanked":"it is worse"'),
        f"foo: {HTML}: the yanked mark of {WHEEL} is 'it is bad', and 'it is worse' in {JSON}",
    ),
    (f"foo/{JSON}", unlisted(SDIST), f"foo: {HTML}: lists {SDIST}, which {JSON} does not"),
    (
        f"foo/{JSON}",
        edited(f'"url":"{SDIST}"', f'"url":"../bar/{SDIST}"'),
        f"foo: {JSON}: the link of {SDIST} leads out of the folder, to '/bar/{SDIST}'",
    ),
    (f"foo/{JSON}", edited('"size":', '"size":1'), ": truncated: "),
    (f"foo/{HTML}", removed, f"foo: {HTML}: is missing"),
    (f"foo/{HTML}", edited("&gt;=3.8", "&gt;=3.9"), f"foo: {HTML}: requires-python of {WHEEL} is '>=3.9'"),
    (f"foo/{HTML}", edited("data-yanked", "data-yankee"), "the yanked mark of"),
    (f"foo/{HTML}", edited("sha256=", "md5="), f"foo: {HTML}: "),
    (f"foo/{HTML}", edited(f'<a href="{SDIST}', '<a href="'), f"foo: {HTML}: does not list {SDIST}, which"),
    (
        f"foo/{HTML}",
        edited(f'href="{SDIST}', f'href="https://evil.example/{SDIST}'),
        f"foo: {HTML}: the link of {SDIST} leads out of the folder",
    ),
    (f"foo/{HTML}", edited("<title>", '<meta name="pypi:project-status" content="archived">'), "status is"),
    (HTML, removed, f"{HTML}: is missing"),
    (JSON, removed, f"{JSON}: is missing"),
    (JSON, truncated, f"{JSON}: cannot be read: "),
    (HTML, edited('<a href="foo/">foo</a>', ""), f"{HTML}: does not list foo"),
    (HTML, edited('href="foo/', 'href="../foo/'), f"{HTML}: has links elsewhere: '../foo/'"),
    ("foo", emptied, f"foo: {SDIST}: is missing"),
    ("foo", shutil.rmtree, f"foo: {SDIST}: is missing"),
]
"""What is damaged, how, and a line that says so."""


@pytest.mark.parametrize(("path", "how", "says"), DAMAGE)
def test_damage_is_found_and_left_and_then_repaired(
    verify: Verify, path: str, how: Damage, says: str
) -> None:
    mirror = verify.mirror
    before = mirror.contents()
    how(mirror.dest / path)
    damaged = snapshot(mirror)

    ran = verify(code=5)
    assert [line for line in ran.errors() if says in line], ran.errors()
    assert {problem["exit_code"] for problem in ran.report["problems"]} == {5}
    assert snapshot(mirror) == damaged
    assert not mirror.upstream.requests
    verify("--quick", code=5)  # by now bit rot is known, too

    ran = verify.repair()
    assert mirror.contents() == before
    assert [line for line in ran.warnings() if says in line], ran.warnings()
    written = mirror.identities()
    assert verify().errors() == []
    assert mirror.identities() == written


def snapshot(mirror: Mirror) -> dict[str, bytes]:
    """All that there is, unread where it is not ours to read."""
    return {
        str(path.relative_to(mirror.dest)): str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in mirror.dest.rglob("*")
        if (path.is_file() or path.is_symlink()) and ".aiomirror" not in path.parts
    }


@pytest.mark.parametrize("option", ["--quick", "--no-progress"])
def test_a_mirror_that_is_right(verify: Verify, option: str) -> None:
    before = verify.mirror.identities()
    ran = verify(option)
    assert (ran.errors(), ran.warnings()) == ([], [])
    assert verify.mirror.identities() == before
    assert ran.report["totals"]["held"] == 3
    assert ran.report["totals"]["projects"] == 2
    assert ran.out.startswith("3 files right in 2 projects, ")
    assert not verify.mirror.upstream.requests


def test_names_that_look_encoded_are_right(verify: Verify) -> None:
    mirror = verify.mirror
    mirror.upstream.add_file("foo", "foo-4%2e0.zip", url="/files/foo/foo-4%252e0.zip")
    mirror.sync("foo", "bar", "--all-versions")
    assert "foo-4%2e0.zip" in mirror.listed("foo")
    assert verify().errors() == []


def test_quick_hashes_nothing_that_is_as_it_was(verify: Verify) -> None:
    """Not even bit rot, which is what the other way is for."""
    assert " 0 B hashed " in verify("--quick").out
    flipped(verify.mirror.path(SDIST))
    verify("--quick")
    verify(code=5)


def test_quick_hashes_what_has_no_record_or_another_stat(verify: Verify) -> None:
    shutil.rmtree(verify.mirror.dest / ".aiomirror")
    assert " 0 B hashed " not in verify("--quick").out
    assert " 0 B hashed " in verify("--quick").out  # the records were kept
    path = verify.mirror.path(SDIST)
    os.utime(path, (1, 1))
    size = path.stat().st_size
    assert f" {size} B hashed " in verify("--quick").out
    path.write_bytes(b"x" * size)
    verify("--quick", code=5)


def test_the_next_sync_mends_what_verify_found(verify: Verify) -> None:
    before = verify.mirror.contents()
    flipped(verify.mirror.path(SDIST))
    verify(code=5)
    verify.mirror.sync("foo==1.0", "bar")
    assert verify.mirror.contents() == before


def test_what_verify_keeps_leaves_the_next_sync_nothing_to_do(verify: Verify) -> None:
    shutil.rmtree(verify.mirror.dest / ".aiomirror")
    verify()
    before = verify.mirror.identities()
    verify.mirror.sync("foo==1.0", "bar")
    assert verify.mirror.identities() == before
    assert not verify.mirror.upstream.file_requests()


# -- what is told and is no damage


def test_extra_files_are_told_and_left_alone(verify: Verify) -> None:
    folder = verify.mirror.dest / "foo"
    (folder / "foo-2.0.tar.gz").write_bytes(b"by hand")
    (folder / "bar-2.0.tar.gz").write_bytes(b"by hand")
    (folder / "notes.txt").write_bytes(b"mine")
    (verify.mirror.dest / "no-project").mkdir()
    (verify.mirror.dest / "README").write_bytes(b"mine")
    before = verify.mirror.contents()
    for ran in (verify(), verify.repair()):
        assert ran.warnings() == ["foo: on disk, and no page lists it: bar-2.0.tar.gz, foo-2.0.tar.gz"]
        assert verify.mirror.contents() == before


def test_many_extra_files_are_one_line(verify: Verify) -> None:
    for number in range(2, 30):
        (verify.mirror.dest / "foo" / f"foo-{number}.tar.gz").write_bytes(b"")
    (line,) = verify().warnings()
    assert line.endswith("foo-10.tar.gz and 27 more")


def test_a_link_that_stays_in_the_mirror_is_its_makers_affair(verify: Verify) -> None:
    (verify.mirror.dest / "simple").symlink_to(".")
    (verify.mirror.dest / "foo" / "latest").symlink_to(SDIST)
    assert verify().errors() == []


def test_quarantined_projects_keep_their_files(verify: Verify) -> None:
    verify.mirror.upstream.projects["foo"].status = "quarantined"
    verify.mirror.sync("foo==1.0", "bar", code=3)
    assert verify().warnings() == [f"foo: on disk, and no page lists it: {WHEEL}, {SDIST}"]


# -- damage that is left


@pytest.mark.parametrize(
    ("path", "target", "says"),
    [
        ("foo/out", "/etc", "foo: out: a symbolic link that leads out of the mirror, or nowhere"),
        ("foo/nowhere", "missing", "foo: nowhere: a symbolic link that leads out of the mirror, or nowhere"),
        ("out", "..", "out: a symbolic link that leads out of the mirror, or nowhere"),
    ],
)
def test_links_that_lead_out_of_the_mirror_are_told_and_left(
    verify: Verify, path: str, target: str, says: str
) -> None:
    (verify.mirror.dest / path).symlink_to(target)
    assert verify(code=5).errors() == [says]
    assert verify.repair(code=5).errors() in ([says], [f"{says}; left as it is"])
    assert (verify.mirror.dest / path).is_symlink()


@pytest.mark.parametrize("folder", ["", "foo/"])
@pytest.mark.parametrize("page", [JSON, HTML])
def test_a_compressed_copy_of_another_page_is_told(verify: Verify, folder: str, page: str) -> None:
    path = verify.mirror.dest / f"{folder}{page}"
    copy = path.with_name(f"{page}.gz")
    copy.write_bytes(gzip.compress(path.read_bytes()))
    verify()
    copy.write_bytes(gzip.compress(path.read_bytes() + b" "))
    (line,) = verify(code=5).errors()
    assert "a compressed copy that is not of the page" in line
    copy.write_bytes(b"no gzip")
    verify(code=5)


def test_a_projects_folder_that_is_a_link_is_not_followed(verify: Verify) -> None:
    folder = verify.mirror.dest / "foo"
    folder.rename(verify.mirror.folder / "elsewhere")
    folder.symlink_to(verify.mirror.folder / "elsewhere")
    lines = verify(code=5).errors()
    assert "foo: the folder cannot be read: is a link or a file where a folder should be" in lines
    assert set(verify.mirror.files()) >= {BAR}


def test_a_project_of_which_nothing_is_left_and_nothing_known(verify: Verify) -> None:
    mirror = verify.mirror
    shutil.rmtree(mirror.dest / "foo")
    shutil.rmtree(mirror.dest / ".aiomirror")
    assert "foo: index.html: is missing" in verify(code=5).errors()
    lines = verify.repair(code=5).errors()
    assert lines[0].endswith("nothing is left of the project, and it is no longer listed")
    assert verify().errors() == []


def gone(mirror: Mirror) -> None:
    mirror.upstream.remove_file("foo", SDIST)


def no_project(mirror: Mirror) -> None:
    del mirror.upstream.projects["foo"]


def no_file(mirror: Mirror) -> None:
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(404))


def changed(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, content=b"other bytes")


def other_bytes(mirror: Mirror) -> None:
    right = sha256(mirror.upstream.blobs[f"/files/foo/{SDIST}"].body)
    mirror.upstream.add_file("foo", SDIST, content=b"other bytes", hashes={"sha256": right})


def only_md5(mirror: Mirror) -> None:
    """Then nothing of upstream's says that these are other bytes, but our page does."""
    mirror.upstream.add_file("foo", SDIST, content=b"other bytes", hashes={})


def broken(mirror: Mirror) -> None:
    mirror.upstream.always("/simple/foo/", Status(503))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (gone, "upstream has no copy of these bytes"),
        (no_project, "foo: the index has no such project"),
        (no_file, "upstream's copy could not be had: "),
        (changed, "upstream now lists sha256 "),
        (other_bytes, "upstream's copy could not be had: "),
        (only_md5, "upstream's copy could not be had: "),
        (broken, "HTTP 503"),
    ],
)
@pytest.mark.parametrize("how", [flipped, truncated, removed])
def test_what_cannot_be_repaired_is_no_longer_listed(
    verify: Verify, fault: Callable[[Mirror], None], says: str, how: Damage
) -> None:
    mirror = verify.mirror
    fault(mirror)
    how(mirror.path(SDIST))
    ran = verify.repair(code=5)
    (line,) = ran.errors()
    assert line.startswith(f"foo: {SDIST}: ")
    assert "; no longer listed: " in line
    assert says in line
    assert mirror.listed("foo") == [WHEEL]
    assert mirror.entry("foo", WHEEL).core_metadata
    assert ran.report["totals"]["failed"] == 1
    assert verify().errors() == []


@pytest.mark.parametrize("name", [WHEEL, SDIST])
def test_what_could_not_be_repaired_is_by_a_later_repair(verify: Verify, name: str) -> None:
    mirror = verify.mirror
    before = mirror.contents()
    flipped(mirror.dest / "foo" / name)
    mirror.upstream.always(f"/files/foo/{name}", Status(503))
    verify.repair(code=5)
    (line,) = verify.repair(code=5).errors()
    assert line.startswith(
        f"foo: {name}: was damaged before, and is not listed since then; no longer listed: "
    )
    assert "HTTP 503" in line
    verify()
    mirror.upstream.always(f"/files/foo/{name}")
    *_, line = verify.repair().warnings()
    assert line == f"foo: {name}: was damaged before, and is not listed since then; fetched anew"
    assert mirror.contents() == before
    assert not verify.repair().warnings()


def test_what_could_not_be_repaired_and_was_put_right_by_hand_is_listed_again(verify: Verify) -> None:
    mirror = verify.mirror
    before, path = facts(mirror.entry("foo", SDIST)), mirror.dest / "foo" / SDIST
    content = path.read_bytes()
    flipped(path)
    mirror.upstream.always(f"/files/foo/{SDIST}", Status(503))
    verify.repair(code=5)
    path.write_bytes(content)
    (line,) = [line for line in verify.repair().warnings() if SDIST in line and "damaged" in line]
    assert line.endswith("; listed again")
    assert facts(mirror.entry("foo", SDIST)) == before
    assert not verify.repair().warnings()


def test_what_upstream_has_no_more_is_remembered_until_the_next_sync(verify: Verify) -> None:
    mirror = verify.mirror
    flipped(mirror.dest / "foo" / SDIST)
    mirror.upstream.projects["foo"].files = [
        file for file in mirror.upstream.projects["foo"].files if file["filename"] != SDIST
    ]
    for _ in range(2):
        (line,) = verify.repair(code=5).errors()
        assert line.endswith("no longer listed: upstream has no copy of these bytes")
    mirror.sync("foo==1.0", "bar")
    (line,) = verify.repair().warnings()
    assert line == f"foo: on disk, and no page lists it: {SDIST}"


def test_one_file_that_cannot_be_had_does_not_keep_others_from_being_repaired(verify: Verify) -> None:
    mirror = verify.mirror
    no_file(mirror)
    before = mirror.path(BAR).read_bytes()
    for name in (WHEEL, SDIST, BAR):
        flipped(mirror.path(name))
    ran = verify.repair("-j", "1", code=5)
    assert len(ran.errors()) == 1
    assert mirror.listed("foo") == [WHEEL]
    assert mirror.path(BAR).read_bytes() == before
    assert ran.report["totals"]["fetched"] == 2


# -- repair


def test_repair_of_a_mirror_that_is_right_asks_and_writes_nothing(verify: Verify) -> None:
    before = verify.mirror.identities()
    ran = verify.repair()
    assert verify.mirror.identities() == before
    assert not verify.mirror.upstream.requests
    assert ran.report["totals"]["pages_written"] == 0


def test_metadata_is_made_of_the_wheel_without_a_request(verify: Verify) -> None:
    before = verify.mirror.contents()
    verify.mirror.path(SIBLING).write_bytes(b"other")
    (line,) = verify.repair().warnings()
    assert line.endswith("; made anew")
    assert verify.mirror.contents() == before
    assert not verify.mirror.upstream.requests


def test_metadata_that_only_upstream_has_is_fetched_and_else_not_announced(
    verify: Verify, mirror: Mirror
) -> None:
    mirror.upstream.add_file(
        "foo", SDIST, requires_python=">=3.8", core_metadata=True, metadata=b"Name: foo\n"
    )
    mirror.sync("foo==1.0")
    before = mirror.contents()
    mirror.path(f"{SDIST}.metadata").unlink()
    verify.repair()
    assert mirror.contents() == before
    mirror.path(f"{SDIST}.metadata").unlink()
    broken(mirror)
    (line,) = verify.repair().warnings()
    assert line.endswith("; no longer announced")
    assert mirror.entry("foo", SDIST).core_metadata is None


@pytest.mark.parametrize("state", [True, False])
def test_both_pages_lost(verify: Verify, state: bool) -> None:  # noqa: FBT001
    mirror = verify.mirror
    before = mirror.contents()
    for form in (JSON, HTML):
        (mirror.dest / "foo" / form).write_bytes(b"")
    if not state:
        shutil.rmtree(mirror.dest / ".aiomirror")
    verify.repair()
    assert mirror.contents() == before


def test_both_pages_lost_and_no_upstream(verify: Verify) -> None:
    """The state remembers what was listed; what it says more than a file itself is for the next sync."""
    mirror = verify.mirror
    broken(mirror)
    for form in (JSON, HTML):
        (mirror.dest / "foo" / form).unlink()
    verify.repair()
    assert mirror.listed("foo") == [WHEEL, SDIST]
    assert mirror.entry("foo", WHEEL).requires_python == ">=3.8"
    assert mirror.entry("foo", WHEEL).core_metadata


def test_a_lost_page_brings_back_all_digests(verify: Verify, mirror: Mirror) -> None:
    body = make_sdist("foo", "1.0")
    hashes = {"sha256": sha256(body), "md5": "", "blake2b": ""}
    hashes = {name: hashlib.new(name, body).hexdigest() for name in hashes}
    mirror.upstream.add_file("baz", "baz-1.0.tar.gz", content=body, hashes=hashes)
    mirror.sync("baz")
    before = mirror.contents()
    (mirror.dest / "baz" / JSON).unlink()
    verify.repair()
    assert mirror.contents() == before


def test_the_whole_mirror_but_its_state(verify: Verify) -> None:
    mirror = verify.mirror
    before = mirror.contents()
    for project in ("foo", "bar"):
        shutil.rmtree(mirror.dest / project)
    verify.repair("-j", "2")
    assert mirror.contents() == before


# -- what is said


@pytest.mark.parametrize("args", [[], ["--quick"], ["-v"], ["--log-format", "json", "-v"]])
def test_lines(verify: Verify, args: list[str]) -> None:
    verify.mirror.path(SDIST).unlink()
    ran = verify(*args, code=5)
    said = [json.loads(line)["message"] for line in ran.err.splitlines()] if "json" in args else ran.errors()
    assert f"foo: {SDIST}: is missing" in said
    assert ran.report["files"] == [
        {"project": "foo", "filename": SDIST, "status": "failed", "size": SIZE, "why": "is missing"}
    ]


SIZE = len(make_sdist("foo", "1.0", requires_python=">=3.8"))


def test_one_of_each(verify: Verify) -> None:
    shutil.rmtree(verify.mirror.dest / "foo")
    verify.mirror.sync("foo==1.0", "bar", "--source-only")
    verify.mirror.path(BAR).unlink()
    assert verify(code=5).out.startswith("1 file right in 2 projects, 1 damaged, 1 problem, ")


def test_quiet_says_problems_only(verify: Verify) -> None:
    (verify.mirror.dest / "foo" / "foo-2.0.tar.gz").write_bytes(b"extra")
    ran = verify("-q")
    assert (ran.out, ran.err) == ("", "")


def test_the_lines_come_in_the_order_of_the_names(verify: Verify) -> None:
    for name in (SDIST, WHEEL, BAR):
        verify.mirror.path(name).unlink()
    names = [problem["filename"] for problem in verify(code=5).report["problems"]]
    assert names == [BAR, WHEEL, SDIST]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["-d", "missing"], 6),
        (["-d", "file"], 6),
        (["--repair", "-i", "ftp://index.example/"], 2),
        (["--repair", "-j", "0"], 2),
        (["--no-such-option"], 2),
        (["a-name"], 2),
    ],
)
def test_what_cannot_be_done(
    verify: Verify, argv: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(verify.mirror.folder)
    (verify.mirror.folder / "file").write_bytes(b"")
    assert main(["verify", *argv]) == code
    assert verify.capsys.readouterr().err
    assert not (verify.mirror.folder / "missing").exists()


def test_a_mirror_that_another_run_holds(verify: Verify) -> None:
    with (verify.mirror.dest / ".aiomirror" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["verify", "-d", str(verify.mirror.dest)]) == 6


def test_an_empty_mirror(tmp_path: Path) -> None:
    (tmp_path / "mirror" / ".aiomirror").mkdir(parents=True)
    assert main(["verify", "-d", str(tmp_path / "mirror")]) == 0


# -- mirrors that may not be written


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What changes when anything is made, written, renamed or removed, the private folder included."""
    found = {str(path.relative_to(folder)): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in found.items()}


def ended(folder: Path, *args: str) -> Ran:
    """A process of its own that verifies ``folder``, bound by permissions even as the superuser's."""
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if bound and (not shutil.which(bound[0]) or subprocess.run([*bound, "true"], check=False).returncode):
        pytest.skip("the superuser may write everywhere")
    argv = [*bound, sys.executable, "-m", "aiomirror", "verify", "-d", str(folder), *args]
    process = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in process.stderr
    return Ran(process.returncode, process.stdout, process.stderr)


@contextmanager
def closed(*modes: tuple[Path, int]) -> Iterator[None]:
    """Files and folders with these modes for a while."""
    with ExitStack() as stack:
        for path, _ in modes:
            stack.callback(path.chmod, path.stat().st_mode)
        for path, mode in modes:
            path.chmod(mode)
        yield


@contextmanager
def read_only(mirror: Mirror) -> Iterator[Path]:
    """The mirror once more, on a file system that nobody can write to, if the system lets us have one."""
    place = mirror.folder / "medium"
    place.mkdir()
    mount = subprocess.run(["mount", "--bind", mirror.dest, place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("cannot mount a file system here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("option", ["--quick", "--no-progress"])
def test_a_mirror_on_a_read_only_file_system(verify: Verify, option: str) -> None:
    with read_only(verify.mirror) as place:
        before = everything(verify.mirror.dest)
        ran = ended(place, option)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("3 files right in 2 projects, ")
        assert (" 0 B hashed " in ran.out) == (option == "--quick")
        flipped(verify.mirror.path(SDIST))
        assert ended(place).code == 5
        assert everything(verify.mirror.dest).keys() == before.keys()
        assert ended(place, "--repair", "-i", verify.mirror.upstream.url).code == 6


def test_a_medium_without_what_runs_keep(verify: Verify) -> None:
    shutil.rmtree(verify.mirror.dest / ".aiomirror")
    with read_only(verify.mirror) as place:
        ran = ended(place)
        assert (ran.code, ran.err) == (0, "")
        assert not (place / ".aiomirror").exists()


def test_a_read_only_mirror_that_another_run_holds(verify: Verify) -> None:
    with (
        read_only(verify.mirror) as place,
        (verify.mirror.dest / ".aiomirror" / "lock").open("r+") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = ended(place)
        assert ran.code == 6
        assert "another run holds this mirror" in ran.err
        fcntl.flock(lock, fcntl.LOCK_SH)  # as one that only reads has it
        assert ended(place).code == 0


@pytest.mark.parametrize("option", ["--quick", "--no-progress"])
def test_a_mirror_that_is_not_ours_to_write_to(verify: Verify, option: str) -> None:
    dest = verify.mirror.dest
    folders = [path for path in (dest, *dest.rglob("*")) if path.is_dir()]
    lock, state = dest / ".aiomirror" / "lock", dest / ".aiomirror" / "state.sqlite"
    with closed((lock, 0o444), (state, 0o444), *((path, 0o555) for path in folders)):
        before = everything(dest)
        ran = ended(dest, option)
        assert (ran.code, ran.err) == (0, "")
        assert everything(dest) == before
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert ended(dest).code == 6


def test_a_mirror_whose_lock_is_not_ours_to_see(verify: Verify) -> None:
    """As it is for everybody but the user that syncs."""
    private = verify.mirror.dest / ".aiomirror"
    with closed((private, 0o000), (verify.mirror.dest, 0o555)):
        before = {name: one for name, one in everything(verify.mirror.dest).items() if "/" not in name}
        ran = ended(verify.mirror.dest)
        assert ran.code == 0
        assert ran.out.startswith("3 files right in 2 projects, ")
        assert ran.warnings() == [
            f"{private}/lock: permission denied; read without the lock, so a run may change files meanwhile",
            f"{private}/state.sqlite: cannot be read (permission denied); every file is looked at anew",
        ]
        after = everything(verify.mirror.dest)
        assert {name: one for name, one in after.items() if "/" not in name} == before


@pytest.mark.parametrize("name", [".", ".aiomirror", ".aiomirror/partial"])
def test_one_folder_that_is_not_ours_to_write_to(verify: Verify, name: str) -> None:
    with closed((verify.mirror.dest / name, 0o555)):
        ran = ended(verify.mirror.dest)
    assert (ran.code, ran.err) == (0, "")


# -- folders that are no mirror


@pytest.mark.parametrize(
    "command",
    ["verify", "verify --quick", "verify --repair -i http://index.example/simple/", "prune", "prune -n"],
)
@pytest.mark.parametrize("content", [[], ["foo/bar/index.html", "notes.txt", "Ünfug/index.html"]])
def test_a_folder_that_is_no_mirror(verify: Verify, command: str, content: list[str]) -> None:
    """As a mount point without its file system is one."""
    folder = verify.mirror.folder / "elsewhere"
    folder.mkdir()
    for name in content:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"mine")
    before = everything(folder)
    assert main([*command.split(), "-d", str(folder)]) == 6
    said = f"error: {folder}: is no mirror: there is neither .aiomirror nor a page in it\n"
    assert verify.capsys.readouterr() == ("", said)
    assert everything(folder) == before


@pytest.mark.parametrize("left", ["index.html", "index.v1_json", "foo/index.html", "foo/index.v1_json"])
def test_what_is_left_of_a_mirror_is_damage(verify: Verify, left: str) -> None:
    content = (verify.mirror.dest / left).read_bytes()
    shutil.rmtree(verify.mirror.dest)
    (verify.mirror.dest / left).parent.mkdir(parents=True)
    (verify.mirror.dest / left).write_bytes(content)
    assert verify(code=5).errors()


# -- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_repair_that_is_interrupted(verify: Verify, number: int, code: int) -> None:
    mirror = verify.mirror
    before = mirror.contents()
    stalled = f"/files/foo/{SDIST}"
    mirror.upstream.always(stalled, Stall(10))
    flipped(mirror.path(SDIST))
    flipped(mirror.path(BAR))
    argv = ["verify", "-d", str(mirror.dest), "--repair", "-i", mirror.upstream.url]
    assert interrupted(argv, number, lambda: stalled in mirror.upstream.paths()) == code
    assert mirror.path(BAR).read_bytes() == before[f"bar/{BAR}"]
    assert mirror.listed("foo") == [WHEEL, SDIST]  # its page is not touched before all is done
    mirror.upstream.always(stalled)
    verify.repair()
    assert mirror.contents() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_verification_that_is_interrupted(verify: Verify, number: int, code: int) -> None:
    """A file of holes takes long to hash, and no room."""
    mirror = verify.mirror
    page = mirror.dest / "foo" / JSON
    size = mirror.path(SDIST).stat().st_size
    page.write_text(page.read_text().replace(f'"size":{size}', f'"size":{2**40}'))
    os.truncate(mirror.path(SDIST), 2**40)
    before = mirror.identities()
    argv = ["verify", "-d", str(mirror.dest), "--report", str(mirror.folder / "report")]
    lock = mirror.dest / ".aiomirror" / "lock"
    held = lock.read_bytes()
    assert interrupted(argv, number, lambda: lock.read_bytes() not in {b"", held}) == code
    assert mirror.identities() == before
    assert json.loads((mirror.folder / "report").read_bytes())["exit_code"] == code


def interrupted(argv: list[str], number: int, when: Callable[[], bool]) -> int:
    """The exit code of a process that gets the signal as soon as that is so."""
    with subprocess.Popen([sys.executable, "-m", "aiomirror", *argv], stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while not when():
                assert time.monotonic() < deadline, "it does not come to pass"
                time.sleep(0.01)
            time.sleep(0.2)
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert b"Traceback" not in err
    return process.returncode
