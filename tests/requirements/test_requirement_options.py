from __future__ import annotations

import hashlib

import pytest
from packaging.utils import canonicalize_name

from aiomirror.requirements import FileOptions, FormatControl
from aiomirror.requirements.options import parse_hash, parse_options, split_options
from aiomirror.requirements.values import FormatRule, LineError

FOO, BAR = canonicalize_name("foo"), canonicalize_name("bar")


def pairs(text: str) -> list[tuple[str, str]]:
    return [(given.name, given.value) for given in parse_options(text)]


def applied(text: str) -> FileOptions:
    options = FileOptions()
    for given in parse_options(text):
        options = given.applied(options)
    return options


@pytest.mark.parametrize(
    ("text", "requirement", "options"),
    [
        ("a==1", "a==1", ""),
        ("a==1 --hash=sha256:0", "a==1", "--hash=sha256:0"),
        ("a==1\t--hash sha256:0  --hash sha256:1", "a==1", "--hash sha256:0  --hash sha256:1"),
        ("-r x.txt", "", "-r x.txt"),
        ("a-b ; python_version<'3' -C k=v", "a-b ; python_version<'3'", "-C k=v"),
        ("a-b", "a-b", ""),
    ],
)
def test_requirement_and_options_are_told_apart(text: str, requirement: str, options: str) -> None:
    assert split_options(text) == (requirement, options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-r x.txt", [("--requirement", "x.txt")]),
        ("-rx.txt", [("--requirement", "x.txt")]),
        ("--requirement x.txt", [("--requirement", "x.txt")]),
        ("--requirement=x.txt", [("--requirement", "x.txt")]),
        ("--requirem x.txt", [("--requirement", "x.txt")]),
        ("-r 'a b.txt'", [("--requirement", "a b.txt")]),
        ("-c x.txt -cy.txt", [("--constraint", "x.txt"), ("--constraint", "y.txt")]),
        ("-i https://x.example/s", [("--index-url", "https://x.example/s")]),
        ("--pypi-url=https://x.example/s", [("--index-url", "https://x.example/s")]),
        ("--index-url=https://x.example/?a=b", [("--index-url", "https://x.example/?a=b")]),
        ("--pre --require-hashes", [("--pre", ""), ("--require-hashes", "")]),
        ("-e .", [("--editable", ".")]),
        ('--config-settings="--global-option=x y"', [("--config-settings", "--global-option=x y")]),
        ("-C k=v --config-setting k=w", [("--config-settings", "k=v"), ("--config-settings", "k=w")]),
    ],
)
def test_spellings(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("--unknown", "unknown option --unknown"),
        ("--unknown=x", "unknown option --unknown"),
        ("--\x1b[31m", r"unknown option '--\x1b[31m'"),
        ("-x", "unknown option -x"),
        ("--", "unknown option --"),
        ("--no", "--no can be any of --no-binary, --no-build-isolation, --no-cache-dir, --no-index"),
        ("--pre=yes", "--pre takes no value"),
        ("-r", "-r needs a value"),
        ("--index-url=", "--index-url needs a value"),
        ("--pre foo", "'foo' is no option; each requirement needs a line of its own"),
        ("--pre -", "'-' is no option"),
        ("-r 'x", "left open"),
        ("-r x\\", "left open"),
    ],
)
def test_options_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(LineError) as caught:
        parse_options(text)
    assert why in str(caught.value)


def test_what_the_options_of_a_file_say() -> None:
    options = applied(
        "-i https://one.example -i https://two.example --extra-index-url https://three.example"
        " --extra-index-url=https://four.example -f ./wheels --no-index --pre --require-hashes"
    )
    assert options == FileOptions(
        index_url="https://two.example",
        extra_index_urls=("https://three.example", "https://four.example"),
        find_links=("./wheels",),
        no_index=True,
        pre=True,
        require_hashes=True,
    )


def test_urls_are_not_in_the_repr() -> None:
    assert "hunter2" not in repr(applied("-i https://u:hunter2@x.example -f https://u:hunter2@y.example"))


@pytest.mark.parametrize(
    ("text", "pre"),
    [
        ("--all-releases :all:", True),
        ("--pre --only-final=:all:", False),
        ("--all-releases foo", False),
        ("--pre --only-final foo", True),
    ],
)
def test_releases(text: str, pre: bool) -> None:  # noqa: FBT001 (a table's column)
    assert applied(text).pre is pre


