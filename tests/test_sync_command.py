"""The command: every spelling of the option tables, through whole runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aiomirror import __version__
from aiomirror.cli import main
from faults import Drip, Stall, Status

if TYPE_CHECKING:
    from pathlib import Path

    from mirror import Mirror
    from upstream import Upstream

VERSIONS = ("1.0", "1.9", "1.10", "2.0rc1")


@pytest.fixture
def releases(upstream: Upstream) -> None:
    """Source archives of foo in four versions, and of pre in pre-releases alone."""
    for version in VERSIONS:
        upstream.add_file("Foo", f"foo-{version}.tar.gz")
    for version in ("0.1a1", "0.1b2"):
        upstream.add_file("pre", f"pre-{version}.tar.gz")


@pytest.fixture
def forms(upstream: Upstream) -> None:
    """One version of foo and of bar as a wheel and as a source archive."""
    for name in ("foo", "bar"):
        upstream.add_file(name, f"{name}-1.0-py3-none-any.whl")
        upstream.add_file(name, f"{name}-1.0.tar.gz")


def source(*versions: str) -> set[str]:
    return {f"foo-{version}.tar.gz" for version in versions}


# -- what to mirror


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["foo"], source("1.10")),
        (["FOO"], source("1.10")),
        (["Foo[extra,other]"], source("1.10")),
        (["foo; python_version < '3'"], source("1.10")),
        (["foo ; sys_platform == 'win32' and extra == 'x'"], source("1.10")),
        (["pre"], {"pre-0.1b2.tar.gz"}),
        (["foo=1.0"], source("1.0")),
        (["foo = 1.0"], source("1.0")),
        (["foo==1.9"], source("1.9")),
        (["foo===1.9"], source("1.9")),
        (["foo==1.*"], source("1.10")),
        (["foo<1.10"], source("1.9")),
        (["foo<=1.9"], source("1.9")),
        (["foo>=1.0"], source("1.10")),
        (["foo>1.0,!=1.10"], source("1.9")),
        (["foo~=1.0"], source("1.10")),
        (["foo (>=1.0)"], source("1.10")),
        (["foo[extra]==1.9; python_version > '3'"], source("1.9")),
        (["foo==2.0rc1"], source("2.0rc1")),
        (["foo>=2.0rc1"], source("2.0rc1")),
        (["foo", "--pre"], source("2.0rc1")),
        (["foo", "--include-prereleases"], source("2.0rc1")),
        (["foo<2", "--pre"], source("1.10")),
        (["foo==1.0", "foo==1.9", "foo"], source("1.0", "1.9", "1.10")),
        (["foo==1.10", "foo>1", "FOO"], source("1.10")),
        (["foo", "--all-versions"], source("1.0", "1.9", "1.10")),
        (["foo", "--all-versions", "--pre"], source(*VERSIONS)),
        (["foo>1.0", "--all-versions"], source("1.9", "1.10")),
        (["foo", "--latest", "2"], source("1.9", "1.10")),
        (["foo", "--latest", "9", "--pre"], source(*VERSIONS)),
        (["foo<1.10", "--latest=1"], source("1.9")),
        (["foo", "--no-deps"], source("1.10")),
        (["foo", "pre"], {"foo-1.10.tar.gz", "pre-0.1b2.tar.gz"}),
        (["foo", "--no-deps", "pre"], {"foo-1.10.tar.gz", "pre-0.1b2.tar.gz"}),
        (["--no-deps", "foo", "--pre", "pre", "-j", "2"], {"foo-2.0rc1.tar.gz", "pre-0.1b2.tar.gz"}),
    ],
)
def test_requirements(mirror: Mirror, args: list[str], expected: set[str]) -> None:
    mirror.sync(*args)
    assert mirror.files() == expected


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", ["-r", "--requirement", None])
def test_a_requirements_file_by_option_or_in_place_of_a_name(mirror: Mirror, option: str | None) -> None:
    path = mirror.folder / "req.txt"
    path.write_text("foo==1.0\n")
    mirror.sync(*([option] if option else []), str(path))
    assert mirror.files() == source("1.0")


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("name", ["req.txt", "req.in", "./requirements", "sub/requirements"])
def test_any_path_is_a_requirements_file(mirror: Mirror, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mirror.folder)
    path = mirror.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("foo==1.0\n")
    mirror.sync(name)
    assert mirror.files() == source("1.0")


@pytest.mark.usefixtures("releases")
def test_a_file_in_the_working_folder_does_not_hide_a_project(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mirror.folder)
    (mirror.folder / "foo").write_text("pre\n")
    mirror.sync("foo")
    assert mirror.files() == source("1.10")


@pytest.mark.usefixtures("releases")
def test_requirements_files_are_repeatable_and_stand_beside_names(mirror: Mirror) -> None:
    first, second = mirror.folder / "a.txt", mirror.folder / "b.txt"
    first.write_text("foo==1.0\n")
    second.write_text("foo==1.9\n")
    mirror.sync("-r", str(first), "pre", "-r", str(second))
    assert mirror.files() == source("1.0", "1.9") | {"pre-0.1b2.tar.gz"}


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("args", [["-r", "-"], ["-"]])
def test_standard_input_is_a_requirements_file(
    mirror: Mirror, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"foo==1.0\n")))
    mirror.sync(*args)
    assert mirror.files() == source("1.0")


def test_standard_input_that_is_closed(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input" in mirror.sync("-r", "-", code=2).err


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", ["-c", "--constraint"])
def test_constraints_narrow_what_is_asked_for_and_ask_for_nothing(mirror: Mirror, option: str) -> None:
    path = mirror.folder / "constraints.txt"
    path.write_text("foo<1.10\npre==0.1a1\n")
    mirror.sync("foo", option, str(path))
    assert mirror.files() == source("1.9")


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", ["-i", "--index", "--index-url"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_upstream(mirror: Mirror, option: str, slash: str) -> None:
    url = mirror.upstream.url.rstrip("/") + slash
    mirror.run("sync", "foo", option, url, "-d", str(mirror.dest))
    assert mirror.files() == source("1.10")
    assert mirror.upstream.paths()[0] == "/simple/foo/"


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", ["-d", "--dest", "--local-folder"])
def test_the_destination(mirror: Mirror, option: str) -> None:
    mirror.dest = mirror.folder / "some" / "where"
    mirror.run("sync", "foo", "-i", mirror.upstream.url, option, str(mirror.dest))
    assert mirror.files() == source("1.10")


@pytest.mark.usefixtures("releases")
def test_the_destination_is_simple_by_default(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mirror.folder)
    mirror.dest = mirror.folder / "simple"
    mirror.run("sync", "foo", "-i", mirror.upstream.url)
    assert mirror.files() == source("1.10")


# -- which files

WHEELS = {"foo-1.0-py3-none-any.whl", "bar-1.0-py3-none-any.whl"}
SOURCES = {"foo-1.0.tar.gz", "bar-1.0.tar.gz"}


@pytest.mark.usefixtures("forms")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], WHEELS | SOURCES),
        (["--binary-only"], WHEELS),
        (["--only-binary", ":all:"], WHEELS),
        (["--only-binary=foo,bar"], WHEELS),
        (["--only-binary", "Foo"], WHEELS | {"bar-1.0.tar.gz"}),
        (["--source-only"], SOURCES),
        (["--no-binary", ":all:"], SOURCES),
        (["--no-binary", "foo", "--no-binary", "bar"], SOURCES),
        (["--no-binary", "foo"], SOURCES | {"bar-1.0-py3-none-any.whl"}),
        (["--only-binary", ":all:", "--no-binary", "foo"], {"foo-1.0.tar.gz", "bar-1.0-py3-none-any.whl"}),
        (["--binary-only", "--no-binary", "foo"], {"foo-1.0.tar.gz", "bar-1.0-py3-none-any.whl"}),
    ],
)
def test_wheels_and_source_archives(mirror: Mirror, args: list[str], expected: set[str]) -> None:
    mirror.sync("foo", "bar", *args)
    assert mirror.files() == expected


@pytest.mark.parametrize(
    "args",
    [
        ["--binary-only", "--source-only"],
        ["--only-binary", ":all:", "--no-binary", ":all:"],
        ["--source-only", "--only-binary=:all:"],
        ["--only-binary=foo", "--no-binary", "foo"],
        ["--only-binary=Foo.Bar", "--no-binary", "foo-bar"],
    ],
)
def test_wheels_only_and_sources_only_exclude_each_other(mirror: Mirror, args: list[str]) -> None:
    assert "exclude each other" in mirror.sync("foo", *args, code=2).err
    assert not mirror.upstream.requests


def test_all_archives_and_old_wheels_are_mirrored(mirror: Mirror) -> None:
    names = {
        *(
            f"foo-1.0{ending}"
            for ending in (".zip", ".tar.gz", ".tar.bz2", ".tgz", ".tar.xz", ".tar", ".tar.Z")
        ),
        "Foo-1.0-1-py2.py3-none-any.whl",
        "foo-1.0-cp27-none-win32.whl",
        "foo-1.0-py3-none-macosx_10_9_x86_64.whl",
    }
    for name in names:
        mirror.upstream.add_file("foo", name, version="1.0")
    mirror.sync("foo")
    assert mirror.files() == names


def test_dead_formats_only_when_asked_for(mirror: Mirror) -> None:
    dead = {"foo-1.0-py2.7.egg", "foo-1.0.win32-py2.7.exe", "foo-1.0.win32.msi"}
    for name in (*dead, "foo-1.0.tar.gz"):
        mirror.upstream.add_file("foo", name, version="1.0")
    ran = mirror.sync("foo")
    assert mirror.files() == {"foo-1.0.tar.gz"}
    assert ran.report["projects"]["foo"]["left_out"] == {"a legacy format; --legacy-formats takes it": 3}
    mirror.sync("foo", "--legacy-formats")
    assert mirror.files() == {"foo-1.0.tar.gz", *dead}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["foo"], {"foo-1.0.tar.gz"}),
        (["foo===2004d"], {"foo-2004d.tar.gz"}),
        (["foo=2004d"], {"foo-2004d.tar.gz"}),
        (["foo", "--all-versions"], {"foo-1.0.tar.gz", "foo-2004d.tar.gz", "foo-0.1dev-r1716.zip"}),
    ],
)
def test_versions_that_pep_440_does_not_know(mirror: Mirror, args: list[str], expected: set[str]) -> None:
    for name in ("foo-2004d.tar.gz", "foo-1.0.tar.gz"):
        mirror.upstream.add_file("foo", name)
    mirror.upstream.add_file("foo", "foo-0.1dev-r1716.zip", version="0.1dev-r1716")
    ran = mirror.sync(*args)
    assert mirror.files() == expected
    left_out = sum(ran.report["projects"]["foo"]["left_out"].values())
    assert left_out == 3 - len(expected)  # counted, never silently dropped


def test_a_project_of_unknown_versions_alone_is_not_lost_in_silence(mirror: Mirror) -> None:
    mirror.upstream.add_file("foo", "foo-2004d.tar.gz")
    (line,) = mirror.sync("foo", code=3).errors()
    assert "2004d" in line
    assert "=== or --all-versions takes it" in line


@pytest.mark.parametrize(
    ("limit", "kept"), [("500", 1), ("0.5kB", 1), ("1k", 2), ("1KiB", 2), ("2 MB", 2), ("1GiB", 2)]
)
@pytest.mark.parametrize("listed", [True, False])
def test_max_file_size(mirror: Mirror, limit: str, kept: int, listed: bool) -> None:  # noqa: FBT001
    for name, size in {"foo-1.0.zip": 500, "foo-1.0.tar": 1000}.items():
        mirror.upstream.add_file("foo", name, content=b"x" * size, size=size if listed else None)
    ran = mirror.sync("foo", "--max-file-size", limit)
    assert len(mirror.files()) == kept
    assert ran.report["totals"]["fetched"] == kept


# -- how


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", ["-j", "--jobs"])
def test_one_job_uses_one_connection(mirror: Mirror, option: str) -> None:
    mirror.sync("foo", "pre", "--all-versions", option, "1")
    assert {request.connection for request in mirror.upstream.requests} == {1}


@pytest.mark.usefixtures("releases")
def test_silence_on_a_transfer_is_broken_off(mirror: Mirror) -> None:
    mirror.upstream.always("/files/foo/foo-1.10.tar.gz", Stall(10))
    (line,) = mirror.sync("foo", "--timeout", "0.2", "--retries", "0", code=1).errors()
    assert line.startswith("foo: foo-1.10.tar.gz: silent for 0.2 s")
    assert not mirror.files()


@pytest.mark.usefixtures("releases")
def test_a_slow_transfer_is_broken_off_unless_it_may_be_slow(mirror: Mirror) -> None:
    mirror.upstream.always("/files/foo/foo-1.10.tar.gz", Drip(piece=30, pause=0.04))
    args = ("foo", "--timeout", "0.3", "--retries", "0", "--min-rate")
    (line,) = mirror.sync(*args, "100kB", code=1).errors()
    assert line.startswith("foo: foo-1.10.tar.gz: ")
    mirror.sync(*args, "0")
    assert mirror.files() == source("1.10")


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(("retries", "code"), [("0", 1), ("1", 0)])
def test_retries(mirror: Mirror, retries: str, code: int) -> None:
    mirror.upstream.fault("/files/foo/foo-1.10.tar.gz", Status(503))
    mirror.sync("foo", "--retries", retries, code=code)
    assert len(mirror.files()) == 1 - code


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("option", [None, "--ignore-errors", "--keep-going"])
def test_a_failure_ends_the_run_unless_it_is_to_keep_going(mirror: Mirror, option: str | None) -> None:
    ran = mirror.sync("no-such", "foo", "pre", "-j", "1", *([option] if option else []), code=3)
    assert mirror.files() == ({"foo-1.10.tar.gz", "pre-0.1b2.tar.gz"} if option else set())
    assert ran.report["not_started"] == ([] if option else ["foo", "pre"])


def test_after_a_failure_what_is_in_flight_is_finished_and_published(mirror: Mirror) -> None:
    for name in ("slow", "other"):
        mirror.upstream.add_file(name, f"{name}-1.tar.gz")
    # While this page trickles in, the second project fails; the third would have been the next to start.
    mirror.upstream.always("/simple/slow/", Drip(piece=60, pause=0.05))
    ran = mirror.sync("slow", "no-such", "other", "-j", "2", code=3)
    assert mirror.listed("slow") == ["slow-1.tar.gz"]
    assert mirror.files() == {"slow-1.tar.gz"}
    assert ran.report["not_started"] == ["other"]
    assert "1 project not started" in ran.out


@pytest.mark.parametrize("what", ["-h", "--help"])
def test_help_has_examples_and_exit_codes(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([what], ["sync", what], ["index", what]):
        assert main(argv) == 0
    said = capsys.readouterr().out
    assert "aiomirror sync -r requirements.txt" in said
    assert "130 interrupted" in said


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_help_in_an_encoding_that_lacks_some_of_its_characters(variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "aiomirror", "sync", "--help"]
    ran = subprocess.run(command, capture_output=True, check=False, env=bare() | variables)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"(.exe, .msi, \u2026)" in ran.stdout
    assert ran.stdout.endswith(b"143: terminated)\n")


def test_without_arguments_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "usage: aiomirror" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"aiomirror {__version__}\n"


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize(
    "argv",
    [["foo", "-d", "DEST"], ["-d", "DEST", "foo"], ["--dest=DEST", "foo"], ["--pre", "foo<2", "-d", "DEST"]],
)
def test_without_a_verb_sync_is_meant(mirror: Mirror, argv: list[str]) -> None:
    mirror.run(*(word.replace("DEST", str(mirror.dest)) for word in argv), "-i", mirror.upstream.url)
    assert mirror.files() == source("1.10")


@pytest.mark.usefixtures("releases")
@pytest.mark.parametrize("verb", [[], ["sync"]])
def test_as_a_module(mirror: Mirror, verb: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aiomirror", *verb, "foo", "-i", mirror.upstream.url, "-d", "mirror"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=bare())
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("1 project, 1 file fetched")
    mirror.check()
    assert mirror.files() == source("1.10")


def bare() -> dict[str, str]:
    """What a scheduler leaves of the environment: no HOME, no locale, no terminal."""
    return {"PATH": os.environ["PATH"]}
