"""A real nginx, for the tests that are about what a web server makes of files."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SYSTEM_PATH = f"{os.defpath}:/usr/sbin:/usr/local/sbin"
"""Debian has nginx where the PATH of an ordinary user does not lead."""
NGINX = shutil.which("nginx") or shutil.which("nginx", path=SYSTEM_PATH)

needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")


@contextlib.contextmanager
def running_nginx(run: Path, configuration: Callable[[int], str]) -> Iterator[str]:
    """The address of an nginx with that configuration of a port; its pid file is ``run``/nginx.pid.

    The socket is made here and handed down, as nginx does it when it replaces itself: a port that is only
    looked up may be another process's by the time nginx binds it.
    """
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        (run / "nginx.conf").write_text(configuration(port))
        command = [NGINX, "-p", str(run), "-e", str(run / "error.log"), "-c", str(run / "nginx.conf")]
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
        )
    with process:
        try:
            _wait_for(process, run / "nginx.pid")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], pid: Path) -> None:
    """Until the configuration was taken; connections wait in the socket's queue from the first."""
    for _ in range(500):
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.fail(f"nginx does not take the configuration: {process.stderr.read().decode()}")
        if pid.exists():
            return
        time.sleep(0.02)
    pytest.fail("nginx does not start")
