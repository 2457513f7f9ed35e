from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from packaging.utils import canonicalize_name
from pypi_simple import ProjectPage as OraclePage

from aiomirror.errors import (
    ApiVersionError,
    ContentTypeError,
    MalformedPageError,
    PageError,
    WrongProjectError,
)
from aiomirror.simple import read_json
from aiomirror.simple.notes import MAX_NOTES
from aiomirror.simple.plain import LONG
from aiomirror.simple.read import read_page, read_root
from aiomirror.simple.values import JSON_TYPE, ProjectFile, ProjectPage, ProjectStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://index.example/simple/six/"
SIX = canonicalize_name("six")
SHA256 = "ab" * 32
NAME = "six-1.0.tar.gz"


@pytest.fixture(scope="module", autouse=True, params=[LONG, 0], ids=["by entries", "as a whole"])
def judged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every page here is read in both ways, of which the length decides otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_json, "LONG", request.param)
        yield


def listed(**changes: object) -> dict[str, object]:
    """One file as an index lists it; a key set to ``...`` is left out."""
    entry = {
        "filename": NAME,
        "url": f"https://files.example/{NAME}",
        "hashes": {"sha256": SHA256},
        "size": 5,
    }
    entry |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in entry.items() if value is not ...}


def document(*files: object, **changes: object) -> dict[str, object]:
    page: dict[str, object] = {
        "meta": {"api-version": "1.4"},
        "name": "six",
        "files": files,
        "versions": ["1.0"],
    }
    page |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in page.items() if value is not ...}


def read(page: object, project: str = "six") -> ProjectPage:
    body = page if isinstance(page, bytes) else json.dumps(page).encode()
    return read_page(body, JSON_TYPE, URL, canonicalize_name(project))


def only(**changes: object) -> ProjectFile:
    (file,) = read(document(listed(**changes))).files
    return file


def test_J_KEY_2_all_of_version_1_4() -> None:
    entry = listed(
        requires_python=">=3.8",
        yanked="broken",
        upload_time="2024-05-06T07:08:09.123456Z",
        core_metadata={"sha256": SHA256},
        provenance="https://index.example/six.provenance",
        gpg_sig=True,
        _private=[1],
    )
    page = read(document(entry, **{"project-status": {"status": "archived", "reason": "done"}, "_last": 7}))
    assert page == ProjectPage(
        project=SIX,
        files=(
            ProjectFile(
                filename=NAME,
                url=f"https://files.example/{NAME}",
                hashes={"sha256": SHA256},
                size=5,
                requires_python=">=3.8",
                yanked="broken",
                upload_time=datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
                core_metadata={"sha256": SHA256},
                provenance="https://index.example/six.provenance",
            ),
        ),
        versions=("1.0",),
        status=ProjectStatus("archived", "done"),
        api_version="1.4",
    )


def test_J_KEY_1_version_1_0_has_no_sizes_and_versions() -> None:
    page = read(document(listed(size=...), versions=..., meta={"api-version": "1.0"}))
    assert (page.files[0].size, page.versions, page.warnings) == (None, (), ())


@pytest.mark.parametrize(
    "key", ["size", "requires_python", "yanked", "upload_time", "core_metadata", "provenance"]
)
def test_J_NULL_1_null_is_absent(key: str) -> None:
    page = read(document(listed(**{key: None}), project_status=None, versions=None))
    assert page.files == read(document(listed(**{key: ...}))).files
    assert page.warnings == ()


