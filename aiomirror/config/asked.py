"""What a run is asked for: requirements, constraints and overrides, of whichever sources count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aiomirror.config.told import REQUIREMENTS
from aiomirror.config.values import ProjectRules
from aiomirror.requirements.values import FileOptions, NotMirrored, Parsed, Wanted, encodable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomirror.config.layers import Layer
    from aiomirror.config.told import Told


class Inputs(msgspec.Struct, frozen=True):
    """What is asked for: the requirements of the strongest source that has any; likewise the others."""

    arguments: tuple[str, ...] = ()
    """Requirements of the command line, as written."""
    files: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    not_mirrored: tuple[NotMirrored, ...] = ()
    constraint_files: tuple[str, ...] = ()
    constraints: tuple[Wanted, ...] = ()
    override_files: tuple[str, ...] = ()
    overrides: tuple[Wanted, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.arguments or self.files or self.wanted or self.not_mirrored)


def inputs(told: Told) -> Inputs:
    """What the run is asked for."""
    command_line, *_ = told.layers
    knowing = told.knowing
    source = told.first(*REQUIREMENTS)
    if source is command_line:
        asked = Inputs(command_line.get("requirements") or (), command_line.get("requirement-files") or ())
    else:
        wanted, elsewhere, files = _named(source, "requirements")
        asked = Inputs((), (*files, *(source.get("requirement-files") or ())), wanted, elsewhere)
    constraints, no_constraints, constraint_files = _beside(told, "constraints", "constraint-files")
    overrides, no_overrides, override_files = _beside(told, "overrides", "override-files")
    return replace(
        asked,
        constraint_files=constraint_files,
        constraints=constraints,
        override_files=override_files,
        overrides=overrides,
        extras=knowing.get("extras") or (),
        groups=knowing.get("groups") or (),
        warnings=(*_unheeded("constraint", no_constraints), *_unheeded("override", no_overrides)),
    )


def _beside(
    told: Told, key: str, files_key: str
) -> tuple[tuple[Wanted, ...], tuple[NotMirrored, ...], tuple[str, ...]]:
    """What the strongest source that has any names beside the requirements; the files of both keys."""
    source = told.first(key, files_key)
    wanted, elsewhere, files = _named(source, key)
    return wanted, elsewhere, (*files, *(source.get(files_key) or ()))


def _unheeded(what: str, items: Iterable[NotMirrored]) -> list[str]:
    """A warning for each; such a one names no version that an index could offer."""
    return [f"{one.origin}: the {what} {one.text!r} is not followed: {one.why}" for one in items]


def overriding(read: Parsed, overrides: Parsed) -> Parsed:
    """What was ``read`` of files and the command line, and beside it what override files say.

    Of their option lines none is heard, for an index or a format of theirs would be that of the whole run.
    """
    options = overrides.options != FileOptions()
    return replace(
        read,
        overrides=overrides.wanted,
        constraints=(*read.constraints, *overrides.constraints),
        warnings=(
            *read.warnings,
            *overrides.warnings,
            *_unheeded("override", overrides.not_mirrored),
            *(["option lines of override files are not followed"] if options else []),
        ),
    )


def _named(source: Layer, key: str) -> tuple[tuple[Wanted, ...], tuple[NotMirrored, ...], tuple[str, ...]]:
    """The requirements that a source names, with their origin, and the paths of files among them."""
    if key not in source:
        return (), (), ()
    found = source.given[key]
    placed = [one if isinstance(one, str) else replace(one, origin=found.origin) for one in found.value]
    return (
        tuple(one for one in placed if isinstance(one, Wanted)),
        tuple(one for one in placed if isinstance(one, NotMirrored)),
        tuple(one for one in placed if isinstance(one, str)),
    )


def requested(asked: Inputs, read: Parsed, told: Told) -> Parsed:
    """What was ``read`` of files and the command line, with what is ``asked`` otherwise and the rules."""
    wanted = (*asked.wanted, *read.wanted)
    rules, file = told.projects, encodable(told.file)
    return replace(
        read,
        wanted=tuple(one for one in wanted if not _is_excluded(one, told)),
        constraints=(
            *asked.constraints,
            *read.constraints,
            *(
                Wanted(name, rule.versions, origin=file, text=f"{name}{rule.versions}")
                for name, rule in rules.items()
                if rule.versions is not None
            ),
        ),
        overrides=(*asked.overrides, *read.overrides),
        not_mirrored=(
            *asked.not_mirrored,
            *read.not_mirrored,
            *(
                NotMirrored(one.text, one.origin, f"{file} excludes {one.project}")
                for one in wanted
                if _is_excluded(one, told)
            ),
        ),
        warnings=(*asked.warnings, *read.warnings),
    )


def _is_excluded(want: Wanted, told: Told) -> bool:
    return told.projects.get(want.project, ProjectRules()).exclude
