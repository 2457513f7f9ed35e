"""The first word of a command line: verbs, what is meant as one, and projects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import main
from aiomirror.cli.verbs import TRIED, VERBS, check_project
from aiomirror.errors import ConfigError

if TYPE_CHECKING:
    from mirror import Mirror

CAPTURED = Path(__file__).parent / "resolution" / "captured"
SLIPS = {
    "Sync": "sync",
    "snyc": "sync",
    "sycn": "sync",
    "synch": "sync",
    "INDEX": "index",
    "indx": "index",
    "idnex": "index",
    "verfiy": "verify",
    "verifiy": "verify",
    "verfy": "verify",
    "varify": "verify",
    "purne": "prune",
    "prunee": "prune",
    "prun": "prune",
    "explian": "explain",
    "explein": "explain",
    "explan": "explain",
}
CLOSE = (
    "aiosync", "anyio", "async", "asyncio", "asyncpg", "certifi", "expandvars", "expects", "fsspec", "inject",
    "inquirer", "invoke", "peewee", "pendulum", "pip", "pure", "pruned-x", "rsync", "sanic", "scipy", "six",
    "sniffio", "spacy", "stanza", "svn", "sympy", "syncedlyrics", "vine", "vispy", "prune-tools", "sync==1",
)  # fmt: skip
"""Projects whose names have something of a verb."""


@pytest.mark.parametrize("word", [*SLIPS, *TRIED])
def test_what_is_meant_as_a_verb_is_no_project(mirror: Mirror, word: str) -> None:
    meant = SLIPS.get(word) or TRIED[word]
    for argv in ([word], [word, "foo", "-d", str(mirror.dest)], [word, "--quick"]):
        (line,) = mirror.run(*argv, "-i", mirror.upstream.url, code=2).err.splitlines()
        hint = f"; did you mean {meant}?" if meant else ";"
        assert (
            line == f'error: {word} is no verb{hint} "aiomirror sync {word}" mirrors the project of that name'
        )
    assert not mirror.upstream.requests
    assert not mirror.dest.exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["-q", "verify"], "verify is a verb, which comes first: aiomirror verify …"),
        (["--pre", "verfiy"], "verfiy is no verb; did you mean verify?"),
    ],
)
def test_options_in_front_make_no_project_of_it(mirror: Mirror, argv: list[str], says: str) -> None:
    (line,) = mirror.run(*argv, "-d", str(mirror.dest), "-i", mirror.upstream.url, code=2).errors()
    assert line.startswith(says)
    assert not mirror.upstream.requests


@pytest.mark.parametrize("name", ["mirror", "verfiy", "sync"])
def test_a_project_of_such_a_name_can_be_had(mirror: Mirror, name: str) -> None:
    mirror.upstream.add_file(name, f"{name}-1.0.tar.gz")
    mirror.upstream.add_file("foo", "foo-1.0.tar.gz")
    mirror.sync(name)
    mirror.sync("foo", name)
    assert mirror.files() == {"foo-1.0.tar.gz", f"{name}-1.0.tar.gz"}
    where = ("-d", str(mirror.dest), "-i", mirror.upstream.url, "--no-deps")
    assert main(["foo", name, *where]) == 0


def test_well_known_projects_are_taken_for_what_they_are() -> None:
    texts = (path.read_text() for path in CAPTURED.glob("*.txt"))
    names = {name for text in texts for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    assert len(names) > 300
    for name in (*names, *CLOSE):
        check_project(name)


@pytest.mark.parametrize("word", VERBS)
def test_a_letter_too_many_or_too_few_is_a_slip(word: str) -> None:
    """But for the first one, which hardly anybody gets wrong."""
    slips = [f"{word[:place]}{word[place + 1 :]}" for place in range(1, len(word))]
    for slip in (*slips, f"{word}{word[-1]}", f"{word[:2]}{word[1:]}"):
        with pytest.raises(ConfigError, match=rf"did you mean {word}\?"):
            check_project(slip)