# Each also makes a page that only the long way can read, so both ways are held against the same table.
@pytest.mark.parametrize("also", [{}, {"requires_python": 3}], ids=["fast", "lenient"])
@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("yanked", True, "yanked", ""),
        ("yanked", "bad", "yanked", "bad"),
        ("yanked", False, "yanked", None),
        ("yanked", "", "yanked", None),
        ("core-metadata", True, "core_metadata", {}),
        ("core-metadata", {}, "core_metadata", {}),
        ("core-metadata", {"sha256": SHA256.upper()}, "core_metadata", {"sha256": SHA256}),
        ("core-metadata", {"sha256": "short"}, "core_metadata", {}),
        ("core-metadata", False, "core_metadata", None),
        ("dist-info-metadata", {"sha256": SHA256}, "core_metadata", {"sha256": SHA256}),
        ("data-dist-info-metadata", {"sha256": SHA256}, "core_metadata", None),
        ("upload-time", "2024-01-01T01:00:00+01:00", "upload_time", datetime(2024, 1, 1, tzinfo=UTC)),
        ("hashes", {"SHA256": SHA256.upper(), "whirlpool": "x", "md5": ""}, "hashes", {"sha256": SHA256}),
        ("hashes", {"sha256": SHA256, "md5": "0" * 32}, "hashes", {"sha256": SHA256, "md5": "0" * 32}),
        ("hashes", None, "hashes", {}),
        ("hashes", {"sha256": None, "whirlpool": None}, "hashes", {}),
        ("url", f"../../{NAME}#sha256=00", "url", f"https://index.example/{NAME}"),
        ("url", "/get?id=7", "url", "https://index.example/get?id=7"),
        ("size", 2**63 - 1, "size", 2**63 - 1),
    ],
)
def test_J_values(key: str, value: object, field: str, expected: object, also: dict[str, object]) -> None:
    assert getattr(only(**{key: value}, **also), field) == expected


def test_J_META_1_the_new_key_counts_where_both_are_there() -> None:
    assert only(core_metadata=False, dist_info_metadata={"sha256": SHA256}).core_metadata is None


ODD_VALUES: dict[str, tuple[object, ...]] = {
    "size": ("5", 5.0, 1.5, True, -1, 2**63, 1e999, [], {}),
    "upload-time": ("", "soon", "2024-01-01", "2024-01-01T00:00:00", 7, "0001-01-01T00:00:00+14:00"),
    "requires-python": (3, [">=3"], {}),
    "yanked": (1, ["x"]),
    "core-metadata": ("true", 1, [], {"sha256": 5}),
    "provenance": ("http://h.example/x", "x.provenance", "", 5, "https://[x/"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in ODD_VALUES for value in ODD_VALUES[key]])
def test_J_SYN_3_an_optional_value_of_a_wrong_type_is_absent_with_a_warning(key: str, value: object) -> None:
    body = json.dumps(document(listed(**{key: value}))).replace("Infinity", "1e999").encode()
    page = read(body)
    assert page.files == read(document(listed(**{key: ...}))).files
    assert len(page.warnings) == 1
    assert NAME in page.warnings[0]
    assert key in page.warnings[0]


UNUSABLE: dict[str, tuple[object, ...]] = {
    "filename": (None, ..., "", 5, [], "../six-1.0.zip", "/six-1.0.zip", "six-1.0\0.zip"),
    "url": (None, ..., "", 5, "ftp://h.example/x", "http://[x/", "javascript:x"),
    "hashes": ("sha256=x", [], 5, {"sha256": "short"}, {"sha256": 5}, {"md5": [1]}),
}


@pytest.mark.parametrize(
    "entry",
    [*(listed(**{key: value}) for key in UNUSABLE for value in UNUSABLE[key]), "six", 5, None, []],
)
def test_J_SYN_3_an_entry_that_cannot_be_used_is_skipped_and_the_rest_stands(entry: object) -> None:
    other = "six-2.0.zip"
    page = read(document(entry, listed(filename=other)))
    assert [file.filename for file in page.files] == [other]
    assert any("skipped" in warning for warning in page.warnings)


def test_C_HASH_4_malformed_known_digest_is_refused_by_name() -> None:
    page = read(document(listed(hashes={"sha256": SHA256[1:], "md5": "0" * 32})))
    assert page.files == ()
    assert page.warnings == (f"'{NAME}' skipped: malformed sha256 digest",)


def test_J_FILE_1_the_filename_is_the_name_whatever_the_url() -> None:
    assert only(url="https://files.example/blob/abc").filename == NAME


