"""``pyproject.toml`` as an input: dependencies, extras, groups, and what only a build backend knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import UsageError
from aiomirror.requirements import Parsed, gather

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT = """\
[project]
name = "My.Project"
version = "1"
dependencies = ["alpha>=1", "beta[x] ; sys_platform == 'win32'", "gitp @ git+https://joe:hunter2@git.example/p"]

[project.optional-dependencies]
docs = ["furo"]
Test_All = ["pytest", "my-project[docs, fast]"]
fast = ["uvloop", "my_project[test-all]", "MY-PROJECT"]

[dependency-groups]
lint = ["ruff", {include-group = "Type.Check"}]
type_check = ["mypy", {include-group = "stubs"}]
stubs = ["lxml-stubs"]
dev = [{include-group = "lint"}, {include-group = "stubs"}, "my-project[fast]"]
"""


DYNAMIC = "left to the build backend (dynamic), and cannot be read without running its code"
POETRYS_OWN = (
    "pyproject.toml: its dependencies are Poetry's own, [tool.poetry.dependencies]; "
    "name its poetry.lock instead"
)


def read(
    text: str | Mapping[str, str],
    *,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    constraints: Sequence[str] = (),
) -> Parsed:
    files = {"pyproject.toml": text} if isinstance(text, str) else text
    paths = [path for path in files if path not in constraints]
    return gather((), paths, constraints, lambda path: files[path].encode(), {}, extras=extras, groups=groups)


def texts(parsed: Parsed) -> list[str]:
    return [want.text for want in parsed.wanted]


def problems(
    text: str | Mapping[str, str], *, extras: Sequence[str] = (), groups: Sequence[str] = ()
) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(text, extras=extras, groups=groups)
    return str(caught.value).split("\n")


BASE = ["alpha>=1", "beta[x] ; sys_platform == 'win32'"]


def test_dependencies() -> None:
    parsed = read(PROJECT)
    assert texts(parsed) == BASE
    assert parsed.wanted[1].extras == {"x"}
    assert str(parsed.wanted[1].marker) == 'sys_platform == "win32"'
    assert parsed.wanted[1].origin == "pyproject.toml: project.dependencies[1]"
    (other,) = parsed.not_mirrored
    assert other.text == "gitp @ git+https://****@git.example/p"


@pytest.mark.parametrize(
    ("extras", "expected"),
    [
        (["docs"], ["furo"]),
        (["DOCS", "docs"], ["furo"]),
        (["test-all"], ["pytest", "furo", "uvloop"]),
        (["fast", "docs"], ["uvloop", "pytest", "furo"]),
    ],
)
def test_extras_with_those_of_the_project_itself(extras: list[str], expected: list[str]) -> None:
    assert texts(read(PROJECT, extras=extras)) == [*BASE, *expected]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["stubs"], ["lxml-stubs"]),
        (["type-check"], ["mypy", "lxml-stubs"]),
        (["Lint", "type.check"], ["ruff", "mypy", "lxml-stubs"]),
        (["dev"], ["ruff", "mypy", "lxml-stubs", "uvloop", "pytest", "furo"]),
    ],
)
def test_groups_with_those_that_they_include(groups: list[str], expected: list[str]) -> None:
    assert texts(read(PROJECT, groups=groups)) == [*BASE, *expected]


def test_groups_need_no_project() -> None:
    assert texts(read('[dependency-groups]\ndev = ["ruff"]', groups=["dev"])) == ["ruff"]


def test_a_project_without_dependencies() -> None:
    assert read('[project]\nname = "a"\nversion = "1"') == Parsed()


def test_an_extra_has_to_be_in_one_file_only() -> None:
    files = {
        "a/pyproject.toml": '[project]\nname = "a"\noptional-dependencies.x = ["alpha"]',
        "b/pyproject.toml": '[project]\nname = "b"\noptional-dependencies.y = ["beta"]\n'
        'optional-dependencies.x = ["gamma"]',
    }
    assert texts(read(files, extras=["x"])) == ["alpha", "gamma"]
    assert texts(read(files, extras=["y"])) == ["beta"]
    assert problems(files, extras=["z"]) == ["command line: --extra z: there are x, y"]


def test_nested_in_a_requirements_file() -> None:
    files = {"req.txt": "-r sub/pyproject.toml\n"}
    text = '[project]\nname = "a"\noptional-dependencies.x = ["alpha"]'
    parsed = gather(
        (),
        ("req.txt",),
        (),
        lambda path: (files | {"sub/pyproject.toml": text})[path].encode(),
        {},
        extras=["x"],
    )
    assert texts(parsed) == ["alpha"]


def test_unknown_extras_and_groups_are_named_with_what_there_is() -> None:
    assert problems(PROJECT, extras=["test", "dosc"], groups=["linting"]) == [
        "command line: --extra test: there are docs, fast, test-all; did you mean test-all?",
        "command line: --extra dosc: there are docs, fast, test-all; did you mean docs?",
        "command line: --group linting: there are dev, lint, stubs, type-check; did you mean lint?",
    ]
    assert problems({}, extras=["x"]) == [
        "command line: --extra x: no pyproject.toml that is named has any; lock files are taken whole"
    ]


def test_no_constraints_file() -> None:
    with pytest.raises(UsageError, match="name it with -r"):
        read({"pyproject.toml": PROJECT}, constraints=["pyproject.toml"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "pyproject.toml: there is no [project] table, so nothing says what it depends on"),
        (
            '[project]\nname = "a"\ndynamic = ["version", "dependencies"]',
            f"pyproject.toml: project.dependencies: {DYNAMIC}",
        ),
        (
            '[tool.poetry.dependencies]\npython = "^3.11"',
            POETRYS_OWN,
        ),
        (
            '[project]\nname = "a"\ndynamic = ["dependencies"]\n[tool.poetry.dependencies]\npython = "^3.11"',
            POETRYS_OWN,
        ),
        ("project = 1", "pyproject.toml: project: it is not a table"),
        ("project.name = 1", "pyproject.toml: project.name: it is not a string"),
        ('project.dependencies = "a"', "pyproject.toml: project.dependencies: it is not an array"),
        ("project.dependencies = [1]", "pyproject.toml: project.dependencies[0]: it is not a string"),
        (
            "project.optional-dependencies = []",
            "pyproject.toml: project.optional-dependencies: it is not a table",
        ),
        (
            "project.optional-dependencies = {a-b = [], a_b = []}",
            "pyproject.toml: project.optional-dependencies.a_b: it is the same as a-b",
        ),
        ("dependency-groups = 1", "pyproject.toml: dependency-groups: it is not a table"),
    ],
)
def test_what_is_not_a_project(text: str, why: str) -> None:
    assert problems(text) == [why]


def test_all_requirements_that_are_wrong_are_named() -> None:
    text = """\
