"""Options to one frozen value; what is wrong is told all at once."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from aiomirror.cli import arguments
from aiomirror.cli.sources import collect
from aiomirror.config import SETTINGS, Config, byte_count, default_index, inputs
from aiomirror.config.kinds import WAIT
from aiomirror.errors import ConfigError
from aiomirror.requirements.values import FileOptions, FormatControl
from settled import settled

if TYPE_CHECKING:
    from collections.abc import Callable

NAMED = Config(index_url="http://index.example/simple", dest=Path("simple"))
URL = ["-i", NAMED.index_url]


def built(*argv: str, options: FileOptions | None = None) -> Config:
    told = collect(arguments.parse(["sync", "--no-config", *argv]), {}).told
    return settled(told, options)


def problems(*argv: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        built(*URL, *argv)
    return caught.value.problems


def test_the_defaults_are_those_of_the_value() -> None:
    assert built(*URL, "foo") == NAMED


@pytest.mark.parametrize("found", [find_spec, lambda _: None])
def test_the_default_index_is_the_one_that_the_library_knows(
    monkeypatch: pytest.MonkeyPatch, found: Callable[[str], object]
) -> None:
    monkeypatch.setattr("aiomirror.config.upstream.find_spec", found)
    assert built("foo").index_url == default_index() == PYPI_SIMPLE_ENDPOINT


def test_every_option_reaches_its_place() -> None:
    config = built(
        *URL, "foo", "-d", "x", "--pre", "--latest", "3", "--legacy-formats", "--max-file-size", "1k",
        "--require-hashes", "--allow-unhashed", "-j", "7", "--timeout", "1.5", "--min-rate", "2k",
        "--retries", "0", "--keep-going", "-n", "--only-binary", "Foo_Bar",
    )  # fmt: skip
    assert config.dest == Path("x")
    assert (config.jobs, config.timeout, config.min_rate, config.retries) == (7, 1.5, 2000, 0)
    assert config.jobs_at_first is None
    assert (config.keep_going, config.dry_run) == (True, True)
    policy, fetch = config.policy, config.fetch
    assert (policy.prereleases, policy.latest, policy.legacy_formats) == (True, 3, True)
    assert policy.formats == FormatControl(only_binary=frozenset({"foo-bar"}))
    assert policy.max_file_size == fetch.max_file_size == 1000
    assert (fetch.require_hashes, fetch.allow_unhashed) == (True, True)


def test_all_versions_is_no_limit() -> None:
    assert built(*URL, "foo", "--all-versions").policy.latest is None


def test_files_are_heard_and_the_command_line_outweighs_them() -> None:
    options = FileOptions(
        index_url="http://other.example/",
        pre=True,
        require_hashes=True,
        format_rules=(("no_binary", "foo"), ("only_binary", "bar")),
    )
    config = built(*URL, "x", "--only-binary", "foo", options=options)
    assert config.index_url == NAMED.index_url
    assert config.policy.prereleases
    assert config.fetch.require_hashes
    assert config.policy.formats == FormatControl(only_binary=frozenset({"foo", "bar"}))
    assert built("x", options=options).index_url == "http://other.example/"


def test_all_problems_at_once() -> None:
    found = problems(
        "foo", "-i", "nowhere", "-j", "65", "--timeout", "0", "--retries", "-1", "--latest", "0",
        "--max-file-size", "1tb", "--log-format", "xml",
    )  # fmt: skip
    assert found == (
        "--index-url: the index must be an http or https URL, such as https://index.example/simple/",
        "--latest takes a whole number from 1, not 0",
        "--max-file-size takes a number of bytes, as 500000, 500k, 1.5GB or 20MiB, not 1tb",
        "--jobs takes 1 to 64, not 65",
        "--timeout takes seconds, 0.001 or more, not 0",
        "--retries takes a whole number from 0, not -1",
        "--log-format takes text or json, not xml",
    )


def test_an_index_from_a_file_is_checked_as_well() -> None:
    with pytest.raises(ConfigError, match="must be an http or https URL"):
        built("x", options=FileOptions(index_url="ftp://x.example/"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-0.5", "", "soon"])
def test_times_that_are_none(value: str) -> None:
    (problem,) = problems("foo", f"--timeout={value}")
    assert problem.startswith("--timeout takes seconds, 0.001 or more, not ")


@pytest.mark.parametrize("value", ["", "x", "1.5", "9" * 5000, "1_0", "\u0663"])
def test_numbers_that_are_none(value: str) -> None:
    (problem,) = problems("foo", f"--jobs={value}")
    assert problem.startswith("--jobs takes 1 to 64, not ")
    assert len(problem) < 200


def test_what_excludes_each_other_is_named() -> None:
    (problem,) = problems("--only-binary", "Foo.Bar,baz", "--no-binary", "foo_bar")
    assert problem.endswith("(foo-bar)")


def test_names_that_are_none() -> None:
    assert problems("--only-binary", "a b", "--no-binary", "-") == (
        "'a b' is no project's name",
        "'-' is no project's name",
    )


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
    ("text", "seconds"),
    [
        ("", math.inf),
        ("true", math.inf),
        ("no", 0),
        ("0", 0),
        ("1", 1),
        ("90", 90),
        ("0.5", 0.5),
        ("15m", 900),
    ],
)
def test_how_long_to_wait(text: str, seconds: float) -> None:
    assert WAIT.parse(text) == seconds


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "six", "1 month"])
def test_what_is_no_time_to_wait(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        WAIT.parse(text)


@pytest.mark.parametrize(
    ("argv", "requirements"),
    [
        (["a", "b"], ("a", "b")),
        (["a", "--pre", "b"], ("a", "b")),
        (["--pre", "a", "-d", "x", "b", "-q", "c"], ("a", "b", "c")),
        (["-q", "-", "-v", "-"], ("-", "-")),
        (["a", "-j", "3"], ("a",)),
        (["--wait", "a"], ("a",)),
        (["--wait", "3", "a"], ("a",)),
        (["--wait", "PT3M", "a"], ("a",)),
        (["a", "--wait"], ("a",)),
    ],
)
def test_requirements_may_stand_between_options(argv: list[str], requirements: tuple[str, ...]) -> None:
    told = collect(arguments.parse(["sync", "--no-config", *argv]), {}).told
    assert inputs(told).arguments == requirements


def test_what_is_not_given_is_not_there() -> None:
    assert vars(arguments.parse(["sync"])) == {"verb": "sync", "requirements": []}
    assert vars(arguments.parse(["verify"])) == {"verb": "verify"}


def test_every_setting_is_an_option_unless_it_needs_none() -> None:
    verbs = next(action.choices for action in arguments.build()._actions if action.dest == "verb")
    assert verbs is not None
    options = {name for verb in dict(verbs).values() for name in verb._option_string_actions}
    without = {key for key, setting in SETTINGS.items() if not options.issuperset(setting.options)}
    assert without == {"requirements", "constraints", "overrides"}


def test_a_value_is_as_it_is_built() -> None:
    assert replace(NAMED, jobs=3).jobs == 3
    with pytest.raises(AttributeError):
        NAMED.jobs = 3  # type: ignore[misc]
