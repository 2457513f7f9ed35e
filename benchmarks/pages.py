"""The pages of a corpus, written without aiomirror's help: a fault of its renderer cannot hide here."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.corpus import Entry

UPLOADED = "2024-01-01T00:00:00.000000Z"
FILES_HOST = "https://files.example"
"""What the older JSON API's absolute URLs start with; bandersnatch is told to ask the upstream instead."""


def project_json(project: str, entries: Sequence[Entry], serial: int) -> bytes:
    """PEP 691, with sizes, upload times, versions (PEP 700) and core metadata (PEP 714)."""
    files = []
    for entry in entries:
        metadata = {"sha256": entry.metadata_sha256} if entry.metadata_sha256 else False
        files.append(
            {
                "filename": entry.filename,
                "url": f"../../{entry.path}",
                "hashes": {"sha256": entry.sha256},
                "requires-python": entry.requires_python,
                "size": entry.size,
                "upload-time": UPLOADED,
                "yanked": False,
                "core-metadata": metadata,
                "data-dist-info-metadata": metadata,
            }
        )
    versions = list(dict.fromkeys(entry.version for entry in entries))
    meta = {"api-version": "1.1", "_last-serial": serial}
    return json.dumps({"meta": meta, "name": project, "versions": versions, "files": files}).encode()


def project_html(project: str, entries: Sequence[Entry]) -> bytes:
    """PEP 503."""
    lines = []
    for entry in entries:
        metadata = f' data-core-metadata="sha256={entry.metadata_sha256}"' if entry.metadata_sha256 else ""
        python = html.escape(entry.requires_python)
        lines.append(
            f'<a href="../../{entry.path}#sha256={entry.sha256}"'
            f' data-requires-python="{python}"{metadata}>{entry.filename}</a><br/>'
        )
    return _document(f"Links for {project}", lines)


def legacy_json(project: str, entries: Sequence[Entry], serial: int) -> bytes:
    """The older JSON API, which bandersnatch reads."""
    releases: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        wheel = entry.filename.endswith(".whl")
        releases[entry.version].append(
            {
                "filename": entry.filename,
                "url": f"{FILES_HOST}/{entry.path}",
                "digests": {"sha256": entry.sha256},
                "size": entry.size,
                "upload_time_iso_8601": UPLOADED,
                "upload_time": UPLOADED[:19],
                "packagetype": "bdist_wheel" if wheel else "sdist",
                "requires_python": entry.requires_python,
                "yanked": False,
                "yanked_reason": None,
            }
        )
    info = {"name": project, "version": entries[-1].version, "requires_python": entries[-1].requires_python}
    return json.dumps({"info": info, "last_serial": serial, "releases": releases, "urls": []}).encode()


def root_json(serials: Mapping[str, int]) -> bytes:
    """The list of all projects, with the serial that each one last changed at."""
    projects = [{"name": name, "_last-serial": serial} for name, serial in serials.items()]
    meta = {"api-version": "1.1", "_last-serial": max(serials.values())}
    return json.dumps({"meta": meta, "projects": projects}).encode()


def root_html(names: Sequence[str]) -> bytes:
    """PEP 503."""
    return _document("Simple index", [f'<a href="{name}/">{name}</a><br/>' for name in names])


def _document(title: str, lines: Sequence[str]) -> bytes:
    head = f'<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.1">\n<title>{title}'
    return "\n".join([f"{head}</title></head><body>", *lines, "</body></html>", ""]).encode()