[project]
name = "p"
dependencies = ["alpha=1.0", "beta", "p[z]", "-r req.txt"]
"""
    assert problems(text) == [
        "pyproject.toml: 'alpha=1.0': project.dependencies[0]: = is no operator; a pin is written with ==",
        "pyproject.toml: 'p[z]': project.dependencies[2]: the project has no extra z",
        "pyproject.toml: '-r req.txt': project.dependencies[3]: '-r' is no project's name",
    ]


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ("a = 1", "dependency-groups.a: it is not an array"),
        ("a = [1]", "dependency-groups.a[0]: it is neither a requirement nor an include-group"),
        ("a = [{}]", "dependency-groups.a[0]: it is neither a requirement nor an include-group"),
        (
            'a = [{include-group = "b", x = 1}]',
            "dependency-groups.a[0]: it is neither a requirement nor an include-group",
        ),
        ("a = [{include-group = 1}]", "dependency-groups.a[0].include-group: it is not a string"),
        ('a = [{include-group = "b"}]', "dependency-groups.a[0]: there is no group b"),
        ('a = [{include-group = "A"}]', "dependency-groups: a → a include each other"),
        (
            'a = [{include-group = "b"}]\nb = [{include-group = "c"}]\nc = [{include-group = "b"}]',
            "dependency-groups: b → c → b include each other",
        ),
        ('a = []\nA = ["six"]', "dependency-groups.A: it is the same as a"),
    ],
)
def test_groups_that_are_wrong(groups: str, why: str) -> None:
    assert problems(f"[dependency-groups]\n{groups}", groups=["a"]) == [f"pyproject.toml: {why}"]


def test_groups_that_nobody_asks_for_may_be_wrong() -> None:
    assert texts(read('[project]\ndependencies = ["six"]\n[dependency-groups]\na = 1')) == ["six"]


def test_optional_dependencies_that_only_a_backend_knows() -> None:
    text = '[project]\nname = "a"\ndynamic = ["optional-dependencies"]\ndependencies = ["six"]'
    assert texts(read(text)) == ["six"]
    assert problems(text, extras=["x"])[0].startswith(
        "pyproject.toml: project.optional-dependencies: left to"
    )


def test_deep_chains_end_in_an_error_and_wide_ones_in_time() -> None:
    chain = "\n".join(f'g{n} = [{{include-group = "g{n + 1}"}}]' for n in range(5000))
    assert problems(f"[dependency-groups]\n{chain}\ng5000 = []", groups=["g0"]) == [
        "pyproject.toml: its groups or extras are nested too deeply"
    ]
    both = "\n".join(f'e{n} = ["p[e{n + 1}]", "p[e{n + 1}]; os_name == \'x\'"]' for n in range(100))
    text = f'[project]\nname = "p"\n[project.optional-dependencies]\n{both}\ne100 = ["six"]'
    assert texts(read(text, extras=["e0"])) == ["six"]
