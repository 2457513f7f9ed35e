"""How requests introduce themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aiomirror import __version__
from aiomirror.http.agent import home
from aiomirror.simple.values import ACCEPT
from exchange import running

if TYPE_CHECKING:
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
