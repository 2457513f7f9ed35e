"""GUARANTEES, Integrity: G1 to G5."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from guarantee_runs import command, running, slow, until

from catalogue import sha256
from faults import Body, Cut, Extra, Fault, Stall, Status, WrongBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mirror import Mirror

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"
FILE = f"/files/foo/{SDIST}"
SMALL, LARGE = os.urandom(3_000), os.urandom(1_500_000)  # below and above what is held in memory


def digests(body: bytes, *names: str) -> dict[str, str]:
    return {name: hashlib.new(name, body).hexdigest() for name in names}


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("fault", [WrongBytes(), Body(b""), Extra(), Cut(1_000)], ids=str)
def test_G1_wrong_bytes_never_get_the_name(mirror: Mirror, body: bytes, fault: Fault) -> None:
    mirror.upstream.add_file("foo", SDIST, content=body)
    mirror.upstream.always(FILE, fault)
    ran = mirror.sync("foo", code=1)
    assert SDIST in ran.errors()[0]
    assert not (mirror.dest / "foo").exists()


def test_G1_what_is_on_its_way_has_no_name_yet(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, content=LARGE)
    mirror.upstream.always(FILE, Stall(1_400_000))
    partial = mirror.dest / ".aiomirror" / "partial"
    with running(command(mirror, "foo", "--timeout", "60")):
        until(lambda: bool(mirror.upstream.file_requests()))  # before that the disk is probed there
        until(lambda: any(path.stat().st_size > 500_000 for path in partial.glob("*")))
        assert not mirror.tree()
        (unnamed,) = partial.iterdir()
        assert unnamed.stat().st_mode & 0o777 == 0o600
    assert not mirror.tree()


@pytest.mark.parametrize("wrong", ["md5", "sha256", "sha512", "blake2b", "sha3_256"])
def test_G1_every_hash_that_upstream_lists_has_to_match(mirror: Mirror, wrong: str) -> None:
    hashes = digests(SMALL, "md5", "sha256", "sha512", "blake2b", "sha3_256")
    mirror.upstream.add_file("foo", SDIST, content=SMALL, hashes={**hashes, wrong: "0" * len(hashes[wrong])})
    (line,) = mirror.sync("foo", code=1).errors()
    assert f"{wrong} is" in line
    assert not mirror.files()


@pytest.mark.parametrize("size", [2_999, 3_001])
def test_G1_and_so_has_the_size(mirror: Mirror, size: int) -> None:
    mirror.upstream.add_file("foo", SDIST, content=SMALL, size=size)
    mirror.sync("foo", code=1)
    assert not mirror.files()


@pytest.mark.parametrize("formats", ["json", "html"])
@pytest.mark.parametrize("listed", ["md5", "sha1", "sha512", "blake2b", None])
def test_G2_every_link_has_the_sha256_of_the_bytes_on_disk(
    mirror: Mirror, formats: str, listed: str | None
) -> None:
    mirror.upstream.formats = formats
    hashes = digests(SMALL, listed) if listed else {}
    mirror.upstream.add_file("foo", SDIST, content=SMALL, hashes=hashes)
    if not listed:
        mirror.sync("foo", code=1)
        assert not mirror.files()
    mirror.sync("foo", *([] if listed else ["--allow-unhashed"]))
    for form in ("index.v1_json", "index.html"):
        assert mirror.page("foo", form).files[0].hashes["sha256"] == sha256(SMALL)


@pytest.mark.parametrize(
    ("first", "then"), [("sha256", "sha256"), ("md5", "md5"), ("md5", "sha512"), ("sha256", "blake2b")]
)
def test_G3_a_mirrored_file_never_changes(mirror: Mirror, first: str, then: str) -> None:
    mirror.upstream.add_file("foo", SDIST, content=SMALL, hashes=digests(SMALL, first))
    mirror.sync("foo")
    before = mirror.identities()[f"foo/{SDIST}"]
    other = bytes(reversed(SMALL))
    mirror.upstream.add_file("foo", SDIST, content=other, hashes=digests(other, then))
    mirror.upstream.clear()
    for _ in range(2):
        (line,) = mirror.sync("foo", code=1).errors()
        assert line.startswith(f"foo: {SDIST}: upstream now lists {then} ")
        assert mirror.identities()[f"foo/{SDIST}"] == before
        assert mirror.path(SDIST).read_bytes() == SMALL
    assert not mirror.upstream.file_requests()
    mirror.upstream.add_file("foo", SDIST, content=SMALL, hashes=digests(SMALL, first))
    mirror.sync("foo")


def test_G3_not_even_when_ours_is_damaged(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST, content=SMALL)
    mirror.upstream.add_file("foo", WHEEL)
    mirror.sync("foo")
    mirror.upstream.add_file("foo", SDIST, content=bytes(reversed(SMALL)))
    mirror.path(SDIST).write_bytes(b"damaged")
    mirror.upstream.clear()
    ran = mirror.sync("foo", code=1)
    assert any("upstream now lists" in line for line in ran.errors())
    assert not mirror.upstream.file_requests()
    assert mirror.listed("foo") == [WHEEL]


@pytest.mark.parametrize("formats", ["json", "html"])
@pytest.mark.parametrize("fault", [Status(404), WrongBytes(), Cut(3), Body(b"x" * (17 << 20))])
def test_G4_metadata_is_there_and_right_or_not_announced(mirror: Mirror, formats: str, fault: Fault) -> None:
    mirror.upstream.formats = formats
    mirror.upstream.add_file("foo", SDIST, core_metadata=True, metadata=b"Name: foo\n")
    mirror.upstream.add_file("foo", WHEEL, core_metadata="0" * 64)
    for name in (SDIST, WHEEL):
        mirror.upstream.always(f"/files/foo/{name}.metadata", fault)
    mirror.sync("foo", "--retries", "0")
    assert mirror.entry("foo", SDIST).core_metadata is None
    assert not (mirror.dest / "foo" / f"{SDIST}.metadata").exists()
    assert mirror.entry("foo", WHEEL).core_metadata is not None  # its own, which check() has compared


@pytest.mark.parametrize("fault", [Status(503), Cut(3)], ids=str)
def test_G4_metadata_that_failed_in_passing_is_asked_for_again(mirror: Mirror, fault: Fault) -> None:
    mirror.upstream.add_file("foo", SDIST, core_metadata=True, metadata=b"Name: foo\n")
    mirror.upstream.fault(f"{FILE}.metadata", fault)
    mirror.sync("foo", "--retries", "0")
    assert mirror.entry("foo", SDIST).core_metadata is None
    mirror.sync("foo")
    assert mirror.entry("foo", SDIST).core_metadata == {"sha256": sha256(b"Name: foo\n")}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def missing(path: Path) -> None:
    path.unlink()


def rotten(path: Path) -> None:
    path.write_bytes(bytes(len(path.read_bytes())))


@pytest.mark.parametrize("meanwhile", ["failed", "pruned", "unwanted"])
def test_G5_damage_is_mended_whenever_that_can_be(mirror: Mirror, meanwhile: str) -> None:
    """What upstream had no copy of for some nights, or nothing wanted, is still known to be the mirror's."""
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz")
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    mirror.sync("foo==1.0", "bar")
    path = mirror.path(SDIST)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    if meanwhile == "failed":
        mirror.upstream.always(f"/files/foo/{SDIST}", Status(503))
        for _ in range(3):
            mirror.sync("foo==1.0", "bar", code=1)
        assert not mirror.listed("foo")
        mirror.index(code=5)
        assert not mirror.listed("foo")
        mirror.upstream.always(f"/files/foo/{SDIST}")
    elif meanwhile == "pruned":
        for _ in range(2):
            mirror.sync("bar", "--prune", "--grace", "0s")
        assert path.exists()
    else:
        mirror.upstream.always(f"/files/foo/{SDIST}", Status(503))
        mirror.sync("foo==2.0", "bar", code=1)
        mirror.sync("foo==2.0", "bar")
        mirror.upstream.always(f"/files/foo/{SDIST}")
    mirror.sync("foo==1.0", "bar")
    assert path.read_bytes() == whole
    assert SDIST in mirror.listed("foo")


