"""The index that is mirrored where none is named."""

from __future__ import annotations

import re
from importlib.util import find_spec

_LIBRARY = "pypi_simple"
_STATED = r'^PYPI_SIMPLE_ENDPOINT(?:: str)? = "(https://[^"\\]+)"$'


def default_index() -> str:
    """The address of the Python Package Index, from the one library that has it for us.

    It is read where the library's source states it: to import the library, and all that it needs for what is
    not asked of it here, takes 0.2 s, longer than the rest of the start.
    """
    if stated := re.search(_STATED, _source(), re.MULTILINE):
        return stated[1]
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415 (for a version that states it otherwise)

    return PYPI_SIMPLE_ENDPOINT


def _source() -> str:
    """The library's source; empty where it is not at hand."""
    spec = find_spec(_LIBRARY)
    read = getattr(spec.loader, "get_source", None) if spec is not None else None
    return (read(_LIBRARY) if read is not None else None) or ""
