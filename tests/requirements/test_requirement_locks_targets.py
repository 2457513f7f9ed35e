"""Lock files, read for targets: what each of these needs, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiomirror.errors import RequirementError, RequirementErrors
from aiomirror.requirements import gather
from aiomirror.targets import parse_targets

if TYPE_CHECKING:
    from aiomirror.requirements import Parsed

TARGETS = parse_targets(["3.11", "3.13"], ["linux", "windows"])
ENVIRONMENTS = {one.name: one.environment for one in TARGETS}
EVERYWHERE = {""}
LINUX, WINDOWS = {"cp311-linux", "cp313-linux"}, {"cp311-windows", "cp313-windows"}
OLD, NEW = {"cp311-linux", "cp311-windows"}, {"cp313-linux", "cp313-windows"}


def read(name: str, text: str, *, targets: bool = True) -> Parsed:
    environments = ENVIRONMENTS if targets else {}
    return gather([], [name], [], lambda _: text.encode(), {}, environments=environments)


def needed(parsed: Parsed) -> dict[str, set[str]]:
    """Package → the targets that it is for, "" for all of them."""
    return {
        want.text.removesuffix("==1.0"): {_short(name) for name in want.targets} or EVERYWHERE
        for want in parsed.wanted
    }


def _short(name: str) -> str:
    return name.replace("manylinux_2_28_x86_64", "linux").replace("win_amd64", "windows")


# uv


def uv_lock(*packages: str, head: str = "") -> str:
    return "\n".join(["version = 1", head, *packages])


def uv_package(name: str, *lines: str, version: str = "1.0") -> str:
    """A package of the index with one wheel, and more lines of its table."""
    wheel = f'wheels = [{{ url = "https://files.example/{name}-{version}-py3-none-any.whl" }}]'
    table = f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "x" }}\n{wheel}'
    return "\n".join([table, *lines])


def uv_project(*lines: str, name: str = "pkg", source: str = 'virtual = "."') -> str:
    table = f'[[package]]\nname = "{name}"\nversion = "0.1"\nsource = {{ {source} }}'
    return "\n".join([table, *lines])


def requires(*edges: str) -> str:
    return f"dependencies = [{', '.join(f'{{ {edge} }}' for edge in edges)}]"


def test_dependencies_of_a_uv_lock_are_followed() -> None:
    lock = uv_lock(
        uv_project(requires('name = "top"', """name = "win", marker = "sys_platform == 'win32'" """)),
        uv_package("top", requires('name = "old", marker = "python_full_version < \'3.12\'"')),
        uv_package("win", requires('name = "both"', 'name = "oldwin", marker = "python_version < \'3.12\'"')),
        uv_package("old", requires('name = "both"', 'name = "top"')),
        uv_package("oldwin"),
        uv_package("both"),
        uv_package("nobody"),
        uv_package("mac"),
    )
    assert needed(read("uv.lock", lock)) == {
        "top": EVERYWHERE,
        "win": WINDOWS,
        "old": OLD,
        "oldwin": {"cp311-windows"},
        "both": OLD | WINDOWS,
    }
    assert len(read("uv.lock", lock, targets=False).wanted) == 7


def test_extras_are_followed_where_they_are_asked_for() -> None:
    lock = uv_lock(
        uv_project(requires("""name = "lib", extra = ["Fast_IO"], marker = "sys_platform == 'linux'" """)),
        uv_package(
            "lib",
            requires('name = "base"'),
            '[package.optional-dependencies]\nfast-io = [{ name = "fast" }]\nslow = [{ name = "slow" }]',
        ),
        *map(uv_package, ("base", "fast", "slow")),
    )
    assert needed(read("uv.lock", lock)) == {"lib": LINUX, "base": LINUX, "fast": LINUX}


def test_of_the_project_itself_all_extras_and_groups_count() -> None:
    lock = uv_lock(
        uv_project(
            requires('name = "never", marker = "sys_platform == \'darwin\'"'),
            '[package.optional-dependencies]\ncli = [{ name = "cli" }]',
            '[package.dev-dependencies]\ndev = [{ name = "dev", marker = "python_version >= \'3.12\'" }]',
        ),
        *map(uv_package, ("never", "cli", "dev")),
    )
    assert needed(read("uv.lock", lock)) == {"cli": EVERYWHERE, "dev": NEW}


def test_versions_are_told_apart_by_the_edges_or_by_their_own_markers() -> None:
    versions = [
        uv_package("a", """resolution-markers = ["python_full_version < '3.12'"]""", version="1.1"),
        uv_package("a", """resolution-markers = ["python_full_version >= '3.12'"]""", version="2.0"),
    ]
    edges = [
        f"""name = "a", version = "{version}", source = {{ registry = "x" }}, marker = "python_full_version
        {condition} '3.12'" """.replace("\n        ", " ")
        for version, condition in (("1.1", "<"), ("2.0", ">="))
    ]
    for asked in (['name = "a"'], edges):
        parsed = read("uv.lock", uv_lock(uv_project(requires(*asked)), *versions))
        assert needed(parsed) == {"a==1.1": OLD, "a==2.0": NEW}


