"""The parts of the client that decide without asking anybody."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from aiomirror.errors import UnreachableError
from aiomirror.http import masked
from aiomirror.http.origins import origin, parse
from aiomirror.http.problems import unanswered
from aiomirror.http.transfer import continues, strong


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x.example/simple/", "https://x.example/simple/"),
        ("https://me:pw@x.example:8443/a/", "https://x.example:8443/a/"),
        ("https://token@x.example/a", "https://x.example/a"),
        ("https://m@e:p@w@x.example/a@b", "https://x.example/a@b"),
        ("https://x.example/a?token=pw#pw", "https://x.example/a?…"),
        ("me:pw@x.example/a", "x.example/a"),
        ("//me:pw@x.example/a", "://x.example/a"),
        ("http:/me:pw@x.example/a", "x.example/a"),
        ("https://me:p/w@x.example/", "an address that cannot be read"),
        ("https://me:p#w@x.example/", "an address that cannot be read"),
        ("http://[me:pw@x/", "an address that cannot be read"),
        ("https://me:12/p@x.example/a", "an address with an @ behind its port"),
        ("https://me:12?p@x.example/a", "an address with an @ behind its port"),
        ("https://me:12#p@x.example/a", "an address with an @ behind its port"),
        ("https://x.example/a@b/", "https://x.example/a@b/"),
        ("/only/a/path", "/only/a/path"),
        ("mailto:x", "mailto:x"),
        ("", ""),
    ],
)
def test_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://X.example/a", "https://x.example:443"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
        ("http://127.0.0.1/a", "http://127.0.0.1:80"),
    ],
)
def test_an_origin_is_an_address_itself(url: str, name: str) -> None:
    assert origin(parse(url)) == origin(parse(name)) == name


@pytest.mark.parametrize("etag", ['"a"', '""', '"é"', '"a/b+c-1"'])
def test_strong_tags(etag: str) -> None:
    assert strong(etag) == etag


@pytest.mark.parametrize("etag", [None, "", 'W/"a"', "a", '"a', '"a"b"', '"a\n"', '"a b"'])
def test_tags_that_vouch_for_nothing(etag: str | None) -> None:
    assert strong(etag) is None


@pytest.mark.parametrize("stated", ["bytes 5-9/10", "BYTES 5-9/10", "bytes 5-9/*", " bytes 5-9/10 "])
def test_ranges_that_fit(stated: str) -> None:
    assert continues(206, {"Content-Range": stated, "ETag": '"a"'}, 5, '"a"')
    assert continues(206, {"Content-Range": stated}, 5, '"a"')


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "bytes 4-9/10",
        "bytes 6-9/10",
        "bytes 5-8/10",
        "bytes */10",
        "bytes 5-/10",
        "bytes=5-9/10",
        "5-9/10",
        "bytes 5-9/10, bytes 5-9/10",
        "bytes \u0665-9/10",
        f"bytes 5-9/{'1' * 5000}",
        "bytes +5-9/10",
    ],
)
def test_ranges_that_do_not(stated: str) -> None:
    assert not continues(206, {"Content-Range": stated}, 5, '"a"')


def test_ranges_of_another_answer() -> None:
    assert not continues(200, {"Content-Range": "bytes 5-9/10"}, 5, '"a"')
    assert not continues(206, {"Content-Range": "bytes 5-9/10", "ETag": '"b"'}, 5, '"a"')


def test_a_host_without_an_address() -> None:
    key = ConnectionKey("x.example", 443, True, True, None, None, None)
    error = unanswered(aiohttp.ClientConnectorDNSError(key, OSError("?")), "https://x.example/", 30)
    assert (type(error), str(error)) == (UnreachableError, "no such host (https://x.example/)")
