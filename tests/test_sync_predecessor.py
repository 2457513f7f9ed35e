"""The known bugs of the tool that this one succeeds, each as a test that they are not shared."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from faults import Cut, Stall, Status, WrongBytes

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror


class Attributes(HTMLParser):
    """The attributes of every link, as a client reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs))


def sdists(mirror: Mirror, name: str, *versions: str) -> None:
    for version in versions:
        mirror.upstream.add_file(name, f"{name}-{version}.tar.gz")


@pytest.mark.parametrize(
    ("spec", "version"), [("a==1", "1"), ("a>=2", "3"), ("a=1", "1"), ("a<=2", "2"), ("a==1.0", "1")]
)
@pytest.mark.parametrize("in_file", [False, True])
def test_specifiers_misread(mirror: Mirror, spec: str, version: str, in_file: bool) -> None:  # noqa: FBT001
    sdists(mirror, "a", "1", "2", "3")
    path = mirror.folder / "req.txt"
    path.write_text(f"{spec}\n" if "==" in spec or ">" in spec or "<" in spec else "a==1\n")
    mirror.sync(str(path) if in_file else spec)
    assert mirror.files() == {f"a-{version}.tar.gz"}


def test_lines_with_a_colon_dropped(mirror: Mirror) -> None:
    sdists(mirror, "a", "1")
    sdists(mirror, "b", "1", "2")
    digest = mirror.upstream.projects["b"].files[0]["hashes"]["sha256"]
    path = mirror.folder / "req.txt"
    path.write_text(
        f"a ; python_version < '3:0'  # note: a colon\nb==1 --hash=sha256:{digest}\nc @ https://c.example/c.zip\n"
    )
    ran = mirror.sync("-r", str(path))
    assert mirror.files() == {"a-1.tar.gz", "b-1.tar.gz"}
    assert [one["requirement"] for one in ran.report["not_mirrored"]] == ["c @ https://c.example/c.zip"]


@pytest.mark.parametrize(("args", "version"), [([], "1.0"), (["--include-prereleases"], "2.0a1")])
def test_the_pre_release_flag_inverted(mirror: Mirror, args: list[str], version: str) -> None:
    sdists(mirror, "a", "1.0", "2.0a1")
    mirror.sync("a", *args)
    assert mirror.files() == {f"a-{version}.tar.gz"}


@pytest.mark.parametrize("name", ["Flask-SQLAlchemy", "flask_sqlalchemy", "flask.sqlalchemy"])
def test_a_dash_in_the_name_taken_for_the_end_of_it(mirror: Mirror, name: str) -> None:
    mirror.upstream.add_file("Flask-SQLAlchemy", "Flask-SQLAlchemy-2.5.1.tar.gz")
    mirror.upstream.add_file("Flask-SQLAlchemy", "Flask-SQLAlchemy-2.4.tar.gz")
    mirror.sync(f"{name}=2.5.1")
    assert mirror.listed("flask-sqlalchemy") == ["Flask-SQLAlchemy-2.5.1.tar.gz"]
    assert '"versions":["2.5.1"]' in mirror.text("flask-sqlalchemy", "index.v1_json").replace(" ", "")


@pytest.mark.parametrize("in_file", [False, True])
def test_a_letter_behind_the_version_dropped(mirror: Mirror, in_file: bool) -> None:  # noqa: FBT001
    for version in ("2014", "2014g", "2013.9"):
        mirror.upstream.add_file("pytz", f"pytz-{version}.tar.gz", content=version.encode())
    path = mirror.folder / "req.txt"
    path.write_text("pytz===2014g\n")
    mirror.sync(str(path) if in_file else "pytz=2014g")
    assert mirror.files() == {"pytz-2014g.tar.gz"}
    mirror.sync("pytz")
    assert mirror.files() == {"pytz-2014g.tar.gz", "pytz-2014.tar.gz"}
    assert '"versions":["2014g","2014"]' in mirror.text("pytz", "index.v1_json").replace(" ", "")


def test_a_yanked_newest_taken(mirror: Mirror) -> None:
    sdists(mirror, "a", "1.0")
    mirror.upstream.add_file("a", "a-2.0.tar.gz", yanked="broken")
    mirror.sync("a", "--all-versions")
    assert mirror.files() == {"a-1.0.tar.gz"}


@pytest.mark.parametrize("reason", [True, "broken <b>&\"'"])
def test_the_yanked_mark_lost(mirror: Mirror, reason: bool | str) -> None:  # noqa: FBT001
    mirror.upstream.add_file("a", "a-2.0.tar.gz", yanked=reason)
    mirror.sync("a==2.0")
    assert mirror.entry("a", "a-2.0.tar.gz").yanked == ("" if reason is True else reason)
    (link,) = Attributes(mirror.text("a")).links
    assert link["data-yanked"] == ("" if reason is True else reason)


