"""Which versions a specifier admits, as PEP 440 has it, and what goes for texts that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.selection.values import LeftOut
from aiomirror.simple.filenames import parse_version

if TYPE_CHECKING:
    from collections.abc import Collection

    from packaging.specifiers import SpecifierSet

    from aiomirror.selection.values import Policy


def mismatch(text: str, specifier: SpecifierSet, *, every: bool) -> LeftOut | None:
    """Why the specifier does not admit the version, or None; ``every``: whether all versions are wanted."""
    if parse_version(text) is not None:
        fits = not len(specifier) or specifier.contains(text, prereleases=True)
        return None if fits else LeftOut.OTHER_VERSION
    # PEP 440 does not know this version: only its own text, or "every version there is", can mean it.
    if not len(specifier):
        return None if every else LeftOut.UNKNOWN_VERSION
    named = all(one.operator == "===" and one.version.lower() == text.lower() for one in specifier)
    return None if named else LeftOut.OTHER_VERSION


def without_prereleases(candidates: Collection[str], specifier: SpecifierSet, policy: Policy) -> set[str]:
    """PEP 440: pre-releases only where asked for, named by the specifier, or all that there is.

    ``candidates`` are versions that the specifier admits otherwise, each spelt in one way.
    """
    texts = {version: text for text in candidates if (version := parse_version(text)) is not None}
    if not any(version.is_prerelease for version in texts):
        return set(candidates)
    unknown = set(candidates).difference(texts.values())
    prereleases = True if policy.prereleases else None
    if any(one.operator == "===" for one in specifier):  # goes by what is written
        return unknown.union(specifier.filter(texts.values(), prereleases=prereleases))
    # What was read already is not read again.
    return unknown.union(texts[one] for one in specifier.filter(texts, prereleases=prereleases))
