"""What bad input gets: a clear line on standard error, the right exit code, and nothing lost."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aiomirror.cli import main
from catalogue import JSON_TYPE, Project, page_json, root_json
from faults import Body, Redirect, Reset, Stall, Status, content_type

if TYPE_CHECKING:
    from faults import Fault
    from mirror import Mirror

SDIST = "foo-1.0.tar.gz"
PAGE = "/simple/foo/"


@pytest.fixture(autouse=True)
def foo(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", SDIST)


# -- requirements


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("foo==", "command line: 'foo==': "),
        ("foo=>1", "'foo=>1'"),
        ("foo>1<2", "'foo>1<2'"),
        ("foo bar", "'foo bar'"),
        ("-foo", "unrecognized arguments"),
        ("_foo", "'_foo'"),
        ("foo[", "the list of extras has no end"),
        ("foo; python_version", "no environment marker"),
        ("", "command line"),
        ("foo\nbar", "there is a line break in it"),
        ("foo\x1b[31m", "foo"),
        ("f\u00f6\u00f6", "f\u00f6\u00f6"),
        (os.fsdecode(b"fo\xff"), "command line"),
        ("x" * 10_000 + "==", "\u2026"),
        ("foo==" + "9" * 5000, "a number of a thousand digits is no version"),
    ],
)
def test_an_unparsable_requirement(mirror: Mirror, spec: str, says: str) -> None:
    ran = mirror.sync(spec, code=2)
    assert says in ran.err
    assert "\x1b" not in ran.err
    assert max(map(len, ran.err.splitlines())) < 500
    assert not mirror.dest.exists()


def test_unparsable_requirements_are_told_with_file_and_line_all_at_once(mirror: Mirror) -> None:
    first, second = mirror.folder / "a.txt", mirror.folder / "b.txt"
    first.write_text("foo\n\nbar==\n-r b.txt\n")
    second.write_text("# comment\nbaz ~ 1\n--no-such-option\n")
    lines = mirror.sync("-r", str(first), "also wrong", code=2).errors()
    assert [line.split(" ")[0] for line in lines] == [
        "command",
        f"{first}:3:",
        f"{second}:2:",
        f"{second}:3:",
    ]
    assert not mirror.upstream.requests


@pytest.mark.parametrize("args", [["-r", "PATH"], ["PATH"], ["foo", "-c", "PATH"]])
@pytest.mark.parametrize("name", ["missing.txt", "folder.txt"])
def test_a_missing_file(mirror: Mirror, args: list[str], name: str) -> None:
    path = mirror.folder / name
    (mirror.folder / "folder.txt").mkdir()
    (line,) = mirror.sync(*(arg.replace("PATH", str(path)) for arg in args), code=2).errors()
    assert line.startswith(f"{path}: cannot read it: ")
    assert not mirror.dest.exists()


def test_a_missing_file_within_a_file(mirror: Mirror) -> None:
    path = mirror.folder / "req.txt"
    path.write_text("foo\n-r missing.txt\n")
    (line,) = mirror.sync("-r", str(path), code=2).errors()
    assert line.startswith(f"{path}:2: '-r missing.txt': cannot read ")


def test_nothing_asked_for(mirror: Mirror) -> None:
    (line,) = mirror.sync(code=2).errors()
    assert "at least one requirement" in line


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["-r", "a.txt"], "there is no requirement in a.txt"),
        (["a.txt", "-r", "b.in", "-c", "c.txt"], "there is no requirement in a.txt, b.in"),
        (["-r", os.devnull], f"there is no requirement in {os.devnull}"),
        (["-r", "-"], "there is no requirement in standard input"),
        (["-r", "pyproject.toml"], "there is no requirement in pyproject.toml"),
        (["."], "command line: '.' is not mirrored: it is a local path, not a project of the index"),
        (
            ["./no-such-file"],
            "command line: './no-such-file' is not mirrored: it is a local path, not a project",
        ),
        (
            ["foo@1.0", "-r", "a.txt"],
            "command line: 'foo@1.0' is not mirrored: it comes from the URL behind the @",
        ),
        (["./a", "./b"], "command line: './a' is not mirrored: it is a local path, not a project"),
    ],
)
def test_nothing_asked_for_in_the_end(
    mirror: Mirror, args: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mirror.folder)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    mirror.sync("foo")
    (mirror.folder / "a.txt").write_text("# foo\n\n")
    (mirror.folder / "b.in").write_text("-r a.txt\n--pre\n")
    (mirror.folder / "c.txt").write_text("foo==1.0\n")
    (mirror.folder / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = []\n')
    mirror.upstream.clear()
    for more in ([], ["-n"], ["--prune", "--grace", "0s", "--max-delete", "100%"]):
        (line,) = mirror.sync(*args, *more, code=2).errors()
        assert line.startswith(f"nothing to mirror: {says}")
    assert mirror.files() == {SDIST}
    assert not mirror.upstream.requests


def test_a_configuration_file_that_asks_for_nothing_of_an_index(mirror: Mirror) -> None:
    path = mirror.folder / "a.toml"
    path.write_text('requirements = ["x @ https://files.example/x.tar.gz"]')
    (line,) = mirror.sync("--config", str(path), code=2).errors()
    assert line.startswith(
        f"nothing to mirror: {path}:1: 'x @ https://files.example/x.tar.gz' is not mirrored"
    )


def test_what_is_excluded_was_asked_for(mirror: Mirror) -> None:
    path = mirror.folder / "a.toml"
    path.write_text("[project.foo]\nexclude = true\n")
    assert mirror.sync("foo", "--config", str(path)).report["totals"]["not_mirrored"] == 1


@pytest.mark.parametrize(
    ("specs", "args", "says"),
    [
        (["foo; python_version < '3'"], [], ["a requirement is for none of the targets, by the marker: "]),
        (["foo; sys_platform == 'win32'"], [], []),
        (
            ["foo; sys_platform == 'win32'"],
            ["--platform", "linux"],
            ["a requirement is for none of the targets"],
        ),
        (["foo; extra == 'x'", "foo; extra == 'y'"], [], ["2 requirements are for none of the targets"]),
        (["foo; python_version < '3'"], ["--no-deps"], []),
    ],
)
def test_a_marker_that_is_true_on_no_target(
    mirror: Mirror, specs: list[str], args: list[str], says: list[str]
) -> None:
    mirror.follows = True
    ran = mirror.sync(*specs, *args)
    assert len(ran.warnings()) == len(says)
    assert all(line.startswith(start) for line, start in zip(ran.warnings(), says, strict=True))
    assert ran.report["warnings"] == ran.warnings()
    assert mirror.files() == (set() if says else {SDIST})


# -- projects and versions


@pytest.mark.parametrize("formats", ["json", "html"])
def test_an_unknown_project_with_names_that_look_like_it(mirror: Mirror, formats: str) -> None:
    mirror.upstream.formats = formats
    for name in ("requests", "Requests-Toolbelt", "numpy"):
        mirror.upstream.add_project(name)
    (line,) = mirror.sync("reqeusts", code=3).errors()
    assert line == "reqeusts: the index has no such project; did you mean requests?"


def test_the_root_index_is_asked_once_whatever_is_unknown(mirror: Mirror) -> None:
    ran = mirror.sync("foo-1", "foo-2", "fooo", "--keep-going", code=3)
    assert sorted(ran.errors()) == [
        f"{name}: the index has no such project; did you mean foo?" for name in ("foo-1", "foo-2", "fooo")
    ]
    assert mirror.upstream.paths().count("/simple/") == 1


@pytest.mark.parametrize(
    "fault",
    [Status(404), Status(500), Reset(), Stall(), Body(b"x" * (5 << 20)), content_type("text/plain")],
    ids=str,
)
def test_a_root_index_that_is_not_cheap_to_ask(mirror: Mirror, fault: Fault) -> None:
    mirror.upstream.always("/simple/", fault)
    (line,) = mirror.sync("fooo", "--retries", "0", "--timeout", "0.3", code=3).errors()
    assert line == "fooo: the index has no such project"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("foo>1.0", "foo: nothing satisfies 'foo>1.0'; the newest version is 1.0"),
        ("foo===2004d", "foo: nothing satisfies 'foo===2004d'; the newest version is 1.0"),
        ("empty", "empty: nothing satisfies 'empty'; the index lists no version of it"),
        ("foo>=1,<1", "the newest version is 1.0"),
    ],
)
def test_no_matching_version(mirror: Mirror, spec: str, says: str) -> None:
    mirror.upstream.add_project("empty")
    (line,) = mirror.sync(spec, code=3).errors()
    assert says in line
    assert not mirror.files()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--only-binary", ":all:"], "1 matching file left out: a source archive"),
        (["--max-file-size", "1"], "1 matching file left out: larger than --max-file-size"),
    ],
)
def test_why_what_matches_is_left_out(mirror: Mirror, args: list[str], says: str) -> None:
    (line,) = mirror.sync("foo", *args, code=3).errors()
    assert says in line


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("where", ["c.txt", "aiomirror.toml"])
def test_a_constraint_or_a_rule_that_leaves_nothing(mirror: Mirror, where: str, *, follows: bool) -> None:
    mirror.follows = follows
    path = mirror.folder / where
    path.write_text("# ours\nfoo<1\n" if where == "c.txt" else '[project.foo]\nversions = "<1"\n')
    option = "-c" if where == "c.txt" else "--config"
    place = f"{path}:2" if where == "c.txt" else str(path)
    (line,) = mirror.sync("foo", option, str(path), code=3).errors()
    assert line.startswith("foo: nothing satisfies 'foo'; ")
    assert line.endswith(f"(the constraint foo<1 ({place}) excludes 1.0)")


# -- the destination


@pytest.mark.parametrize("tail", ["", "/below"])
def test_a_destination_that_is_a_file(mirror: Mirror, tail: str) -> None:
    path = mirror.folder / "file"
    path.write_text("precious")
    (line,) = mirror.sync("foo", "-d", f"{path}{tail}", code=6).errors()
    assert line.startswith(f"{path}{tail}: ")
    assert path.read_text() == "precious"
    assert not mirror.upstream.file_requests()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_destination_that_is_not_writable(mirror: Mirror) -> None:
    mirror.sync("foo")
    mirror.dest.chmod(0o555)
    try:
        mirror.upstream.add_file("bar", "bar-1.tar.gz")
        (line,) = mirror.sync("bar", code=6).errors()
    finally:
        mirror.dest.chmod(0o755)
    assert "permission denied" in line


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that nobody can write to")  # noqa: PTH112
def test_a_destination_that_nobody_can_write_to(mirror: Mirror) -> None:
    (line,) = mirror.sync("foo", "-d", "/proc/self/mirror", code=6).errors()
    assert line.startswith("/proc/self/mirror: ")
    assert not mirror.upstream.requests


@pytest.mark.parametrize("name", ["foo", "index.html", f"foo/{SDIST}", "foo/index.v1_json"])
def test_something_else_where_the_mirror_needs_a_place(mirror: Mirror, name: str) -> None:
    path = mirror.dest / name
    if name == "foo":
        mirror.dest.mkdir()
        path.write_text("a file where a folder is needed")
    else:
        path.mkdir(parents=True)
    (line,) = mirror.sync("foo", code=6).errors()
    assert line.startswith(f"{path}: is a ")
    assert path.exists()
    path.unlink() if name == "foo" else path.rmdir()
    mirror.sync("foo")
    assert mirror.listed("foo") == [SDIST]


def test_a_destination_with_a_name_that_no_folder_can_have(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mirror.folder)
    mirror.sync("foo", "-d", f"some/{'x' * 300}", code=6)


@pytest.mark.parametrize("args", [["-d", ""], ["--dest="]])
def test_a_destination_without_a_name(
    mirror: Mirror, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a variable of a script that is not set: the current folder is not what it stands for."""
    folder = mirror.folder / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for verb in (["sync", "foo"], ["index"], ["verify"], ["prune"], ["explain", "foo"]):
        (line,) = mirror.run(*verb, *args, code=2).errors()
        assert line == "--dest takes a path (~ is the shell's), not ''"
    assert not list(folder.iterdir())


