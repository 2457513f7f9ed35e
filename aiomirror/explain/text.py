"""Answers as a person reads them: a paragraph for each project, a row for each file, in plain text."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiomirror.explain.values import Condition, Presence
from aiomirror.progress import counted, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aiomirror.explain.values import Answer, FileFacts, ProjectFacts, Unwanted

MAX_NAMED = 5
"""Files that are named for one reason; any other can be asked for by its name."""
WIDEST = 60
"""Columns that file names line up in; a longer one pushes its own row only."""
LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 1
"""In seconds since 1970; a grace period may be longer than the calendar."""

_PRESENCE = {
    Presence.LISTED: "here and listed",
    Presence.UNLISTED: "on disk, and on no page",
    Presence.FOREIGN: "on disk, and not known to be the mirror's; it is left alone",
    Presence.MISSING: "listed, and missing on disk; sync or verify --repair fetches it again",
    Presence.AWAITED: "wanted, and not here; the next sync tries again",
    Presence.ABSENT: "not here",
}
_CONDITION = {
    Condition.INTACT: "as it was verified",
    Condition.TOUCHED: "touched since it was verified; verify hashes it",
    Condition.UNVERIFIED: "with no record of having been verified; verify hashes it",
    Condition.DAMAGED: "damaged; sync or verify --repair fetches it again",
}


def moment(seconds: float) -> str:
    """Seconds since 1970 as "2026-03-01 12:30 UTC"."""
    return f"{datetime.fromtimestamp(min(seconds, LATEST), UTC):%Y-%m-%d %H:%M} UTC"


def told(answers: Iterable[Answer]) -> str:
    """All that is known, without the names that nothing is known of."""
    known = [one for one in answers if one.facts is not None]
    return "\n\n".join("\n".join(map(printable, _paragraph(one))) for one in known)


def _paragraph(one: Answer) -> Iterator[str]:
    facts = one.facts
    assert facts is not None
    yield f"{facts.project}: {_headline(facts)}" if not one.filename else f"{facts.project}:"
    for label, text in _labelled(facts):
        yield f"  {label:<13} {text}"
    here = [file for file in facts.files if file.is_here or one.filename]
    width = min(max((len(file.filename) for file in here), default=0), WIDEST)
    for file in here:
        first, *rest = _file(file, facts.unwanted)
        yield f"  {file.filename:<{width}}  {first}"
        for text in rest:
            yield f"  {'':<{width}}    {text}"
    if not one.filename:
        yield from _left_out(facts)


def _headline(facts: ProjectFacts) -> str:
    here = sum(file.presence in (Presence.LISTED, Presence.UNLISTED) for file in facts.files)
    if not facts.published and not here:
        return "not mirrored"
    hidden = "" if facts.published else ", no page"
    return f"mirrored, {counted(here, 'file')}{hidden}"


def _labelled(facts: ProjectFacts) -> Iterator[tuple[str, str]]:
    for asked in facts.asked:
        yield "asked for by", str(asked)
    if facts.excluded:
        # No run notes who asks for it all the same.
        yield "excluded", "by the configuration, whoever asks for it"
    elif not (facts.asked or facts.unwanted or any(file.wanted_by for file in facts.files)):
        nobody = "no requirement of the last complete sync"
        yield "asked for by", nobody if facts.noted else "not known: no complete sync is remembered"
    if facts.read is not None:
        listed = counted(facts.listed or 0, "file")
        yield "upstream", f"page last read {moment(facts.read)}, {listed} listed"
    if facts.status != "active":
        hint = ", and so its page lists no file" if facts.status == "quarantined" else ""
        yield "status", f"{facts.status}{hint}"
    if facts.unwanted:
        yield "unwanted", _unwanted(facts.unwanted)
    for problem in facts.problems:
        yield "problem", problem


def _unwanted(one: Unwanted) -> str:
    return f"since {moment(one.since)}: {one.why}; prune may remove it from {moment(one.prunable)} on"


def _file(file: FileFacts, whole: Unwanted | None) -> Iterator[str]:
    """What there is to say of a file, the first on the line of its name, not said of the ``whole``."""
    first = _PRESENCE[file.presence]
    if file.condition is not None:
        first = f"{first}, {_CONDITION[file.condition]}"
    yield first if file.size is None else f"{first} ({size(file.size)})"
    for text in file.wanted_by:
        yield f"wanted by {text}"
    if file.unwanted is not None and file.unwanted != whole:
        yield f"unwanted {_unwanted(file.unwanted)}"
    if file.left_out:
        yield f"left out: {file.left_out}"
    if file.targets:
        yield f"fits {', '.join(file.targets)}"
    for problem in file.problems:
        yield f"problem: {problem}"


def _left_out(facts: ProjectFacts) -> Iterator[str]:
    """The files that are not here, by reason, the commonest first."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for file in facts.files:
        if not file.is_here:
            names[file.left_out or "; ".join(file.problems)].append(file.filename)
    counts = {
        reason: len(names.get(reason, ())) + facts.unnamed.get(reason, 0)
        for reason in {**names, **facts.unnamed}
    }
    if counts:
        yield f"  left out of what upstream lists: {counted(sum(counts.values()), 'file')}"
    for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"    {count:>5}  {reason}{_named(names.get(reason, ()), count)}"


def _named(names: Sequence[str], count: int) -> str:
    if not names:
        return ""
    shown = list(names[:MAX_NAMED])
    more = [f"{count - len(shown)} more"] if count > len(shown) else []
    return f": {', '.join([*shown, *more])}"
