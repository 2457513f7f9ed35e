"""The README says what the program does: options, exit codes, examples, the report's keys, links."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiomirror.cli import arguments, main
from aiomirror.cli.verbs import VERBS
from aiomirror.errors import AiomirrorError
from option_table import option_table, parsers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream import Upstream

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SIGNALS = {130, 143}
"""128 + SIGINT and SIGTERM: no error of the program's."""


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None, f"the README has no section {title!r}"
    return found[1]


def code_blocks() -> list[tuple[str, str]]:
    """Language and text of each."""
    return re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """The arguments of each aiomirror command in the README's examples."""
    for language, text in code_blocks():
        for line in text.replace("\\\n", " ").splitlines() if language == "console" else ():
            words = shlex.split(line, comments=True)
            for at, word in enumerate(words):
                if word.rpartition("/")[2] == "aiomirror":
                    yield words[at + 1 :]


def exit_codes(kind: type[AiomirrorError] = AiomirrorError) -> set[int]:
    codes = {kind.exit_code}
    return codes.union(*map(exit_codes, kind.__subclasses__()))


@pytest.mark.parametrize("verb", VERBS)
def test_the_option_tables_are_those_of_the_parser(verb: str) -> None:
    right = option_table(parsers()[verb])
    found = re.search(rf"<!-- options: {verb} -->\n(.*?)<!-- end of options -->", README, re.DOTALL)

    assert found is not None
    assert found[1] == right, f"the right table of {verb}, which tests/option_table.py prints:\n\n{right}"


def test_every_verb_has_a_table() -> None:
    assert tuple(parsers()) == VERBS
    assert tuple(re.findall(r"<!-- options: (\w+) -->", README)) == VERBS


def test_the_exit_codes_are_those_of_help_and_of_the_errors() -> None:
    table = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes"), re.MULTILINE)
    of_readme = [int(code) for cell in table for code in cell.split(",")]
    of_help = [int(code) for code in re.findall(r"\b\d+\b", arguments.EXIT_CODES)]

    assert of_readme == sorted(set(of_readme))
    assert of_help == of_readme
    assert exit_codes() | {0} | SIGNALS == set(of_readme)


@pytest.mark.parametrize("argv", [*commands()], ids=shlex.join)
def test_the_examples_are_understood(argv: list[str]) -> None:
    arguments.build().parse_args(argv if argv[0] in VERBS else ["sync", *argv])


def test_there_are_examples() -> None:
    assert {argv[0] for argv in commands()} >= set(VERBS)


def test_the_reports_keys_are_those_of_a_report(
    upstream: Upstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.add_file("six", "six-1.0-py3-none-any.whl")
    argv = ["sync", "six", "./elsewhere/", "-d", str(tmp_path), "-i", upstream.url, "--report", "-", "-q"]
    assert main(argv) == 0
    report = json.loads(capsys.readouterr().out)
    rows = dict(re.findall(r"^\| (`.*`) \| (.*) \|$", section("The report"), re.MULTILINE))
    keys = {key: meaning for cell, meaning in rows.items() for key in re.findall(r"`(\w+)`", cell)}

    assert list(keys) == list(report)
    assert set(report["totals"]) == {"projects", *re.findall(r"`(\w+)`", keys["totals"])}
    for table in ("files", "not_mirrored"):
        assert len(report[table]) == 1
        assert report[table][0].keys() <= set(re.findall(r"`(\w+)`", keys[table]))


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    text = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)

    assert targets
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