# -- the upstream


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://files.example/simple/", "must be an http or https URL"),
        ("files.example/simple", "must be an http or https URL"),
        ("/srv/simple", "must be an http or https URL"),
        ("https://index.example/simple/#x", "must be a URL without a query and a fragment (? and #)"),
        (
            "https://index.example/simple/?token=secret",
            "must be a URL without a query and a fragment (? and #)",
        ),
        ("https://index.example/simple/?", "must be a URL without a query and a fragment (? and #)"),
        ("https://index.example/#", "must be a URL without a query and a fragment (? and #)"),
        ("https://", "must be an http or https URL"),
        ("http://[::1/simple/", "cannot be read"),
        ("http://127.0.0.1:99999/simple/", "cannot be read"),
    ],
)
def test_an_index_that_is_no_address(mirror: Mirror, url: str, says: str) -> None:
    (line,) = mirror.sync("foo", "-i", url, code=2).errors()
    assert says in line
    assert "secret" not in line
    assert not mirror.dest.exists()


def test_an_upstream_that_does_not_answer(mirror: Mirror) -> None:
    (line,) = mirror.sync("foo", "-i", "http://127.0.0.1:1/simple/", "--retries", "0", code=4).errors()
    assert line == "foo: cannot connect: Connection refused (http://127.0.0.1:1/simple/foo/)"


