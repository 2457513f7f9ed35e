"""Option lines of requirements files: which there are, and how they are taken apart.

================================= ======  ====================================================
option                            we      why
================================= ======  ====================================================
-r, -c, -e                        follow  see ``gather``; -e is reported as not mirrored
-i --index-url --pypi-url         obey    the last one counts, as in pip
--pre                             obey
--no-binary --only-binary         obey    in order: a later one takes names back
--require-hashes                  obey
--all-releases --only-final       obey    with :all:; for names there is a warning
--hash                            obey    beside a requirement
--extra-index-url -f --find-links warn    what pip finds there will be missing in the mirror
--no-index                        warn    the mirror's files come from an index all the same
--uploaded-prior-to               warn    pip would choose an older version
--prefer-binary                   accept  all files of a version are mirrored, wheels included
--trusted-host                    accept  certificates are verified; a failure says so itself
--use-feature --use-deprecated    accept  how pip works, not what it installs
--global-option --install-option  accept  how a source archive is built
-C --config-settings              accept  as above
--build-option --use-pep517       accept  as above
--no-build-isolation              accept  as above
--progress-bar --no-cache-dir     accept  what pip shows and keeps
--disable-pip-version-check       accept  as above
anything else                     refuse  a misspelt option would change what is mirrored
================================= ======  ====================================================

Long options can be shortened as long as they are unambiguous; values stand behind ``=`` or white space, and
for short options right behind the letter: the rules of ``optparse``, which pip uses.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from aiomirror.digests import DIGEST_LENGTHS
from aiomirror.requirements.values import FileOptions, FormatControl, FormatKind, LineError, brief, excerpt

WEAK = frozenset({"md5", "sha1"})
"""Broken, and refused by pip; uv writes them where an index lists nothing else, so they are read."""

_HEX = re.compile(r"[0-9a-f]+\Z", re.ASCII)
_FIRST_OPTION = re.compile(r"(?:^|\s)(?=-)")


Effect = Callable[[FileOptions, str], FileOptions]


class Option(msgspec.Struct, frozen=True):
    """An option of requirements files; the first of ``names`` is what it is called everywhere else."""

    names: tuple[str, ...]
    effect: Effect | None = None
    """What its value changes, if anything; LineError for a value that is none."""
    takes_value: bool = True
    beside_requirement: bool = False
    warning: str = ""
    """What to tell the user, whose file asks for something that does not happen."""
    all_only: bool = False
    """Whether ``:all:`` is the one value that has an effect, and the warning is for the others."""


class Given(msgspec.Struct, frozen=True):
    """An option as it stands in a line; ``value`` is "" for those without."""

    option: Option
    value: str = ""

    @property
    def name(self) -> str:
        """The option's main spelling, with its dashes."""
        return self.option.names[0]

    def applied(self, options: FileOptions) -> FileOptions:
        """The options with this one obeyed."""
        obeyed = self.option.effect and (self.value == ":all:" or not self.option.all_only)
        return self.option.effect(options, self.value) if self.option.effect and obeyed else options

    def warning(self) -> str:
        """What follows the option's name in a warning; "" if there is nothing to warn of."""
        return "" if self.option.all_only and self.value == ":all:" else self.option.warning


def _rule(kind: FormatKind) -> Effect:
    def effect(options: FileOptions, value: str) -> FileOptions:
        FormatControl().then((kind, value))  # for its error, while the line is known
        return replace(options, format_rules=(*options.format_rules, (kind, value)))

    return effect


def _extra_index(options: FileOptions, value: str) -> FileOptions:
    return replace(options, extra_index_urls=(*options.extra_index_urls, value))


def _find_links(options: FileOptions, value: str) -> FileOptions:
    return replace(options, find_links=(*options.find_links, value))


