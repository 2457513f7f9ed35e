"""What the mirror has of a project: our page, the files behind it, and what vouches for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.holdings import holdings, own_page
from aiomirror.plan import FileRecord, FileStat, Holdings, Remembered
from aiomirror.simple.render import render_html, render_json
from aiomirror.simple.values import ProjectFile, ProjectPage
from aiomirror.state import State
from aiomirror.store import Store
from builders import make_sdist, make_wheel
from catalogue import sha256

if TYPE_CHECKING:
    from pathlib import Path

FOO = canonicalize_name("foo")
SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
BODY = make_sdist("foo", "1.0")


def upstream(**hashes: str) -> dict[str, ProjectFile]:
    """What upstream lists of the source archive; by default its right digest."""
    return {
        SDIST: ProjectFile(
            filename=SDIST, url=f"https://files.example/{SDIST}", hashes=hashes or {"sha256": sha256(BODY)}
        )
    }


def put(dest: Path, name: str = SDIST, body: bytes = BODY) -> FileRecord:
    """A file in the project's folder, and the record that an earlier run would have left of it."""
    path = dest / "foo" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    stat = path.stat()
    return FileRecord(name, sha256(body), FileStat(stat.st_size, stat.st_mtime_ns, stat.st_ino))


def page(
    dest: Path, name: str = SDIST, body: bytes = BODY, forms: tuple[str, ...] = ("json", "html")
) -> None:
    """Our own page, which lists the file."""
    file = ProjectFile(filename=name, url=name, hashes={"sha256": sha256(body)}, size=len(body))
    value = ProjectPage(project=FOO, files=(file,))
    (dest / "foo").mkdir(parents=True, exist_ok=True)
    if "json" in forms:
        (dest / "foo" / "index.v1_json").write_bytes(render_json(value))
    if "html" in forms:
        (dest / "foo" / "index.html").write_bytes(render_html(value))


async def look(dest: Path, listed: dict[str, ProjectFile], *records: FileRecord) -> Holdings:
    async with Store(dest) as store:
        with State.open(store.state_path) as state:
            state.save([Remembered(FOO, {record.filename: record for record in records})])
            return await holdings(store, state, FOO, listed)


async def test_nothing(tmp_path: Path) -> None:
    found = await look(tmp_path, upstream())
    assert (found.listed, found.files, found.fresh, found.published) == ({}, {}, (), False)


async def test_a_recorded_file_is_not_hashed_again(tmp_path: Path) -> None:
    record = put(tmp_path)
    page(tmp_path)
    # The record lies, and is believed: had the bytes been looked at, the digest would be another.
    lie = FileRecord(SDIST, "0" * 64, record.stat)
    found = await look(tmp_path, upstream(), lie)
    assert found.files[SDIST].record == lie
    assert found.fresh == ()


@pytest.mark.parametrize("listed", [True, False])
async def test_a_file_without_a_record_is_hashed(tmp_path: Path, listed: bool) -> None:  # noqa: FBT001
    record = put(tmp_path)
    if listed:
        page(tmp_path)
    found = await look(tmp_path, upstream())
    assert found.files[SDIST].record == record
    assert found.fresh == (record,)
    assert not found.damaged()


async def test_another_algorithm_is_computed_when_upstream_has_no_other(tmp_path: Path) -> None:
    record = put(tmp_path)
    found = await look(tmp_path, upstream(md5="0" * 32), record)
    assert found.files[SDIST].hashes.keys() == {"sha256", "md5"}


async def test_a_strange_file_that_nobody_vouches_for_is_not_held(tmp_path: Path) -> None:
    put(tmp_path, body=b"something else")
    found = await look(tmp_path, upstream())
    assert found.files == {}
    assert found.fresh == ()


async def test_a_strange_file_of_which_upstream_has_no_digest_is_not_held(tmp_path: Path) -> None:
    put(tmp_path)
    bare = {SDIST: ProjectFile(filename=SDIST, url=f"https://files.example/{SDIST}", hashes={})}
    assert (await look(tmp_path, bare)).files == {}


async def test_a_file_that_neither_lists_is_not_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "foo-2.0.tar.gz")
    assert (await look(tmp_path, upstream())).files == {}


async def test_a_listed_file_that_is_damaged_or_missing(tmp_path: Path) -> None:
    page(tmp_path)
    assert (await look(tmp_path, upstream())).damaged() == [SDIST]
    put(tmp_path, body=b"damaged")
    assert (await look(tmp_path, upstream())).damaged() == [SDIST]


async def test_a_link_is_no_file(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere.tar.gz")
    page(tmp_path)
    (tmp_path / "foo" / SDIST).symlink_to("elsewhere.tar.gz")
    assert (await look(tmp_path, upstream())).files == {}


@pytest.mark.parametrize("forms", [("json",), ("html",), ("json", "html")])
async def test_either_form_of_our_page_will_do(tmp_path: Path, forms: tuple[str, ...]) -> None:
    put(tmp_path)
    page(tmp_path, forms=forms)
    found = await look(tmp_path, {})
    assert (set(found.listed), set(found.files), found.published) == ({SDIST}, {SDIST}, True)


async def test_a_damaged_page_gives_way_to_the_other(tmp_path: Path) -> None:
    page(tmp_path)
    (tmp_path / "foo" / "index.v1_json").write_bytes(b"{")
    async with Store(tmp_path) as store:
        assert await own_page(store, FOO) is not None
        (tmp_path / "foo" / "index.html").unlink()
        assert await own_page(store, FOO) is None


async def test_a_sibling_is_held_when_a_page_or_what_was_verified_with_it_vouches(tmp_path: Path) -> None:
    wheel = put(tmp_path, WHEEL, make_wheel("foo", "1.0"))
    sibling = put(tmp_path, f"{WHEEL}.metadata", b"Name: foo\n")
    body = make_wheel("foo", "1.0")

    def listed(digest: str) -> dict[str, ProjectFile]:
        return {
            WHEEL: ProjectFile(
                filename=WHEEL,
                url=f"https://files.example/{WHEEL}",
                hashes={"sha256": sha256(body)},
                core_metadata={"sha256": digest},
            )
        }

    assert (await look(tmp_path, listed(sibling.sha256))).files[WHEEL].metadata == sibling
    assert (await look(tmp_path, listed("0" * 64))).files[WHEEL].metadata is None
    # What was recorded beside a wheel is of that wheel, not of one that has come since.
    assert (await look(tmp_path, listed("0" * 64), sibling)).files[WHEEL].metadata is None
    assert (await look(tmp_path, listed("0" * 64), sibling, wheel)).files[WHEEL].metadata == sibling


async def test_what_an_earlier_run_made_is_known_though_nothing_lists_it(tmp_path: Path) -> None:
    made, copied = put(tmp_path, "foo-0.1.tar.gz"), put(tmp_path, "foo-0.2.tar.gz")
    changed, own = put(tmp_path, "foo-0.3.tar.gz"), put(tmp_path, "foo-0.4.tar.gz")
    old = FileStat(1, 1, 1)
    found = await look(
        tmp_path,
        upstream(),
        made,
        FileRecord(copied.filename, copied.sha256, old),
        FileRecord(changed.filename, "0" * 64, old),
    )
    assert found.unlisted == {made.filename: made, copied.filename: copied}
    assert own.filename not in found.files
    assert not found.strays
