"""Core metadata without the file: each way to it, what it costs, and what happens when it is closed."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
import zipfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.errors import DestinationError, StatusError, TransferError, UnreachableError
from aiomirror.index import Index
from aiomirror.metadata import Found, Metadata
from aiomirror.simple.render import render_json
from aiomirror.simple.values import ProjectFile, ProjectPage
from aiomirror.store import Store
from builders import make_metadata, make_sdist, make_wheel, zip_bytes
from catalogue import sha256
from exchange import running
from faults import (
    Cut,
    Etag,
    Fault,
    Healthy,
    IgnoreRange,
    NoEtag,
    Redirect,
    Reset,
    Stall,
    Status,
    WrongBytes,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aiomirror.http import HttpSettings
    from upstream import Upstream

FOO = canonicalize_name("foo")
WHEEL, SDIST, ZIP = "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-1.0.zip"
SIBLING = f"/files/foo/{WHEEL}.metadata"
TEXT = make_metadata("foo", "1.0", requires=["bar>=2"])
INFO = "foo-1.0.dist-info/METADATA"
NOISE = random.Random(1).randbytes(3_000_000)
MOST = 100_000
"""Bytes that the metadata of a large file may cost."""


def large_wheel() -> bytes:
    """A wheel of 3 MB with its metadata at the end, as is usual."""
    return zip_bytes({"foo/noise.bin": NOISE, INFO: TEXT, "foo-1.0.dist-info/RECORD": NOISE[:5000]})


def tar_gz(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]  # a mode is a text
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Asking:
    """Metadata under test, over an upstream and a mirror."""

    upstream: Upstream
    index: Index
    metadata: Metadata

    async def file(self, filename: str) -> ProjectFile:
        read = await self.index.page(FOO)
        assert read is not None
        self.upstream.clear()
        return next(file for file in read.page.files if file.filename == filename)

    async def ask(self, filename: str = WHEEL) -> Found:
        return await self.metadata.core_metadata(FOO, await self.file(filename))

    async def build(self, filename: str) -> Found:
        return await self.metadata.pyproject(FOO, await self.file(filename))

    def cost(self) -> int:
        """Bytes that were asked for, where all was asked for by range."""
        ranges = [request.headers["range"].removeprefix("bytes=") for request in self.upstream.requests]
        ends = [tuple(map(int, one.split("-"))) for one in ranges]
        return sum(last + 1 - first for first, last in ends)


@asynccontextmanager
async def opened(
    upstream: Upstream, dest: Path, settings: HttpSettings | None = None
) -> AsyncIterator[Asking]:
    async with Store(dest, writable=False) as store, running(settings) as client:
        yield Asking(upstream, Index(client, upstream.url), Metadata(client, store))


@pytest.fixture
async def asking(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Asking]:
    """Over an upstream that is still empty, and no mirror."""
    async with opened(upstream, tmp_path / "mirror") as one:
        yield one


# The sibling


async def test_the_sibling_comes_first(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel(), core_metadata=True)
    assert await asking.ask() == Found(TEXT, verified=True)
    assert upstream.paths() == [SIBLING]


async def test_a_sibling_without_a_digest(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel(), core_metadata={})
    assert await asking.ask() == Found(TEXT, verified=False)
    assert upstream.paths() == [SIBLING]


async def test_wrong_bytes_are_asked_for_once_more(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel(), core_metadata=True)
    upstream.fault(SIBLING, WrongBytes())
    assert await asking.ask() == Found(TEXT, verified=True)
    assert upstream.paths() == [SIBLING] * 2
    assert upstream.requests[1].headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("fault", "times"), [(WrongBytes(), 2), (Status(404), 1), (Status(500), 6), (Cut(5), 6)]
)
async def test_where_the_sibling_is_not_to_be_had_the_wheel_is_asked(
    upstream: Upstream, asking: Asking, fault: Fault, times: int
) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel(), core_metadata=True)
    upstream.always(SIBLING, fault, NoEtag())
    assert await asking.ask() == Found(TEXT, verified=False)
    assert upstream.paths() == [SIBLING] * times + [f"/files/foo/{WHEEL}"]


async def test_a_sibling_that_may_be_had_another_time_is_no_verdict(
    upstream: Upstream, asking: Asking
) -> None:
    upstream.add_file("foo", WHEEL, content=NOISE, metadata=TEXT, core_metadata={})
    upstream.always(SIBLING, Status(500))
    with pytest.raises(StatusError, match="500"):
        await asking.ask()
    upstream.always(SIBLING, Status(404))
    found = await asking.ask()
    assert (found.text, found.sha256, found.why) == (None, None, "no end of a central directory")


async def test_a_host_that_is_down_is_asked_for_nothing_else(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel(), core_metadata=True)
    file = await asking.file(WHEEL)
    upstream.on_request = lambda _: Reset()
    with pytest.raises(UnreachableError):
        await asking.metadata.core_metadata(FOO, file)
    assert set(upstream.paths()) == {SIBLING}


# A wheel in parts


async def test_the_end_of_a_wheel_is_mostly_enough(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel())
    found = await asking.ask()
    assert found == Found(TEXT, verified=False)
    assert found.sha256 == sha256(TEXT)
    assert len(upstream.requests) == 1
    assert asking.cost() < MOST // 2


@pytest.mark.parametrize("fault", [Healthy(), NoEtag()])
async def test_metadata_at_the_start_of_a_wheel(upstream: Upstream, asking: Asking, fault: Fault) -> None:
    content = zip_bytes({INFO: TEXT, "foo/noise.bin": NOISE})
    upstream.add_file("foo", WHEEL, content=content)
    upstream.always(f"/files/foo/{WHEEL}", fault)
    assert (await asking.ask()).text == TEXT
    assert len(upstream.requests) == 2
    assert asking.cost() < MOST // 2


async def test_a_directory_that_is_longer_than_the_end(upstream: Upstream, asking: Asking) -> None:
    members = {INFO: TEXT, "foo/noise.bin": NOISE} | {f"foo/module_{n:05}.py": b"" for n in range(700)}
    upstream.add_file("foo", WHEEL, content=zip_bytes(members))
    assert (await asking.ask()).text == TEXT
    assert len(upstream.requests) == 3
    assert asking.cost() < MOST


async def test_an_extra_field_and_a_comment_of_unusual_length(upstream: Upstream, asking: Asking) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(INFO)
        entry.extra = b"\xfe\xca\x00\x20" + bytes(0x2000)
        archive.writestr(entry, TEXT)
        archive.writestr("foo/noise.bin", NOISE)
        archive.comment = bytes(40_000)
    upstream.add_file("foo", WHEEL, content=buffer.getvalue())
    assert (await asking.ask()).text == TEXT
    assert asking.cost() < MOST * 1.5


async def test_a_wheel_of_unknown_length(upstream: Upstream, asking: Asking) -> None:
    # This server does not know the ranges that count from the end, and sends all of it.
    upstream.add_file("foo", WHEEL, content=make_wheel("foo", "1.0"), size=None)
    assert (await asking.ask()).verified
    assert len(upstream.requests) == 1
    upstream.add_file("foo", WHEEL, content=large_wheel(), size=None)
    assert "only as a whole" in (await asking.ask()).why
    upstream.fault(f"/files/foo/{WHEEL}", Status(501))
    assert (await asking.ask()).text == TEXT
    assert len(upstream.requests) == 3


async def test_a_small_wheel_is_fetched_whole_and_verified(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", WHEEL)
    found = await asking.ask()
    assert (found.text, found.verified) == (make_metadata("foo", "1.0"), True)
    assert [request.headers.get("range") for request in upstream.requests] == [None]
    upstream.fault(f"/files/foo/{WHEEL}", WrongBytes())
    assert (await asking.ask()).verified
    upstream.always(f"/files/foo/{WHEEL}", WrongBytes())
    assert "sha256 is" in (await asking.ask()).why
    upstream.add_file("foo", WHEEL, hashes={})
    upstream.always(f"/files/foo/{WHEEL}")
    assert not (await asking.ask()).verified


async def test_a_server_that_gives_files_only_as_a_whole(upstream: Upstream, asking: Asking) -> None:
    path = f"/files/foo/{WHEEL}"
    upstream.always(path, IgnoreRange())
    upstream.add_file("foo", WHEEL, content=zip_bytes({INFO: TEXT, "foo/noise": NOISE[:100_000]}))
    assert await asking.ask() == Found(TEXT, verified=True)
    upstream.always(path, IgnoreRange(), WrongBytes())
    assert "sha256 is" in (await asking.ask()).why
    assert len(upstream.requests) == 2
    upstream.add_file("foo", WHEEL, content=large_wheel())
    upstream.always(path, IgnoreRange())
    assert "only as a whole" in (await asking.ask()).why
    assert len(upstream.requests) == 1


async def test_a_whole_file_that_comes_late_is_not_called_verified(
    upstream: Upstream, asking: Asking
) -> None:
    content = zip_bytes({INFO: TEXT, "foo/noise": NOISE[:100_000]})
    upstream.add_file("foo", WHEEL, content=content, hashes={"sha256": "0" * 64})
    upstream.fault(f"/files/foo/{WHEEL}", Healthy(), IgnoreRange())
    assert await asking.ask() == Found(TEXT, verified=False)
    assert len(upstream.requests) == 2


async def test_a_wheel_that_changes_between_two_parts(upstream: Upstream, asking: Asking) -> None:
    path = f"/files/foo/{WHEEL}"
    upstream.add_file("foo", WHEEL, content=zip_bytes({INFO: TEXT, "foo/noise.bin": NOISE}))
    upstream.fault(path, Healthy(), Etag('"other"'))
    assert (await asking.ask()).text == TEXT
    assert len(upstream.requests) == 4
    upstream.clear()
    upstream.fault(path, *[Healthy(), Etag('"other"')] * 2)
    assert "another file" in (await asking.ask()).why
    assert len(upstream.requests) == 4


@pytest.mark.parametrize("faults", [(Cut(100),), (Status(503), Reset(10)), (Redirect("/elsewhere"),)])
async def test_what_passes_is_tried_again(
    upstream: Upstream, asking: Asking, faults: tuple[Fault, ...]
) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel())
    upstream.blobs["/elsewhere"] = upstream.blobs[f"/files/foo/{WHEEL}"]
    upstream.fault(f"/files/foo/{WHEEL}", *faults)
    assert (await asking.ask()).text == TEXT
    assert len(upstream.requests) == 1 + len(faults)


@pytest.mark.parametrize("fault", [Status(404), Status(403), Redirect("ftp://files.example/")])
async def test_what_does_not_pass_is_a_reason(upstream: Upstream, asking: Asking, fault: Fault) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel())
    upstream.always(f"/files/foo/{WHEEL}", fault)
    found = await asking.ask()
    assert found.text is None
    assert found.why
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("fault", [Status(500), Cut(10), Reset(-1)])
async def test_what_does_not_pass_in_time_is_an_error(
    upstream: Upstream, asking: Asking, fault: Fault
) -> None:
    upstream.add_file("foo", WHEEL, content=large_wheel())
    upstream.always(f"/files/foo/{WHEEL}", fault)
    with pytest.raises((StatusError, TransferError, UnreachableError)):
        await asking.ask()


@pytest.mark.parametrize(
    "content",
    [
        NOISE,
        zip_bytes({"foo/noise.bin": NOISE}),
        zip_bytes({"foo/noise.bin": NOISE, "bar-1.0.dist-info/METADATA": TEXT}),
        zip_bytes({"foo/noise.bin": NOISE, INFO: TEXT, "foo.dist-info/METADATA": TEXT}),
        zip_bytes({"foo/noise.bin": NOISE, INFO: bytes(17 << 20)}),
        NOISE + b"PK\5\6" + b"\xff" * 16 + b"\0\0",
        NOISE + b"PK\5\6" + bytes(8) + (1 << 20).to_bytes(4, "little") + bytes(6),
    ],
)
async def test_hostile_and_odd_wheels(upstream: Upstream, asking: Asking, content: bytes) -> None:
    upstream.add_file("foo", WHEEL, content=content)
    found = await asking.ask()
    assert found.text is None
    assert found.why
    assert len(upstream.requests) <= 2


# Source archives


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w:"])
async def test_a_source_archive_is_left_when_its_pkg_info_is_there(
    upstream: Upstream, asking: Asking, mode: str
) -> None:
    filename = "foo-1.0.tar" + {"w:": ""}.get(mode, f".{mode[2:]}")
    noise = NOISE[: 1_500_000 if mode == "w:bz2" else 200_000]  # whose blocks are of 900 kB
    content = tar_gz({"foo-1.0/PKG-INFO": TEXT, "foo-1.0/noise.bin": noise}, mode)
    upstream.add_file("foo", filename, content=content)
    # What comes later never comes: nobody waits for it.
    upstream.always(f"/files/foo/{filename}", Stall(len(content) - 10_000))
    assert await asking.ask(filename) == Found(TEXT, verified=False)
    assert len(upstream.requests) == 1


async def test_a_pkg_info_at_the_end_and_a_broken_connection(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", SDIST, content=tar_gz({"foo-1.0/noise": NOISE, "foo-1.0/PKG-INFO": TEXT}))
    path = f"/files/foo/{SDIST}"
    upstream.fault(path, Cut(1_000_000), Cut(1_000_000))
    assert (await asking.ask(SDIST)).text == TEXT
    assert [request.headers.get("range") for request in upstream.requests] == [
        None,
        "bytes=1000000-",
        "bytes=2000000-",
    ]
    upstream.fault(path, (Cut(1_000_000), NoEtag()))
    assert (await asking.ask(SDIST)).text == TEXT
    assert [request.headers.get("range") for request in upstream.requests] == [None, None]


async def test_source_archives_that_are_small_or_zipped(upstream: Upstream, asking: Asking) -> None:
    upstream.add_file("foo", SDIST, content=make_sdist("foo", "1.0"))
    assert (await asking.ask(SDIST)).verified
    upstream.add_file("foo", ZIP, content=zip_bytes({"foo-1.0/x": NOISE, "foo-1.0/PKG-INFO": TEXT}))
    assert await asking.ask(ZIP) == Found(TEXT, verified=False)
    assert asking.cost() < MOST // 2


@pytest.mark.parametrize("pad", [0, 100_000])
@pytest.mark.parametrize(
    ("filename", "make"),
    [
        (SDIST, lambda pad: pad),
        (SDIST, lambda pad: tar_gz({"foo-1.0/setup.py": b"", "foo-1.0/pad": pad})),
        (SDIST, lambda pad: tar_gz({"bar-1.0/PKG-INFO": TEXT, "foo-1.0/pad": pad})),
        (SDIST, lambda pad: tar_gz({"foo-1.0/pad": pad, "foo-1.0/PKG-INFO": TEXT})[:-600]),
        (SDIST, lambda pad: tar_gz({"foo-1.0/pad": pad, "foo-1.0/PKG-INFO": bytes(17 << 20)})),
        ("foo-1.0.tar.Z", lambda pad: b"\x1f\x9d\x90" + pad),
        (ZIP, lambda pad: zip_bytes({"foo-1.0/pad": pad})),
    ],
)
async def test_source_archives_without_a_pkg_info(
    upstream: Upstream, asking: Asking, filename: str, make: Callable[[bytes], bytes], pad: int
) -> None:
    upstream.add_file("foo", filename, content=make(NOISE[:pad]))
    found = await asking.ask(filename)
    assert found.text is None
    assert found.why


# How a source archive is built

BUILD = b"[build-system]\nrequires = []\n"


async def test_a_pyproject_is_read_on_the_way(upstream: Upstream, asking: Asking) -> None:
    members = {"foo-1.0/pyproject.toml": BUILD, "foo-1.0/noise.bin": NOISE[:200_000]}
    content = tar_gz(members)
    upstream.add_file("foo", SDIST, content=content)
    # What comes later never comes: nobody waits for it.
    upstream.always(f"/files/foo/{SDIST}", Stall(len(content) - 10_000))
    assert await asking.build(SDIST) == Found(BUILD, verified=False)
    assert len(upstream.requests) == 1
    upstream.add_file("foo", ZIP, content=zip_bytes({"foo-1.0/x": NOISE, "foo-1.0/pyproject.toml": BUILD}))
    assert await asking.build(ZIP) == Found(BUILD, verified=False)
    assert asking.cost() < MOST // 2


@pytest.mark.parametrize("pad", [0, 100_000])
@pytest.mark.parametrize(
    ("filename", "make"),
    [
        (SDIST, lambda pad: tar_gz({"foo-1.0/PKG-INFO": TEXT, "foo-1.0/pad": pad})),
        (ZIP, lambda pad: zip_bytes({"foo-1.0/PKG-INFO": TEXT, "foo-1.0/pad": pad})),
    ],
)
async def test_an_archive_that_has_no_pyproject(
    upstream: Upstream, asking: Asking, filename: str, make: Callable[[bytes], bytes], pad: int
) -> None:
    upstream.add_file("foo", filename, content=make(NOISE[:pad]))
    assert await asking.build(filename) == Found(None)


@pytest.mark.parametrize("pad", [0, 100_000])
async def test_an_archive_that_cannot_be_read_has_a_reason(
    upstream: Upstream, asking: Asking, pad: int
) -> None:
    upstream.add_file("foo", SDIST, content=tar_gz({"foo-1.0/pad": NOISE[:pad]})[:-30])
    found = await asking.build(SDIST)
    assert found.text is None
    assert found.why
    upstream.always(f"/files/foo/{SDIST}", Status(404))
    assert "404" in (await asking.build(SDIST)).why
    upstream.always(f"/files/foo/{SDIST}", Status(500))
    with pytest.raises(StatusError, match="500"):
        await asking.build(SDIST)


@pytest.mark.parametrize("members", [{"foo-1.0/pyproject.toml": BUILD}, {"foo-1.0/PKG-INFO": TEXT}])
async def test_an_archive_of_the_mirrors_own(
    upstream: Upstream, tmp_path: Path, members: dict[str, bytes]
) -> None:
    body = tar_gz(members)
    upstream.add_file("foo", SDIST, content=body)
    hold(tmp_path, SDIST, body)
    async with opened(upstream, tmp_path) as asking:
        text = members.get("foo-1.0/pyproject.toml")
        assert await asking.build(SDIST) == Found(text)
        assert not upstream.requests
        (tmp_path / "foo" / SDIST).write_bytes(body[:-1])
        assert (await asking.build(SDIST)).text == text
        assert len(upstream.requests) == 1


# What the mirror holds


def hold(dest: Path, name: str, body: bytes, *, metadata: bytes | None = None, listed: bool = True) -> None:
    """A file in the mirror, with a sibling and on a page if so wished."""
    folder = dest / "foo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(body)
    digests = None if metadata is None else {"sha256": sha256(metadata)}
    if metadata is not None:
        (folder / f"{name}.metadata").write_bytes(metadata)
    file = ProjectFile(
        filename=name, url=name, hashes={"sha256": sha256(body)}, size=len(body), core_metadata=digests
    )
    page = ProjectPage(project=FOO, files=(file,) if listed else ())
    (folder / "index.v1_json").write_bytes(render_json(page))


async def test_the_mirrors_own_sibling_that_upstream_announces(upstream: Upstream, tmp_path: Path) -> None:
    wheel = large_wheel()
    upstream.add_file("foo", WHEEL, content=wheel, core_metadata=True)
    hold(tmp_path, WHEEL, b"not even looked at", metadata=TEXT, listed=False)
    async with opened(upstream, tmp_path) as asking:
        assert await asking.ask() == Found(TEXT, verified=True)
        assert not upstream.requests
        (tmp_path / "foo" / f"{WHEEL}.metadata").write_bytes(TEXT[:-1])
        assert await asking.ask() == Found(TEXT, verified=True)
        assert upstream.paths() == [SIBLING]


async def test_the_mirrors_own_sibling_that_its_page_lists(upstream: Upstream, tmp_path: Path) -> None:
    wheel = large_wheel()
    upstream.add_file("foo", WHEEL, content=wheel)
    hold(tmp_path, WHEEL, wheel, metadata=TEXT)
    (tmp_path / "foo" / WHEEL).write_bytes(b"not even looked at")
    async with opened(upstream, tmp_path) as asking:
        assert await asking.ask() == Found(TEXT, verified=True)
        assert not upstream.requests


@pytest.mark.parametrize(("name", "body"), [(WHEEL, large_wheel()), (SDIST, make_sdist("foo", "1.0"))])
async def test_a_file_of_the_mirrors_own_is_read_itself(
    upstream: Upstream, tmp_path: Path, name: str, body: bytes
) -> None:
    sha512 = hashlib.sha512(body).hexdigest()
    hashes = {"sha256": sha256(body), "sha512": sha512}
    upstream.add_file("foo", name, content=body, hashes=hashes, size=len(NOISE) + 9999)
    hold(tmp_path, name, body)
    async with opened(upstream, tmp_path) as asking:
        found = await asking.ask(name)
        assert found.text is not None
        assert found.verified
        assert not upstream.requests


@pytest.mark.parametrize("damaged", [False, True])
async def test_another_file_of_that_name_is_not_asked(
    upstream: Upstream, tmp_path: Path, *, damaged: bool
) -> None:
    body = make_sdist("foo", "1.0", requires=["bar"])
    upstream.add_file("foo", SDIST, content=body)
    hold(tmp_path, SDIST, body if damaged else make_sdist("foo", "1.0"))
    if damaged:
        (tmp_path / "foo" / SDIST).write_bytes(make_sdist("foo", "1.0"))
    async with opened(upstream, tmp_path) as asking:
        assert (await asking.ask(SDIST)).text == make_metadata("foo", "1.0", requires=["bar"])
        assert len(upstream.requests) == 1


async def test_a_mirror_that_cannot_be_read(upstream: Upstream, tmp_path: Path) -> None:
    upstream.add_file("foo", WHEEL)
    (tmp_path / "foo").write_bytes(b"")
    async with opened(upstream, tmp_path) as asking:
        with pytest.raises(DestinationError):
            await asking.ask()