_NOT_FOLLOWED = "is not followed; what only it offers will be missing"
_NO_INDEX = "is not followed: files are mirrored from the index"
_NO_DATES = "is not followed: versions count whatever their date"
_ALL_ONLY = "is followed with :all: only; --pre covers every project"
_OPTIONS = (
    Option(("--requirement", "-r")),
    Option(("--constraint", "-c")),
    Option(("--editable", "-e")),
    Option(("--index-url", "-i", "--pypi-url"), lambda options, url: replace(options, index_url=url)),
    Option(("--pre",), lambda options, _: replace(options, pre=True), takes_value=False),
    Option(("--no-binary",), _rule("no_binary")),
    Option(("--only-binary",), _rule("only_binary")),
    Option(
        ("--require-hashes",), lambda options, _: replace(options, require_hashes=True), takes_value=False
    ),
    Option(
        ("--all-releases",), lambda options, _: replace(options, pre=True), all_only=True, warning=_ALL_ONLY
    ),
    Option(
        ("--only-final",), lambda options, _: replace(options, pre=False), all_only=True, warning=_ALL_ONLY
    ),
    Option(("--hash",), beside_requirement=True),
    Option(("--extra-index-url",), _extra_index, warning=_NOT_FOLLOWED),
    Option(("--find-links", "-f"), _find_links, warning=_NOT_FOLLOWED),
    Option(("--no-index",), lambda options, _: replace(options, no_index=True), False, warning=_NO_INDEX),
    Option(("--uploaded-prior-to",), warning=_NO_DATES),
    *(Option((name,)) for name in ("--trusted-host", "--use-feature", "--use-deprecated", "--progress-bar")),
    *(
        Option((name,), takes_value=False)
        for name in (
            "--prefer-binary",
            "--no-build-isolation",
            "--use-pep517",
            "--no-cache-dir",
            "--disable-pip-version-check",
        )
    ),
    *(
        Option((name, *others), beside_requirement=True)
        for name, *others in (
            ("--config-settings", "--config-setting", "-C"),
            ("--global-option",),
            ("--build-option",),
            ("--install-option",),
        )
    ),
)
_BY_NAME = {name: option for option in _OPTIONS for name in option.names}


def split_options(text: str) -> tuple[str, str]:
    """What stands before the first option of a line, and the options: ("a==1", "--hash=…")."""
    found = _FIRST_OPTION.search(text)
    return (text, "") if found is None else (text[: found.start()].strip(), text[found.end() :])


def parse_options(text: str) -> list[Given]:
    """The options of a line, or of the end of one; LineError for one that is unknown or badly used."""
    if not text:
        return []
    try:
        words = shlex.split(text)
    except ValueError:
        raise LineError("a quotation mark or a backslash at the end is left open") from None
    words.reverse()
    given = []
    while words:
        given.append(_take(words))
    return given


def _take(words: list[str]) -> Given:
    """The next option; ``words`` are in reverse, so that taking one is cheap."""
    name, value = _name_and_value(words.pop())
    option = _known(name)
    if not option.takes_value:
        if value is not None:
            raise LineError(f"{name} takes no value")
        return Given(option)
    if value is None and words:
        value = words.pop()
    if not value:
        raise LineError(f"{name} needs a value")
    return Given(option, value)


def _name_and_value(word: str) -> tuple[str, str | None]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    if not word.startswith("-") or word == "-":
        # pip reads over it in silence, and a requirement is lost.
        raise LineError(f"{brief(word)!r} is no option; each requirement needs a line of its own")
    return word[:2], word[2:] or None


def _known(name: str) -> Option:
    if name in _BY_NAME:
        return _BY_NAME[name]
    long = name.startswith("--") and name != "--"
    meant = {option for spelling, option in _BY_NAME.items() if long and spelling.startswith(name)}
    if len(meant) == 1:
        return meant.pop()
    if meant:
        spelt = ", ".join(sorted(option.names[0] for option in meant))
        raise LineError(f"{name} can be any of {spelt}")
    raise LineError(f"unknown option {excerpt(name)}")


def parse_hash(value: str) -> tuple[str, str]:
    """``algorithm:hex`` of a ``--hash`` → both in lower case; LineError for what no file can ever match."""
    name, colon, digits = value.lower().partition(":")
    if not colon:
        raise LineError(f"--hash needs algorithm:digest, not {brief(value)!r}")
    if name not in DIGEST_LENGTHS:
        raise LineError(f"{brief(name)!r} is no hash algorithm that is known here")
    if not _HEX.match(digits):
        raise LineError(f"the {name} is no hexadecimal number")
    if len(digits) != DIGEST_LENGTHS[name]:
        raise LineError(f"the {name} has {len(digits)} digits instead of {DIGEST_LENGTHS[name]}")
    return name, digits
