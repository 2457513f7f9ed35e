"""A loopback package index that is not the bottleneck: nginx over the static files of a corpus."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.tls import Authority

START_SECONDS = 10
STATUS = """\
    server {{
        listen unix:{socket};
        location / {{ stub_status; }}
    }}
"""
CONFIGURATION = """\
{user}worker_processes {workers};
daemon off;
pid {work}/nginx.pid;
error_log {work}/error.log error;
worker_rlimit_nofile 8192;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    keepalive_timeout 75s;
    server_tokens off;
    map $http_accept $page {{
        default                                               index.html;
        "~*application/vnd\\.pypi\\.simple\\.(v1|latest)\\+json"  index.v1_json;
    }}
    types {{
        text/html                              html;
        application/vnd.pypi.simple.v1+json    v1_json;
    }}
    default_type application/octet-stream;
{status}    server {{
        listen {address}:{port}{tls};
        root {root};
        index $page;
        add_header Vary Accept;
        location = /simple {{ rewrite ^ /simple/ last; }}
        location /pypi/ {{
            default_type application/json;
            add_header X-PyPI-Last-Serial 1000000000;
        }}
    }}
}}
"""
TLS = """ ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key}"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the upstream has seen since it was started."""

    requests: int
    connections: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.requests - other.requests, self.connections - other.connections)


class Upstream:
    """nginx over ``root`` while the context lasts; ``launcher`` goes before its command (a namespace's)."""

    def __init__(
        self,
        root: Path,
        work: Path,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        launcher: Sequence[str] = (),
        authority: Authority | None = None,
    ) -> None:
        self._root, self._work, self._launcher = root, work, launcher
        self._address, self._authority = address, authority
        self._port = port or _free_port(address)
        self._socket = work / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The root of the server, without a slash at its end."""
        return f"http{'s' if self._authority else ''}://{self._address}:{self._port}"

    def __enter__(self) -> Self:
        self._work.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        configuration = self._work / "nginx.conf"
        configuration.write_text(self._configuration())
        errors = str(self._work / "error.log")
        self._process = subprocess.Popen(
            [*self._launcher, nginx(), "-p", str(self._work), "-e", errors, "-c", str(configuration)]
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"nginx did not start; see {errors}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def counts(self) -> Counts:
        """Requests and connections so far, without those of this question and the earlier ones like it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        # The third line of the body: connections accepted, connections handled, requests.
        accepted, _, requests = text.partition("requests\n")[2].split("\n")[0].split()
        self._asked += 1
        return Counts(int(requests) - self._asked, int(accepted) - self._asked)

    _asked = 0

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self.counts()
            return True
        return False

    def _configuration(self) -> str:
        user = "user root;\n" if os.geteuid() == 0 else ""  # else the workers could not read a private folder
        tls = ""
        if self._authority is not None:
            tls = TLS.format(certificate=self._authority.certificate, key=self._authority.key)
        return CONFIGURATION.format(
            user=user,
            workers=os.cpu_count() or 1,
            work=self._work,
            root=self._root,
            address=self._address,
            port=self._port,
            tls=tls,
            status=STATUS.format(socket=self._socket),
        )


def nginx() -> str:
    """The program; Debian has it where only root looks.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError("nginx is not installed")
    return found


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
