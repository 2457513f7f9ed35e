"""What others write, mutated by coverage: ``python fuzz_harness.py TARGET [libFuzzer's options]``.

A target takes any bytes.  It raises what the function under test does not say that it raises, or an
AssertionError where what was read breaks a promise; libFuzzer then ends with an exit code other than 0.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["aiomirror"]):
    from packaging.utils import canonicalize_name

    from aiomirror.errors import PageError, UsageError
    from aiomirror.http.problems import retry_after
    from aiomirror.http.transfer import continues
    from aiomirror.requirements import gather
    from aiomirror.simple.filenames import FileKind, is_safe_filename, parse_filename, version_key
    from aiomirror.simple.links import filename_of, fragment_digests, resolve
    from aiomirror.simple.read import read_page, read_root
    from aiomirror.simple.values import JSON_TYPE
    from aiomirror.store.names import is_component, is_project

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://index.example/simple/foo/"
FOO = canonicalize_name("foo")
SHORT = 40
"""Characters of what no page says in more."""


def page(data: bytes, content_type: str) -> None:
    """A page is read, or refused; what is read of it may be stored."""
    with suppress(PageError):
        for file in read_page(data, content_type, URL, FOO).files:
            assert is_component(f"{file.filename}.metadata")
            parsed = parse_filename(file.filename, FOO)
            assert parsed is not None
            assert parsed.kind is not FileKind.OTHER
            assert file.url.startswith(("https://", "http://"))
            file.url.encode("ascii")
            assert all(digest.isalnum() for digest in file.hashes.values())
    with suppress(PageError):
        assert all(
            map(is_project, (name for name in read_root(data, content_type, URL) if len(name) < SHORT))
        )


def json_page(data: bytes) -> None:
    """The JSON form."""
    page(data, JSON_TYPE)


def html_page(data: bytes) -> None:
    """The HTML form, in whatever charset."""
    charset, _, body = data.partition(b"\n")
    page(body, f"text/html; charset={charset.decode('latin-1')}")


def file_name(data: bytes) -> None:
    """A name, and the project that it may be of."""
    project, _, name = data.decode("utf-8", "replace").partition("\n")
    if is_safe_filename(name):
        assert is_component(f"{name}.metadata")
    parsed = parse_filename(name, canonicalize_name(project))
    if parsed is not None and parsed.version is not None:
        version_key(parsed.version)


def link(data: bytes) -> None:
    """An address on a page, relative to another."""
    base, _, href = data.decode("utf-8", "replace").partition("\n")
    found = resolve(base, href)
    if found is not None:
        assert found.url.startswith(("https://", "http://"))
        assert "@" not in found.url.split("/")[2]
        filename_of(found.url)
        fragment_digests(found.fragment)


REQUIREMENTS = ("requirements.txt", "pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "pyproject.toml")


def requirements(data: bytes) -> None:
    """A file of requirements, of each kind, that may include itself and no other."""
    name = REQUIREMENTS[data[0] % len(REQUIREMENTS)] if data else REQUIREMENTS[0]

    def read(path: str) -> bytes:
        if path != name:
            raise FileNotFoundError(2, "No such file or directory", path)
        return data[1:]

    with suppress(UsageError):
        gather((), (name,), (), read, {"A": "x y"})


def content_range(data: bytes) -> None:
    """The headers of an answer to a request for the rest of a file."""
    held, _, stated = data.decode("latin-1").partition("\n")
    count = len(held)
    if continues(206, {"Content-Range": stated}, count, '"tag"'):
        first, _, rest = stated.strip()[len("bytes ") :].partition("-")
        last, _, length = rest.partition("/")
        assert int(first) == count
        assert length == "*" or int(last) + 1 == int(length)
    wait = retry_after({"Retry-After": stated, "Date": held})
    assert wait is None or wait >= 0


TARGETS: dict[str, Callable[[bytes], None]] = {
    "json-page": json_page,
    "html-page": html_page,
    "file-name": file_name,
    "link": link,
    "requirements": requirements,
    "content-range": content_range,
}

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
