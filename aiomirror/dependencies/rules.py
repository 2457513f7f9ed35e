"""What the configuration means to a resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.resolution import Admission, Cutoff, Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from aiomirror.config import Config
    from aiomirror.requirements.values import Parsed, Wanted
    from aiomirror.resolution.engine import Resolution
    from aiomirror.selection import Policy
    from aiomirror.targets import Target


def rules_of(config: Config) -> Rules:
    """The rules, those of single projects included."""
    policy, following = config.policy, config.following
    formats, moments, admissions = policy.formats, {}, {}
    for project in config.projects:
        own = config.policy_for(project)
        admissions[project] = _admission(own)
        moments[project] = own.exclude_newer
        # As a set of names: on both sides stands what may come as either.
        sides = own.formats.sources(project), own.formats.wheels(project)
        formats = replace(
            formats,
            no_binary=formats.no_binary - {project} | ({project} if sides[0] else set()),
            only_binary=formats.only_binary - {project} | ({project} if sides[1] else set()),
        )
    return Rules(
        admission=_admission(policy),
        projects=admissions,
        formats=formats,
        max_depth=following.max_depth if following.enabled else 0,
        all_matching=following.all_matching,
        exclude_newer=Cutoff(policy.exclude_newer, moments),
    )


def _admission(policy: Policy) -> Admission:
    return Admission(policy.prereleases, policy.max_file_size)


def excluded(config: Config) -> list[NormalizedName]:
    """The projects that are never mirrored."""
    return [project for project, rules in config.projects.items() if rules.exclude]


def resolution_of(
    config: Config, roots: Sequence[Wanted], targets: Sequence[Target], parsed: Parsed
) -> Resolution:
    """A resolution that has read nothing, and takes excluded projects for missing."""
    from aiomirror.resolution.engine import Resolution  # noqa: PLC0415 (takes its time; closures are remembered)

    resolution = Resolution(roots, targets, rules_of(config), parsed.constraints, parsed.overrides)
    for project in excluded(config):
        resolution.page(project, None, "the configuration excludes it")
    return resolution
