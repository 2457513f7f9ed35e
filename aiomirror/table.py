"""The plan of a dry run as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.progress import size
from aiomirror.report import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiomirror.report import ProjectReport, Report

HEADINGS = ("project", "files", "size", "held", "to fetch", "bytes to fetch", "left out")


def plan_table(report: Report) -> str:
    """A line for each project and one for all: names left, numbers right, as wide as it needs to be."""
    rows = [(name, *_cells(project)) for name, project in sorted(report.projects.items())]
    total = ("total", *_sum(list(report.projects.values())))
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, total, strict=True)]
    rule = tuple("-" * width for width in widths)
    return "\n".join(_line(row, widths) for row in (HEADINGS, rule, *rows, rule, total))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = zip(row, widths, strict=True)
    return "  ".join([name[0].ljust(name[1]), *(cell.rjust(width) for cell, width in numbers)])


def _cells(project: ProjectReport) -> tuple[str, ...]:
    held, planned = project.files[Status.HELD], project.files[Status.PLANNED]
    return _row(held, planned, project.size, project.to_fetch, sum(project.left_out.values()))


def _sum(projects: list[ProjectReport]) -> tuple[str, ...]:
    return _row(
        sum(project.files[Status.HELD] for project in projects),
        sum(project.files[Status.PLANNED] for project in projects),
        sum(project.size for project in projects),
        sum(project.to_fetch for project in projects),
        sum(sum(project.left_out.values()) for project in projects),
    )


def _row(held: int, planned: int, total: int, to_fetch: int, left_out: int) -> tuple[str, ...]:
    return (str(held + planned), size(total), str(held), str(planned), size(to_fetch), str(left_out))