def test_extras_that_exclude_each_other_may_both_be_asked_for() -> None:
    edge = """name = "a", marker = "extra == 'extra-3-pkg-gpu' and extra != 'extra-3-pkg-cpu'" """
    assert needed(read("uv.lock", uv_lock(uv_project(requires(edge)), uv_package("a")))) == {"a": EVERYWHERE}


def test_members_of_a_workspace_are_roots() -> None:
    lock = uv_lock(
        uv_project(requires('name = "a"')),
        uv_project(requires('name = "b"'), name="member", source='editable = "sub"'),
        uv_project(requires('name = "c"'), name="other", source='editable = "elsewhere"'),
        *map(uv_package, "abc"),
        head='[manifest]\nmembers = ["pkg", "member"]',
    )
    parsed = read("uv.lock", lock)
    assert needed(parsed) == {"a": EVERYWHERE, "b": EVERYWHERE}
    assert [one.text for one in parsed.not_mirrored] == ["pkg==0.1", "member==0.1"]


def test_a_workspace_without_a_project_asks_for_things_itself() -> None:
    head = """\
[manifest]
requirements = [{ name = "a", extras = ["x"] }, { name = "gone", specifier = ">=1" }]
[manifest.dependency-groups]
dev = [{ name = "b", marker = "sys_platform == 'linux'" }]"""
    extra = '[package.optional-dependencies]\nx = [{ name = "c" }]'
    lock = uv_lock(uv_package("a", extra), *map(uv_package, "bcd"), head=head)
    assert needed(read("uv.lock", lock)) == {"a": EVERYWHERE, "b": LINUX, "c": EVERYWHERE}


def test_without_a_root_everything_is_one() -> None:
    assert needed(read("uv.lock", uv_lock(*map(uv_package, "ab")))) == {"a": EVERYWHERE, "b": EVERYWHERE}


@pytest.mark.parametrize(
    ("edge", "why"),
    [
        ('name = "b"', "package[0].dependencies[0]: there is no such package in the lock"),
        ('name = "a", version = "2"', "package[0].dependencies[0]: there is no such package in the lock"),
        ('name = "a", version = "x"', "package[0].dependencies[0].version: x is no version"),
        ('name = "a", marker = "x"', "package[0].dependencies[0].marker: x is no environment marker"),
        ('name = "a", marker = 3', "package[0].dependencies[0].marker: it is not a string"),
        ('name = "a", extra = "x"', "package[0].dependencies[0].extra: it is not an array"),
        ('version = "1.0"', "package[0].dependencies[0].name: it is missing"),
    ],
)
def test_edges_that_are_none(edge: str, why: str) -> None:
    lock = uv_lock(uv_project(requires(edge)), uv_package("a"))
    with pytest.raises(RequirementError) as caught:
        read("uv.lock", lock)
    assert str(caught.value) == f"uv.lock: {why}"
    assert read("uv.lock", lock, targets=False).wanted


def test_a_deep_lock_takes_no_stack() -> None:
    chain = [uv_package(f"p{n}", requires(f'name = "p{n + 1}"')) for n in range(3_000)]
    lock = uv_lock(uv_project(requires('name = "p0"')), *chain, uv_package("p3000"))
    assert len(read("uv.lock", lock).wanted) == 3_001


# The others


def pylock(*markers: str, head: str = "") -> str:
    packages = [
        f"""
[[packages]]
name = "p{place}"
version = "1.0"
marker = '''{marker}'''
wheels = [{{ url = "p{place}-1.0-py3-none-any.whl", hashes = {{ sha256 = "{"a" * 64}" }} }}]"""
        for place, marker in enumerate(markers)
    ]
    return "\n".join(['lock-version = "1.0"\ncreated-by = "x"', head, *packages])


