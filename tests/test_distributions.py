"""Core metadata out of wheels and source archives, good, odd and hostile."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from aiomirror.distributions import core_metadata, requires_python, sdist_metadata, wheel_metadata
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


@pytest.mark.parametrize("filename", ["six.whl", "six-1.0.whl", "six-x.y-py3-none-any.whl", "six-1.0.tar.gz"])
def test_what_is_not_named_like_a_wheel(filename: str) -> None:
    assert of_wheel(make_wheel("six", "1.0"), filename) is None


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
