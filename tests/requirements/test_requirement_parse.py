from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aiomirror.errors import RequirementError
from aiomirror.requirements import NotMirrored, Wanted, is_file_argument, parse_spec
from aiomirror.requirements.parse import read_requirement
from aiomirror.requirements.values import LineError


def wanted(text: str) -> Wanted:
    found = parse_spec(text)
    assert isinstance(found, Wanted), found
    return found


@pytest.mark.parametrize(
    ("text", "project", "specifier"),
    [
        ("six", "six", ""),
        ("Zope.Interface", "zope-interface", ""),
        ("foo__bar-.baz", "foo-bar-baz", ""),
        ("a==1", "a", "==1"),
        ("a>=2", "a", ">=2"),
        ("a~=1.0", "a", "~=1.0"),
        ("a!=1", "a", "!=1"),
        ("a===2014g", "a", "===2014g"),
        ("a == 1.0", "a", "==1.0"),
        ("a>=1,<2", "a", ">=1,<2"),
        ("a>=1,<2,", "a", ">=1,<2"),
        ("a (>=1.0)", "a", ">=1.0"),
        ("a==1.*", "a", "==1.*"),
        ("a==1!2.0+local", "a", "==1!2.0+local"),
        # the single "=" of the predecessor
        ("somepackage=1.10.0", "somepackage", "==1.10.0"),
        ("a = 1.0", "a", "==1.0"),
        ("a=1.*", "a", "==1.*"),
        ("a=1!2.0+local", "a", "==1!2.0+local"),
        ("pytz=2014g", "pytz", "===2014g"),
    ],
)
def test_specs(text: str, project: str, specifier: str) -> None:
    found = wanted(text)
    assert found.project == project
    assert set(str(found.specifier).split(",")) == set(specifier.split(","))
    assert found.origin == "command line"


def test_a_pin_with_extras_and_marker() -> None:
    found = wanted("Foo_Bar[X_Y,z] = 1.0 ; python_version < '3'")
    assert found.project == "foo-bar"
    assert found.extras == {"x-y", "z"}
    assert str(found.specifier) == "==1.0"
    assert str(found.marker) == 'python_version < "3"'


def test_markers_with_equals_signs_are_no_pins() -> None:
    found = wanted("a;extra=='x'")
    assert str(found.specifier) == ""
    assert str(found.marker) == 'extra == "x"'


def test_text_is_as_written_with_single_spaces() -> None:
    assert wanted("a  >=1 ,  <2").text == "a >=1 , <2"


def test_legacy_versions_can_be_matched_exactly() -> None:
    assert wanted("pytz===2014g").specifier.contains("2014g")
    assert not wanted("pytz===2014g").specifier.contains("2014h")


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("a", None),
        ("a==1.0", "1.0"),
        ("a=1.0", "1.0"),
        ("a===2014g", "2014g"),
        ("a==1.*", None),
        ("a>=1", None),
        ("a>=1,==1.5", "1.5"),
        ("a===1.*", "1.*"),
    ],
)
def test_pin(text: str, pin: str | None) -> None:
    assert wanted(text).pin == pin


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a==1.*.2", "==1.*.2 is no version specifier"),
        ("a=", "= is no operator; a pin is written with =="),
        ("a=*", "= is no operator; a pin is written with =="),
        ("a=1.0 b", "= is no operator; a pin is written with =="),
        ("a=>1", "=> is no operator"),
        ("a<>1", "<> is no operator"),
        ("a==", "== is no version specifier; the version is missing"),
        ("a~=1", "~=1 is no version specifier; ~= needs at least two numbers"),
        ("a>1.*", ">1.* is no version specifier; .* goes with == and != only"),
        ("a>=2014g", ">=2014g is no version specifier; 2014g is no PEP 440 version, which only === can name"),
        ("a==1.0,<", "< is no version specifier; the version is missing"),
        ("a>=1 <2", ">=1 <2 is no version specifier; specifiers are separated by commas"),
        ("a==1, 2", "2 is no operator"),
        ("a 1.0", "1.0 follows the name; a version needs an operator such as =="),
        ("a:b", ":b follows the name; a version needs an operator such as =="),
        ("a (>=1", "the parenthesis has no end"),
        ("a[x", "the list of extras has no end"),
        ("a[x y]", "[x y] is no list of extras"),
        ("a[x\x0cy]", "[x y] is no list of extras"),
        ("a; foo == 1", "foo == 1 is no environment marker"),
        ("a;", "there is no marker behind the semicolon"),
        ("a @", "there is no URL behind the @"),
        ("a @ https://x.example/a b", "only a marker may follow the URL"),
        ("a==1 \\", "the backslash does not end the line: white space or a comment follows it"),
        ("a\\--hash=sha256:0", "\\--hash=sha256:0 follows the name; a version needs an operator such as =="),
        ("\\", "\\ does not begin with a project's name"),
        ("a\nb", "there is a line break in it"),
        ("a\n", "there is a line break in it"),
        ("", "'' does not begin with a project's name"),
        ("=1", "=1 does not begin with a project's name"),
        ("é", "'é' does not begin with a project's name"),
        ("_a", "'_a' is no project's name"),
        ("a-", "'a-' is no project's name"),
        ("a_>=1", "'a_' is no project's name"),
        ("-x", "'-x' is no project's name"),
        ("a==" + "9" * 5000, "a number of a thousand digits is no version"),
        ("a;" + "(" * 5000, "the marker is nested too deeply"),
        ("a;" + "()" * 250, f"'{'()' * 60}…' is no environment marker"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, why: str) -> None:
    with pytest.raises(RequirementError) as caught:
        parse_spec(text)
    assert caught.value.why == why
    assert (caught.value.source, caught.value.line) == ("command line", 0)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("git+https://x.example/a@v1#egg=a", "version control"),
        ("git+ssh://git@x.example/a", "version control"),
        ("https://x.example/a-1.0.zip", "a URL"),
        ("HTTPS://x.example/a-1.0.zip", "a URL"),
        ("file:///a-1.0.zip", "a URL"),
        ("file:a-1.0.zip", "a URL"),
        ("a @ https://x.example/a-1.0.whl", "the URL behind the @"),
        ("a[x]@git+https://x.example/a@v1", "the URL behind the @"),
        ("a @ file:///a.whl ; python_version < '3'", "the URL behind the @"),
        ("a @ ./a", "the URL behind the @"),
        (".", "a local path"),
        ("./a", "a local path"),
        (".[dev]", "a local path"),
        ("../a", "a local path"),
        ("/abs/a", "a local path"),
        ("~/a", "a local path"),
        ("a/b", "a local path"),
        ("a\\b", "a local path"),
        (r"C:\a", "a local path"),
        ("c:/a", "a local path"),
        (r"\\server\share", "a local path"),
        ("a-1.0-py3-none-any.whl", "a local file"),
        ("a.whl[x] ; python_version < '3'", "a local file"),
        ("a-1.0.tar.gz", "a local file"),
        ("A-1.0.ZIP", "a local file"),
    ],
)
def test_what_no_index_offers_is_not_mirrored_and_no_error(text: str, why: str) -> None:
    found = parse_spec(text)
    assert isinstance(found, NotMirrored)
    assert found.text == text
    assert why in found.why
    assert str(found).startswith("command line: ")


