"""A package index on loopback that holds what a test puts in, notes what it is asked and breaks on demand.

It shares no code with aiomirror: pages are written here from the specifications alone.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from builders import make_sdist, make_wheel, make_zip_sdist
from catalogue import (
    HTML_TYPE,
    JSON_TYPE,
    LAST_MODIFIED,
    Blob,
    Project,
    normalise,
    page_html,
    page_json,
    root_html,
    root_json,
    sha256,
)
from faults import Fault, Healthy, Reply
from wire import Request, Server, conditional

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping


class Upstream:
    """The fake index; a context manager for ``with`` and ``async with`` alike."""

    def __init__(self, *, formats: str = "both", tls: ssl.SSLContext | None = None) -> None:
        self.formats = formats
        """ "both", "json" or "html": what pages are served as."""
        self.credentials: tuple[str, str] | None = None
        """User and password that every request must carry; others are answered 401."""
        self.serials = False
        """Whether serials are shown: the header X-PyPI-Last-Serial, and members named _last-serial."""
        self.projects: dict[str, Project] = {}
        self.blobs: dict[str, Blob] = {}
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], Fault | None] | None = None
        """Chooses a fault for any request, where none waits for its path."""
        self._queued: defaultdict[str, deque[tuple[Fault, ...]]] = defaultdict(deque)
        self._lasting: dict[str, tuple[Fault, ...]] = {}
        self._scheme = "https" if tls else "http"
        self._server = Server(self._answer, tls)

    # -- life

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    # -- addresses

    @property
    def base(self) -> str:
        """The origin, without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self._server.port}"

    @property
    def url(self) -> str:
        """The index URL."""
        return f"{self.base}/simple/"

    @staticmethod
    def page_path(name: str) -> str:
        return f"/simple/{normalise(name)}/"

    @staticmethod
    def file_path(name: str, filename: str) -> str:
        return f"/files/{normalise(name)}/{filename}"

    def file_url(self, name: str, filename: str) -> str:
        return self.base + quote(self.file_path(name, filename))

    # -- contents

    def add_project(
        self, name: str, *, api_version: str = "1.4", status: str | None = None, reason: str | None = None
    ) -> Project:
        """The project of that name, made if it is not there; its fields may be changed at any time."""
        project = Project(name, api_version, status, reason)
        return self.projects.setdefault(normalise(name), project)

    def add_page(self, name: str, body: bytes, content_type: str = "text/html") -> None:
        """A project page that is these bytes, in any format asked for."""
        self.add_project(name).raw_page = (body, content_type)

    def add_file(
        self,
        name: str,
        filename: str,
        *,
        content: bytes | None = None,
        hashes: Mapping[str, str] | None = None,
        size: int | None = -1,
        requires_python: str | None = None,
        yanked: str | bool = False,
        upload_time: str | None = "2020-02-02T00:00:00.000000Z",
        core_metadata: bool | str | Mapping[str, str] = False,
        metadata: bytes | None = None,
        url: str | None = None,
        version: str | None = None,
    ) -> bytes:
        """List a file and serve it; returns its bytes.

        ``content`` None makes a real wheel or source archive.  ``hashes`` None lists the right sha256, ``{}``
        none; ``size`` -1 the right size, None none.  ``core_metadata`` True announces the sibling with its
        sha256, a text that text in place of ``sha256``, a mapping just that; the sibling is served unless it
        is False, from ``metadata`` or out of the wheel.  ``url`` replaces the link, and may be absolute.
        """
        project = self.add_project(name)
        version = version or guess_version(filename)
        if content is None:
            content = make_content(name, filename, version, requires_python)
        path = self.file_path(name, filename)
        self.blobs[path] = Blob(content)
        entry: dict[str, Any] = {
            "filename": filename,
            "url": url or f"../..{quote(path)}",
            "hashes": dict(hashes) if hashes is not None else {"sha256": sha256(content)},
            "size": len(content) if size == -1 else size,
            "upload-time": upload_time,
            "requires-python": requires_python,
            "yanked": yanked,
            "version": version,
        }
        if core_metadata is not False:
            sibling = metadata if metadata is not None else wheel_metadata(content)
            self.blobs[path + ".metadata"] = Blob(sibling, "text/plain")
            entry["core-metadata"] = announced(core_metadata, sibling)
        project.files = [held for held in project.files if held["filename"] != filename] + [entry]
        project.serial += 1
        return content

    def remove_file(self, name: str, filename: str) -> None:
        """Delist a file and stop serving it."""
        project = self.projects[normalise(name)]
        project.files = [held for held in project.files if held["filename"] != filename]
        project.serial += 1
        self.blobs.pop(self.file_path(name, filename), None)

    # -- faults

    def fault(self, path: str, *faults: Fault | tuple[Fault, ...]) -> None:
        """The next requests for ``path`` meet these faults, one each; a tuple's act together."""
        self._queued[path].extend(fault if isinstance(fault, tuple) else (fault,) for fault in faults)

    def always(self, path: str, *faults: Fault) -> None:
        """Every request for ``path`` meets all of these, unless one is queued; without faults: healed."""
        self._lasting[path] = faults

    # -- what was asked

    def page_requests(self) -> list[Request]:
        return [request for request in self.requests if request.path.startswith("/simple/")]

    def file_requests(self) -> list[Request]:
        """Requests for files and their ``.metadata`` siblings."""
        return [request for request in self.requests if request.path.startswith("/files/")]

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def clear(self) -> None:
        """Forget the requests; contents and faults stay."""
        self.requests.clear()

    # -- answers

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = self._resource(request)
        faults = self._faults_for(request)
        for fault in faults:
            fault.before(reply)
        if reply.status == 200:
            conditional(reply, request)
        for fault in faults:
            fault.after(reply)
        return reply

    def _faults_for(self, request: Request) -> tuple[Fault, ...]:
        if queue := self._queued.get(request.path):
            return queue.popleft()
        chosen = self.on_request(request) if self.on_request is not None else None
        return (*self._lasting.get(request.path, ()), chosen or Healthy())

    def _resource(self, request: Request) -> Reply:
        if self.credentials is not None and request.headers.get("authorization") != basic(*self.credentials):
            return Reply(401, {"WWW-Authenticate": 'Basic realm="index"'}, b"who are you?")
        if blob := self.blobs.get(request.path):
            headers = {"Content-Type": blob.content_type, "ETag": blob.etag, "Last-Modified": LAST_MODIFIED}
            return Reply(200, headers, blob.body)
        if not request.path.startswith("/simple/"):
            return _missing()
        return self._page(request, request.path.removeprefix("/simple/"))

    def _page(self, request: Request, rest: str) -> Reply:
        if rest == "":
            return self._render(
                request,
                root_json(self.projects, serials=self.serials),
                root_html(self.projects),
                max(self._serials(), default=0),
            )
        name = normalise(rest.rstrip("/"))
        project = self.projects.get(name)
        if project is None:
            return _missing()
        if rest != name + "/":
            return Reply(301, {"Location": f"/simple/{name}/"}, b"elsewhere")
        if project.raw_page is not None:
            body, content_type = project.raw_page
            return Reply(200, {"Content-Type": content_type, "ETag": f'"{sha256(body)[:16]}"'}, body)
        return self._render(
            request, page_json(name, project, serials=self.serials), page_html(project), project.serial
        )

    def _serials(self) -> list[int]:
        return [project.serial for project in self.projects.values()]

    def _render(self, request: Request, as_json: bytes, as_html: bytes, serial: int) -> Reply:
        accept = request.headers.get("accept", "*/*").lower()
        wants_json = JSON_TYPE in accept or "*/*" in accept
        if self.formats != "html" and (wants_json or self.formats == "json"):
            body, content_type = as_json, JSON_TYPE
            if not wants_json:
                return Reply(406, {"Content-Type": "text/plain"}, b"JSON only")
        else:
            body, content_type = as_html, HTML_TYPE if HTML_TYPE in accept else "text/html"
        headers = {"Content-Type": content_type, "ETag": f'"{sha256(body)[:16]}"', "Vary": "Accept"}
        if self.serials:
            headers["X-PyPI-Last-Serial"] = str(serial)
        return Reply(200, headers, body)


