from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, strategies as st

from aiomirror.digests import DIGEST_LENGTHS
from aiomirror.simple.links import (
    DigestError,
    filename_of,
    fragment_digests,
    read_digests,
    resolve,
    resolve_url,
)

BASE = "https://index.example/simple/six/"
SHA256 = hashlib.sha256(b"six").hexdigest()
MD5 = hashlib.md5(b"six").hexdigest()


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("https://files.example/a/six-1.0.zip", "https://files.example/a/six-1.0.zip"),
        ("HTTP://files.example:8080/six-1.0.zip", "http://files.example:8080/six-1.0.zip"),
        ("//files.example/six-1.0.zip", "https://files.example/six-1.0.zip"),
        ("/packages/six-1.0.zip", "https://index.example/packages/six-1.0.zip"),
        ("six-1.0.zip", BASE + "six-1.0.zip"),
        ("./six-1.0.zip", BASE + "six-1.0.zip"),
        ("../../packages/six-1.0.zip", "https://index.example/packages/six-1.0.zip"),
        ("a/../b/./six-1.0.zip", BASE + "b/six-1.0.zip"),
        (" \n six-1.0.zip\t", BASE + "six-1.0.zip"),
        ("six-\n1.0.zip", BASE + "six-1.0.zip"),
        ("six 1.0.zip", BASE + "six%201.0.zip"),
        ("é/six-1.0%2Bx+y.zip", BASE + "%C3%A9/six-1.0%2Bx+y.zip"),
        ("six-1.0.zip?token=a/b&x=%2F", BASE + "six-1.0.zip?token=a/b&x=%2F"),
        ("https://me:secret@files.example/six-1.0.zip", "https://files.example/six-1.0.zip"),
        ("https://b\u00fccher.example:444/six-1.0.zip", "https://xn--bcher-kva.example:444/six-1.0.zip"),
        ("https://[::1]/six-1.0.zip", "https://[::1]/six-1.0.zip"),
    ],
)
def test_C_URL_1_where_links_lead(href: str, url: str) -> None:
    link = resolve(BASE, href + "#x=y")
    assert link == (url, "x=y")
    assert resolve(BASE, url) == (url, "")


@pytest.mark.parametrize(
    "href",
    [
        *("javascript:alert(1)", "data:text/plain,x", "file:///etc/passwd", "ftp://h.example/six-1.0.zip"),
        *(
            "mailto:x@y.example",
            "git+https://h.example/six",
            "http://[x/",
            "http://h.example:99999999/",
            "http:///x",
        ),
        *(
            "http://",
            "https://a b.example/x",
            "https://a%2fb.example/x",
            "https://\ud800.example/x",
            "https://h:x/",
        ),
        *("six\ud800.zip", "https://h.example/" + "x" * 10_000, "https://h\u2100.example/"),
    ],
)
def test_C_URL_6_what_leads_nowhere(href: str) -> None:
    assert resolve(BASE, href) is None


@given(st.text() | st.from_regex(r"(https?:)?/{0,3}[a-z:@\[\]%.\\ ?#]{0,12}"))
def test_C_URL_6_any_text_leads_to_the_web_or_nowhere(href: str) -> None:
    link = resolve(BASE, href)
    if link is not None:
        assert link.url.isascii()
        assert link.url.startswith(("http://", "https://"))
        assert "#" not in link.url
        assert resolve(BASE, link.url) is not None
    assert resolve_url(BASE, href) == (None if link is None else link.url)


PLAIN = st.text("abZ09%+@!~_-.", min_size=1, max_size=4)
PATHS = st.lists(PLAIN | st.just("..") | st.just("."), max_size=5).map("/".join)


@given(
    st.sampled_from(["http://h", "https://H.example:80", "http://127.0.0.1:48673", "http://h:65535"]),
    st.sampled_from(["", "/", "./", "../", "../../", "../../../"]) | PATHS,
    PATHS | st.builds("{}/{}".format, PATHS, PATHS),
    PATHS,
)
def test_C_URL_1_links_of_the_usual_shapes_lead_where_all_others_do(
    origin: str, up: str, path: str, page: str
) -> None:
    base, href = f"{origin}/{page}", up + path
    # An empty query is of no usual shape, and is not seen in what comes of it.
    assert resolve(base, href) == resolve(base, href + "?")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h.example/a/six-1.0.zip", "six-1.0.zip"),
        ("https://h.example/x-1.0.zip?token=a/b/evil.whl", "x-1.0.zip"),
        ("https://h.example/x-1.0.zip#a/b", "x-1.0.zip"),
        ("https://h.example/x-1.0%2Bl.zip", "x-1.0+l.zip"),
        ("https://h.example/..%2Fevil-1.0.zip", "../evil-1.0.zip"),
        ("https://h.example/%FF.zip", "\udcff.zip"),
        ("https://h.example/simple/?C=N;O=D", ""),
        ("https://six-1.0.zip", ""),
    ],
)
def test_C_URL_5_the_name_is_the_last_component_of_the_path(url: str, name: str) -> None:
    assert filename_of(url) == name


@pytest.mark.parametrize(
    ("fragment", "digests"),
    [
        ("", {}),
        (f"sha256={SHA256}", {"sha256": SHA256}),
        (f"SHA256={SHA256.upper()}", {"sha256": SHA256}),
        (f"sha256={SHA256}&md5={MD5}", {"sha256": SHA256, "md5": MD5}),
        (f"egg=six&sha256={SHA256}&subdirectory=x", {"sha256": SHA256}),
        (f"sha256={SHA256}&sha256={SHA256}", {"sha256": SHA256}),
        ("whirlpool=00&blake2b_256=00&sha256=", {}),
        ("egg=six-1.0", {}),
    ],
)
def test_C_HASH_2_digests_of_a_fragment(fragment: str, digests: dict[str, str]) -> None:
    assert read_digests(fragment_digests(fragment)) == digests


def test_C_HASH_3_the_algorithms_are_those_of_hashlib_without_parameters() -> None:
    fixed = {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")}
    lengths = {name: 2 * hashlib.new(name).digest_size for name in fixed}
    assert lengths == DIGEST_LENGTHS


@pytest.mark.parametrize(
    "fragment",
    [
        *(f"sha256={SHA256[:-1]}", f"sha256={SHA256}0", "sha256=" + "g" * 64, f"md5={SHA256}"),
        *("sha256=" + "a " * 32, "sha256=" + "\u0661" * 64),
        *(f"sha256={SHA256}&sha256={'0' * 64}", f"sha256={SHA256}&SHA256={'0' * 64}"),
    ],
)
def test_C_HASH_4_malformed_known_digest_is_refused(fragment: str) -> None:
    with pytest.raises(DigestError):
        read_digests(fragment_digests(fragment))


@given(st.text())
def test_C_HASH_any_fragment_is_read_or_refused(fragment: str) -> None:
    try:
        digests = read_digests(fragment_digests(fragment))
    except DigestError:
        return
    assert all(len(value) == DIGEST_LENGTHS[name] for name, value in digests.items())