def test_names_that_look_a_little_like_files_are_names() -> None:
    assert wanted("zip").project == "zip"
    assert wanted("backports.zip==1").project == "backports-zip"
    assert wanted("a>=1 ; platform_version == 'a/b.zip'").project == "a"


def test_credentials_are_never_shown() -> None:
    found = parse_spec("git+https://user:hunter2@x.example/a@v1")
    assert isinstance(found, NotMirrored)
    assert found.text == "git+https://****@x.example/a@v1"
    with pytest.raises(RequirementError) as caught:
        parse_spec("a https://user:hunter2@x.example/a")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("-", True),
        ("req.txt", True),
        ("reqs/Base.TXT", True),
        ("requirements.in", True),
        ("six", False),
        ("six==1.0", False),
        ("requirements", False),
        ("a @ https://x.example/a.txt", False),
        ("https://x.example/req.txt", False),
    ],
)
def test_files_in_the_place_of_names(text: str, answer: bool) -> None:  # noqa: FBT001 (a table's column)
    assert is_file_argument(text) is answer


def test_a_single_equals_sign_is_for_the_command_line_only() -> None:
    with pytest.raises(LineError, match="no operator"):
        read_requirement("a=1.0", "req.txt:1")


NAMES = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
SPECIFIERS = st.lists(
    st.builds("{}{}".format, st.sampled_from(["==", ">=", "<", "!=", "~=", "==="]), st.just("1.2")),
    max_size=3,
).map(",".join)
MARKERS = st.sampled_from(["", "; python_version < '3'", ' ; (os_name == "a:b" or extra == "x")'])
EXTRAS = st.lists(NAMES, max_size=3).map(lambda names: f"[{','.join(names)}]" if names else "")


@given(st.builds("{}{}{}{}".format, NAMES, EXTRAS, SPECIFIERS, MARKERS))
def test_pep_508_requirements_are_read_as_packaging_reads_them(text: str) -> None:
    oracle = Requirement(text)
    found = parse_spec(text)
    if isinstance(found, NotMirrored):  # a name such as "a.zip"
        assert not oracle.specifier
        return
    assert found.project == canonicalize_name(oracle.name)
    assert found.extras == {canonicalize_name(extra) for extra in oracle.extras}
    assert found.specifier == oracle.specifier
    assert found.marker == oracle.marker
    again = Requirement(found.text)
    assert (again.specifier, again.marker) == (oracle.specifier, oracle.marker)


def refused_by_packaging(text: str) -> bool:
    try:
        canonicalize_name(Requirement(text).name, validate=True)
    except ValueError:
        return True
    return False


@given(st.text() | st.text("ab1.=<>!~[](),;@:/\\ -+*'\"x\n"))
def test_any_text_is_read_or_refused_with_one_line(text: str) -> None:
    try:
        found = parse_spec(text)
    except RequirementError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert refused_by_packaging(text)
    else:
        assert found.origin == "command line"
