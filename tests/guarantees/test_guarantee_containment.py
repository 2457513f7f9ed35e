"""GUARANTEES, Containment: G22, G23 and G26.  Where requests go (G24, G25) is in a file of its own."""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from guarantee_runs import OneOf

from aiomirror.cli import main
from catalogue import HTML_TYPE, JSON_TYPE
from faults import Header
from mirror import PAGES

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror

SDIST, WHEEL = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"

HOSTILE = [
    "../foo-9.tar.gz",
    "../../foo-9.tar.gz",
    "..%2Ffoo-9.tar.gz",
    "..\\foo-9.tar.gz",
    "/etc/foo-9.tar.gz",
    "C:\\foo-9.tar.gz",
    "foo-9.tar.gz/../../foo-9.tar.gz",
    ".",
    "..",
    "",
    ".foo-9.tar.gz",
    "-foo-9.tar.gz",
    "~foo-9.tar.gz",
    ".aiomirror/foo-9.tar.gz",
    "foo-9\n.tar.gz",
    "foo-9\r\nX: y.tar.gz",
    "foo-9\x00.tar.gz",
    "foo-9\x1b[2J.tar.gz",
    "foo-9\u202egz.tar.gz",
    "foo-9\u2066.tar.gz",
    "foo-9\x85.tar.gz",
    "foo-9\u200b.tar.gz",
    "foo-9\u2028.tar.gz",
    "foo-9\xad-py3-none-any.whl",
    "foo-" + "9" * 300 + ".tar.gz",
    "foo-" + "\u00e9" * 130 + ".tar.gz",
    "bar-9.tar.gz",
    "fooo-9-py3-none-any.whl",
    "foo-bar-9.tar.gz",
    "index.html",
    "index.v1_json",
    "foo-1.0.tar.gz.metadata",
]


def outside(mirror: Mirror) -> set[str]:
    return {path.name for path in mirror.folder.iterdir()} - {"report.json"}


@pytest.mark.parametrize("formats", ["json", "html"])
def test_G22_no_upstream_text_chooses_a_path(mirror: Mirror, formats: str) -> None:
    """Twice: the second run is the one that reads what the first one kept."""
    mirror.upstream.add_file("foo", SDIST)
    good: dict[str, Any] = mirror.upstream.projects["foo"].files[0]
    url, digest = mirror.upstream.file_url("foo", SDIST), good["hashes"]["sha256"]
    if formats == "json":
        entries = [{**good, "url": url, "filename": name} for name in (*HOSTILE, SDIST)]
        body, kind = json.dumps({"files": entries}).encode(), JSON_TYPE
    else:  # where the address is the name
        names = [quote(name, safe="") for name in HOSTILE]
        folder = url.rpartition("/")[0]
        links = (f'<a href="{folder}/{name}#sha256={digest}">foo-9.tar.gz</a>' for name in (*names, SDIST))
        body, kind = "".join(links).encode(), HTML_TYPE
    mirror.upstream.add_page("foo", body, kind)
    for _ in range(2):
        ran = mirror.sync("foo", "--all-versions")
        assert mirror.files() == {SDIST}
        assert set(mirror.tree()) == {"index.html", "index.v1_json", *(f"foo/{n}" for n in (*PAGES, SDIST))}
        assert outside(mirror) == {"mirror"}
        assert ran.err.replace("\n", "").isprintable()


