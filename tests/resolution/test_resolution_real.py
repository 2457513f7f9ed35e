"""Against the real thing: known projects with deep trees, and what uv makes of the same index.

Where requirements bound each other there are several solutions, none of which has everything newest.  uv
keeps what it has decided first, in the order of the roots, and goes down with what comes later.  Here, as in
pip, a requirement may lower a version that was chosen before it; and what had to go far down on the way is
tried again in the end, at the cost of what stays near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_index import SETS, TARGETS, ask_uv, captured, chosen, differences, recorded, requirements, targets

from clients import Clients
from upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiomirror.resolution import Closure

Differences = dict[str, tuple[str | None, str | None]]

FSSPEC: Differences = {"datasets": ("5.0.1", "1.1.1"), "fsspec": ("2026.6.0", "2026.7.0")}
"""datasets bounds fsspec, which is a month behind for its sake.

uv takes a datasets of 2020, before there was that bound, and only on Python 3.11: its other two answers are
ours.  pip, asked for the set "data", takes datasets 5.0.1, too.  Ours is the better one.
"""
FASTAPI: Differences = {
    "aiosqlite": ("0.22.1", "0.21.0"),
    "apache-airflow": ("3.3.1", "3.2.2"),
    "apache-airflow-core": ("3.3.1", "3.2.2"),
    "apache-airflow-task-sdk": ("1.3.1", "1.2.2"),
    "arrow": ("1.4.0", None),
    "cadwyn": ("7.0.0", "7.2.0"),
    "fastapi": ("0.136.3", "0.141.1"),
    "isoduration": ("20.11.0", None),
}
"""The newest Airflow bounds fastapi, which is a root as well: either of them is the newest, not both.

Both answers are right.  pip gives ours where the root is ``fastapi``, and uv's where it is
``fastapi[standard]``, whose version it does not take back.
"""
BOTOCORE: Differences = {
    "aiobotocore": ("3.9.0", None),
    "aioitertools": ("0.13.0", None),
    "boto3": ("1.43.56", "1.43.85"),
    "botocore": ("1.43.56", "1.43.85"),
    "s3fs": ("2026.6.0", "0.4.2"),
    "wrapt": ("2.4.0", None),
}
"""s3fs bounds botocore, by way of aiobotocore.

uv and pip take an s3fs of 2020, from before it had that dependency, so that boto3 can be the newest.  Ours
has a boto3 of some weeks ago and everything else of the same summer: the better one.
"""


def known(name: str, target: str) -> Differences:
    if name == "main":
        return FSSPEC if target.startswith("cp311-") else {}
    return {"web": FASTAPI, "data": BOTOCORE}[name]


@pytest.fixture(scope="module", params=SETS)
def resolved(request: pytest.FixtureRequest) -> tuple[str, Closure]:
    """A set of requirements and its closure for all targets."""
    return request.param, captured().close(requirements(request.param))


def test_the_versions_are_those_of_uv(resolved: tuple[str, Closure]) -> None:
    name, closure = resolved
    assert closure.conflicts == ()
    for target in TARGETS:
        theirs = recorded(name)[target]
        assert differences(chosen(closure, target), theirs) == known(name, target), target


def test_a_target_by_itself_has_the_same_closure_as_among_others() -> None:
    roots = requirements("data")
    together = captured().close(roots)
    for target in (one for one in targets() if one.python_version == (3, 12)):
        assert chosen(captured().close(roots, [target]), target.name) == chosen(together, target.name)


@pytest.fixture(scope="module")
def index() -> Iterator[Upstream]:
    """What was captured, on loopback."""
    with Upstream() as upstream:
        captured().serve(upstream)
        yield upstream


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SETS)
def test_uv_answers_the_same_from_what_was_kept(
    index: Upstream, tmp_path_factory: pytest.TempPathFactory, name: str, target: str
) -> None:
    answer = ask_uv(Clients(tmp_path_factory.mktemp("uv")), index.url, requirements(name), target)
    assert answer == recorded(name)[target]