def test_C_FILE_3_what_is_no_distribution_is_left_out_without_a_word() -> None:
    page = read(document(*(listed(filename=name) for name in (f"{NAME}.asc", "six-1.0-variants.json", ".x"))))
    assert (page.files, page.warnings) == ((), ())


def test_C_FILE_6_files_of_other_projects_are_ignored_with_a_warning() -> None:
    page = read(document(listed(filename="seven-1.0.zip"), listed()))
    assert [file.filename for file in page.files] == [NAME]
    assert page.warnings == ("'seven-1.0.zip' skipped: a file of another project",)


@pytest.mark.parametrize(
    ("change", "warnings"), [({}, 0), ({"size": 6}, 1), ({"hashes": {"md5": "0" * 32}}, 1)]
)
def test_C_FILE_7_a_file_listed_twice(change: dict[str, object], warnings: int) -> None:
    page = read(document(listed(), listed(**change)))
    assert page.files == (only(),)
    assert len(page.warnings) == warnings


def test_C_FILE_7_a_file_refused_for_its_digest_is_not_taken_from_a_second_entry() -> None:
    page = read(document(listed(hashes={"sha256": "short"}), listed(hashes={})))
    assert page.files == ()
    assert len(page.warnings) == 2


def test_C_FILE_8_a_page_without_files() -> None:
    assert read(document()).files == ()


@pytest.mark.parametrize(
    ("meta", "version"),
    [
        (..., "1.0"),
        (None, "1.0"),
        ({}, "1.0"),
        ({"api-version": None}, "1.0"),
        ({"api-version": " 1.1 "}, "1.1"),
    ],
)
def test_C_VER_1_the_version_of_a_page(meta: object, version: str) -> None:
    page = read(document(listed(), meta=meta))
    assert (page.api_version, page.warnings, len(page.files)) == (version, (), 1)


def test_C_VER_3_minor_ahead_warns() -> None:
    page = read(document(listed(), meta={"api-version": "1.99"}))
    assert "1.99" in page.warnings[0]
    assert len(page.files) == 1


@pytest.mark.parametrize(
    "version", ["2.0", "2.99", "0.9", "one", "", "1", "1.1.1", "1.x", 1.1, 2.0, 2, True, [], {}]
)
@pytest.mark.parametrize("changes", [{}, {"files": {}}], ids=["same shape", "other shape"])
def test_C_VER_4_and_5_other_versions_fail(version: object, changes: dict[str, object]) -> None:
    with pytest.raises(ApiVersionError):
        read(document(listed(), meta={"api-version": version}, **changes))


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"<!DOCTYPE html><a href='six-1.0.zip'>",
            b"[]",
            b"null",
            b'"x"',
            b"{}",
            b'{"files": [}',
            b"\xff\xfe",
        ),
        *(
            b'{"files": null}',
            b'{"files": {}}',
            b'{"files": "x"}',
            b'{"projects": []}',
            b'{"files": [], "x": NaN}',
        ),
        *(b'{"files": [], "meta": 5}', b'{"files": [], "meta": []}', b'{"files": [], "name": 5}'),
        *(b'{"files": ["\xff"]}', b'{"files": [], "x": ' + b"9" * 5_000 + b', "y": "\\ud800"}'),
        *(b'{"files": ' + b"[" * 100_000, b'{"x": ' + b'{"y":' * 100_000 + b"1" + b"}" * 100_001),
        b'{"files": [], "y": "\\ud800", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_J_SYN_1_and_J_SAFE_1_what_is_no_page_is_an_error(body: bytes) -> None:
    with pytest.raises(MalformedPageError) as caught:
        read(body)
    assert caught.value.url == URL


def test_J_SYN_2_a_byte_order_mark_is_read() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(document(listed())).encode()) == read(document(listed()))


@pytest.mark.parametrize("name", ["six", "Six", "SIX"])
def test_C_NAME_2_raw_names_are_compared_normalised(name: str) -> None:
    assert read(document(listed(), name=name)).project == "six"


