"""Core metadata out of files that a real nginx serves, whose ranges and entity tags are its own."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from aiomirror.metadata import Found, Metadata
from aiomirror.simple.values import ProjectFile
from aiomirror.store import Store
from builders import make_metadata, make_wheel, zip_bytes
from catalogue import sha256
from exchange import running
from nginx import needs_nginx, running_nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid "{run}/nginx.pid";
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path "{run}/body";
    proxy_temp_path "{run}/proxy";
    fastcgi_temp_path "{run}/fastcgi";
    uwsgi_temp_path "{run}/uwsgi";
    scgi_temp_path "{run}/scgi";
    server {{
        listen 127.0.0.1:{port};
        root "{run}/files";
        location /whole/ {{ alias "{run}/files/"; max_ranges 0; }}
        location /untagged/ {{ alias "{run}/files/"; etag off; }}
    }}
}}
"""
FOO = canonicalize_name("foo")
LARGE, SMALL = "foo-1.0-py3-none-any.whl", "foo-2.0-py3-none-any.whl"
TEXT = make_metadata("foo", "1.0", requires=["bar>=2"])
NOISE = random.Random(1).randbytes(3_000_000)

pytestmark = needs_nginx


@pytest.fixture(scope="module")
def run() -> Iterator[Path]:
    """Not pytest's, which is closed to all others: started by root, nginx reads files as another user."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def base(run: Path) -> Iterator[str]:
    """The address of a running nginx."""
    files = run / "files"
    files.mkdir(mode=0o755)
    members = {"foo-1.0.dist-info/METADATA": TEXT, "foo/noise.bin": NOISE}
    (files / LARGE).write_bytes(zip_bytes(members))
    (files / SMALL).write_bytes(make_wheel("foo", "2.0"))
    with running_nginx(run, lambda port: CONFIGURATION.format(run=run, port=port)) as address:
        yield address


async def ask(url: str, tmp_path: Path, *, size: int | None, **hashes: str) -> tuple[Found, int]:
    """What is found, and how many requests it took."""
    file = ProjectFile(filename=url.rsplit("/", 1)[1], url=url, hashes=hashes, size=size)
    async with Store(tmp_path / "mirror", writable=False) as store, running() as client:
        return await Metadata(client, store).core_metadata(FOO, file), client.requests


@pytest.mark.parametrize("folder", ["", "untagged/"])
@pytest.mark.parametrize("listed", [True, False])
async def test_a_large_wheel_takes_two_parts(
    base: str, run: Path, tmp_path: Path, folder: str, *, listed: bool
) -> None:
    size = (run / "files" / LARGE).stat().st_size if listed else None
    found = await ask(f"{base}/{folder}{LARGE}", tmp_path, size=size)
    assert found == (Found(TEXT, verified=False), 2)


async def test_a_small_wheel_of_unknown_length_takes_one(base: str, run: Path, tmp_path: Path) -> None:
    digest = sha256((run / "files" / SMALL).read_bytes())
    found = await ask(f"{base}/{SMALL}", tmp_path, size=None, sha256=digest)
    assert found == (Found(make_metadata("foo", "2.0"), verified=True), 1)
    assert "sha256 is" in (await ask(f"{base}/{SMALL}", tmp_path, size=None, sha256="0" * 64))[0].why


async def test_another_length_than_the_listed_one(base: str, tmp_path: Path) -> None:
    found, _ = await ask(f"{base}/{LARGE}", tmp_path, size=4_000_000)
    assert (found.text, "not as long" in found.why) == (None, True)
    found, _ = await ask(f"{base}/{LARGE}", tmp_path, size=2_000_000)
    assert (found.text, "bytes long" in found.why) == (None, True)


async def test_without_ranges(base: str, tmp_path: Path) -> None:
    found, requests = await ask(f"{base}/whole/{LARGE}", tmp_path, size=None)
    assert ("only as a whole" in found.why, requests) == (True, 1)
    found, requests = await ask(f"{base}/whole/{SMALL}", tmp_path, size=None)
    assert (found.text, requests) == (make_metadata("foo", "2.0"), 1)