def _missing() -> Reply:
    return Reply(404, {"Content-Type": "text/plain"}, b"no such thing")


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def guess_version(filename: str) -> str:
    """The version in a file name; good enough for the names that tests make up."""
    if filename.endswith(".whl"):
        return filename.split("-")[1]
    stem = re.sub(r"(\.tar\.(gz|bz2|xz|Z)|\.zip|\.tgz|\.egg|\.exe|\.msi)$", "", filename)
    return stem.rsplit("-", 1)[-1]


def make_content(name: str, filename: str, version: str, requires_python: str | None) -> bytes:
    """A real distribution for the name, or for an unknown kind of name some bytes."""
    if filename.endswith(".whl"):
        tag = filename.removesuffix(".whl").split("-", 2)[2]
        tag = "-".join(tag.split("-")[-3:])  # a build number may stand before the tag
        return make_wheel(name, version, tag=tag, requires_python=requires_python)
    if filename.endswith(".tar.gz"):
        return make_sdist(name, version, requires_python=requires_python)
    if filename.endswith(".zip"):
        return make_zip_sdist(name, version, requires_python=requires_python)
    return filename.encode() * 100


def wheel_metadata(content: bytes) -> bytes:
    """The METADATA of a wheel's bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = next(path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        return archive.read(member)


def announced(core_metadata: object, sibling: bytes) -> object:
    """The value of ``core-metadata`` in JSON."""
    if core_metadata is True:
        return {"sha256": sha256(sibling)}
    return {"sha256": core_metadata} if isinstance(core_metadata, str) else core_metadata