def test_an_upstream_that_is_not_an_index(mirror: Mirror) -> None:
    """As a web site that answers everything with a page of its own."""
    mirror.upstream.on_request = lambda _: Body(
        b"<html><title>Welcome</title><a href='/login'>Log in</a></html>"
    )
    mirror.upstream.always(PAGE, content_type("text/plain"))
    (line,) = mirror.sync("foo", code=1).errors()
    assert line.startswith("foo: ")
    assert "where the Simple API has" in line


GOOD = page_json("foo", Project("foo"), serials=False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html></html>", JSON_TYPE),
        (b"", JSON_TYPE),
        (b"{}", JSON_TYPE),
        (b"[]", JSON_TYPE),
        (b'{"meta": {"api-version": "1.0"}, "name": "foo"}', JSON_TYPE),
        (b'{"meta": {"api-version": "1.0"}, "name": "foo", "files": 3}', JSON_TYPE),
        (b"[" * 100_000, JSON_TYPE),
        (root_json({}, serials=False), JSON_TYPE),
        (GOOD, "application/json"),
        (GOOD, "application/vnd.pypi.simple.v2+json"),
        (GOOD, "application/octet-stream"),
        (b"<html></html>", "application/xhtml+xml"),
        (b"\x00\xff\xfe", JSON_TYPE),
    ],
)
def test_a_page_that_is_not_what_its_content_type_says(mirror: Mirror, body: bytes, kind: str) -> None:
    mirror.upstream.add_page("foo", body, kind)
    mirror.upstream.add_file("bar", "bar-1.tar.gz")
    (line,) = mirror.sync("foo", "bar", "--keep-going", code=1).errors()
    assert line.startswith("foo: ")
    assert f"({mirror.upstream.url}foo/)" in line
    assert mirror.files() == {"bar-1.tar.gz"}


