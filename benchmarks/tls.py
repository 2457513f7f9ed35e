"""An authority of our own and a certificate for the loopback upstream, made with the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Authority:
    """``root`` is what clients are told to trust; the other two are the server's."""

    root: Path
    certificate: Path
    key: Path

    @classmethod
    def open(cls, work: Path, addresses: tuple[str, ...]) -> Authority:
        """Made anew each time: it takes a moment, and nothing else may trust it."""
        folder = work / "tls"
        folder.mkdir(parents=True, exist_ok=True)
        names = ",".join(f"IP:{address}" for address in addresses)
        root, root_key = folder / "root.pem", folder / "root.key"
        key, request, certificate = folder / "server.key", folder / "server.csr", folder / "server.pem"
        extensions = folder / "extensions"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _openssl(
            "req", "-x509", *new, "-keyout", root_key, "-out", root, "-days", DAYS,
            "-subj", "/CN=benchmarks", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        _openssl("req", *new, "-keyout", key, "-out", request, "-subj", "/CN=upstream.example")
        _openssl(
            "x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-CAcreateserial",
            "-out", certificate, "-days", DAYS, "-extfile", extensions,
        )  # fmt: skip
        return cls(root, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