def test_G22_half_a_character_that_no_disk_can_store(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    good: dict[str, Any] = mirror.upstream.projects["foo"].files[0]
    url = mirror.upstream.file_url("foo", SDIST)
    odd = {**good, "url": url, "filename": "foo-9\ud800.tar.gz"}
    mirror.upstream.add_page("foo", json.dumps({"files": [odd]}).encode(), JSON_TYPE)
    for _ in range(2):
        mirror.sync("foo", "--all-versions")
        assert mirror.files() == {"foo-9\ufffd.tar.gz"}


@pytest.mark.parametrize("project", ["..", "../x", "a/b", ".aiomirror", "", "-", "a" * 300, "\u00fc"])
def test_G22_nor_does_a_requirement(mirror: Mirror, project: str) -> None:
    requirements = mirror.folder / "r.txt"
    requirements.write_text(f"{project}\n")
    mirror.sync("-r", str(requirements), code=OneOf(0, 2, 3))
    assert outside(mirror) <= {"mirror", "r.txt"}
    assert not mirror.files()


def test_G22_what_headers_and_json_say_of_names_is_not_heard(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)
    path = f"/files/foo/{SDIST}"
    mirror.upstream.always(path, Header("Content-Disposition", 'attachment; filename="../evil.tar.gz"'))
    mirror.upstream.add_project("foo").versions = ["../../1.0", "/etc"]
    mirror.sync("foo")
    assert mirror.files() == {SDIST}
    assert outside(mirror) == {"mirror"}


def test_G22_of_names_that_differ_in_case_alone_the_first_is_taken(mirror: Mirror) -> None:
    """On a disk that ignores case the second would replace the first, and a page would list both."""
    names = ["foo-1.0.zip", "Foo-1.0.zip", "FOO-1.0.ZIP"]
    for name in names:
        mirror.upstream.add_file("foo", name, content=name.encode())
    ran = mirror.sync("foo")
    assert mirror.files() == {"foo-1.0.zip"}
    assert mirror.path("foo-1.0.zip").read_bytes() == b"foo-1.0.zip"
    (project,) = ran.report["projects"].values()
    assert project["left_out"] == {"its name differs in case alone from one listed before it": 2}


def test_G22_nor_is_another_taken_when_the_first_is_not_wanted(mirror: Mirror) -> None:
    """What one run takes and what another takes would otherwise replace each other."""
    mirror.upstream.add_file("foo", "foo-1.0.zip", yanked="bad")
    mirror.upstream.add_file("foo", "Foo-1.0.zip")
    (line,) = mirror.sync("foo", code=3).errors()
    assert "nothing satisfies" in line
    assert not mirror.files()
    mirror.sync("foo==1.0")
    assert mirror.files() == {"foo-1.0.zip"}


# -- G23


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder outside, with a file that is nobody's business."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "precious").write_text("precious")
    return folder


def untouched(victim: Path) -> bool:
    return [path.name for path in victim.iterdir()] == ["precious"] and (
        victim / "precious"
    ).read_text() == "precious"


@pytest.mark.parametrize("again", [False, True], ids=["first run", "second run"])
@pytest.mark.parametrize(
    ("planted", "code"),
    [
        ("foo", 6),
        (".aiomirror", 6),
        (".aiomirror/partial", 6),
        (".aiomirror/lock", 6),
        (".aiomirror/state.sqlite", 0),
        (".aiomirror/partial/x", 0),
        ("index.html", 0),
        ("index.v1_json", 0),
        ("foo/index.html", 0),
        ("foo/index.v1_json", 0),
        (f"foo/{SDIST}", 0),
        (f"foo/{WHEEL}", 0),
        (f"foo/{WHEEL}.metadata", 0),
    ],
)
def test_G23_links_in_the_tree_are_not_followed(
    mirror: Mirror,
    victim: Path,
    planted: str,
    code: int,
    again: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.upstream.add_file("foo", WHEEL, core_metadata=True)
    if again:
        mirror.sync("foo")
    link = mirror.dest / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.exists():
        link.rename(mirror.folder / "aside")
    folder = planted in {"foo", ".aiomirror", ".aiomirror/partial"}
    link.symlink_to(victim if folder else victim / "precious")
    if code:
        assert main(["foo", "-i", mirror.upstream.url, "-d", str(mirror.dest)]) == code
    else:
        mirror.sync("foo")
        assert not link.is_symlink()
    assert untouched(victim)
    if code:
        link.unlink()
        mirror.sync("foo")


@pytest.mark.parametrize("name", ["state.sqlite-wal", "state.sqlite-shm", "state.sqlite-journal"])
@pytest.mark.parametrize("target", ["precious", "new"])
def test_G23_nor_are_those_beside_the_state(mirror: Mirror, victim: Path, name: str, target: str) -> None:
    mirror.upstream.add_file("foo", SDIST)
    mirror.sync("foo")
    (mirror.dest / ".aiomirror" / name).symlink_to(victim / target)
    mirror.upstream.add_file("foo", "foo-2.0.tar.gz")
    mirror.sync("foo", code=OneOf(0, 6))
    assert untouched(victim)


def test_G23_a_folder_that_is_swapped_for_a_link_while_it_is_written_to(mirror: Mirror, victim: Path) -> None:
    mirror.upstream.add_file("foo", SDIST, content=os.urandom(900_000))

    def swap(request: object) -> None:
        if str(getattr(request, "path", "")).startswith("/files/") and not (mirror.dest / "foo").exists():
            (mirror.dest / "foo").symlink_to(victim)

    mirror.upstream.on_request = swap
    assert main(["foo", "-i", mirror.upstream.url, "-d", str(mirror.dest), "--no-deps"]) == 6
    assert untouched(victim)


def test_G23_the_destination_itself_may_be_a_link(mirror: Mirror, victim: Path) -> None:
    mirror.upstream.add_file("foo", SDIST)
    real = mirror.folder / "real"
    real.mkdir()
    mirror.dest.symlink_to(real)
    mirror.sync("foo")
    assert mirror.dest.is_symlink()
    assert (real / "foo" / SDIST).is_file()


# -- G26

EVIL = '"><script>alert(1)</script><a href="javascript:alert(2)" onclick=\'x\'>&amp;\u2028\ufffd'


class Elements(HTMLParser):
    """Every element and attribute of a page, as a browser would have them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("formats", ["json", "html"])
def test_G26_all_upstream_text_in_pages_is_escaped(mirror: Mirror, formats: str) -> None:
    mirror.upstream.formats = formats
    name = "foo-1.0-1\"'<img src=x onerror=alert(1)>&amp;.zip"
    mirror.upstream.add_project("Foo", status="deprecated", reason=EVIL)
    mirror.upstream.add_file("foo", name, requires_python=EVIL, yanked=EVIL, version="1.0")
    mirror.upstream.add_file("foo", SDIST)
    mirror.sync("foo===1.0", "foo", "--all-versions")
    mirror.sync("foo", "--all-versions")
    for page in (mirror.dest / "index.html", mirror.dest / "foo" / "index.html"):
        elements = Elements(page.read_text()).found
        tags = {tag for tag, _ in elements}
        assert not tags & {"script", "img", "iframe", "object", "form", "base"}
        for tag, attributes in elements:
            assert not any(key.startswith("on") for key in attributes)
            if tag == "a":
                assert ":" not in str(attributes["href"]).partition("#")[0].replace("%3A", "")
    assert mirror.page("foo").status.reason == mirror.page("foo", "index.html").status.reason


@pytest.mark.parametrize("formats", ["json", "html"])
def test_G26_only_distributions_are_ever_served(mirror: Mirror, formats: str) -> None:
    mirror.upstream.formats = formats
    mirror.upstream.add_file("foo", SDIST)
    endings = [
        ".html",
        ".htm",
        ".svg",
        ".js",
        ".css",
        ".xml",
        ".php",
        ".txt",
        ".pdf",
        "",
        ".gz",
        ".tar.gz.asc",
    ]
    endings += [".exe.html", ".zip.js", ".whl.html", ".v1_json", ".HTML", ".json", ".shtml", ".sqlite"]
    for ending in endings:
        mirror.upstream.add_file("foo", f"foo-1.0{ending}", content=b"<script>")
    for args in ([], ["--legacy-formats", "--all-versions", "--pre"]):
        mirror.sync("foo", *args)
        assert mirror.files() == {SDIST}
