"""Options to one frozen value; what is wrong is told all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aiomirror.cli.arguments import parse
from aiomirror.config import Config, byte_count, default_index
from aiomirror.errors import ConfigError
from aiomirror.requirements.values import FileOptions, FormatControl

NAMED = Config(index_url="http://index.example/simple", dest=Path("simple"))


def built(*argv: str, options: FileOptions | None = None) -> Config:
    args = parse(["sync", "-i", NAMED.index_url, *argv])
    return Config.build(args, options or FileOptions())


def problems(*argv: str, options: FileOptions | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        built(*argv, options=options)
    return caught.value.problems


def test_the_defaults_are_those_of_the_value() -> None:
    assert built("foo") == NAMED


def test_the_default_index_is_the_one_that_the_library_knows() -> None:
    config = Config.build(parse(["sync", "foo"]), FileOptions())
    assert config.index_url == default_index()
    assert config.index_url.startswith("https://")


def test_every_option_reaches_its_place() -> None:
    config = built(
        "foo", "-d", "x", "--pre", "--latest", "3", "--legacy-formats", "--max-file-size", "1k",
        "--require-hashes", "--allow-unhashed", "-j", "7", "--timeout", "1.5", "--min-rate", "2k",
        "--retries", "0", "--keep-going", "-n", "--only-binary", "Foo_Bar",
    )  # fmt: skip
    assert config.dest == Path("x")
    assert (config.jobs, config.timeout, config.min_rate, config.retries) == (7, 1.5, 2000, 0)
    assert (config.keep_going, config.dry_run) == (True, True)
    policy, fetch = config.policy, config.fetch
    assert (policy.prereleases, policy.latest, policy.legacy_formats) == (True, 3, True)
    assert policy.formats == FormatControl(only_binary=frozenset({"foo-bar"}))
    assert policy.max_file_size == fetch.max_file_size == 1000
    assert (fetch.require_hashes, fetch.allow_unhashed) == (True, True)


def test_all_versions_is_no_limit() -> None:
    assert built("foo", "--all-versions").policy.latest is None


def test_files_are_heard_and_the_command_line_outweighs_them() -> None:
    options = FileOptions(
        index_url="http://other.example/",
        pre=True,
        require_hashes=True,
        format_rules=(("no_binary", "foo"), ("only_binary", "bar")),
    )
    config = built("x", "--only-binary", "foo", options=options)
    assert config.index_url == NAMED.index_url
    assert config.policy.prereleases
    assert config.fetch.require_hashes
    assert config.policy.formats == FormatControl(only_binary=frozenset({"foo", "bar"}))
    config = Config.build(parse(["sync", "x"]), options)
    assert config.index_url == "http://other.example/"


def test_all_problems_at_once() -> None:
    found = problems("foo", "-i", "nowhere", "-j", "65", "--timeout", "0", "--retries", "-1", "--latest", "0")
    assert len(found) == 5
    assert "--jobs takes 1 to 64, not 65" in found


def test_an_index_from_a_file_is_checked_as_well() -> None:
    with pytest.raises(ConfigError, match="must be an http or https URL"):
        Config.build(parse(["sync", "x"]), FileOptions(index_url="ftp://x.example/"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-0.5"])
def test_times_that_are_none(value: str) -> None:
    (problem,) = problems("foo", f"--timeout={value}")
    assert problem.startswith("--timeout cannot be ")


def test_what_excludes_each_other_is_named() -> None:
    (problem,) = problems("--only-binary", "Foo.Bar,baz", "--no-binary", "foo_bar")
    assert problem.endswith("(foo-bar)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("500", 500),
        (" 500 ", 500),
        ("1k", 1000),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("1.5 GB", 1_500_000_000),
        ("20MiB", 20 * 2**20),
        ("2g", 2 * 10**9),
        ("7b", 7),
    ],
)
def test_byte_counts(text: str, expected: int) -> None:
    assert byte_count(text) == expected


@pytest.mark.parametrize(
    "text", ["", "k", "-1", "1e3", "1.k", ".5k", "1tb", "ib", "1ib", "1 2", "9" * 400, "nan"]
)
def test_what_is_no_byte_count(text: str) -> None:
    with pytest.raises(ValueError, match="is no number of bytes"):
        byte_count(text)


@pytest.mark.parametrize(
    ("argv", "requirements"),
    [
        (["sync", "a", "b"], ["a", "b"]),
        (["sync", "a", "--pre", "b"], ["a", "b"]),
        (["sync", "--pre", "a", "-d", "x", "b", "-q", "c"], ["a", "b", "c"]),
        (["sync", "-q", "-", "-v", "-"], ["-", "-"]),
        (["sync", "a", "-j", "3"], ["a"]),
    ],
)
def test_requirements_may_stand_between_options(argv: list[str], requirements: list[str]) -> None:
    assert parse(argv).requirements == requirements


def test_a_value_is_as_it_is_built() -> None:
    assert replace(NAMED, jobs=3).jobs == 3
    with pytest.raises(AttributeError):
        NAMED.jobs = 3  # type: ignore[misc]
