"""What a page can say of a file that no index describes: what the file says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomirror.distributions import PKG_INFO, Unreadable
from aiomirror.simple.filenames import FileKind, parse_filename
from aiomirror.simple.values import ProjectFile

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from aiomirror.plan import FileRecord
    from aiomirror.simple.values import Digests
    from aiomirror.store import Store


async def described(store: Store, project: NormalizedName, name: str, hashes: Digests) -> ProjectFile:
    """The entry of a file on disk that has the digests ``hashes``, from its own metadata."""
    requires_python = await store.requires_python(project, name)
    return ProjectFile(filename=name, url=name, hashes=hashes, requires_python=requires_python)


async def why_silent(
    store: Store, project: NormalizedName, record: FileRecord, sibling: FileRecord | None
) -> str:
    """Why a file does not say itself what it is; "" when it does, or is of a kind that is not asked.

    A wheel that does has its ``sibling``.
    """
    name = record.filename
    parsed = parse_filename(name, project)
    kind = parsed.kind if parsed else FileKind.OTHER
    if kind is FileKind.WHEEL and sibling is None:
        return "no wheel whose metadata can be read"
    if kind is FileKind.SDIST:
        try:
            await store.source_member(project, name, PKG_INFO, record.stat.size)
        except Unreadable as error:
            return f"no source archive whose metadata can be read ({error})"
    return ""


async def sibling(
    store: Store, project: NormalizedName, name: str, listed: ProjectFile | None
) -> FileRecord | None:
    """The wheel's own metadata, put beside it; for what has none, the sibling that its page vouches for."""
    made = await store.make_metadata(project, name) if name.endswith(".whl") else None
    if made is not None or listed is None or not listed.core_metadata:
        return made
    found = await store.digest(project, f"{name}.metadata")
    return found if found and found.sha256 == listed.core_metadata.get("sha256") else None