SILENT = [
    "--trusted-host x.example",
    "--use-feature fast-deps",
    "--prefer-binary",
    "--progress-bar off",
    "--no-build-isolation",
    "--no-cache-dir",
    "--disable-pip-version-check",
    "--all-releases :all:",
    "--pre",
    "--no-binary :all:",
]
TOLD = ["--extra-index-url x", "-f x", "--no-index", "--uploaded-prior-to 2024-01-01", "--only-final a"]


@pytest.mark.parametrize("text", SILENT)
def test_options_without_a_warning(text: str) -> None:
    assert parse_options(text)[0].warning() == ""


@pytest.mark.parametrize("text", TOLD)
def test_options_with_a_warning(text: str) -> None:
    assert "followed" in parse_options(text)[0].warning()


@pytest.mark.parametrize(
    ("rules", "no_binary", "only_binary"),
    [
        ([("only_binary", "Foo,b_ar")], set(), {"foo", "b-ar"}),
        ([("no_binary", ":all:")], {":all:"}, set()),
        ([("no_binary", "foo"), ("only_binary", "foo")], set(), {"foo"}),
        ([("no_binary", ":all:"), ("only_binary", "foo")], {":all:"}, {"foo"}),
        ([("no_binary", "foo"), ("only_binary", ":all:")], set(), {":all:"}),
        ([("no_binary", "foo,bar"), ("no_binary", ":none:")], set(), set()),
        ([("no_binary", "foo,:none:,bar")], {"bar"}, set()),
        ([("only_binary", " foo , ")], set(), {"foo"}),
    ],
)
def test_format_control_as_in_pip(
    rules: list[FormatRule], no_binary: set[str], only_binary: set[str]
) -> None:
    control = FileOptions(format_rules=tuple(rules)).formats()
    assert control == FormatControl(frozenset(no_binary), frozenset(only_binary))


def test_format_control_begins_with_the_command_line() -> None:
    start = FormatControl(no_binary=frozenset({":all:"}))
    assert FileOptions().formats(start) is start
    assert applied("--only-binary=foo").formats(start) == FormatControl(start.no_binary, frozenset({"foo"}))


@pytest.mark.parametrize(
    ("text", "wheels", "sources"),
    [
        ("", "foo bar", "foo bar"),
        ("--no-binary foo", "bar", "foo bar"),
        ("--only-binary foo", "foo bar", "bar"),
        ("--no-binary :all:", "", "foo bar"),
        ("--no-binary :all: --only-binary foo", "foo", "bar"),
        ("--only-binary :all: --no-binary foo", "bar", "foo"),
    ],
)
def test_format_control_answers(text: str, wheels: str, sources: str) -> None:
    control = applied(text).formats()
    assert [p for p in (FOO, BAR) if control.wheels(p)] == wheels.split()
    assert [p for p in (FOO, BAR) if control.sources(p)] == sources.split()


def test_format_control_refuses_what_is_no_name() -> None:
    with pytest.raises(LineError, match="'a b' is no project's name"):
        applied("--only-binary='a b'")


@pytest.mark.parametrize(
    "algorithm", sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
)
def test_hashes_of_every_algorithm(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"").hexdigest()
    assert parse_hash(f"{algorithm}:{digest}") == (algorithm, digest)
    assert parse_hash(f"{algorithm.upper()}:{digest.upper()}") == (algorithm, digest)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("sha256", "--hash needs algorithm:digest, not 'sha256'"),
        ("sha257:00", "'sha257' is no hash algorithm that is known here"),
        ("blake2b_256:00", "'blake2b_256' is no hash algorithm that is known here"),
        ("sha256:", "the sha256 is no hexadecimal number"),
        ("sha256:" + "g" * 64, "the sha256 is no hexadecimal number"),
        ("sha256:" + "é" * 64, "the sha256 is no hexadecimal number"),
        ("sha256:" + "0" * 63, "the sha256 has 63 digits instead of 64"),
        ("md5:" + "0" * 64, "the md5 has 64 digits instead of 32"),
    ],
)
def test_hashes_that_are_refused(value: str, why: str) -> None:
    with pytest.raises(LineError) as caught:
        parse_hash(value)
    assert str(caught.value) == why