@pytest.mark.parametrize("damage", [cut, empty, missing, rotten])
@pytest.mark.parametrize("stateless", [False, slow(True)])
@pytest.mark.parametrize("name", [SDIST, WHEEL, f"{WHEEL}.metadata", "index.html", "index.v1_json"])
def test_G5_damage_is_found_and_mended_by_the_next_run(
    mirror: Mirror,
    damage: Callable[[Path], None],
    name: str,
    stateless: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    mirror.upstream.add_file("foo", SDIST, content=SMALL)
    mirror.upstream.add_file("foo", WHEEL, core_metadata=True)
    mirror.sync("foo")
    before: Mapping[str, bytes] = mirror.contents()
    damage(mirror.dest / "foo" / name)
    if stateless:
        shutil.rmtree(mirror.dest / ".aiomirror")
    mirror.upstream.clear()
    mirror.sync("foo")
    assert mirror.contents() == before
    fetched = [request.path for request in mirror.upstream.file_requests()]
    assert fetched == ([f"/files/foo/{name}"] if name in {SDIST, WHEEL} else [])


def test_G5_a_folder_that_is_gone_comes_back(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    mirror.sync("foo", "bar")
    before = mirror.contents()
    shutil.rmtree(mirror.dest / "foo")
    mirror.sync("foo", "bar")
    assert mirror.contents() == before