@pytest.mark.parametrize("to", ["ftp://files.example/", "file:///etc/passwd", "http://169.254.169.254/", ""])
def test_a_redirect_that_is_not_followed(mirror: Mirror, to: str) -> None:
    mirror.upstream.always(PAGE, Redirect(to))
    (line,) = mirror.sync("foo", "--retries", "0", code=1).errors()
    assert line.startswith("foo: ")


# -- names of files


@pytest.mark.parametrize(
    "name",
    [
        "../foo-9.tar.gz",
        "..%2Ffoo-9.tar.gz",
        "a/foo-9.tar.gz",
        "/foo-9.tar.gz",
        "\\foo-9.tar.gz",
        "..\\foo-9.tar.gz",
        "..",
        ".foo-9.tar.gz",
        "-foo-9.tar.gz",
        "foo-9\n.tar.gz",
        "foo-9\0.tar.gz",
        "foo-9\u202egz.tar.gz",
        "foo-9.tar.gz/",
        "foo-" + "9" * 300 + ".tar.gz",
        "bar-9.tar.gz",
        "fooo-9-py3-none-any.whl",
        "foo-bar-9.tar.gz",
    ],
)
def test_a_file_name_with_a_path_in_it_or_of_another_project(mirror: Mirror, name: str) -> None:
    good: dict[str, Any] = mirror.upstream.projects["foo"].files[0]
    mirror.upstream.projects["foo"].files = [good, {**good, "filename": name, "version": "9"}]
    for _ in range(2):  # the second run is the one that reads what the first one kept
        ran = mirror.sync("foo", "--all-versions")
        assert mirror.files() == {SDIST}
        assert ran.err.replace("\n", "").isprintable()  # nothing that a terminal would obey
    outside = {path.name for path in mirror.folder.iterdir()}
    assert outside == {"mirror", "report.json"}


