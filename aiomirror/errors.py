"""Everything that can go wrong for a reason outside this program.

::

    AiomirrorError
    ├── UsageError                  exit 2: what the person wrote
    │   ├── ConfigError             an option or a combination of options
    │   ├── RequirementError        a requirement, with its file and line
    │   └── RequirementErrors       several of them, all at once
    ├── UpstreamError               what the index, or the way to it, did
    │   ├── UnreachableError        exit 4: no connection, no name, no TLS, no answer
    │   │   ├── GivenUpError        so much failed at this host that it is asked no more
    │   │   └── UntrustedError      a certificate that this machine does not trust
    │   ├── StatusError             an HTTP status that is no success
    │   ├── TransferError           a response cut, reset, stalled or too slow
    │   ├── RedirectError           a redirect that is not followed
    │   ├── TooLargeError           more bytes than the limit or the listed size
    │   └── PageError               a response that is no page of the Simple API
    │       ├── ContentTypeError    neither of the two formats
    │       ├── ApiVersionError     a major version above ours, or no version at all
    │       ├── MalformedPageError  not what its content type says
    │       └── WrongProjectError   the page of another project
    ├── UnsatisfiedError            exit 3: a requirement that nothing satisfies
    │   ├── UnknownProjectError     upstream has no such project
    │   ├── ConflictError           requirements that contradict each other on a target
    │   ├── ShrunkPageError         its page has lost most of its files at once, and is not believed
    │   └── NoMatchingFileError     no version, or none with a usable file
    ├── FileError                   one distribution file
    │   ├── DigestMismatchError     the bytes are not the ones that upstream listed
    │   ├── SizeMismatchError       as above, told by the length
    │   ├── UnhashedError           upstream lists no digest, and one is required
    │   ├── ChangedError            upstream lists another digest for a file that is held
    │   └── DamagedError            exit 5: a file on disk is not the one that was verified
    ├── PruneRefusedError           exit 5: pruning would take more than it may
    ├── PruneUnsafeError            exit 5: nobody knows what is wanted
    └── DestinationError            exit 6: the mirror's folder cannot be used
        └── LockedError             another run holds it

Messages are built from the attributes; whoever catches an error reads those, not the text.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from aiomirror.wording import abridged


class AiomirrorError(Exception):
    """The root of the tree; never raised itself."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False
    """Whether the same attempt may succeed a moment later."""
    retries: ClassVar[int | None] = None
    """At most so many retries, whatever the settings allow; None: as the settings say."""


ErrorT = TypeVar("ErrorT", bound=Exception)


def first_of(failures: BaseExceptionGroup[ErrorT]) -> ErrorT:
    """One of the failures of a task group: when a disk is full, every worker says the same."""
    failure = failures.exceptions[0]
    return first_of(failure) if isinstance(failure, BaseExceptionGroup) else failure


class UsageError(AiomirrorError):
    """Something that the person wrote cannot be understood or done."""

    exit_code = 2


class ConfigError(UsageError):
    """Options that are wrong, all of them at once."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class RequirementError(UsageError):
    """A requirement that cannot be read.

    ``source`` is the file's name as it was given, or "command line"; ``line`` counts from 1, 0 where there
    are no lines.
    """

    def __init__(self, source: str, line: int, text: str, why: str) -> None:
        super().__init__(source, line, text, why)
        self.source, self.line, self.text, self.why = source, line, text, why

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        what = f" {self.text!r}:" if self.text else ""
        return f"{where}:{what} {self.why}"


class RequirementErrors(UsageError):  # noqa: N818 (the plural is what sets it apart)
    """Everything that cannot be read in all the requirements given; ``problems`` in the order of reading."""

    def __init__(self, *problems: RequirementError) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UpstreamError(AiomirrorError):
    """What the index did, or the way to it; ``url`` never carries credentials."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url, why)
        self.url, self.why = url, why

    def __str__(self) -> str:
        return f"{self.why} ({self.url})"


class UnreachableError(UpstreamError):
    """No answer at all: no name, no connection, no TLS, or silence before the first byte."""

    exit_code = 4
    transient = True


class GivenUpError(UnreachableError):
    """So much failed at this host in a row that the rest of the run does without it."""

    transient = False


class UntrustedError(UnreachableError):
    """The certificate is not one that this machine trusts, and will not be one a moment later."""

    transient = False


