"""How the program introduces itself."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from aiomirror import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable


@cache
def user_agent() -> str:
    """Tool and version, interpreter and version, and the home of the project, if its metadata has one."""
    agent = f"aiomirror/{__version__} {platform.python_implementation()}/{platform.python_version()}"
    try:
        stated = metadata.metadata("aiomirror").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        stated = []
    found = home(stated)
    return agent if found is None else f"{agent} (+{found})"


def home(stated: Iterable[str]) -> str | None:
    """The home among the values of Project-URL, each a label, a comma and an address; else the first."""
    labelled = [
        (label.strip().lower(), url.strip()) for label, _, url in (one.partition(",") for one in stated)
    ]
    homes = [url for label, url in labelled if label in {"homepage", "home"}]
    return next(iter(homes + [url for _, url in labelled]), None)
