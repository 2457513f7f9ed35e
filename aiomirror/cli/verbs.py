"""The first word of a command line: a verb, or what ``sync`` is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = ("sync", "index", "verify", "prune", "explain")
TRIED = {
    "help": "--help",
    "version": "--version",
    **dict.fromkeys(("add", "download", "fetch", "get", "install", "mirror", "run", "update"), "sync"),
    **dict.fromkeys(("clean", "delete", "remove", "uninstall"), "prune"),
    **dict.fromkeys(("check", "repair"), "verify"),
    **dict.fromkeys(("info", "list", "show", "status"), "explain"),
    **dict.fromkeys(("init", "serve"), ""),
}
"""Words that people try as a verb, with what they may mean; "" where there is nothing of the kind."""
SIMILAR = 0.8
"""From which ratio on a word may be a verb misspelt: ``asyncio`` is as like ``sync`` as 0.73."""


def with_verb(argv: Sequence[str]) -> list[str]:
    """``aiomirror six`` means ``aiomirror sync six``; options of all verbs stay where they are."""
    if not argv or argv[0] in (*VERBS, "-h", "--help", "--version"):
        return list(argv) or ["--help"]
    return ["sync", *argv]


def check_project(word: str) -> None:
    """See to it that the first project of a command line without a verb is none that was meant as one.

    Raises:
        ConfigError: it looks as if it was.
    """
    if word in VERBS:
        raise ConfigError(f"{word} is a verb, which comes first: aiomirror {word} …")
    meant = _meant(word)
    if meant is None:
        return
    hint = f"; did you mean {meant}?" if meant else ";"
    raise ConfigError(f'{word} is no verb{hint} "aiomirror sync {word}" mirrors the project of that name')


def _meant(word: str) -> str | None:
    """What somebody wants who writes ``word`` for a verb; None: it is none, a project's name."""
    lowered = word.lower()
    if lowered in VERBS:
        return lowered
    if lowered in TRIED:
        return TRIED[lowered]
    return next((verb for verb in VERBS if _is_slip(lowered, verb)), None)


def _is_slip(word: str, verb: str) -> bool:
    """Whether a word is the verb with a letter or two gone wrong, hardly ever the first one."""
    if not word.isalpha() or word[0] != verb[0]:
        return False
    from difflib import SequenceMatcher  # noqa: PLC0415 (seldom needed)

    # Letters that have changed places count as two slips there, which is much for a short word.
    return sorted(word) == sorted(verb) or SequenceMatcher(None, word, verb).ratio() >= SIMILAR
