"""Which files of a project a policy admits: the others are as good as not there, whatever is required."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.selection.values import LeftOut
from aiomirror.simple.filenames import FileKind

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.selection.values import Policy
    from aiomirror.simple.filenames import ParsedName
    from aiomirror.simple.values import Candidate

# Every file of a page is judged, and asking an enumeration for a member takes as long as all the rest.
_SDIST, _LEGACY, _OTHER = FileKind.SDIST, FileKind.LEGACY, FileKind.OTHER


class Admission:
    """What ``policy`` means for the files of ``project``."""

    def __init__(self, project: NormalizedName, policy: Policy) -> None:
        self._policy = policy
        self.limited = policy.max_file_size is not None or policy.exclude_newer is not None
        """Whether files whose names say the same may be admitted and refused."""
        self._source = None if policy.formats.sources(project) else LeftOut.SOURCE_ARCHIVE
        self._wheel = None if policy.formats.wheels(project) else LeftOut.WHEEL

    def refusal(self, file: Candidate, parsed: ParsedName | None) -> LeftOut | None:
        """Why no requirement could take the file, or None; ``parsed`` is what its name says."""
        if parsed is None:
            return LeftOut.OTHER_PROJECT
        kind = parsed.kind
        if kind is _OTHER:
            return LeftOut.NOT_A_DISTRIBUTION
        if parsed.version is None:
            return LeftOut.NO_VERSION
        if kind is _LEGACY and not self._policy.legacy_formats:
            return LeftOut.LEGACY_FORMAT
        if self.limited and (reason := _limited(file, self._policy)):
            return reason
        return self._source if kind is _SDIST else self._wheel


def _limited(file: Candidate, policy: Policy) -> LeftOut | None:
    if policy.max_file_size is not None and (file.size or 0) > policy.max_file_size:
        return LeftOut.TOO_LARGE
    if policy.exclude_newer is None:
        return None
    if file.upload_time is None:
        return LeftOut.UNDATED
    return LeftOut.TOO_NEW if file.upload_time >= policy.exclude_newer else None