def test_C_NAME_2_the_page_of_another_project_is_an_error() -> None:
    with pytest.raises(WrongProjectError):
        read(document(listed(), name="seven"))
    assert len(read(document(listed(), name=...)).warnings) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, ProjectStatus()),
        ({"project_status": {}}, ProjectStatus()),
        ({"project_status": {"status": "Quarantined "}}, ProjectStatus("quarantined")),
        ({"project_status": {"state": "archived", "reason": ""}}, ProjectStatus("archived")),
        ({"project_status": {"status": "odd", "reason": "x"}}, ProjectStatus("odd", "x")),
        ({"project_status": "deprecated"}, ProjectStatus("deprecated")),
        ({"meta": {"api-version": "1.4", "project-status": "archived"}}, ProjectStatus("archived")),
        ({"project_status": 5}, ProjectStatus()),
        ({"project_status": {"status": 5}}, ProjectStatus()),
        ({"meta": {"project-status": [5]}}, ProjectStatus()),
    ],
)
def test_C_STAT_markers(changes: dict[str, object], status: ProjectStatus) -> None:
    page = read(document(listed(), **changes))
    assert page.status == status
    assert len(page.files) == 1


@pytest.mark.parametrize(
    ("versions", "expected"),
    [(["1.0", "2004d", "1.0"], ("1.0", "2004d", "1.0")), ([5, "1.0", None], ("1.0",)), ("1.0", ()), ({}, ())],
)
def test_J_KEY_4_versions(versions: object, expected: tuple[str, ...]) -> None:
    assert read(document(listed(), versions=versions)).versions == expected


def test_J_CHAR_1_lone_surrogates_become_replacement_characters() -> None:
    page = read(document(listed(yanked="a\ud800b \U0001f600\x07"), versions=["\udfff"]))
    assert page.files[0].yanked == "a\ufffdb \U0001f600\x07"
    assert page.versions == ("\ufffd",)


def test_warnings_are_bounded_and_printable() -> None:
    files = [listed(filename=f"\u202e\x1b[2J{i}-1.0.zip" + "x" * 500 + ".zip") for i in range(3_000)]
    warnings = read(document(*files, meta={"api-version": "1.9"})).warnings
    assert len(warnings) == MAX_NOTES + 1
    assert warnings[-1] == f"and {3_001 - MAX_NOTES:,} more"
    assert all(line.isprintable() and len(line) < 200 for line in warnings)


@pytest.mark.parametrize(
    "content_type",
    [JSON_TYPE, JSON_TYPE.upper(), f" {JSON_TYPE} ; charset=utf-8"],
)
def test_C_TYPE_2_types_are_compared_without_case_and_parameters(content_type: str) -> None:
    assert read_page(json.dumps(document(listed())).encode(), content_type, URL, SIX).files


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/vnd.pypi.simple.v2+json",
        "application/xhtml+xml",
        "text/plain",
    ],
)
def test_C_TYPE_3_other_types_are_errors(content_type: str | None) -> None:
    body = json.dumps(document(listed())).encode()
    with pytest.raises(ContentTypeError):
        read_page(body, content_type, URL, SIX)
    with pytest.raises(ContentTypeError):
        read_root(body, content_type, URL)


@pytest.mark.parametrize("odd", [[], [5, "x", None, {"name": 5}, {}]], ids=["fast", "lenient"])
def test_C_ROOT_1_names_are_normalised_each_once_and_invalid_ones_dropped(odd: list[object]) -> None:
    names = ["Six", "six", "zope.interface", "Zope-Interface", "-x", "a b", "../x", "", "x\n", "\u212a"]
    root = {"meta": {"api-version": "1.0"}, "projects": [*({"name": name, "_x": 1} for name in names), *odd]}
    assert tuple(read_root(json.dumps(root).encode(), JSON_TYPE, URL)) == ("six", "zope-interface")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"projects": null}', b'{"projects": {}}', b'{"files": []}']
)
def test_C_ROOT_what_is_no_root_page_is_an_error(body: bytes) -> None:
    with pytest.raises(MalformedPageError):
        read_root(body, JSON_TYPE, URL)
    with pytest.raises(ApiVersionError):
        read_root(b'{"meta": {"api-version": "2.0"}}', JSON_TYPE, URL)


