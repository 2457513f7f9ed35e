"""Core metadata out of wheels and source archives, good, odd and hostile."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from aiomirror.distributions import (
    PYPROJECT,
    TAIL,
    Absent,
    SourceSearch,
    Span,
    Unreadable,
    core_metadata,
    read_zipped,
    requires_python,
    sdist_metadata,
    source_member,
    wheel_metadata,
)
from aiomirror.distributions.tars import tar_member
from aiomirror.distributions.values import MEMBER_CAP
from builders import make_metadata, make_sdist, make_wheel, make_zip_sdist, zip_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

WHEEL = "six-1.0-py3-none-any.whl"
METADATA = make_metadata("six", "1.0", requires_python=">=3.8", metadata_extra="Summary: é\n\nLong.\n")


def of_wheel(content: bytes, filename: str = WHEEL) -> bytes | None:
    return wheel_metadata(io.BytesIO(content), filename)


def of_sdist(content: bytes, filename: str) -> bytes | None:
    return sdist_metadata(io.BytesIO(content), filename)


def wheel(**members: bytes) -> bytes:
    """A zip of members; a double underscore stands for the slash."""
    return zip_bytes({name.replace("__", "/"): content for name, content in members.items()})


# Wheels


def test_g4_the_metadata_of_a_wheel_byte_for_byte() -> None:
    content = make_wheel("six", "1.0", requires_python=">=3.8", metadata_extra="Summary: é\n\nLong.\n")
    assert of_wheel(content) == METADATA
    assert core_metadata(io.BytesIO(content), WHEEL) == METADATA


@pytest.mark.parametrize(
    ("filename", "folder"),
    [
        ("foo_bar-1.0-py3-none-any.whl", "foo_bar-1.0.dist-info"),
        ("Foo.Bar-1.0-py3-none-any.whl", "Foo.Bar-1.0.dist-info"),
        ("foo_bar-1.0-py3-none-any.whl", "foo-bar-1.0.dist-info"),
        ("foo_bar-1.0-2-py3-none-any.whl", "FOO_BAR-1.0.dist-info"),
        ("foo_bar-1.0b1-py3-none-any.whl", "foo_bar-1.0-beta1.dist-info"),
        ("foo_bar-1.0-py3-none-any.whl", "foo_bar.dist-info"),
    ],
)
def test_the_folder_may_spell_the_name_otherwise(filename: str, folder: str) -> None:
    assert of_wheel(zip_bytes({f"{folder}/METADATA": METADATA}), filename) == METADATA


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"six.py": b""},
        {"six-1.0.dist-info/WHEEL": b""},
        {"other-1.0.dist-info/METADATA": METADATA},
        {"sixth-1.0.dist-info/METADATA": METADATA},
        {"vendor/six-1.0.dist-info/METADATA": METADATA},
        {"six-1.0.dist-info/sub/METADATA": METADATA},
        {"/six-1.0.dist-info/METADATA": METADATA},
        {"six-1.0.dist-info/METADATA": METADATA, "six-1.1.dist-info/METADATA": METADATA},
        {"six-1.0.dist-info/METADATA": METADATA, "other-1.0.dist-info/METADATA": METADATA},
    ],
    ids=lambda members: "+".join(members) or "nothing",
)
def test_metadata_that_is_absent_or_ambiguous(members: dict[str, bytes]) -> None:
    assert of_wheel(zip_bytes(members)) is None


def test_the_same_member_twice_is_ambiguous() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("six-1.0.dist-info/METADATA", "one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("six-1.0.dist-info/METADATA", "two")
    assert of_wheel(buffer.getvalue()) is None


@pytest.mark.parametrize(
    "filename",
    ["six.whl", "six-1.0.whl", "six-1.0-x-py3-none-any.whl", "six-1.0.tar.gz"],
)
def test_what_is_not_named_like_a_wheel(filename: str) -> None:
    assert of_wheel(make_wheel("six", "1.0"), filename) is None


@pytest.mark.parametrize("filename", ["six-x.y-py3-none-any.whl", "six-1.0-2x-py3-none-any.whl"])
def test_a_version_that_pep_440_does_not_know_hinders_nobody(filename: str) -> None:
    assert of_wheel(make_wheel("six", "1.0"), filename) is not None


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>", bytes(100_000), b"PK\5\6" + bytes(18)])
def test_what_is_no_zip(content: bytes) -> None:
    assert of_wheel(content) is None


def test_stored_members_comments_and_something_in_front() -> None:
    buffer = io.BytesIO(b"#!/usr/bin/python\n")
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("six-1.0.dist-info/METADATA", METADATA)
        archive.comment = b"a comment"
    assert of_wheel(buffer.getvalue()) == METADATA


def test_zip64() -> None:
    # What a writer to a pipe leaves: sizes of 64 bits, and the member's own only after its data.
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("six-1.0.dist-info/METADATA", "w", force_zip64=True) as member,
    ):
        member.write(METADATA)
    assert of_wheel(pipe.getvalue()) == METADATA


def test_zip64_with_everything_in_the_wide_fields() -> None:
    name, packed = b"six-1.0.dist-info/METADATA", METADATA
    local = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, zlib.crc32(packed), *[0xFFFFFFFF] * 2, len(name), 0
    )
    wide = struct.pack("<HHH", 0x7777, 2, 0) + struct.pack("<HH3Q", 1, 24, len(packed), len(packed), 0)
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 0, zlib.crc32(packed), 0xFFFFFFFF, 0xFFFFFFFF,
        len(name), len(wide), 0, 0, 0, 0, 0xFFFFFFFF,
    )  # fmt: skip
    body, directory = local + name + packed, entry + name + wide
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), len(body))
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", *[0xFFFF] * 4, *[0xFFFFFFFF] * 2, 0)
    content = body + directory + end64 + locator + end
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read(name.decode()) == METADATA
    assert of_wheel(content) == METADATA
    assert of_wheel(content.replace(b"PK\6\6", b"PK\6\0")) is None


def patched(content: bytes, offset: int, layout: str, value: int) -> bytes:
    """A zip with a field of its first central directory entry changed."""
    changed = bytearray(content)
    struct.pack_into(layout, changed, content.index(b"PK\1\2") + offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(8, "<H", 1, id="encrypted"),
        pytest.param(10, "<H", 12, id="bzip2"),
        pytest.param(10, "<H", 99, id="unknown method"),
        pytest.param(10, "<H", 0, id="stored, it says"),
        pytest.param(16, "<L", 0, id="checksum"),
        pytest.param(20, "<L", 0x7FFFFFFF, id="packed size"),
        pytest.param(24, "<L", MEMBER_CAP + 1, id="too large"),
        pytest.param(24, "<L", 10, id="larger than it says"),
        pytest.param(24, "<L", 10_000, id="smaller than it says"),
        pytest.param(42, "<L", 1, id="offset"),
        pytest.param(42, "<L", 0xFFFFFFF0, id="offset outside"),
        pytest.param(42, "<L", 0xFFFFFFFF, id="offset wide, and no extra field"),
        pytest.param(28, "<H", 0xFFFF, id="name length"),
        pytest.param(0, "<L", 0, id="signature"),
    ],
)
def test_damaged_or_hostile_entries(offset: int, layout: str, value: int) -> None:
    content = zip_bytes({"six-1.0.dist-info/METADATA": METADATA})
    assert of_wheel(content) == METADATA
    assert of_wheel(patched(content, offset, layout, value)) is None


def test_two_names_for_one_member() -> None:
    content = zip_bytes({"six-1.0.dist-info/METADATA": METADATA})
    assert of_wheel(content.replace(b"six", b"sex", 1)) is None


def test_g18_a_bomb_is_not_unpacked() -> None:
    content = zip_bytes({"six-1.0.dist-info/METADATA": bytes(MEMBER_CAP + 1)})
    assert len(content) < 100_000
    assert of_wheel(content) is None
    assert of_wheel(patched(content, 24, "<L", 1000)) is None


def test_g18_a_huge_directory_is_not_read() -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 40 << 20, 0, 0)
    assert of_wheel(bytes(40 << 20) + end) is None


@settings(max_examples=300)
@given(st.data())
def test_no_damage_to_a_wheel_raises(data: st.DataObject) -> None:
    content = bytearray(make_wheel("six", "1.0"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    of_wheel(bytes(content))


# Source archives


def tar(
    members: dict[str, bytes], pack: Callable[[bytes], bytes] = bytes, fmt: int = tarfile.PAX_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return pack(buffer.getvalue())


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".tar", bytes),
        (".tar.gz", gzip.compress),
        (".tgz", gzip.compress),
        (".tar.bz2", bz2.compress),
        (".tbz", bz2.compress),
        (".tar.xz", lzma.compress),
        (".txz", lzma.compress),
    ],
)
def test_pkg_info_of_every_kind_of_tar(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    large = bytes(range(256)) * 1000
    content = tar({"six-1.0/large.bin": large, "six-1.0/PKG-INFO": METADATA, "six-1.0/setup.py": b""}, pack)
    assert of_sdist(content, f"six-1.0{suffix}") == METADATA
    for end in range(0, len(content) // 2, 1 + len(content) // 20):
        assert of_sdist(content[:end], f"six-1.0{suffix}") is None


def test_pkg_info_of_the_builders_archives() -> None:
    for make, suffix in ((make_sdist, "tar.gz"), (make_zip_sdist, "zip")):
        content = make("six", "1.0", requires_python=">=3.8", metadata_extra="Summary: é\n\nLong.\n")
        assert of_sdist(content, f"six-1.0.{suffix}") == METADATA
        assert core_metadata(io.BytesIO(content), f"six-1.0.{suffix}") == METADATA


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_and_dots_in_front(fmt: int) -> None:
    stem = "a" * 95 + "-1.0"
    assert of_sdist(tar({f"./{stem}/PKG-INFO": METADATA}, fmt=fmt), f"{stem}.tar") == METADATA


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"PKG-INFO": METADATA},
        {"six-1.0/six.egg-info/PKG-INFO": METADATA},
        {"other-1.0/PKG-INFO": METADATA},
        {"six-1.0/METADATA": METADATA},
    ],
    ids=lambda members: "+".join(members) or "nothing",
)
def test_archives_without_a_pkg_info_of_their_own(members: dict[str, bytes]) -> None:
    assert of_sdist(tar(members), "six-1.0.tar") is None
    assert of_sdist(zip_bytes(members), "six-1.0.zip") is None


def test_the_folder_is_named_like_the_archive_spelling_aside() -> None:
    assert of_sdist(tar({"Foo-Bar-1.0/PKG-INFO": METADATA}), "foo_bar-1.0.tar") == METADATA


PLAIN = {"six-1.0/setup.py": b"x", "six-1.0/PKG-INFO": METADATA, "six-1.0/src/pyproject.toml": b"other"}


@pytest.mark.parametrize(
    "make",
    [lambda members: ("six-1.0.tar", tar(members)), lambda members: ("six-1.0.zip", zip_bytes(members))],
)
def test_a_pyproject_and_an_archive_that_has_none(
    make: Callable[[dict[str, bytes]], tuple[str, bytes]],
) -> None:
    name, content = make({**PLAIN, "six-1.0/pyproject.toml": b"[build-system]"})
    assert source_member(io.BytesIO(content), name, PYPROJECT) == b"[build-system]"
    name, content = make(PLAIN)
    with pytest.raises(Absent):
        source_member(io.BytesIO(content), name, PYPROJECT)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_that_a_member_is_absent_is_known_at_the_end(pack: Callable[[bytes], bytes], step: int) -> None:
    suffix = {bytes: "", gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}[pack]
    content = tar(PLAIN, pack)
    search = SourceSearch(f"six-1.0.tar{suffix}", PYPROJECT)
    pieces = (search.feed(content[start : start + step]) for start in range(0, len(content), step))
    with pytest.raises(Absent):
        list(pieces)


def test_of_an_archive_that_is_cut_off_nobody_knows() -> None:
    content = tar(PLAIN)
    end = content.index(b"other") + 512
    for cut in range(0, end, 100):
        with pytest.raises(Unreadable) as caught:
            source_member(io.BytesIO(content[:cut]), "six-1.0.tar", PYPROJECT)
        assert caught.type is Unreadable


def test_a_link_is_not_followed() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("six-1.0/PKG-INFO")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    assert of_sdist(buffer.getvalue(), "six-1.0.tar") is None


@pytest.mark.parametrize("filename", ["six-1.0.tar.Z", "six-1.0.exe", "six-1.0.rpm", "six"])
def test_kinds_that_are_not_read(filename: str) -> None:
    assert of_sdist(tar({"six-1.0/PKG-INFO": METADATA}), filename) is None


def test_g18_members_that_are_too_large() -> None:
    assert of_sdist(tar({"six-1.0/PKG-INFO": bytes(MEMBER_CAP + 1)}, gzip.compress), "six-1.0.tar.gz") is None


def test_g18_a_header_that_asks_for_too_much() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("six-1.0/PKG-INFO")
        entry.pax_headers = {"comment": "x" * 100_000}
        archive.addfile(entry)
    assert of_sdist(buffer.getvalue(), "six-1.0.tar") is None


def test_g18_headers_without_end() -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    block = header.tobuf(tarfile.USTAR_FORMAT)
    assert of_sdist(block * 5000, "six-1.0.tar") is None


def test_g18_an_xz_that_asks_for_too_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 128 << 20}]
    content = lzma.compress(tar({"six-1.0/PKG-INFO": METADATA}), filters=filters)
    assert of_sdist(content, "six-1.0.tar.xz") is None


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_damage_inside_a_compressed_archive(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    content = bytearray(tar({"six-1.0/PKG-INFO": METADATA}, pack))
    content[30:60] = bytes(30)
    assert of_sdist(bytes(content), f"six-1.0.tar{suffix}") is None


PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


@settings(max_examples=300)
@given(st.data())
def test_no_damage_to_a_source_archive_raises(data: st.DataObject) -> None:
    content = bytearray(tar({"six-1.0/setup.py": b"x" * 700, "six-1.0/PKG-INFO": METADATA}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 2600))] = data.draw(st.integers(0, 255))
    suffix = data.draw(st.sampled_from(["", ".gz", ".xz"]))
    packed = bytearray(PACK[suffix](bytes(content)))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    of_sdist(bytes(packed), f"six-1.0.tar{suffix}")


def test_an_error_of_the_disk_is_passed_on() -> None:
    class Disk(io.BytesIO):
        def read(self, _count: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        sdist_metadata(Disk(b"x"), "six-1.0.tar.gz")
    with pytest.raises(OSError, match="Input/output"):
        wheel_metadata(Disk(bytes(100)), WHEEL)


# Sans-IO


def spans_of(content: bytes, filename: str = WHEEL) -> tuple[list[Span], bytes]:
    """Which parts of a zip are needed, in their order, and what comes of them."""
    reading = read_zipped(filename, len(content))
    spans = [next(reading)]
    while True:
        span = spans[-1]
        try:
            spans.append(reading.send(content[span.offset : span.offset + span.size]))
        except StopIteration as end:
            return spans, end.value


def test_which_parts_of_a_zip_are_needed() -> None:
    noise, name = random.Random(1).randbytes(200_000), "six-1.0.dist-info/METADATA"
    for members in ({"x": noise, name: METADATA}, {name: METADATA, "x": noise}):
        content = zip_bytes(members)
        spans, found = spans_of(content)
        assert found == METADATA
        assert spans[0] == (len(content) - TAIL, TAIL)
        assert len(spans) == 3  # the end, the directory, the member
        assert spans[2].size < 1000
    assert spans_of(make_zip_sdist("six", "1.0"), "six-1.0.zip")[1].startswith(b"Metadata-Version")


@pytest.mark.parametrize(
    ("filename", "content", "why"),
    [
        (WHEEL, b"", "no end of a central directory"),
        (WHEEL, zip_bytes({"a": b""}), "0 members that end in .dist-info/METADATA"),
        (WHEEL, zip_bytes({"a-1.dist-info/METADATA": b""}), "of another project"),
        ("six.whl", b"", "not named like a wheel"),
        ("six-1.0.zip", zip_bytes({"a-1/PKG-INFO": b""}), "not named like the archive"),
    ],
)
def test_why_a_zip_cannot_be_read(filename: str, content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        spans_of(content, filename)


def test_a_zip_of_which_too_little_comes() -> None:
    content = make_wheel("six", "1.0")
    reading = read_zipped(WHEEL, len(content))
    next(reading)
    with pytest.raises(Unreadable, match="cut off"):
        reading.send(content[:-1])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_a_source_archive_in_pieces(pack: Callable[[bytes], bytes], step: int) -> None:
    members = {"six-1.0/setup.py": bytes(range(256)) * 20, "six-1.0/PKG-INFO": METADATA, "six-1.0/x": b"x"}
    suffix = {bytes: "", gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}[pack]
    content = tar(members, pack)
    search = SourceSearch(f"six-1.0.tar{suffix}")
    found = (search.feed(content[start : start + step]) for start in range(0, len(content), step))
    assert next(text for text in found if text is not None) == METADATA


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_several_streams_one_after_the_other(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    content = tar({"six-1.0/setup.py": b"x" * 5000, "six-1.0/PKG-INFO": METADATA})
    streams = [pack(content[start : start + 700]) for start in range(0, len(content), 700)]
    for between in (b"", bytes(512)):
        assert of_sdist(between.join(streams), f"six-1.0.tar{suffix}") == METADATA
    assert of_sdist(b"x".join(streams), f"six-1.0.tar{suffix}") is None


def fed(search: SourceSearch, data: bytes, times: int) -> None:
    for _ in range(times):
        assert search.feed(data) is None


def test_g18_streams_without_end() -> None:
    with pytest.raises(Unreadable, match="too many"):
        fed(SourceSearch("six-1.0.tar.gz"), gzip.compress(b"") * 3000, 100)


def test_g18_an_archive_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.distributions.tars._ARCHIVE_CAP", 8 << 20)
    header = tarfile.TarInfo("six-1.0/x")
    header.size = 1 << 40
    start = header.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(Unreadable, match="too large"):
        fed(SourceSearch("six-1.0.tar"), start + bytes((1 << 20) - len(start)), 9)
    packed = gzip.compress(start + bytes(9 << 20))
    assert len(packed) < 10_000
    with pytest.raises(Unreadable, match="too large"):
        fed(SourceSearch("six-1.0.tar.gz"), packed, 1)


def test_g18_data_that_unpacks_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.distributions.tars._ARCHIVE_CAP", 1 << 20)
    search = SourceSearch("six-1.0.tar.gz")
    fed(search, gzip.compress(b"")[:10], 1)
    with pytest.raises(Unreadable, match="too large"):
        fed(search, b"\0\0\0\xff\xff" * 10_000, 30)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=130)


@settings(max_examples=150)
@given(st.data())
def test_tar_archives_are_read_as_the_standard_library_does(data: st.DataObject) -> None:
    stem = data.draw(NAMES.filter(lambda name: name != "."))  # which is the top of the archive, and no folder
    names = data.draw(st.lists(NAMES, max_size=4))
    fmt = data.draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    sizes = st.integers(0, 1500)
    members = {f"{stem}/{name}": bytes(data.draw(sizes)) for name in names} | {f"{stem}/PKG-INFO": METADATA}
    content = tar(members, fmt=fmt)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames()[-1] == f"{stem}/PKG-INFO"
    expected = (stem, METADATA)
    assert tar_member(io.BytesIO(content), ".tar", "/PKG-INFO") == expected


@pytest.mark.parametrize(
    ("kind", "size"), [(tarfile.DIRTYPE, 1000), (tarfile.SYMTYPE, 1000), (b"7", 0), (b"Z", 600)]
)
def test_members_of_other_kinds_are_passed_over(kind: bytes, size: int) -> None:
    other = tarfile.TarInfo("six-1.0/other")
    other.type, other.size = kind, size
    body = bytes(1024 if kind == b"Z" else 0)
    content = other.tobuf(tarfile.USTAR_FORMAT) + body + tar({"six-1.0/PKG-INFO": METADATA})
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["six-1.0/other", "six-1.0/PKG-INFO"]
    assert of_sdist(content, "six-1.0.tar") == METADATA


def test_a_size_in_a_pax_header_counts() -> None:
    large = tarfile.TarInfo("six-1.0/large")
    large.pax_headers = {"size": "700", "comment": "é" * 100}
    content = large.tobuf(tarfile.PAX_FORMAT) + bytes(1024) + tar({"six-1.0/PKG-INFO": METADATA})
    assert of_sdist(content, "six-1.0.tar") == METADATA
    assert of_sdist(content.replace(b" size=700", b" size=-70"), "six-1.0.tar") is None
    assert of_sdist(content.replace(b" size=700", b" size=7x0"), "six-1.0.tar") is None


def test_headers_that_say_nothing_of_the_member_are_passed_over() -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x", "path": "y"}
    ) as archive:
        entry = tarfile.TarInfo("six-1.0/PKG-INFO")
        entry.size = len(METADATA)
        archive.addfile(entry, io.BytesIO(METADATA))
    link = tarfile.TarInfo("six-1.0/link")
    link.type, link.linkname = tarfile.SYMTYPE, "x" * 300
    content = link.tobuf(tarfile.GNU_FORMAT) + buffer.getvalue()
    assert of_sdist(content, "six-1.0.tar") == METADATA


@pytest.mark.parametrize("length", [b"0", b"11", b"19", b"999999999"])
def test_pax_records_of_a_length_that_cannot_be(length: bytes) -> None:
    record = length + b" path=x\n"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(record)
    content = header.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    assert of_sdist(content + tar({"six-1.0/PKG-INFO": METADATA}), "six-1.0.tar") is None


def test_g18_members_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomirror.distributions.tars._MEMBERS_CAP", 3)
    members = {f"six-1.0/{number}": b"" for number in range(2)} | {"six-1.0/PKG-INFO": METADATA}
    assert of_sdist(tar(members), "six-1.0.tar") == METADATA
    assert of_sdist(tar({"six-1.0/x": b""} | members), "six-1.0.tar") is None


def test_zeros_behind_a_compressed_archive() -> None:
    search = SourceSearch("six-1.0.tar.gz")
    content = gzip.compress(tar({"six-1.0/setup.py": b"x"})[:1024]) + bytes(100)
    fed(search, content, 1)
    assert search.feed(gzip.compress(tar({"six-1.0/PKG-INFO": METADATA}))) == METADATA


def test_a_member_with_a_name_that_is_not_utf_8() -> None:
    content = zip_bytes({"six-1.0.dist-info/METADATA": METADATA})
    assert of_wheel(content.replace(b"six-1.0", b"six-\xff.0")) is None


# Requires-Python


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Requires-Python: >=3.8, <4", ">=3.8, <4"),
        (b"requires-python:>=3.6.*", ">=3.6.*"),
        (b"Requires-Python: >=3.8,\n <4", ">=3.8, <4"),
        (b"Requires-Python: python 3", "python 3"),
        (b"Requires-Python: ", None),
        (b"Requires-Python: >=3\nRequires-Python: >=2", None),
        (b"Requires-Python: \xff", None),
        (b"Summary: none", None),
        (b"\nRequires-Python: >=3 in the description", None),
        (b"Summary: x\r\n\r\nRequires-Python: >=3", None),
    ],
)
def test_requires_python_as_written(line: bytes, expected: str | None) -> None:
    assert requires_python(b"Metadata-Version: 2.1\nName: six\n" + line + b"\n") == expected


@given(st.binary(max_size=300))
def test_no_metadata_makes_requires_python_raise(content: bytes) -> None:
    requires_python(content)
    requires_python(b"Requires-Python: " + content)
    requires_python(b"Content-Type: multipart/mixed; boundary=" + content)