@pytest.mark.parametrize("formats", ["json", "html"])
def test_links_that_lead_nowhere_good(mirror: Mirror, formats: str) -> None:
    mirror.upstream.formats = formats
    good: dict[str, Any] = mirror.upstream.projects["foo"].files[0]
    urls = ["javascript:alert(1)", "file:///etc/foo-2.tar.gz", "http://[x/foo-2.tar.gz", "data:,x"]
    urls += ["#", "?C=N"] if formats == "html" else []
    mirror.upstream.projects["foo"].files = [
        good,
        *({**good, "filename": f"foo-{number}.tar.gz", "url": url} for number, url in enumerate(urls, 2)),
    ]
    mirror.sync("foo", "--all-versions")
    assert mirror.files() == {SDIST}


# -- options


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["-j", "0"], "--jobs takes 1 to 64, not 0"),
        (["-j", "65"], "--jobs takes 1 to 64, not 65"),
        (["-j", "many"], "--jobs takes 1 to 64, not many"),
        (["--timeout", "0"], "--timeout takes seconds, 0.001 or more, not 0"),
        (["--timeout", "-1"], "--timeout takes seconds, 0.001 or more, not -1"),
        (["--timeout", "nan"], "--timeout takes seconds, 0.001 or more, not nan"),
        (["--timeout", "inf"], "--timeout takes seconds, 0.001 or more, not inf"),
        (["--retries", "-1"], "--retries takes a whole number from 0, not -1"),
        (["--latest", "0"], "--latest takes a whole number from 1, not 0"),
        (["--latest", "2", "--all-versions"], "not allowed with"),
        (["--max-file-size", "big"], "500k, 1.5GB or 20MiB, not big"),
        (["--max-file-size", "-1"], "--max-file-size takes a number of bytes, as "),
        (["--max-file-size", "9" * 400], "--max-file-size takes a number of bytes, as "),
        (["--min-rate", "1e3"], "500k, 1.5GB or 20MiB, not 1e3"),
        (["--only-binary", "not a name"], "'not a name' is no project's name"),
        (
            ["--wait", "99999999999999d"],
            "--wait takes seconds, a duration such as 90m, or true, not 99999999999999d",
        ),
        (["--wait", "10x"], "--wait takes seconds, a duration such as 90m, or true, not 10x"),
        (["--wait=forever"], "--wait takes seconds, a duration such as 90m, or true, not forever"),
        (["--log-format", "xml"], "--log-format takes text or json, not xml"),
        (["-i"], "expected one argument"),
    ],
)
def test_an_option_that_is_wrong(mirror: Mirror, args: list[str], says: str) -> None:
    assert says in mirror.sync("foo", *args, code=2).err
    assert not mirror.dest.exists()


def test_all_that_is_wrong_is_told_at_once(mirror: Mirror) -> None:
    lines = mirror.sync("foo", "-j", "0", "--timeout", "0", "-i", "nowhere", code=2).errors()
    assert len(lines) == 3


@pytest.mark.parametrize("argv", [["index", "foo"], ["index", "--latest", "2"]])
def test_index_takes_no_requirements(mirror: Mirror, argv: list[str]) -> None:
    assert "unrecognized arguments" in mirror.run(*argv, "-d", str(mirror.dest), code=2).err


def test_what_is_wrong_with_a_mirror_comes_without_a_traceback(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.sync("foo")
    (mirror.dest / ".aiomirror" / "state.sqlite").write_bytes(b"no database" * 1000)
    (mirror.dest / "foo" / "index.v1_json").write_bytes(b"\xff\xfe{")
    (mirror.dest / "foo" / "index.html").write_bytes(b"\xff\xfe<")
    mirror.upstream.clear()
    (line,) = mirror.sync("foo").warnings()
    assert "state.sqlite: " in line
    assert line.endswith("begun anew")
    assert not mirror.upstream.file_requests()
    (mirror.dest / ".aiomirror" / "state.sqlite").unlink()
    (mirror.dest / ".aiomirror" / "state.sqlite").mkdir()
    assert main(["foo", "-i", mirror.upstream.url, "-d", str(mirror.dest)]) == 6
    assert "state.sqlite: " in capsys.readouterr().err
