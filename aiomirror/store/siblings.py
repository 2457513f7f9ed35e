"""Small files beside a distribution file, written from their whole content."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from aiomirror.distributions import wheel_metadata
from aiomirror.errors import DigestMismatchError
from aiomirror.plan import FileRecord
from aiomirror.store.digests import Expectation
from aiomirror.store.faults import translated
from aiomirror.store.names import is_component
from aiomirror.store.reading import extract_metadata, hash_file
from aiomirror.store.temporary import Folder, Temporary

if TYPE_CHECKING:
    from aiomirror.simple.values import Digests
    from aiomirror.store.draft import Draft, Parts
    from aiomirror.store.tree import Tree

_ANY = Expectation({})


def make_metadata(tree: Tree, project: str, filename: str, expected: Digests) -> FileRecord | None:
    """Write a wheel's METADATA beside it; None when there is none, or not the one that is expected."""
    sibling = f"{filename}.metadata"
    content = extract_metadata(tree, project, filename) if is_component(sibling) else None
    if content is None:
        return None
    try:
        return write_sibling(tree, project, sibling, content, Expectation(expected))
    except DigestMismatchError:
        return None


def commit_with_metadata(
    draft: Draft, rest: Parts, expected: Digests
) -> tuple[FileRecord, FileRecord | None]:
    """Commit a wheel, and write its METADATA beside it as :func:`make_metadata` does."""
    # A small wheel is still in memory as a whole: it need not be read back.
    whole = b"".join(rest) if draft.pristine else None
    tree, project = draft.tree, draft.project
    with Folder(tree, project) as folder:
        record = draft.commit_to(folder, rest)
        sibling = f"{record.filename}.metadata"
        if whole is None or not is_component(sibling):
            return record, make_metadata(tree, project, record.filename, expected)
        content = wheel_metadata(io.BytesIO(whole), record.filename)
        if content is None:
            return record, None
        try:
            # What is there under its name is of another wheel than the one that has just come.
            return record, _put(folder, sibling, content, Expectation(expected))
        except DigestMismatchError:
            return record, None


def write_sibling(
    tree: Tree, project: str, name: str, content: bytes, expected: Expectation = _ANY
) -> FileRecord:
    """Write ``content``, unless the file has it already; DigestMismatchError when it is not as expected."""
    held = hash_file(tree, project, name, expected.hashes)
    if held is not None and held[0].sha256 == hashlib.sha256(content).hexdigest():
        record, digests = held
        expected.check(project, name, record.stat.size, digests)
        return record
    with Folder(tree, project) as folder:
        return _put(folder, name, content, expected)


def _put(folder: Folder, name: str, content: bytes, expected: Expectation) -> FileRecord:
    """Write ``content`` in place of what has that name."""
    tree, project = folder.tree, folder.project
    assert project is not None, "the root has no siblings"
    digester = expected.digester()
    digester.update(content)
    digests = digester.digests()
    expected.check(project, name, len(content), digests)
    with translated(tree.dest, project, name), Temporary(tree) as temporary:
        temporary.write([content])
        stat = temporary.finish()
        folder.settle(temporary, name)
    return FileRecord(name, digests["sha256"], stat)