def test_a_normal_page_reads_as_pypi_simple_reads_it() -> None:
    data: dict[str, Any] = document(
        listed(upload_time="2024-05-06T07:08:09Z", core_metadata={"sha256": SHA256}, requires_python=">=3"),
        listed(filename="six-1.1-py3-none-any.whl", url="../../six-1.1-py3-none-any.whl", yanked="bad"),
    )
    oracle = OraclePage.from_json_data(data, base_url=URL)
    page = read(data)
    assert page.api_version == oracle.repository_version
    assert list(page.versions) == oracle.versions
    for file, package in zip(page.files, oracle.packages, strict=True):
        assert (file.filename, file.url, file.hashes) == (package.filename, package.url, package.digests)
        assert (file.size, file.requires_python) == (package.size, package.requires_python)
        assert (file.yanked is not None, file.yanked) == (package.is_yanked, package.yanked_reason)
        assert (file.upload_time, file.core_metadata) == (package.upload_time, package.metadata_digests)


def few(page: object) -> int:
    return len(read_page(json.dumps(page).encode(), JSON_TYPE, URL, SIX, max_files=3).files)


FOUR = [listed(filename=f"six-{number}.zip") for number in range(4)]


@pytest.mark.parametrize("more", [{}, {"name": "six", "versions": [1]}], ids=["typed", "the long way"])
def test_G18_files_are_bounded(more: dict[str, object]) -> None:
    assert few(document(*FOUR[:3], **more)) == 3
    with pytest.raises(MalformedPageError, match="the page lists 4 files, and 3 at most are read"):
        few(document(*FOUR, **more))
    body = json.dumps(document(*FOUR, **more)).encode()
    assert len(read_page(body, JSON_TYPE, URL, SIX, max_files=None).files) == 4


def test_G18_what_is_no_file_counts() -> None:
    with pytest.raises(MalformedPageError, match="the page lists 4 files"):
        few(document({}, 1, None, {"filename": "about.html"}))


def test_G18_values_are_bounded() -> None:
    with pytest.raises(MalformedPageError, match="the page has more than 90 values"):
        few(document(*FOUR[:1], extra=[0] * 100))
    assert few(document(*FOUR[:1], extra=[0] * 50)) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.just("1.0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    "filename",
    "url",
    "hashes",
    "size",
    "requires-python",
    "yanked",
    "upload-time",
    "core-metadata",
    "provenance",
)
ENTRIES = (
    st.fixed_dictionaries({"filename": st.just(NAME) | JSON}, optional=dict.fromkeys(KEYS[1:], JSON)) | JSON
)
PAGES = st.fixed_dictionaries(
    {"files": st.lists(ENTRIES, max_size=3)},
    optional=dict.fromkeys(("meta", "name", "versions", "project-status"), JSON),
)


@given(st.binary() | (PAGES | JSON).map(lambda page: json.dumps(page).encode()))
@settings(max_examples=300)
def test_any_body_is_a_page_or_a_page_error(body: bytes) -> None:
    with suppress(PageError):
        read_page(body, JSON_TYPE, URL, SIX)
    with suppress(PageError):
        read_root(body, JSON_TYPE, URL)


@pytest.mark.parametrize(
    ("stated", "serial"),
    [(7, 7), ("37059094", 37059094), (0, 0), (-1, None), (True, None), (2**63, None), ("9" * 30, None),
     ("x", None), (None, None), ([1], None), (1.5, None)],
)  # fmt: skip
def test_a_serial_is_read_in_any_form_and_never_odd(stated: object, serial: int | None) -> None:
    meta = {"api-version": "1.1", "_last-serial": stated}
    page = read_page(json.dumps({"meta": meta, "name": "six", "files": []}).encode(), JSON_TYPE, URL, SIX)
    assert (page.last_serial, page.warnings) == (serial, ())
    root = {"meta": meta, "projects": [{"name": "six", "_last-serial": stated}]}
    assert read_root(json.dumps(root).encode(), JSON_TYPE, URL) == {"six": serial}
