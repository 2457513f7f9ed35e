"""A path of 20 ms round trip: two network namespaces, a delaying forwarder between them.  Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

ROUND_TRIP = 0.020
"""Seconds."""
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"  # the block for documentation: nobody's


class Delay:
    """The namespaces and the forwarder while the context lasts; the machine's own network is not touched."""

    address = SERVER

    def __init__(self, round_trip: float = ROUND_TRIP) -> None:
        self._half = round_trip / 2
        self._names = [f"aiobench{side}{os.getpid()}" for side in "cs"]
        self._process: subprocess.Popen[str] | None = None

    @property
    def client(self) -> tuple[str, ...]:
        """What goes before a command that is to run on the near side."""
        return ("nsenter", f"--net=/run/netns/{self._names[0]}", "--")

    @property
    def server(self) -> tuple[str, ...]:
        """What goes before a command that is to run on the far side."""
        return ("nsenter", f"--net=/run/netns/{self._names[1]}", "--")

    def __enter__(self) -> Self:
        forwarder = Path(__file__).with_name("forwarder.py")
        devices = [name.replace("aiobench", "ab") for name in self._names]
        arguments = [sys.executable, "-I", "-S", str(forwarder), str(self._half), *devices]
        try:
            self._process = _started(arguments)
            for name, device, here, there in zip(
                self._names, devices, (CLIENT, SERVER), (SERVER, CLIENT), strict=True
            ):
                _namespace(name, device, here, there)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def cpu(self) -> float:
        """CPU seconds that the forwarder has taken so far."""
        assert self._process is not None
        # proc(5): user and system time are the 14th and 15th field; the name, the second, may have spaces.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lacks() -> str:
    """Why there can be no delayed path here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [name for name in ("ip", "nsenter", "unshare") if shutil.which(name) is None]:
        return f"{' and '.join(missing)} not installed"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no tun devices"
    allowed = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0
    return "" if allowed else "network namespaces are not allowed here"


def _started(arguments: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        process.kill()
        process.wait()
        raise RuntimeError("the delaying forwarder did not start")
    return process


def _namespace(name: str, device: str, here: str, there: str) -> None:
    _ip("netns", "add", name)
    _ip("link", "set", device, "netns", name)
    _ip("-n", name, "link", "set", "lo", "up")
    _ip("-n", name, "link", "set", device, "up", "txqueuelen", "10000")
    _ip("-n", name, "address", "add", here, "peer", there, "dev", device)
    # Else the kernel starts later connections with the window that earlier ones found, and the order in which
    # contenders run would count.
    inside = ("nsenter", f"--net=/run/netns/{name}", "--")
    subprocess.run([*inside, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"], check=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
