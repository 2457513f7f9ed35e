"""The option tables of the README, made of the parser; ``python tests/option_table.py`` prints them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aiomirror.cli import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "| option | meaning |\n|---|---|\n"


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb, in the order of ``--help``."""
    for action in arguments.build()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the command line has no verbs")


def option_table(parser: argparse.ArgumentParser) -> str:
    """The Markdown table of a verb's arguments: a row for each, and for the title of each of our groups."""
    return HEAD + "".join(f"| {left} | {right} |\n" for left, right in _rows(parser))


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for number, group in enumerate(parser._action_groups):
        # --help, which every program has, needs no row.
        actions = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
        if not actions:
            continue
        if number > 1:  # the first two are argparse's own
            yield f"**{group.title}**", ""
        for action in actions:
            yield f"`{_spelling(action)}`", _meaning(action)


def _spelling(action: argparse.Action) -> str:
    """As ``-d, --dest, --local-folder DIR``: the value once, after all spellings."""
    value = action.metavar if isinstance(action.metavar, str) else ""
    if action.nargs == "?":
        value = f"[{value}]"
    if not action.option_strings:
        return f"{value} ..." if action.nargs == "*" else value
    return f"{', '.join(action.option_strings)} {value}".rstrip()


def _meaning(action: argparse.Action) -> str:
    """The help text as ``--help`` shows it, defaults filled in."""
    assert action.help, f"{action.dest} has no help"
    return (action.help % vars(action)).replace("|", r"\|")


if __name__ == "__main__":
    for name, verb in parsers().items():
        print(f"<!-- options: {name} -->\n{option_table(verb)}<!-- end of options -->\n")  # noqa: T201 (what it is for)
