"""What a source archive is built with, as its ``pyproject.toml`` says (PEP 517, PEP 518).

No code is run: what a backend asks for only when it is asked itself (``get_requires_for_build_wheel``) is not
known here.  A backend in the tree (``backend-path``) has requirements like any other.
"""

from __future__ import annotations

from aiomirror.requirements.documents import decode_document, parse_document
from aiomirror.requirements.parse import read_requirement
from aiomirror.requirements.values import LineError, NotMirrored, Wanted

DEFAULT_REQUIRES = ("setuptools>=40.8.0",)
"""What installers take where nothing is said."""


def read_build_requires(data: bytes | None, origin: str) -> tuple[list[Wanted], list[NotMirrored]]:
    """The requirements of ``[build-system]``; None: there is no such file.

    ``origin`` is the archive.  The requirements themselves have none: an archive is not what asks for them
    when several do.  LineError says which part of the file cannot be read.
    """
    texts: list[str] | tuple[str, ...] = DEFAULT_REQUIRES
    where = "build-system.requires"
    if data is not None:
        system = parse_document(decode_document(data)).table("build-system")
        if "requires" in system.values:
            texts, where = system.texts("requires"), system.where("requires")
    wanted, elsewhere = [], []
    for place, text in enumerate(texts):
        try:
            one = read_requirement(text, "")
        except LineError as error:
            raise LineError(f"{where}[{place}]: {error}") from None
        if isinstance(one, Wanted):
            wanted.append(one)
        else:
            elsewhere.append(NotMirrored(one.text, f"{origin}: {where}[{place}]", one.why))
    return wanted, elsewhere
