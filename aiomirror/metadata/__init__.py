"""What a file on upstream's page says of itself, without the file; no code of any package is run.

The rooms, upwards: ``contents`` (pure: what is inside bytes that are here), ``sinks``, and ``finder``.
"""

from aiomirror.metadata.finder import Found, Metadata

__all__ = ["Found", "Metadata"]
