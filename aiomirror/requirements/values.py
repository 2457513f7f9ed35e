"""What requirement files and the command line ask for, once read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
from packaging.utils import NormalizedName, canonicalize_name

from aiomirror.discreet import Discreet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

COMMAND_LINE = "command line"
"""The origin of what stands in no file."""

MAX_SHOWN = 120
"""Characters of a text that an error repeats."""

# C-NAME-1; \Z and not $, for a trailing newline is not part of a name.
_NAME = re.compile(r"(?:[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])\Z", re.IGNORECASE | re.ASCII)
# "git@" is everybody's user name.
_USERINFO = re.compile(r"(?<=://)(?!git@)[^/?#\s]*@")

FormatKind = Literal["no_binary", "only_binary"]
FormatRule = tuple[FormatKind, str]
Hashes = frozenset[tuple[str, str]]
"""Algorithm and lower-case hex, of which a file needs one."""


class LineError(ValueError):
    """Why a text cannot be read, without where it stands; ``gather`` and ``parse_spec`` add that."""


class Wanted(msgspec.Struct, frozen=True):
    """Files of one project that are asked for, or, in ``Parsed.constraints``, its versions that are allowed.

    ``===`` with a version that PEP 440 does not know is a specifier like the others: ``SpecifierSet`` carries
    it and compares it as text, ignoring case.  The marker and the extras are kept, not evaluated; the marker
    of a lock file may ask for ``extras`` and ``dependency_groups`` (PEP 751).
    """

    project: NormalizedName
    specifier: SpecifierSet
    extras: frozenset[str] = frozenset()
    """Normalised."""
    marker: Marker | None = None
    hashes: Hashes = frozenset()
    """Empty: any file will do."""
    origin: str = COMMAND_LINE
    """``req.txt:12``, or "command line"."""
    text: str = ""
    """As written, but for white space, variables and options."""
    files: Mapping[str, Hashes] = msgspec.field(default_factory=dict)
    """Of a lock file: by name the only files that are asked for, each with hashes of its own; empty: any."""

    targets: tuple[str, ...] = ()
    """Names of the targets that it is wanted for; none: all of them."""
    bounds: tuple[Wanted, ...] = ()
    """The constraints that have narrowed its specifier and its hashes."""
    asked: SpecifierSet | None = None
    """The specifier before they did; None: none has."""

    def __hash__(self) -> int:
        return hash((self.project, self.text, self.origin))

    def accepted(self, filename: str) -> Hashes | None:
        """The hashes one of which the file must have, empty for any; None if it is not asked for."""
        return self.files.get(filename) if self.files else self.hashes

    @property
    def pin(self) -> str | None:
        """The one version that ``===``, or ``==`` without ``.*``, asks for; None where there is none.

        Yanked files, and versions that are no PEP 440 versions, are only for those who pin them.
        """
        for specifier in self.specifier:
            exact = specifier.operator == "===" or (
                specifier.operator == "==" and not specifier.version.endswith(".*")
            )
            if exact:
                return specifier.version
        return None


class NotMirrored(msgspec.Struct, frozen=True):
    """Something that pip would install from elsewhere than an index; never an error."""

    text: str
    """As written, without the values of variables and without credentials."""
    origin: str
    why: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text!r} is not mirrored: {self.why}"


class FormatControl(msgspec.Struct, frozen=True):
    """Which projects come as source archives or as wheels only; names are normalised or ``:all:``."""

    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()

    def wheels(self, project: NormalizedName) -> bool:
        """Whether wheels of the project are wanted."""
        return project in self.only_binary or not (project in self.no_binary or ":all:" in self.no_binary)

    def sources(self, project: NormalizedName) -> bool:
        """Whether source archives of the project are wanted."""
        return project in self.no_binary or not (project in self.only_binary or ":all:" in self.only_binary)

    def then(self, rule: FormatRule) -> FormatControl:
        """This, changed by one more option: as in pip, a later one takes names away from the other kind.

        ``:all:`` drops what either side held, ``:none:`` empties the option's own side.  LineError for a name
        that is none.
        """
        kind, value = rule
        own, other = (
            (set(self.no_binary), set(self.only_binary))
            if kind == "no_binary"
            else (set(self.only_binary), set(self.no_binary))
        )
        for name in filter(None, (part.strip() for part in value.split(","))):
            if name == ":all:":
                own, other = {":all:"}, set()
            elif name == ":none:":
                own = set()
            else:
                project = project_name(name)
                other.discard(project)
                own.add(project)
        ours, theirs = frozenset(own), frozenset(other)
        return FormatControl(ours, theirs) if kind == "no_binary" else FormatControl(theirs, ours)


class FileOptions(Discreet, frozen=True):
    """What the option lines of all files said, in the order of reading.

    URLs are kept out of the ``repr``: they may carry credentials.
    """

    hidden: ClassVar = frozenset({"index_url", "extra_index_urls", "find_links"})

    index_url: str | None = None
    """The last one given."""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False
    require_hashes: bool = False
    format_rules: tuple[FormatRule, ...] = ()
    """``--no-binary`` and ``--only-binary`` in order, checked; see ``formats``."""

    def formats(self, start: FormatControl | None = None) -> FormatControl:
        """The rules applied in order to ``start``, which is what the command line says; default: nothing."""
        control = start or FormatControl()
        for rule in self.format_rules:
            control = control.then(rule)
        return control


class Parsed(msgspec.Struct, frozen=True):
    """All that one command line asks for, its files included; tuples are in the order of reading."""

    wanted: tuple[Wanted, ...] = ()
    constraints: tuple[Wanted, ...] = ()
    not_mirrored: tuple[NotMirrored, ...] = ()
    options: FileOptions = msgspec.field(default_factory=FileOptions)
    warnings: tuple[str, ...] = ()
    """A line each, with file and line number where there is one."""
    overrides: tuple[Wanted, ...] = ()
    """What counts in place of whatever anything else requires of these projects."""


def project_name(text: str) -> NormalizedName:
    """The normalised name (C-NAME-1); LineError if the text is no project's name."""
    if not _NAME.match(text):
        raise LineError(f"{text!r} is no project's name")
    return canonicalize_name(text)


def masked(text: str) -> str:
    """The text without the credentials of the URLs in it, fit to be shown."""
    return _USERINFO.sub("****@", text)


def encodable(text: str) -> str:
    """The text without what no encoding has: the bytes of a path that is not in UTF-8, as Python reads it."""
    return text.encode(errors="replace").decode()


def brief(text: str) -> str:
    """As ``masked``, on one line, and cut where it would fill the screen."""
    text = masked(text)
    text = text if text.isprintable() else " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def excerpt(text: str) -> str:
    """As ``brief``, for a part of a sentence: quoted where it would not be seen, or would not be harmless."""
    cut = brief(text)
    return cut if cut and cut.isascii() and cut.isprintable() else repr(cut)
