"""The files that a lock names, by the names that upstream has for the same files.

uv writes the name of a wheel in its normal form, whatever the index calls it: ``pysocks-1.7.1-…`` for
``PySocks-1.7.1-…``.  So a name that the page lacks may mean a file that says the same in another spelling:
the project, the version, and the build and tags of a wheel or the format of a source archive.  The digests
that are locked hold for it all the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aiomirror.simple.filenames import FileKind, build_number, parse_filename, parse_version

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.requirements.values import Hashes, Wanted
    from aiomirror.simple.values import Candidate, ProjectPage

_KINDS = frozenset({FileKind.WHEEL, FileKind.SDIST})


def as_listed(want: Wanted, page: ProjectPage) -> Wanted:
    """The requirement with the files of its lock as the page names them; what it lacks keeps its name."""
    if not want.files:
        return want
    listed = page.named
    if listed.keys() >= want.files.keys():  # nearly always
        return want
    spare: defaultdict[object, list[Candidate]] = defaultdict(list)
    for file in page.candidates:
        if file.filename not in want.files and (said := _said(file.filename, page.project)):
            spare[said].append(file)
    files: dict[str, Hashes] = {}
    for name, hashes in want.files.items():
        others = [] if name in listed else spare.get(_said(name, page.project), [])
        # Versions have several spellings, too, so a page may list several of them; the digest tells which.
        found = max(others, key=lambda file: has_listed(file, hashes), default=None)
        key = found.filename if found else name
        files[key] = files.get(key, frozenset()) | hashes
    return replace(want, files=files)


def has_listed(file: Candidate, hashes: Hashes) -> bool:
    """Whether the page lists one of the digests for the file."""
    return any(file.hashes.get(algorithm) == digest for algorithm, digest in hashes)


def _said(filename: str, project: NormalizedName) -> object:
    """What the name of a wheel or source archive says, however it is spelt; None for any other name."""
    parsed = parse_filename(filename, project)
    if parsed is None or parsed.version is None or parsed.kind not in _KINDS:
        return None
    version = parse_version(parsed.version) or parsed.version
    lower = filename.lower()
    if parsed.kind is FileKind.SDIST:
        return version, lower.rpartition(".")[2]  # "gz" can be of ".tar.gz" alone
    tags = lower.removesuffix(".whl").split("-")[-3:]
    return version, build_number(lower), tuple(frozenset(tag.split(".")) for tag in tags)