class StatusError(UpstreamError):
    """A status that is neither success nor a redirect; ``retry_after`` in seconds, None when not said."""

    def __init__(self, url: str, status: int, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(url, f"HTTP {status} {reason}".rstrip())
        self.status, self.retry_after = status, retry_after

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Time-outs, throttling and server faults pass; what is forbidden or missing stays so."""
        return self.status in {408, 425, 429} or self.status >= 500  # noqa: PLR2004 (the class of statuses)


class TransferError(UpstreamError):
    """A response that began and broke: cut, reset, stalled, or slower than the minimum rate."""

    transient = True


class RedirectError(UpstreamError):
    """Too many redirects, one from https to http, or one to another scheme."""


class TooLargeError(UpstreamError):
    """More bytes than the limit; ``limit`` in bytes."""

    def __init__(self, url: str, limit: int) -> None:
        super().__init__(url, f"larger than {limit:,} bytes")
        self.limit = limit


class PageError(UpstreamError):
    """A response that is not the page of the Simple API that was asked for."""


class ContentTypeError(PageError):
    """The content type is neither JSON nor HTML of the Simple API, version 1."""


class ApiVersionError(PageError):
    """The page's API version has a higher major number than ours, or cannot be read."""


class MalformedPageError(PageError):
    """The body is not what its content type says."""


class WrongProjectError(PageError):
    """The page names another project than the one that was asked for."""


class UnsatisfiedError(AiomirrorError):
    """A requirement that nothing upstream satisfies."""

    exit_code = 3


class UnknownProjectError(UnsatisfiedError):
    """Upstream has no such project; ``similar`` are names that it has."""

    def __init__(self, project: str, similar: tuple[str, ...] = ()) -> None:
        super().__init__(project, similar)
        self.project, self.similar = project, similar

    def __str__(self) -> str:
        hint = f"; did you mean {', '.join(self.similar)}?" if self.similar else ""
        return f"{self.project}: the index has no such project{hint}"


class ConflictError(UnsatisfiedError):
    """Requirements that nothing satisfies together on some ``targets``, told as a sentence."""

    def __init__(self, why: str, targets: tuple[str, ...]) -> None:
        super().__init__(why, targets)
        self.why, self.targets = why, targets

    def __str__(self) -> str:
        return f"{self.why} (for {abridged(self.targets)})"


class ShrunkPageError(UnsatisfiedError):
    """Upstream's page lists so much less than before that it is not believed.

    ``listed`` and ``before`` are numbers of files, ``body`` the page's bytes, in the form ``content_type``.
    """

    def __init__(self, project: str, listed: int, before: int, body: bytes, content_type: str | None) -> None:
        super().__init__(project, listed, before)
        self.project, self.listed, self.before = project, listed, before
        self.body, self.content_type = body, content_type

    def __str__(self) -> str:
        what = f"upstream lists {self.listed:,} of what were {self.before:,} files"
        return f"{self.project}: {what}; what is mirrored stays as it is, unless --accept-changed is given"


class NoMatchingFileError(UnsatisfiedError):
    """No file of the project satisfies the requirement; ``newest`` is the newest version there is."""

    def __init__(self, project: str, requirement: str, newest: str | None, why: str = "") -> None:
        super().__init__(project, requirement, newest, why)
        self.project, self.requirement, self.newest, self.why = project, requirement, newest, why

    def __str__(self) -> str:
        there = f"the newest version is {self.newest}" if self.newest else "the index lists no version of it"
        why = f" ({self.why})" if self.why else ""
        return f"{self.project}: nothing satisfies {self.requirement!r}; {there}{why}"


class FileError(AiomirrorError):
    """One distribution file, named by its project and file name."""

    def __init__(self, project: str, filename: str, why: str) -> None:
        super().__init__(project, filename, why)
        self.project, self.filename, self.why = project, filename, why

    def __str__(self) -> str:
        return f"{self.project}: {self.filename}: {self.why}"


class DigestMismatchError(FileError):
    """The bytes are not the ones that upstream listed."""

    # One corrupt answer on the way is worth another try; the same wrong bytes twice are upstream's.
    transient = True
    retries = 1

    def __init__(self, project: str, filename: str, algorithm: str, expected: str, actual: str) -> None:
        super().__init__(project, filename, f"{algorithm} is {actual}, not {expected}")
        self.algorithm, self.expected, self.actual = algorithm, expected, actual


class SizeMismatchError(FileError):
    """The file is not as long as upstream listed; in bytes, ``actual`` None: more than was looked at."""

    transient = True
    retries = 1

    def __init__(self, project: str, filename: str, expected: int, actual: int | None) -> None:
        super().__init__(
            project,
            filename,
            f"longer than the {expected:,} bytes that upstream lists"
            if actual is None
            else f"{actual:,} bytes, not {expected:,}",
        )
        self.expected, self.actual = expected, actual


class UnhashedError(FileError):
    """Upstream lists no digest of the file, and one is required."""


class ChangedError(FileError):
    """Upstream lists another digest for a name that is held; what is held stays."""

    def __init__(self, project: str, filename: str, held: str, listed: str) -> None:
        super().__init__(project, filename, f"upstream now lists {listed}; what is held, {held}, stays")
        self.held, self.listed = held, listed


class DamagedError(FileError):
    """A file on disk is not the one that was verified, and cannot be fetched again."""

    exit_code = 5


class PruneRefusedError(AiomirrorError):
    """Pruning that would take too much: ``count`` of ``held`` files, where ``limit`` may go."""

    exit_code = 5

    def __init__(self, count: int, held: int, limit: int) -> None:
        super().__init__(count, held, limit)
        self.count, self.held, self.limit = count, held, limit

    def __str__(self) -> str:
        return (
            f"{self.count:,} of {self.held:,} files would be removed, and --max-delete allows "
            f"{self.limit:,}; nothing is"
        )


class PruneUnsafeError(AiomirrorError):
    """The last sync was killed, or could not read everything: what it did not see may well be wanted."""

    exit_code = 5

    def __str__(self) -> str:
        return "nothing is removed: the last sync did not get to know everything that is wanted; run it again"


class DestinationError(AiomirrorError):
    """The mirror's folder cannot be used: permissions, disk full, not a folder."""

    exit_code = 6

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class LockedError(DestinationError):
    """Another run holds the mirror; ``holder`` is what it wrote about itself."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(path, f"another run holds this mirror ({holder or 'unknown'})")
        self.holder = holder