def test_attributes_unescaped(mirror: Mirror) -> None:
    mirror.upstream.add_file("a", "a-1.tar.gz", requires_python=">=3.6,<4", yanked='"><script>x</script>')
    mirror.sync("a==1")
    page = mirror.text("a")
    assert 'data-requires-python="&gt;=3.6,&lt;4"' in page
    assert "<script" not in page
    (link,) = Attributes(page).links
    assert link["data-requires-python"] == ">=3.6,<4"


FILE = "/files/a/a-2.0.tar.gz"


@pytest.mark.parametrize("fault", [Cut(50), Stall(50), WrongBytes(), Status(404), Status(500)])
def test_files_written_in_place(mirror: Mirror, fault: Fault) -> None:
    sdists(mirror, "a", "1.0", "2.0")
    mirror.upstream.always(FILE, fault)
    mirror.sync("a", "--all-versions", "--timeout", "0.2", "--retries", "0", "--keep-going", code=1)
    assert mirror.files() == {"a-1.0.tar.gz"}  # no part of the other, under any name
    assert mirror.listed("a") == ["a-1.0.tar.gz"]


def test_a_held_file_replaced_in_place(mirror: Mirror) -> None:
    sdists(mirror, "a", "2.0")
    mirror.sync("a")
    path = mirror.path("a-2.0.tar.gz")
    before = path.stat().st_ino
    with path.open("rb") as reader:  # who is being served the damaged file goes on reading that one
        path.write_bytes(b"damaged")
        mirror.sync("a")
        assert reader.read() == b"damaged"
    assert path.stat().st_ino != before


def test_indexes_written_in_place(mirror: Mirror) -> None:
    sdists(mirror, "a", "1.0", "2.0")
    mirror.sync("a==1.0")
    pages = {name: path for name, path in mirror.tree().items() if "index." in name}
    old = {name: (path.stat().st_ino, path.open("rb")) for name, path in pages.items()}
    before = mirror.contents()
    mirror.sync("a==2.0")
    for name, (inode, reader) in old.items():
        with reader:
            assert reader.read() == before[name]
        changed = name.startswith("a/")
        assert (pages[name].stat().st_ino != inode) is changed


@pytest.mark.parametrize("formats", ["json", "html"])
def test_relative_links_fail(mirror: Mirror, formats: str) -> None:
    mirror.upstream.formats = formats
    mirror.upstream.add_file("a", "a-1.tar.gz", url="../../files/a/a-1.tar.gz")
    mirror.upstream.add_file("a", "a-1.zip", url="/files/a/a-1.zip")
    mirror.sync("a")
    assert mirror.files() == {"a-1.tar.gz", "a-1.zip"}
    assert {link["href"].split("#")[0] for link in Attributes(mirror.text("a")).links if link["href"]} == {
        "a-1.tar.gz",
        "a-1.zip",
    }


def test_names_not_normalised(mirror: Mirror) -> None:
    mirror.upstream.add_file("Zope.Interface", "zope.interface-1.tar.gz")
    mirror.sync("ZOPE__Interface", "zope-interface", "zope.interface")
    assert mirror.upstream.paths().count("/simple/zope-interface/") == 1
    assert mirror.listed("zope-interface") == ["zope.interface-1.tar.gz"]
    (link,) = Attributes((mirror.dest / "index.html").read_text()).links
    assert link["href"] == "zope-interface/"


@pytest.mark.parametrize("args", [[], ["--ignore-errors"]])
def test_exit_0_after_failures(mirror: Mirror, args: list[str]) -> None:
    sdists(mirror, "a", "1.0", "2.0")
    mirror.upstream.always(FILE, Status(404))
    (line,) = mirror.sync("a", *args, code=1).errors()
    assert line.startswith("a: a-2.0.tar.gz: HTTP 404")


def test_files_without_a_hash_accepted_in_silence(mirror: Mirror) -> None:
    mirror.upstream.add_file("a", "a-1.tar.gz", hashes={})
    (line,) = mirror.sync("a", code=1).errors()
    assert line.startswith("a: a-1.tar.gz: upstream lists no digest of it")
    assert not mirror.upstream.file_requests()
    ran = mirror.sync("a", "--allow-unhashed")
    assert ran.warnings() == ["a: a-1.tar.gz: taken without a digest from upstream"]
    (link,) = Attributes(mirror.text("a")).links
    assert "#sha256=" in str(link["href"])
