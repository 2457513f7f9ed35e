"""The fake upstream itself, so far as other tests lean on it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from builders import make_sdist, make_wheel, make_zip_sdist
from catalogue import JSON_TYPE, sha256
from faults import Cut, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upstream import Upstream


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), b""


def test_pages_and_files(upstream: Upstream) -> None:
    body = upstream.add_file("Six", "six-1.0-py3-none-any.whl", core_metadata=True)
    status, headers, page = get(upstream.url + "six/", Accept=JSON_TYPE)
    assert (status, headers["Content-Type"]) == (200, JSON_TYPE)
    entry = json.loads(page)["files"][0]
    assert (entry["hashes"], entry["size"]) == ({"sha256": sha256(body)}, len(body))
    assert get(upstream.file_url("six", "six-1.0-py3-none-any.whl"))[2] == body
    assert b"Name: Six" in get(upstream.file_url("six", "six-1.0-py3-none-any.whl.metadata"))[2]
    assert b"data-core-metadata" in get(upstream.url + "six/", Accept="text/html")[2]
    assert get(upstream.url + "seven/")[0] == 404
    assert len(upstream.file_requests()) == 2
    assert [request.status for request in upstream.page_requests()] == [200, 200, 404]


def test_ranges_and_validators(upstream: Upstream) -> None:
    upstream.add_file("a", "a-1.tar.gz", content=b"0123456789")
    url = upstream.file_url("a", "a-1.tar.gz")
    etag = get(url)[1]["ETag"]
    assert get(url, Range="bytes=4-", If_Range=etag)[::2] == (206, b"456789")
    assert get(url, Range="bytes=4-", If_Range='"other"')[::2] == (200, b"0123456789")
    assert get(url, Range="bytes=10-")[0] == 416
    assert get(url, If_None_Match=etag)[0] == 304


def test_faults_are_used_up(upstream: Upstream) -> None:
    upstream.add_file("a", "a-1.tar.gz", content=b"0123456789")
    url = upstream.file_url("a", "a-1.tar.gz")
    upstream.fault("/files/a/a-1.tar.gz", Status(503, 7), (Cut(3),))
    status, headers, _ = get(url)
    assert (status, headers["Retry-After"]) == (503, "7")
    with pytest.raises(Exception, match="IncompleteRead"):
        get(url)
    assert get(url)[0] == 200


@pytest.mark.parametrize("build", [make_wheel, make_sdist, make_zip_sdist])
def test_built_bytes_are_reproducible(build: Callable[[str, str], bytes]) -> None:
    assert build("x", "1.0") == build("x", "1.0")


def test_pip_installs_the_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "some_pkg-1.2-py3-none-any.whl"
    wheel.write_bytes(make_wheel("some-pkg", "1.2"))
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    assert (target / "some_pkg.py").read_text() == '__version__ = "1.2"\n'
