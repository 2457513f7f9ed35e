"""How the program introduces itself."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aiomirror import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

METADATA = Path(__file__).parents[2] / f"aiomirror-{__version__}.dist-info" / "METADATA"
"""Where a wheel is installed, it lies beside the package; a checkout has none, and names no home."""
_LABEL = "Project-URL:"


@cache
def user_agent() -> str:
    """Tool and version, interpreter and version, and the home of the project, if its metadata has one."""
    agent = f"aiomirror/{__version__} {platform.python_implementation()}/{platform.python_version()}"
    found = home(stated(METADATA))
    return agent if found is None else f"{agent} (+{found})"


def stated(path: Path) -> list[str]:
    """The values of Project-URL; none where there is no such file.

    ``importlib.metadata`` finds the file in all places, and is 10 ms to import and to ask.
    """
    try:
        headers = path.read_text(encoding="utf-8").partition("\n\n")[0]
    except (OSError, ValueError):
        return []
    return [line.removeprefix(_LABEL).strip() for line in headers.splitlines() if line.startswith(_LABEL)]


def home(links: Iterable[str]) -> str | None:
    """The home among the values of Project-URL, each a label, a comma and an address; else the first."""
    labelled = [
        (label.strip().lower(), url.strip()) for label, _, url in (one.partition(",") for one in links)
    ]
    homes = [url for label, url in labelled if label in {"homepage", "home"}]
    return next(iter(homes + [url for _, url in labelled]), None)
