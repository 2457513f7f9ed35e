"""Targets, dependencies, cut-offs and terms of connection: from where they are said to one value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from aiomirror.cli import arguments
from aiomirror.cli.reading import read
from aiomirror.cli.sources import FILE, collect
from aiomirror.cli.surroundings import this_machine
from aiomirror.config import Config, Connection, Following, build, inputs, read_document, requested
from aiomirror.errors import ConfigError, RequirementError, RequirementErrors
from aiomirror.http import HttpSettings, tokens
from aiomirror.requirements.values import FileOptions
from aiomirror.targets import Target, parse_targets
from settled import nobody, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiomirror.cli.sources import Sources
    from aiomirror.requirements import Parsed
    from mirror import Mirror

INDEX = {"AIOMIRROR_INDEX_URL": "http://index.example/simple"}
HERE = structs.replace(parse_targets(["3.12"], ["macos"])[0], name="current")
HOUR = datetime(2026, 4, 10, 12, tzinfo=UTC)
"""The last full hour before the point in time of ``settled``."""
LINUX, WINDOWS = "manylinux_2_28_x86_64", "win_amd64"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collected(text: str, *argv: str, **env: str) -> Sources:
    Path(FILE).write_text(text)
    return collect(arguments.parse(["sync", *argv]), INDEX | env)


def config(
    text: str, *argv: str, env: Mapping[str, str] | None = None, current: Callable[[], Target] = nobody
) -> Config:
    return settled(collected(text, *argv, **env or {}).told, current=current)


def names(text: str, *argv: str, current: Callable[[], Target] = nobody) -> list[str]:
    return [target.name for target in config(text, *argv, current=current).policy.targets]


def problems_of(text: str) -> list[str]:
    found: list[str] = []
    read_document(text.encode(), "a.toml", found)
    return found


def table(python: str, platform: str, rest: str = "") -> str:
    return f'[[target]]\npython = "{python}"\nplatform = "{platform}"\n{rest}\n'


# -- each option, in each of its places


def policy(**changed: object) -> dict[str, Any]:
    return {"policy": changed}


WIN = 'python-versions = ["3.12"]\nplatforms = ["windows"]\n'
PLACES: list[tuple[list[str], dict[str, str], str, dict[str, Any]]] = [
    (["--no-deps"], {"NO_DEPS": "1"}, "no-deps = true", {"following": Following(enabled=False)}),
    (["--max-depth", "2"], {"MAX_DEPTH": "2"}, "max-depth = 2", {"following": Following(max_depth=2)}),
    (
        ["--max-depth", "0"],
        {"MAX_DEPTH": "0"},
        "max-depth = 0",
        {"following": Following(enabled=False, max_depth=0)},
    ),
    (
        ["--closure", "all-matching"],
        {"CLOSURE": "all-matching"},
        'closure = "all-matching"',
        {"following": Following(all_matching=True)},
    ),
    (["--closure", "newest"], {"CLOSURE": "newest"}, 'closure = "newest"', {"following": Following()}),
    (["--build-deps"], {"BUILD_DEPS": "1"}, "build-deps = true", {"following": Following(build=True)}),
    (["--lock-output", "-"], {"LOCK_OUTPUT": "-"}, 'lock-output = "-"', {"lock_output": "-"}),
    (
        ["--python-version", "3.12", "--python-version", "cp313t", "--platform", "windows"],
        {"PYTHON_VERSIONS": "3.12 cp313t", "PLATFORMS": "windows"},
        'python-versions = ["3.12", "cp313t"]\nplatforms = "windows"',
        policy(targets=parse_targets(["3.12", "cp313t"], ["windows"])),
    ),
    (
        ["--python-version", "3.12", "--platform", "windows", "--best-wheel"],
        {"PYTHON_VERSIONS": "3.12", "PLATFORMS": "windows", "BEST_WHEEL": "yes"},
        f"{WIN}best-wheel = true",
        policy(targets=parse_targets(["3.12"], ["windows"]), best_wheel=True),
    ),
    (
        ["--python-version", "3.12", "--platform", "windows", "--with-sdists"],
        {"PYTHON_VERSIONS": "3.12", "PLATFORMS": "windows", "WITH_SDISTS": "yes"},
        f"{WIN}with-sdists = true",
        policy(targets=parse_targets(["3.12"], ["windows"]), sdists=True),
    ),
    (
        ["--exclude-newer", "2026-03-31"],
        {"EXCLUDE_NEWER": "2026-03-31"},
        "exclude-newer = 2026-03-31",
        policy(exclude_newer=datetime(2026, 4, 1, tzinfo=UTC)),
    ),
    (
        ["--uploaded-prior-to", "2026-03-31T12:00:00+02:00"],
        {"EXCLUDE_NEWER": "2026-03-31 12:00:00+02:00"},
        "exclude-newer = 2026-03-31T12:00:00+02:00",
        policy(exclude_newer=datetime(2026, 3, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
    ),
    (
        ["--exclude-newer", "P7D"],
        {"EXCLUDE_NEWER": "1 week"},
        'exclude-newer = "7d"',
        policy(exclude_newer=HOUR - timedelta(days=7)),
    ),
    (["--exclude-newer", "false"], {"EXCLUDE_NEWER": "no"}, "exclude-newer = false", policy()),
    (
        ["--proxy", "proxy.example:3128"],
        {"PROXY": "http://proxy.example:3128"},
        'proxy = "proxy.example:3128"',
        {"connection": Connection(proxy="http://proxy.example:3128")},
    ),
    (["--cert", "c"], {"CERT": "c"}, 'cert = "c"', {"connection": Connection(cert=Path("c"))}),
    (
        ["--client-cert", "c"],
        {"CLIENT_CERT": "c"},
        'client-cert = "c"',
        {"connection": Connection(client_cert=Path("c"))},
    ),
    (
        ["--trusted-host", "a.example", "--trusted-host", "[::1]:8443"],
        {"TRUSTED_HOSTS": "a.example [::1]:8443"},
        'trusted-hosts = ["a.example", "[::1]:8443"]',
        {"connection": Connection(trusted_hosts=("a.example", "[::1]:8443"))},
    ),
    (["--keyring"], {"KEYRING": "on"}, "keyring = true", {"connection": Connection(keyring=True)}),
]


@pytest.mark.parametrize(("argv", "env", "text", "expected"), PLACES, ids=lambda one: str(one)[:40])
def test_every_option_reaches_its_place(
    argv: list[str], env: dict[str, str], text: str, expected: dict[str, Any]
) -> None:
    usual = config("")
    wanted = structs.replace(
        usual, **expected | {"policy": structs.replace(usual.policy, **expected.get("policy", {}))}
    )
    assert config("", *argv) == wanted
    assert config("", env={f"AIOMIRROR_{name}": value for name, value in env.items()}) == wanted
    assert config(text) == wanted


def test_paths_are_relative_to_the_file() -> None:
    text = 'cert = "c.pem"\nclient-cert = "/k.pem"\nlock-output = "pylock.toml"\noverride-files = ["o.txt"]'
    Path("etc").mkdir()
    Path("etc/a.toml").write_text(text)
    told = collect(arguments.parse(["sync", "--config", "etc/a.toml"]), INDEX).told
    found = settled(told)
    assert found.connection == Connection(cert=Path("etc/c.pem"), client_cert=Path("/k.pem"))
    assert found.lock_output == "etc/pylock.toml"
    assert inputs(told).override_files == ("etc/o.txt",)


# -- targets


def test_without_any_there_are_none() -> None:
    assert names("") == []


def test_each_python_on_each_platform() -> None:
    assert names(
        "", "--python-version", "3.12", "--platform", "windows",
        "--python-version", "3.13", "--platform", "linux",
    ) == [f"cp312-{WINDOWS}", f"cp312-{LINUX}", f"cp313-{WINDOWS}", f"cp313-{LINUX}"]  # fmt: skip


def test_the_side_that_is_missing_is_the_usual_one() -> None:
    assert config("", "--platform", "windows").policy.targets == parse_targets([], ["windows"])
    assert config("", "--python-version", "3.12").policy.targets == parse_targets(["3.12"], [])


def test_tables_of_the_file() -> None:
    found = config(table("3.12", "linux") + table("pypy3.10", "windows", 'name = "a.b-c_D"')).policy.targets
    first, second = parse_targets(["3.12"], ["linux"]) + parse_targets(["pypy3.10"], ["windows"])
    assert found == (first, structs.replace(second, name="a.b-c_D"))


@pytest.mark.parametrize(
    ("argv", "env"),
    [(["--platform", "windows"], {}), ([], {"AIOMIRROR_PLATFORMS": "windows"})],
)
def test_a_stronger_source_replaces_the_tables(argv: list[str], env: dict[str, str]) -> None:
    assert config(table("3.12", "linux"), *argv, env=env).policy.targets == parse_targets([], ["windows"])


def test_a_stronger_source_replaces_its_own_side_alone() -> None:
    assert names(WIN, "--platform", "linux") == [f"cp312-{LINUX}"]


@pytest.mark.parametrize(
    ("text", "argv", "found"),
    [
        ("", ["--python-version", "current", "--platform", "CURRENT"], ["current"]),
        ("", ["--python-version", "current", "--platform", "windows"], [f"cp312-{WINDOWS}"]),
        ("platforms = 'current'", ["--python-version", "3.13"], ["cp313-current"]),
        (table("current", "current"), [], ["current"]),
        (table("current", "current", 'name = "a"') + table("3.12", "linux"), [], ["a", f"cp312-{LINUX}"]),
    ],
)  # fmt: skip
def test_the_current_machine_is_asked_where_it_is_named(text: str, argv: list[str], found: list[str]) -> None:
    assert names(text, *argv, current=lambda: HERE) == found
    assert names(table("current", "current"), "--platform", "windows")  # and not where it does not count


def test_this_machine_is_what_it_says() -> None:
    machine = this_machine()
    assert machine.rank(machine.tags) == 0
    assert names("", "--python-version", "current", "--platform", "current", current=this_machine)


def test_a_machine_that_cannot_be_spelt_is_told_where_it_stands() -> None:
    strange = structs.replace(HERE, implementation="graalpy")
    with pytest.raises(ConfigError, match=r"^aiomirror\.toml:1: 'graalpy3\.12\.0' is no Python"):
        config(table("current", "linux"), current=lambda: strange)
    with pytest.raises(ConfigError, match=r"^'graalpy3\.12\.0' is no Python"):
        config("", "--python-version", "current", current=lambda: strange)


def test_two_tables_that_prove_to_be_the_same_machine() -> None:
    text = table("current", "linux") + table("3.12", "linux")
    with pytest.raises(ConfigError) as caught:
        config(text, current=lambda: HERE)
    assert caught.value.problems == (f"aiomirror.toml:5: two targets are called cp312-{LINUX}",)


@pytest.mark.parametrize("option", ["best-wheel", "with-sdists"])
def test_what_says_something_of_targets_needs_one(option: str) -> None:
    rest = " says something of targets, and none is named: --python-version and --platform do"
    variable = f"AIOMIRROR_{option.upper().replace('-', '_')}"
    for text, argv, env, origin in [
        ("", [f"--{option}"], {}, f"--{option}"),
        ("", [], {variable: "1"}, variable),
        (f"{option} = true", [], {}, "aiomirror.toml:1"),
    ]:
        with pytest.raises(ConfigError) as caught:
            config(text, *argv, env=env)
        assert caught.value.problems == (origin + rest,)
    assert config(f"{option} = false").policy == config("").policy


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("python-versions = [3.12]", "a.toml:1: python-versions takes a Python in quotes, as "),
        ('python-versions = ["2.7"]', "a.toml:1: python-versions: '2.7' is no Python: write 3.N"),
        ('platforms = ["lunix"]', "a.toml:1: platforms: 'lunix' is no platform: "),
        ('python-version = ["3.12"]', "a.toml:1: unknown key python-version; did you mean python-versions?"),
        ('platform = "linux"', "a.toml:1: unknown key platform; did you mean platforms?"),
        ("[[targets]]", "a.toml:1: unknown key targets; did you mean target?"),
        ("target = 3", "a.toml:1: target takes tables: [[target]]"),
        ("target = [3]", "a.toml:1: target takes tables: [[target]]"),
        ("\n[target]\npython = '3.12'", "a.toml:2: target takes tables: [[target]]"),
        ("\n[[target]]\nplatform = 'linux'", "a.toml:2: the target has no python"),
        ("[[target]]", "a.toml:1: the target has no python and no platform"),
        ("target = [{python = '3.12'}]", "a.toml:1: the target has no platform"),
        (
            table("3.12", "linux") + table("3.13", "linux", "pyhton = 1"),
            "a.toml:8: unknown key pyhton of a target; did you mean python?",
        ),
        (
            table("3.12", "linux", "[target.extra]"),
            "a.toml:1: unknown key extra of a target",
        ),
        (
            table("3.12", "linux") + table("3.1", "linux"),
            "a.toml:6: python: '3.1' is no Python: ",
        ),
        (table("3.12", "lin"), "a.toml:3: platform: 'lin' is no platform: "),
        ("[[target]]\npython = 3.10\nplatform = 'linux'", "a.toml:2: python takes a Python in quotes, as "),
        (table("3.12", "linux", "name = 'a b'"), "a.toml:4: name takes a name of letters, digits, dots, "),
        (table("3.12", "linux", "name = ''"), "a.toml:4: name takes a name of letters, digits, dots, "),
        (table("3.12", "linux") * 2, f"a.toml:5: two targets are called cp312-{LINUX}"),
        (
            table("3.12", "linux", "name = 'a'") + table("3.13", "linux", "name = 'a'"),
            "a.toml:5: two targets are called a",
        ),
        (
            f'platforms = ["linux"]\n{table("3.12", "linux")}',
            "a.toml:1: platforms and [[target]] exclude each other",
        ),
        ("max-depth = -1", "a.toml:1: max-depth takes a whole number from 0, not -1"),
        ('closure = "all"', "a.toml:1: closure takes newest or all-matching, not all"),
        ('overrides = ["a b"]', "a.toml:1: overrides: 'a b': b follows the name"),
        ('override = ["a"]', "a.toml:1: unknown key override; did you mean overrides or override-files?"),
        ("exclude-newer = 7", "a.toml:1: exclude-newer takes a point in time, as 2026-03-31, "),
        ("exclude-newer = true", "a.toml:1: exclude-newer takes a point in time, as 2026-03-31, "),
        ("exclude-newer = 2026-03-31T12:00:00", "a.toml:1: exclude-newer takes a point in time, as 2026"),
        ("exclude-newer = 12:00:00", "a.toml:1: exclude-newer takes a point in time, as 2026-03-31, "),
        ('exclude-newer = "3 months"', "a.toml:1: exclude-newer takes a point in time, as 2026-03-31, "),
        ('exclude-newer = "999999w"', "a.toml:1: exclude-newer takes a point in time, as 2026-03-31, "),
        ('[project.a]\nexclude-newer = "x"', "a.toml:2: exclude-newer takes a point in time, as 2026-03-31"),
        ('cert = ""', "a.toml:1: cert takes a path (~ is the shell's), not ''"),
        ('client-cert = "~/k.pem"', "a.toml:1: client-cert takes a path (~ is the shell's), not ~/k.pem"),
        ("keyring = 1", "a.toml:1: keyring takes true or false, not 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(problem)
    assert len(found) < 500


def test_everything_that_is_wrong_with_targets_is_told_at_once() -> None:
    text = table("3.12", "linx") + table("2.7", "windwos") + "[project.a]\nlatest = 0"
    with pytest.raises(ConfigError) as caught:
        collected(text, "--python-version", "4", "--python-version", "5", AIOMIRROR_PLATFORMS="linux amiga")
    assert [problem.partition(" is no ")[0] for problem in caught.value.problems] == [
        "--python-version: '4'",
        "--python-version: '5'",
        "AIOMIRROR_PLATFORMS: 'amiga'",
        "aiomirror.toml:3: platform: 'linx'",
        "aiomirror.toml:6: python: '2.7'",
        "aiomirror.toml:7: platform: 'windwos'",
        "aiomirror.toml:10: latest takes a whole number from 1, not 0",
    ]


def test_a_spelling_that_fills_the_screen_is_cut() -> None:
    (problem,) = problems_of(f'platforms = ["{"x" * 100_000}"]')
    assert len(problem) < 1000


# -- dependencies


@pytest.mark.parametrize(
    ("text", "argv", "env", "enabled"),
    [
        ("no-deps = true", ["--max-depth", "2"], {}, True),
        ("max-depth = 2", ["--no-deps"], {}, False),
        ("no-deps = true\nmax-depth = 2", [], {}, False),
        ("no-deps = true", [], {"AIOMIRROR_NO_DEPS": "0"}, True),
        ("no-deps = true", ["--max-depth", "0"], {}, False),
    ],
)
def test_the_strongest_source_says_whether_dependencies_are_followed(
    text: str, argv: list[str], env: dict[str, str], *, enabled: bool
) -> None:
    assert config(text, *argv, env=env).following.enabled is enabled


def parsed(text: str, *argv: str, **env: str) -> Parsed:
    told = collected(text, *argv, **env).told
    asked = inputs(told)
    return requested(asked, read(asked, env), told)


def test_overrides_of_the_file_and_of_files_that_it_names() -> None:
    Path("o.txt").write_text("-r p.txt\n-c c.txt\n--pre\nb==2 ; sys_platform == 'win32'\n./elsewhere\n")
    Path("p.txt").write_text("c==3\n")
    Path("c.txt").write_text("d<4\n")
    Path("q.txt").write_text("e==5\n")
    found = parsed('requirements = ["x"]\noverrides = ["a==1", "./y/", "q.txt"]\noverride-files = ["o.txt"]')
    assert [(one.text, one.origin) for one in found.overrides] == [
        ("a==1", "aiomirror.toml:2"),
        ("e==5", "q.txt:1"),
        ("c==3", "p.txt:1"),
        ("b==2 ; sys_platform == 'win32'", "o.txt:4"),
    ]
    assert [one.text for one in found.wanted] == ["x"]
    assert [one.text for one in found.constraints] == ["d<4"]
    assert not found.options.pre
    ours, theirs, options = found.warnings
    assert ours.startswith("aiomirror.toml:2: the override './y/' is not followed: ")
    assert theirs.startswith("o.txt:5: the override './elsewhere' is not followed: ")
    assert options == "option lines of override files are not followed"


def test_overrides_of_the_strongest_source_alone_count() -> None:
    Path("o.txt").write_text("b==2\n")
    text = 'overrides = ["a==1"]'
    assert [one.text for one in parsed(text, "x", "--override", "o.txt").overrides] == ["b==2"]
    assert [one.text for one in parsed(text, "x", AIOMIRROR_OVERRIDES="c==3").overrides] == ["c==3"]
    assert [one.text for one in parsed(text, "x", AIOMIRROR_OVERRIDE_FILES="o.txt").overrides] == ["b==2"]
    assert [one.text for one in parsed(text, "x").overrides] == ["a==1"]
    assert not parsed("", "x").overrides


def test_what_is_wrong_in_overrides_is_told_with_the_rest() -> None:
    Path("o.txt").write_text("\na b\n")
    with pytest.raises(RequirementErrors) as caught:
        parsed("", "x y", "--override", "o.txt", "--override", "missing.txt")
    assert [(one.source, one.line) for one in caught.value.problems] == [
        ("command line", 0),
        ("o.txt", 2),
        ("missing.txt", 0),
    ]
    with pytest.raises(RequirementError, match=r"^o\.txt:2: "):
        parsed("", "x", "--override", "o.txt")


# -- cut-offs


def test_two_runs_of_one_hour_ask_for_the_same() -> None:
    told = collected('exclude-newer = "90m"\n[project.a]\nexclude-newer = "1d"').told
    found = [
        build(told, FileOptions(), now=HOUR + timedelta(minutes=minutes), current=nobody)
        for minutes in (0, 1, 59, 60)
    ]
    assert found[0] == found[1] == found[2] != found[3]
    assert found[0].policy.exclude_newer == HOUR - timedelta(minutes=90)


@pytest.mark.parametrize(
    ("run", "rules", "expected"),
    [
        ("", "", None),
        ("", 'exclude-newer = "1d"', HOUR - timedelta(days=1)),
        ("", "exclude-newer = false", None),
        ("exclude-newer = 2026-01-01", "", datetime(2026, 1, 2, tzinfo=UTC)),
        ("exclude-newer = 2026-01-01", "exclude-newer = false", None),
        ("exclude-newer = 2026-01-01", "exclude-newer = 2025-01-01", datetime(2025, 1, 2, tzinfo=UTC)),
        ("exclude-newer = 2026-01-01", 'exclude-newer = "0d"', HOUR),
        ("exclude-newer = 2026-01-01", "pre = true", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_the_cutoff_of_a_project(run: str, rules: str, expected: datetime | None) -> None:
    found = config(f"{run}\n[project.a]\n{rules}")
    (project,) = found.projects
    assert found.policy_for(project).exclude_newer == expected


def test_the_command_line_lifts_the_cutoff_of_the_file() -> None:
    assert config("exclude-newer = 2026-01-01", "--exclude-newer", "false").policy.exclude_newer is None


# -- terms of connection


def test_the_terms_are_those_that_the_client_has() -> None:
    found = config("", "--keyring", "--proxy", "p.example", "--cert", "c").connection
    terms = structs.replace(found, tokens={"a.example": "t"}).fields()
    settings = HttpSettings(**terms)
    assert {name: getattr(settings, name) for name in terms} == terms
    assert HttpSettings(**Connection().fields()) == HttpSettings()


@pytest.mark.parametrize(
    "proxy", ["user:secret@proxy.example:3128", "http://user:secret@proxy.example:3128", "https://u:secret@p"]
)
def test_a_proxy_with_credentials_is_taken_and_not_shown(proxy: str) -> None:
    told = collected(f'proxy = "{proxy}"').told
    found = settled(told)
    assert found.connection.proxy == (proxy if "://" in proxy else f"http://{proxy}")
    assert "secret" not in repr(found) + repr(told)


@pytest.mark.parametrize(
    "proxy",
    ["socks5://u:secret@p", "ftp://u:secret@p", "http://u:secret@p:port", "http://[u:secret@p", "http://"],
)
def test_what_is_wrong_with_a_proxy_is_told_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        collected(f'proxy = "{proxy}"', "--proxy", proxy, AIOMIRROR_PROXY=proxy)
    starts = ("--proxy: the proxy ", "AIOMIRROR_PROXY: the proxy ", "aiomirror.toml:1: proxy: the proxy ")
    assert [one.startswith(start) for one, start in zip(caught.value.problems, starts, strict=True)] == [
        True
    ] * 3
    assert "secret" not in str(caught.value)


def test_no_proxy_at_all_can_be_said() -> None:
    assert config('proxy = "p.example"', "--proxy", "").connection.proxy == ""
    assert config("").connection.proxy is None


@pytest.mark.parametrize(
    "host", ["", "a b", "https://u:secret@a.example", "a.example:", "a.example:x", "a/b"]
)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        collected("", "--trusted-host", host)
    assert caught.value.problems == ("--trusted-host: neither HOST nor HOST:PORT",)


def test_tokens_are_no_unknown_variables() -> None:
    env = {"AIOMIRROR_TOKEN": "t1", "AIOMIRROR_TOKEN_FILES_EXAMPLE": "t2", "AIOMIRROR_TOKENS": "t3"}
    assert collected("", **env).warnings == ("AIOMIRROR_TOKENS in the environment means nothing here",)
    assert set(tokens(env, "https://index.example/").values()) == {"t1", "t2"}


# -- whole runs


@pytest.fixture
def projects(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """An upstream of one project with a wheel for each of two systems, and a current folder of its own."""
    for name in (f"foo-1-py3-none-{LINUX}.whl", f"foo-1-py3-none-{WINDOWS}.whl", "foo-1.tar.gz"):
        mirror.upstream.add_file("foo", name)
    monkeypatch.chdir(mirror.folder)
    return mirror


def test_a_run_for_one_machine(projects: Mirror) -> None:
    (projects.folder / FILE).write_text(f'dest = "mirror"\n{table("3.12", "linux")}')
    projects.run("sync", "foo", "--no-deps", "-i", projects.upstream.url)
    assert projects.files() == {f"foo-1-py3-none-{LINUX}.whl"}
    projects.run("sync", "foo", "--no-deps", "--platform", "windows", "-i", projects.upstream.url)
    assert f"foo-1-py3-none-{WINDOWS}.whl" in projects.files()


def test_targets_that_are_wrong_end_the_run_before_it_began(projects: Mirror) -> None:
    lines = projects.sync("foo", "--platform", "amiga", "--best-wheel", "--max-depth", "x", code=2).errors()
    assert [line.partition(" ")[0] for line in lines] == ["--max-depth", "--platform:"]
    (line,) = projects.sync("foo", "--best-wheel", code=2).errors()
    assert line.startswith("--best-wheel says something of targets, and none is named")
    assert not projects.dest.exists()


def test_a_token_that_no_header_can_hold(projects: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOMIRROR_TOKEN", "se cret")
    (line,) = projects.sync("foo", code=2).errors()
    assert line.startswith("AIOMIRROR_TOKEN: not a token")
    assert "cret" not in line


def test_repair_takes_what_is_listed_whatever_a_sync_would_choose(projects: Mirror) -> None:
    projects.sync("foo", "--no-deps")
    held = projects.files()
    (projects.dest / "foo" / "foo-1.tar.gz").unlink()
    (projects.folder / FILE).write_text(f'exclude-newer = "7d"\n{table("3.12", "windows")}')
    argv = (
        "-d",
        "mirror",
        "--repair",
        "-i",
        projects.upstream.url,
        "--trusted-host",
        "a.example",
        "--keyring",
    )
    projects.run("verify", *argv)
    assert projects.files() == held


def test_a_proxy_with_credentials_in_a_file_that_is_served_is_warned_of(projects: Mirror) -> None:
    projects.dest.mkdir()
    (projects.dest / FILE).write_text('proxy = "user:secret@proxy.example:3128"')
    found = collect(arguments.parse(["sync", "foo", "-d", "mirror"]), {})
    assert found.warnings == (
        "mirror/aiomirror.toml: whoever is served the mirror can read the credentials in it",
    )
