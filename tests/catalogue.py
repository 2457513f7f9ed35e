"""What the fake upstream holds, and the pages it makes of it, in both formats."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
LAST_MODIFIED = "Sat, 01 Feb 2020 00:00:00 GMT"


@dataclass
class Blob:
    """One thing that is served: a file, or a ``.metadata`` sibling."""

    body: bytes
    content_type: str = "application/octet-stream"
    etag: str = ""

    def __post_init__(self) -> None:
        self.etag = self.etag or f'"{sha256(self.body)[:32]}"'


@dataclass
class Project:
    """A project as the index shows it; ``files`` are the members of the JSON page's list."""

    display: str
    api_version: str = "1.4"
    status: str | None = None
    reason: str | None = None
    versions: list[str] | None = None
    """What the page lists; None: the versions of the files."""
    files: list[dict[str, Any]] = field(default_factory=list)
    raw_page: tuple[bytes, str] | None = None
    serial: int = 1


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def root_json(projects: Mapping[str, Project], *, serials: bool) -> bytes:
    entries: list[dict[str, Any]] = [{"name": project.display} for project in projects.values()]
    meta: dict[str, Any] = {"api-version": "1.4"}
    if serials:
        for entry, project in zip(entries, projects.values(), strict=True):
            entry["_last-serial"] = project.serial
        meta["_last-serial"] = max((project.serial for project in projects.values()), default=0)
    return json.dumps({"meta": meta, "projects": entries}).encode()


def root_html(projects: Mapping[str, Project]) -> bytes:
    links = (
        f'<a href="/simple/{name}/">{html.escape(project.display)}</a><br/>'
        for name, project in projects.items()
    )
    return _document("1.4", "", links)


def page_json(name: str, project: Project, *, serials: bool) -> bytes:
    meta: dict[str, Any] = {"api-version": project.api_version}
    if serials:
        meta["_last-serial"] = project.serial
    files = [{key: value for key, value in entry.items() if key != "version"} for entry in project.files]
    page: dict[str, Any] = {"meta": meta, "name": name, "files": files, "versions": listed_versions(project)}
    if project.status is not None:
        page["project-status"] = {"status": project.status}
        if project.reason is not None:
            page["project-status"]["reason"] = project.reason
    return json.dumps(page).encode()


def listed_versions(project: Project) -> list[str]:
    if project.versions is not None:
        return project.versions
    return list(dict.fromkeys(entry["version"] for entry in project.files))


def page_html(project: Project) -> bytes:
    metas = ""
    if project.status is not None:
        metas = f'<meta name="pypi:project-status" content="{html.escape(project.status)}">'
        if project.reason is not None:
            metas += f'<meta name="pypi:project-status-reason" content="{html.escape(project.reason)}">'
    return _document(project.api_version, metas, map(anchor, project.files))


def anchor(entry: Mapping[str, Any]) -> str:
    """One file's link; of several digests the first, for HTML has room for one."""
    fragment = next((f"#{name}={value}" for name, value in entry["hashes"].items()), "")
    attributes = {"href": entry["url"] + fragment, "data-requires-python": entry["requires-python"]}
    if entry["yanked"] is not False:
        attributes["data-yanked"] = "" if entry["yanked"] is True else entry["yanked"]
    match entry.get("core-metadata"):
        case {"sha256": digest}:
            attributes["data-core-metadata"] = f"sha256={digest}"
        case {}:
            attributes["data-core-metadata"] = "true"
    text = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items() if value is not None)
    return f"<a {text}>{html.escape(entry['filename'])}</a><br/>"


def _document(api_version: str, metas: str, links: Iterable[str]) -> bytes:
    head = f'<meta name="pypi:repository-version" content="{html.escape(api_version)}">{metas}'
    body = "\n".join(links)
    return f"<!DOCTYPE html>\n<html><head>{head}</head>\n<body>\n{body}\n</body></html>\n".encode()
