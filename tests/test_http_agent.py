"""How requests introduce themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aiomirror import __version__
from aiomirror.http.agent import METADATA, home, stated
from aiomirror.simple.values import ACCEPT
from exchange import running

if TYPE_CHECKING:
    from pathlib import Path

    from upstream import Upstream


async def test_tool_and_version_are_named(upstream: Upstream) -> None:
    async with running() as client:
        await client.get_page(upstream.url, accept=ACCEPT)
    (request,) = upstream.requests
    agent = request.headers["user-agent"]
    assert re.fullmatch(rf"aiomirror/{re.escape(__version__)} \w+/3\.\d+\.\S+( \(\+https://\S+\))?", agent)


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ([], None),
        (["Changes, https://home.example/changes"], "https://home.example/changes"),
        (
            ["Changes, https://home.example/changes", "Homepage, https://home.example/"],
            "https://home.example/",
        ),
        (["home , https://home.example/"], "https://home.example/"),
    ],
)
def test_the_home_of_the_project(stated: list[str], found: str | None) -> None:
    assert home(stated) == found


def test_the_metadata_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / METADATA.name
    links = ["Homepage, https://home.example/", "Changes, https://home.example/changes"]
    path.write_text(
        "Metadata-Version: 2.4\nName: aiomirror\n"
        + "".join(f"Project-URL: {one}\n" for one in links)
        + "License-Expression: GPL-2.0-or-later\n\nProject-URL: Description, https://other.example/ é\n",
        encoding="utf-8",
    )
    assert stated(path) == links


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_without_metadata_there_is_no_home(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / METADATA.name
    if content is not None:
        path.write_bytes(content)
    assert stated(path) == []


def test_the_metadata_of_a_wheel_lie_beside_the_package() -> None:
    folder = METADATA.parent
    assert folder.name == f"aiomirror-{__version__}.dist-info"
    assert (folder.parent / "aiomirror" / "__init__.py").is_file()