def test_pylock() -> None:
    lock = pylock(
        "sys_platform == 'win32'",
        "sys_platform == 'darwin'",
        "'dev' in dependency_groups",
        "python_version < '3.12' and ('x' in extras or 'y' not in extras)",
        "sys_platform == 'linux' or 'and extras' in dependency_groups and python_version > '3.12'",
        "platform_release >= '6.1-x'",  # nothing can be said of that
    )
    assert needed(read("pylock.toml", lock)) == {
        "p0": WINDOWS,
        "p2": EVERYWHERE,
        "p3": OLD,
        "p4": LINUX | NEW,
    }
    assert len(read("pylock.toml", lock, targets=False).wanted) == 6


def test_what_comes_from_elsewhere_is_told_where_a_target_needs_it() -> None:
    lock = pylock("sys_platform == 'darwin'", "sys_platform == 'linux'").replace("wheels = [{", "archive = {")
    parsed = read("pylock.toml", lock.replace("}]", "}"))
    assert [one.text for one in parsed.not_mirrored] == ["p1==1.0"]


def test_poetry() -> None:
    def package(name: str, markers: str) -> str:
        return f"""
[[package]]
name = "{name}"
version = "1.0"
groups = ["main", "dev"]
markers = {markers}
files = [{{ file = "{name}-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}" }}]
"""

    lock = "".join(
        (
            package("a", "\"sys_platform == 'win32'\""),
            package("b", "{ main = \"sys_platform == 'linux'\", dev = \"python_version >= '3.12'\" }"),
            package("c", "{ main = \"sys_platform == 'linux'\" }"),
            package("d", "\"sys_platform == 'darwin' or extra == 'all' and sys_platform == 'linux'\""),
            '[metadata]\nlock-version = "2.1"',
        )
    )
    assert needed(read("poetry.lock", lock)) == {"a": WINDOWS, "b": LINUX | NEW, "c": EVERYWHERE, "d": LINUX}


def test_pdm() -> None:
    lock = f"""
[metadata]
lock_version = "4.5.0"
[[package]]
name = "a"
version = "1.0"
marker = "sys_platform == 'win32' and python_version < '3.12'"
files = [{{ file = "a-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}" }}]
"""
    assert needed(read("pdm.lock", lock)) == {"a": {"cp311-windows"}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pylock.toml", pylock("os_name != 'x'", head="environments = [\"sys_platform == 'linux'\"]")),
        ("pylock.toml", pylock("os_name != 'x'", head='requires-python = "==3.12.*"')),
        ("uv.lock", uv_lock(uv_package("a"), head="supported-markers = [\"sys_platform == 'linux'\"]")),
        ("uv.lock", uv_lock(uv_package("a"), head='requires-python = ">=3.12"')),
    ],
)
def test_targets_that_a_lock_is_not_for(name: str, text: str) -> None:
    parsed = read(name, text)
    assert len(parsed.wanted) == 1
    (warning,) = parsed.warnings
    assert warning.startswith(f"{name}: installers refuse it on cp311-")
    assert not read(name, text, targets=False).warnings


def test_a_requirement_of_python_that_is_any_text() -> None:
    text = pylock("os_name != 'x'", head="requires-python = '===3\"12'")
    assert not read("pylock.toml", text).warnings


@pytest.mark.parametrize("depth", [10, 100, 10_000])
def test_deep_markers_are_refused_or_hold(depth: int) -> None:
    marker = f"{'(' * depth}sys_platform == 'linux'{')' * depth}"
    edge = f'name = "a", marker = "{marker}"'
    for name, text in (
        ("pylock.toml", pylock(marker)),
        ("uv.lock", uv_lock(uv_project(requires(edge)), uv_package("a"))),
    ):
        try:
            parsed = read(name, text)
        except (RequirementError, RequirementErrors):
            assert depth > 10
        else:
            assert needed(parsed) in ({"p0": LINUX}, {"a": LINUX})


def test_a_lock_in_a_requirements_file_is_read_for_targets_too() -> None:
    texts = {"req.txt": b"six\n-r pylock.toml\n", "pylock.toml": pylock("sys_platform == 'win32'").encode()}
    parsed = gather([], ["req.txt"], [], texts.__getitem__, {}, environments=ENVIRONMENTS)
    assert [len(want.targets) for want in parsed.wanted] == [0, 2]
