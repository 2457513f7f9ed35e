"""What one source says, be it command line, environment or file: settings by key, each with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from packaging.utils import canonicalize_name

from aiomirror.config.settings import PREFIX, SETTINGS
from aiomirror.discreet import Discreet
from aiomirror.requirements.values import FormatControl, LineError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping

    from aiomirror.config.settings import Setting
    from aiomirror.requirements.values import FormatRule


TOKEN = f"{PREFIX}TOKEN"
"""The variable, alone or with a host behind it, that is for the HTTP client: tokens are in no file."""


class Given(Discreet, frozen=True):
    """A value, and where it was said: "--jobs", "AIOMIRROR_JOBS" or "aiomirror.toml:3"."""

    hidden: ClassVar = frozenset({"value"})

    value: Any
    """Not for everybody: an address may have a password in it."""
    origin: str


class Layer(msgspec.Struct, frozen=True):
    """One source's settings by key.

    ``formats`` are its rules for wheels and source archives, in the order in which they count.
    """

    given: Mapping[str, Given] = msgspec.field(default_factory=dict)
    formats: tuple[FormatRule, ...] = ()

    def __contains__(self, key: str) -> bool:
        return key in self.given

    def get(self, key: str) -> Any:  # noqa: ANN401 (each setting has its own type)
        """The value; None when nothing was said."""
        found = self.given.get(key)
        return None if found is None else found.value


def of_arguments(args: Namespace, problems: list[str]) -> Layer:
    """The layer of a parsed command line, whose namespace has what was given and nothing else.

    Requirements stay texts: on the command line more is understood than a PEP 508 requirement.
    """
    given: dict[str, Given] = {}
    for setting in SETTINGS.values():
        value = getattr(args, setting.name, None)
        if value is None or setting.rule:
            continue
        if setting.key == "requirements":
            if value:
                given[setting.key] = Given(tuple(value), setting.option)
        else:
            _take(setting, value, setting.option, given, problems)
    rules: list[FormatRule] = getattr(args, "format_rules", [])
    return Layer(given, _checked(rules, "", problems))


def of_environment(env: Mapping[str, str], problems: list[str], warnings: list[str]) -> Layer:
    """The layer of the variables ``AIOMIRROR_*``; one that is empty counts as not set."""
    known = {setting.variable: setting for setting in SETTINGS.values()}
    given: dict[str, Given] = {}
    for name in sorted(env):
        if not name.startswith(PREFIX) or not env[name].strip():
            continue
        setting = known.get(name)
        if name == TOKEN or name.startswith(f"{TOKEN}_"):
            continue
        if setting is None:
            hint = nearest(name, known, len(PREFIX))
            warnings.append(f"{name} in the environment means nothing here{hint}")
        else:
            value = env[name].split() if setting.kind.many else env[name]
            _take(setting, value, name, given, problems)
    return layer(given, problems)


def _take(setting: Setting, value: object, origin: str, given: dict[str, Given], problems: list[str]) -> None:
    """Read a value, or each of several, and note it; what is wrong goes to ``problems``."""
    values = value if isinstance(value, list) else [value]
    found = []
    for one in values:
        try:
            found.append(setting.kind.read(one, origin))
        except ValueError as error:
            problems.append(str(error))
    if len(found) == len(values):
        given[setting.key] = Given(tuple(found) if setting.kind.many else found[0], origin)


def layer(given: Mapping[str, Given], problems: list[str]) -> Layer:
    """The layer of a source in which the order of settings means nothing.

    Rules for all projects count first there, so that those for single ones are exceptions to them.
    """
    if "latest" in given and "all-versions" in given and given["all-versions"].value:
        problems.append(f"{given['latest'].origin}: latest and all-versions exclude each other")
    rules: list[FormatRule] = []
    origin = ""
    for key, one in given.items():
        rule = SETTINGS[key].rule
        if rule is None or one.value is False:
            continue
        kind, names = rule
        origin = one.origin
        rules += [(kind, name) for name in ((names,) if names else one.value)]
    rules.sort(key=lambda rule: not rule[1].startswith(":"))
    return Layer(given, _checked(rules, origin, problems))


def _checked(rules: Iterable[FormatRule], origin: str, problems: list[str]) -> tuple[FormatRule, ...]:
    """The rules that can be followed; within one source, the two kinds exclude each other."""
    named: dict[str, set[str]] = {"only_binary": set(), "no_binary": set()}
    good: list[FormatRule] = []
    prefix = f"{origin}: " if origin else ""
    for kind, value in rules:
        named[kind].update(canonicalize_name(part.strip()) for part in value.split(","))
        try:
            FormatControl().then((kind, value))
            good.append((kind, value))
        except LineError as error:
            problems.append(f"{prefix}{error}")
    if both := sorted(named["only_binary"] & named["no_binary"]):
        problems.append(
            f"{prefix}wheels only and source archives only exclude each other ({', '.join(both)})"
        )
    return tuple(good)


def nearest(word: str, known: Iterable[str], start: int = 0) -> str:
    """What to say after a word that is not known: the one that may have been meant, if any.

    Words are compared from ``start`` on, which is how long a prefix all of them have.
    """
    from difflib import get_close_matches  # noqa: PLC0415 (for errors only)

    tails = [one[start:] for one in known]
    found = get_close_matches(word[start:], tails, n=1, cutoff=0.7)
    return f"; did you mean {word[:start]}{found[0]}?" if found else ""
