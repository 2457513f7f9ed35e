"""aiomirror.toml and AIOMIRROR_* : what they may say, what outweighs what, and whole runs by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st
from packaging.specifiers import SpecifierSet

from aiomirror.cli import arguments, main
from aiomirror.cli.sources import FILE, Sources, collect
from aiomirror.config import SETTINGS, Config, ProjectRules, inputs, read_document
from aiomirror.errors import ConfigError
from aiomirror.pruning import DAY, PrunePolicy
from aiomirror.requirements.values import FileOptions, FormatControl
from settled import settled

if TYPE_CHECKING:
    from mirror import Mirror

URL = 'index-url = "http://index.example/simple"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems_of(text: str | bytes, path: str = "a.toml") -> list[str]:
    found: list[str] = []
    read_document(text.encode() if isinstance(text, str) else text, path, found)
    return found


def collected(text: str, *argv: str, **env: str) -> Sources:
    Path("a.toml").write_text(URL + text)
    return collect(arguments.parse(["sync", "--config", "a.toml", *argv]), env)


def config(text: str, *argv: str, options: FileOptions | None = None, **env: str) -> Config:
    return settled(collected(text, *argv, **env).told, options)


# -- what the file may say


def test_every_key_reaches_its_place(folder: Path) -> None:
    found = config(
        """
        dest = "mirror"
        latest = 3
        pre = true
        only-binary = ["Foo_Bar", "b"]
        no-binary = ":all:"
        legacy-formats = true
        max-file-size = "1k"
        require-hashes = true
        allow-unhashed = true
        jobs = 7
        timeout = 1.5
        min-rate = 2000
        retries = 0
        keep-going = true
        dry-run = true
        """
    )
    assert found.index_url == "http://index.example/simple"
    assert found.dest == Path("mirror")
    assert (found.jobs, found.timeout, found.min_rate, found.retries) == (7, 1.5, 2000, 0)
    assert (found.keep_going, found.dry_run) == (True, True)
    policy, fetch = found.policy, found.fetch
    assert (policy.prereleases, policy.latest, policy.legacy_formats) == (True, 3, True)
    assert policy.formats == FormatControl(frozenset({":all:"}), frozenset({"foo-bar", "b"}))
    assert policy.max_file_size == fetch.max_file_size == 1000
    assert (fetch.require_hashes, fetch.allow_unhashed) == (True, True)


def test_the_example_of_the_readme_is_right() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    text = readme.split("```toml\n# aiomirror.toml", 1)[1].split("```", 1)[0]
    problems: list[str] = []
    document = read_document(text.encode(), "aiomirror.toml", problems)
    assert not problems
    assert document.layer.given
    assert document.projects


def test_paths_are_relative_to_the_file() -> None:
    found: list[str] = []
    text = (
        'dest = "m"\nreport = "-"\nrequirement-files = ["r.txt", "/abs/r.txt", "-"]\n'
        'requirements = ["a", "in.txt"]\nconstraints = ["c.txt"]'
    )
    layer = read_document(text.encode(), "conf/a.toml", found).layer
    assert not found
    assert (layer.get("dest"), layer.get("report")) == ("conf/m", "-")
    assert layer.get("requirement-files") == ("conf/r.txt", "/abs/r.txt", "-")
    assert layer.get("requirements")[1] == "conf/in.txt"
    assert layer.get("constraints") == ("conf/c.txt",)


def test_requirements_bear_file_and_line(folder: Path) -> None:
    asked = inputs(
        collected('\n\nrequirements = ["b>=1", "git+https://u:p@c.example/x"]\nconstraints = ["b<2"]').told
    )
    (wanted,), (bound,), (elsewhere,) = asked.wanted, asked.constraints, asked.not_mirrored
    assert (wanted.project, wanted.text, wanted.origin) == ("b", "b>=1", "a.toml:4")
    assert (bound.specifier, bound.origin) == (SpecifierSet("<2"), "a.toml:5")
    assert "u:p@" not in str(elsewhere)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("jobs = 65", "a.toml:1: jobs takes 1 to 64, not 65"),
        ('\njobs = "4"', 'a.toml:2: jobs takes 1 to 64, not "4"'),
        ("\njobs = " + "9" * 5000, "a.toml: a number of thousands of digits"),
        (f"jobs = 0x{'f' * 5000}", "a.toml:1: jobs takes 1 to 64, not '0xffff"),
        (f"timeout = 0x{'f' * 5000}", "a.toml:1: timeout takes seconds, 0.001 or more, not '0xffff"),
        ("jobs = true", "a.toml:1: jobs takes 1 to 64, not true"),
        ("jobs = [1]", "a.toml:1: jobs takes 1 to 64, not a list"),
        ("timeout = nan", "a.toml:1: timeout takes seconds, 0.001 or more, not nan"),
        ('keep-going = "yes"', 'a.toml:1: keep-going takes true or false, not "yes"'),
        ("dest = {}", "a.toml:1: dest takes a path (~ is the shell's), not a table"),
        ('dest = ""', "a.toml:1: dest takes a path (~ is the shell's), not ''"),
        ('dest = "~/m"', "a.toml:1: dest takes a path (~ is the shell's), not ~/m"),
        ('dest = "a\\u0000"', "a.toml:1: dest takes a path (~ is the shell's), not"),
        ('report = ""', "a.toml:1: report takes a path (~ is the shell's), not ''"),
        ('log-format = "xml"', "a.toml:1: log-format takes text or json, not xml"),
        ("latest = 1\nall-versions = true", "a.toml:1: latest and all-versions exclude each other"),
        ('only-binary = ["a b"]', "a.toml:1: 'a b' is no project's name"),
        ('binary-only = true\nno-binary = ":all:"', "a.toml:2: wheels only and source archives only exclude"),
        ('requirements = ["a b"]', "a.toml:1: requirements: 'a b': b follows the name; a version needs"),
        ("requirements = [1]", "a.toml:1: requirements takes requirements, not 1"),
        ("index-url = 5", "a.toml:1: index-url takes the URL of an index, not 5"),
        ("grace = 7", "a.toml:1: grace takes a duration, as 7d, 12h, 2 weeks or P7D, not 7"),
        ('max-delete = "101%"', "a.toml:1: max-delete takes a number of files, or 0% to 100% of them, not"),
        ("max-delete = -1", "a.toml:1: max-delete takes a number of files, or 0% to 100% of them, not -1"),
        ("job = 3", "a.toml:1: unknown key job; did you mean jobs?"),
        ("max_file_size = 3", "a.toml:1: unknown key max_file_size; did you mean max-file-size?"),
        ('index = "x"', "a.toml:1: unknown key index; did you mean index-url?"),
        ("ignore-errors = true", "a.toml:1: unknown key ignore-errors; did you mean keep-going?"),
        ("requirement = 1", "a.toml:1: unknown key requirement; did you mean requirements or "),
        ('override = ["a"]', "a.toml:1: unknown key override; did you mean overrides or override-files?"),
        ('extra = ["a"]', "a.toml:1: unknown key extra; did you mean extras?"),
        ("zzz = 1", "a.toml:1: unknown key zzz"),
        ("[tool.aiomirror]", "a.toml: unknown key tool"),
        ('config = "b.toml"', "a.toml:1: config cannot be said in the file itself"),
        ("jobs = 1\njobs = 2", "a.toml: Cannot overwrite a value (at "),
        ("jobs = ", "a.toml: Invalid value (at "),
        (b"# \xff", "a.toml: not UTF-8, which TOML has to be"),
        ("x = " + "[" * 100_000, "a.toml: nested too deeply"),
        ("project = 3", "a.toml:1: project takes tables: [project.NAME]"),
        ("[project]\na = 3", "a.toml:2: project.a takes a table: [project.a]"),
        ('[project."a b"]', "a.toml:1: 'a b' is no project's name"),
        ("[project.a-b]\n[project.A_B]", "a.toml:2: a-b has two tables"),
        ("\n[project.a]\nlatests = 1", "a.toml:3: unknown key latests of a project; did you mean latest?"),
        ("[project.a]\njobs = 1", "a.toml:2: unknown key jobs of a project"),
        (
            "[project.zope.interface]\npre = true",
            "a.toml:1: unknown key interface of a project; a name with dots has to be quoted: [project.",
        ),
        ('[project.a]\nversions = "4"', "a.toml:2: versions takes a version specifier, as >=4,<6, not 4"),
        ("[project.a]\nlatest = 0", "a.toml:2: latest takes a whole number from 1, not 0"),
        ("[project.a]\nlatest = 2\nall-versions = true", "a.toml:1: latest and all-versions exclude"),
        ("[project.a]\nonly-binary = true\nno-binary = true", "a.toml:1: only-binary and no-binary exclude"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str | bytes, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(problem)
    assert len(found) < 300


def test_everything_that_is_wrong_is_told_at_once(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        collected(
            "jobs = 0\npre = 1\nfoo = 1", "--retries", "x", AIOMIRROR_TIMEOUT="0", AIOMIRROR_PRE="maybe"
        )
    assert caught.value.problems == (
        "--retries takes a whole number from 0, not x",
        "AIOMIRROR_PRE takes true or false, not maybe",
        "AIOMIRROR_TIMEOUT takes seconds, 0.001 or more, not 0",
        "a.toml:2: jobs takes 1 to 64, not 0",
        "a.toml:3: pre takes true or false, not 1",
        "a.toml:4: unknown key foo",
    )


@pytest.mark.parametrize(
    "url", ["htp://user:secret@x.example/", "https://user:secret@x.example:port/", "//user:secret@[x/"]
)
def test_what_is_wrong_with_an_address_is_told_without_its_password(folder: Path, url: str) -> None:
    (problem,) = problems_of(f'index-url = "{url}"')
    assert problem.startswith("a.toml:1: index-url: the index ")
    with pytest.raises(ConfigError) as caught:
        collected("", AIOMIRROR_INDEX_URL=url)
    assert str(caught.value).startswith("AIOMIRROR_INDEX_URL: the index ")
    assert "secret" not in problem + str(caught.value)


ASCII = "".join(map(chr, range(128)))
VALUES = st.recursive(
    st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(ASCII, max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(ASCII, max_size=8), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "project", "target", "x"]), VALUES, max_size=4))
def test_any_toml_is_read_or_refused(tree: dict[str, Any]) -> None:
    # A list or a table of JSON text is one of TOML as well, but for the colons and null.
    lines = [f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items()]
    for problem in problems_of("\n".join(lines)):
        assert problem.startswith("a.toml")


def toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {toml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value).replace("\x7f", "")


# -- the environment


@pytest.mark.parametrize(("word", "expected"), [("1", True), ("YES", True), ("on", True), ("0", False)])
def test_switches_of_the_environment(folder: Path, word: str, expected: bool) -> None:  # noqa: FBT001
    assert config("", AIOMIRROR_KEEP_GOING=word).keep_going is expected


def test_lists_of_the_environment_are_separated_by_spaces(folder: Path) -> None:
    told = collected(
        "",
        AIOMIRROR_REQUIREMENTS="a>=1 b in.txt",
        AIOMIRROR_NO_BINARY=":all: a,b",
        AIOMIRROR_REQUIREMENT_FILES="r s",
    ).told
    asked = inputs(told)
    assert [(one.project, one.origin) for one in asked.wanted] == [
        ("a", "AIOMIRROR_REQUIREMENTS"),
        ("b", "AIOMIRROR_REQUIREMENTS"),
    ]
    assert asked.files == ("in.txt", "r", "s")
    assert settled(told).policy.formats.no_binary == {":all:", "a", "b"}


def test_unknown_variables_are_warned_of_and_empty_ones_are_not_set(folder: Path) -> None:
    sources = collected(
        "", AIOMIRROR_JBOS="3", AIOMIRROR_X="", AIOMIRROR_JOBS="", OTHER="x", AIOMIRROR_ZZZ="secret"
    )
    assert sources.warnings == (
        "AIOMIRROR_JBOS in the environment means nothing here; did you mean AIOMIRROR_JOBS?",
        "AIOMIRROR_ZZZ in the environment means nothing here",
    )
    assert sources.told.get("jobs") is None


def test_unknown_variables_are_warned_of_where_the_run_ends_for_want_of_them(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOMIRROR_REQUIREMENT", "six")
    ran = mirror.sync("--no-config", code=2)
    (line,) = ran.warnings()
    assert line.endswith("means nothing here; did you mean AIOMIRROR_REQUIREMENTS?")
    assert len(ran.errors()) == 1
    mirror.upstream.add_file("foo", "foo-1.0.tar.gz")
    assert mirror.sync("--no-config", "foo").warnings() == [line]


# -- what outweighs what


def test_command_line_environment_file_requirements_defaults(folder: Path) -> None:
    options = FileOptions(index_url="http://files.example/", pre=True, require_hashes=True)
    text = "jobs = 2\nretries = 2\ntimeout = 2\npre = false"
    found = config(text, "--jobs", "4", options=options, AIOMIRROR_JOBS="3", AIOMIRROR_RETRIES="3")
    assert (found.jobs, found.retries, found.timeout, found.min_rate) == (4, 3, 2, 1000)
    assert found.index_url == "http://index.example/simple"
    assert (found.policy.prereleases, found.fetch.require_hashes) == (False, True)


@pytest.mark.parametrize(
    ("text", "argv", "env", "latest"),
    [
        ("all-versions = true", [], {}, None),
        ("all-versions = true", ["--latest", "2"], {}, 2),
        ("latest = 2", ["--all-versions"], {}, None),
        ("latest = 2", [], {"AIOMIRROR_ALL_VERSIONS": "1"}, None),
        ("all-versions = true", [], {"AIOMIRROR_ALL_VERSIONS": "0"}, 1),
        ("latest = 2", [], {"AIOMIRROR_ALL_VERSIONS": "0"}, 2),
        ("all-versions = true", [], {"AIOMIRROR_ALL_VERSIONS": "0", "AIOMIRROR_LATEST": "4"}, 4),
    ],
)
def test_how_many_versions(
    folder: Path, text: str, argv: list[str], env: dict[str, str], latest: int | None
) -> None:
    found = settled(collected(text, *argv, **env).told)
    assert found.policy.latest == latest


def test_formats_of_a_stronger_source_take_names_back(folder: Path) -> None:
    options = FileOptions(format_rules=(("no_binary", "a,b,c,d"),))
    found = config('only-binary = ["b", "c"]', "--no-binary", "c", options=options)
    assert found.policy.formats == FormatControl(frozenset({"a", "c", "d"}), frozenset({"b"}))


def test_requirements_of_the_strongest_source_alone_count(folder: Path) -> None:
    text = 'requirements = ["of-file"]\nrequirement-files = ["r.txt"]\nconstraints = ["x<2"]'
    asked = inputs(collected(text, "named").told)
    assert (asked.arguments, asked.files, asked.wanted) == (("named",), (), ())
    assert [one.project for one in asked.constraints] == ["x"]
    asked = inputs(collected(text, AIOMIRROR_REQUIREMENTS="of-env").told)
    assert ([one.project for one in asked.wanted], asked.files) == (["of-env"], ())


@pytest.mark.parametrize(
    ("text", "argv", "enabled"),
    [
        ('requirements = ["a"]\nprune = true', [], True),
        ('requirements = ["a"]\nprune = true', ["a"], False),
        ('requirements = ["a"]\nprune = true', ["a", "--prune"], True),
        ('requirements = ["a"]', ["--prune"], True),
        ("", ["--prune"], True),
    ],
)
def test_a_file_prunes_what_its_own_requirements_leave(
    folder: Path, text: str, argv: list[str], *, enabled: bool
) -> None:
    assert config(text, *argv).pruning.enabled is enabled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PrunePolicy()),
        ("grace = '12h'\nmax-delete = 50", PrunePolicy(False, 43_200, 0.0, 50)),
        ("grace = 'P7D'\nmax-delete = '2.5%'", PrunePolicy(False, 7 * DAY, 0.025, 0)),
        ("max-delete = '100 %'", PrunePolicy(False, 7 * DAY, 1.0, 0)),
    ],
)
def test_how_much_is_pruned(folder: Path, text: str, expected: PrunePolicy) -> None:
    assert config(text).pruning == expected


# -- rules of projects


@pytest.mark.parametrize(
    ("run", "rules", "expected"),
    [
        ("", "", (False, 1, None)),
        ("", "pre = true\nlatest = 4\nmax-file-size = '1k'", (True, 4, 1000)),
        ("pre = true\nlatest = 4", "pre = false\nall-versions = true", (False, None, None)),
        ("all-versions = true", "all-versions = false", (False, 1, None)),
        ("all-versions = true", "latest = 2", (False, 2, None)),
        ("latest = 3\nmax-file-size = 5", "all-versions = false", (False, 3, 5)),
    ],
)
def test_the_policy_of_a_project(
    folder: Path, run: str, rules: str, expected: tuple[bool, int | None, int | None]
) -> None:
    found = config(f"{run}\n[project.Foo_Bar]\n{rules}")
    policy = found.policy_for(next(iter(found.projects)))
    assert (policy.prereleases, policy.latest, policy.max_file_size) == expected
    assert list(found.projects) == ["foo-bar"]


@pytest.mark.parametrize(
    ("run", "rules", "wheels", "sources"),
    [
        ("", "only-binary = true", True, False),
        ("", "no-binary = true", False, True),
        ("binary-only = true", "no-binary = true", False, True),
        ("binary-only = true", "only-binary = false", True, True),
        ("source-only = true", "no-binary = false", True, True),
        ("source-only = true", "only-binary = false", False, True),
        ("binary-only = true", "", True, False),
        ("binary-only = true", "pre = true", True, False),
    ],
)
def test_the_formats_of_a_project(folder: Path, run: str, rules: str, *, wheels: bool, sources: bool) -> None:
    found = config(f"{run}\n[project.foo]\n{rules}")
    project = next(iter(found.projects))
    formats = found.policy_for(project).formats
    assert (formats.wheels(project), formats.sources(project)) == (wheels, sources)


def test_projects_without_rules_have_the_policy_of_the_run(folder: Path) -> None:
    found = config("[project.foo]\nlatest = 2\nversions = '>=1'\nexclude = true")
    (rules,) = found.projects.values()
    assert rules == ProjectRules(latest=2, versions=SpecifierSet(">=1"), exclude=True)
    other = next(iter(inputs(collected('requirements = ["bar"]').told).wanted)).project
    assert found.policy_for(other) is found.policy


# -- whole runs


@pytest.fixture
def projects(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """An upstream of two projects, and a current folder of its own."""
    for name in ("foo", "bar"):
        for version in (1, 2):
            mirror.upstream.add_file(name, f"{name}-{version}.tar.gz")
    monkeypatch.chdir(mirror.folder)
    return mirror


def written(mirror: Mirror, text: str, path: str = FILE) -> Path:
    place = mirror.folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f'index-url = "{mirror.upstream.url}"\n{text}')
    return place


def test_the_nightly_job(projects: Mirror) -> None:
    written(projects, 'dest = "mirror"\nrequirements = ["foo"]\nrequirement-files = ["r.txt"]')
    (projects.folder / "r.txt").write_text("bar==1\n")
    ran = projects.run("sync", "-v")
    assert projects.files() == {"foo-2.tar.gz", "bar-1.tar.gz"}
    assert ran.err.startswith("aiomirror.toml is there, and is followed; --no-config leaves it out\n")
    assert "is there" not in projects.run("sync").err


def test_the_report_of_the_night_is_replaced_by_no_other(projects: Mirror) -> None:
    written(projects, 'dest = "mirror"\nrequirements = ["foo"]\nreport = "night.json"\nno-deps = true')
    report = projects.folder / "night.json"
    assert main(["sync"]) == 0
    night = report.read_bytes()
    for argv in (["explain", "foo"], ["verify"], ["index"], ["prune"]):
        assert main(argv) == 0
        assert report.read_bytes() == night
    assert main(["explain", "foo", "--report", "asked.json"]) == 0
    assert (projects.folder / "asked.json").exists()


def test_a_file_within_the_mirror_is_none_of_the_mirrors(projects: Mirror) -> None:
    place = written(projects, 'requirements = ["foo"]', f"mirror/{FILE}")
    for argv in (["sync"], ["index"], ["verify", "--repair"], ["verify"]):
        ran = projects.run(argv[0], "-d", "mirror", *argv[1:])
        assert not ran.warnings() + ran.errors()
        assert "unlisted" not in ran.out
    assert place.is_file()
    assert projects.files() == {"foo-2.tar.gz", FILE}
    assert FILE not in projects.text("")


def test_extras_and_groups_by_the_file(projects: Mirror) -> None:
    (projects.folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.optional-dependencies]\na = ["foo"]\nb = ["no-such"]\n'
        '[dependency-groups]\nc = ["bar==1"]\n'
    )
    written(projects, 'dest = "mirror"\nrequirements = ["pyproject.toml"]\nextras = ["a"]\ngroups = ["c"]')
    projects.run("sync")
    assert projects.files() == {"foo-2.tar.gz", "bar-1.tar.gz"}
    projects.run("sync", "-r", "pyproject.toml", "--extra", "b", code=3)
    projects.run("sync", "foo")


def test_pruning_by_the_file(projects: Mirror) -> None:
    place = written(projects, 'dest = "mirror"\nrequirements = ["foo", "bar"]\ngrace = "0d"')
    projects.run("sync")
    place.write_text(place.read_text().replace(', "bar"', ""))
    projects.run("sync")
    assert projects.files() == {"foo-2.tar.gz", "bar-2.tar.gz"}
    ran = projects.run("prune", "--dry-run")
    assert "bar-2.tar.gz: to be removed" in ran.err
    assert "to fetch" not in ran.out
    refused = projects.run("prune", "--max-delete", "0", code=5)
    assert "--max-delete allows 0" in refused.err
    projects.run("sync", "foo==1", "--prune")
    assert projects.files() == {"foo-1.tar.gz"}
    projects.run("sync", "--prune")
    assert projects.files() == {"foo-2.tar.gz"}


def test_the_file_of_the_mirror_comes_before_that_of_the_current_folder(projects: Mirror) -> None:
    written(projects, 'requirements = ["bar"]')
    written(projects, 'requirements = ["foo"]', f"mirror/{FILE}")
    projects.run("sync", "-d", "mirror", "--dry-run")
    projects.run("sync", "-d", "mirror")
    assert projects.files() == {"foo-2.tar.gz", FILE}
    projects.run("sync", "-d", "other")
    assert (projects.folder / "other/bar/bar-2.tar.gz").is_file()


def test_a_file_that_is_named(projects: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    written(projects, 'requirements = ["bar"]\ndest = "x"')
    written(projects, 'requirements = ["foo"]\ndest = "../mirror"', "etc/a.toml")
    projects.run("sync", "--config", "etc/a.toml")
    assert projects.files() == {"foo-2.tar.gz"}
    monkeypatch.setenv("AIOMIRROR_CONFIG", "etc/a.toml")
    projects.run("sync", "bar==1")
    assert projects.files() == {"foo-2.tar.gz", "bar-1.tar.gz"}
    assert not (projects.folder / "x").exists()


def test_files_that_are_left_out(projects: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    written(projects, "nonsense")
    projects.sync("foo", code=2)
    projects.sync("foo", "--no-config")
    monkeypatch.setenv("AIOMIRROR_NO_CONFIG", "1")
    projects.sync("foo")
    (line,) = projects.run("sync", code=2).errors()
    assert "name at least one requirement" in line


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_a_named_file_that_cannot_be_read(projects: Mirror, path: str) -> None:
    (line,) = projects.sync("foo", "--config", path, code=2).errors()
    assert line.startswith(f"{path}: cannot read it: ")
    assert not projects.dest.exists()


def test_errors_of_the_file_end_the_run_before_it_began(projects: Mirror) -> None:
    written(projects, "jobs = 0\njbos = 3\nrequirements = ['foo']")
    assert projects.run("sync", "-d", "mirror", code=2).errors() == [
        "aiomirror.toml:2: jobs takes 1 to 64, not 0",
        "aiomirror.toml:3: unknown key jbos; did you mean jobs?",
    ]
    assert not projects.dest.exists()
    assert not projects.upstream.requests


def test_what_is_said_follows_the_file(projects: Mirror) -> None:
    written(projects, 'dest = "mirror"\nrequirements = ["foo"]\nlog-format = "json"\nreport = "r.json"')
    assert main(["sync"]) == 0
    assert json.loads((projects.folder / "r.json").read_bytes())["totals"]["fetched"] == 1
    ran = projects.run("sync", "--report", "r.json")
    assert [json.loads(line)["level"] for line in ran.err.splitlines()] == ["info"]


def test_unknown_variables_are_in_the_report(projects: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOMIRROR_JBOS", "3")
    monkeypatch.setenv("AIOMIRROR_DEST", "mirror")
    monkeypatch.setenv("AIOMIRROR_INDEX_URL", projects.upstream.url)
    ran = projects.run("sync", "foo")
    assert ran.warnings() == ran.report["warnings"]
    assert ran.warnings()[0].startswith("AIOMIRROR_JBOS ")


def test_versions_and_exclusions_of_projects(projects: Mirror) -> None:
    rules = '[project.foo]\nversions = "<2"\n[project.Bar]\nexclude = true'
    written(projects, f'dest = "mirror"\nrequirements = ["foo", "bar"]\n{rules}')
    ran = projects.run("sync")
    assert projects.files() == {"foo-1.tar.gz"}
    assert ran.report["not_mirrored"] == [
        {"requirement": "bar", "origin": "aiomirror.toml:3", "why": "aiomirror.toml excludes bar"}
    ]
    (warning,) = ran.warnings()
    assert warning == "aiomirror.toml:3: bar: not mirrored: aiomirror.toml excludes bar"
    assert not any("/bar/" in request.path for request in projects.upstream.requests)
    ran = projects.run("sync", "foo==2", code=3)
    assert "nothing satisfies 'foo==2'" in ran.err


def test_rules_of_projects_in_a_run(projects: Mirror) -> None:
    projects.upstream.add_file("bar", "bar-3b1.tar.gz")
    for name in ("foo", "bar"):
        projects.upstream.add_file(name, f"{name}-2-py3-none-any.whl")
    rules = "[project.foo]\nall-versions = true\nno-binary = true\n[project.bar]\npre = true"
    written(projects, f'dest = "mirror"\nrequirements = ["foo", "bar"]\n{rules}')
    projects.run("sync")
    assert projects.files() == {"foo-1.tar.gz", "foo-2.tar.gz", "bar-3b1.tar.gz"}
    projects.upstream.clear()
    assert "2 projects, 0 files fetched" in projects.run("sync").out
    written(
        projects, f'dest = "mirror"\nrequirements = ["foo", "bar"]\n{rules.replace("pre", "only-binary")}'
    )
    projects.run("sync")
    assert "bar-2-py3-none-any.whl" in projects.files()


def test_credentials_in_a_file_that_is_served_are_warned_of(projects: Mirror) -> None:
    address = projects.upstream.url.replace("://", "://user:secret@")
    place = written(projects, "", f"mirror/{FILE}")
    place.write_text(f'index-url = "{address}"')
    (warning,) = projects.run("sync", "foo", "-d", "mirror").warnings()
    assert warning == "mirror/aiomirror.toml: whoever is served the mirror can read the credentials in it"
    assert not projects.run("sync", "foo", "--config", f"mirror/{FILE}", "-d", "x").warnings()


def test_credentials_of_the_file_are_not_shown(projects: Mirror) -> None:
    address = projects.upstream.url.replace("://", "://user:secret@")
    (projects.folder / FILE).write_text(
        f'index-url = "{address}"\ndest = "mirror"\nrequirements = ["foo", "none"]\nkeep-going = true'
    )
    ran = projects.run("sync", "-vv", code=3)
    assert "secret" not in ran.out + ran.err + json.dumps(ran.report)
