"""All contenders by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import Bandersnatch, Morgan, PipDownload, PythonPypiMirror
from benchmarks.tools import Aiomirror, BareClient, BareMirror, BareRequests, ConditionalCurl, Curl, Wget2
from benchmarks.verifying import OpensslDigest, Sha256sum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.tools import Tool


def roster(names: Iterable[str]) -> list[Tool]:
    """The contenders of these names, in this order."""
    known: list[Tool] = [
        Aiomirror(),
        Curl(),
        ConditionalCurl(),
        Wget2(),
        BareClient(),
        BareRequests(),
        BareMirror(),
        Sha256sum(),
        OpensslDigest(),
    ]
    known += [Bandersnatch(), Morgan(), PipDownload(), PythonPypiMirror()]
    by_name = {tool.name: tool for tool in known}
    return [by_name[name] for name in names if name in by_name]
