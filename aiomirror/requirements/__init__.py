"""Requirements, from command-line specs, requirements files, lock files and projects, without IO."""

from aiomirror.requirements.gather import gather, origin_of
from aiomirror.requirements.parse import is_file_argument, parse_spec
from aiomirror.requirements.values import FileOptions, FormatControl, NotMirrored, Parsed, Wanted

__all__ = [
    "FileOptions",
    "FormatControl",
    "NotMirrored",
    "Parsed",
    "Wanted",
    "gather",
    "is_file_argument",
    "origin_of",
    "parse_spec",
]
