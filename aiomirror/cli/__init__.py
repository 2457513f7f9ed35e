"""The command line: arguments in, exit code out."""

from aiomirror.cli.process import entry, main

__all__ = ["entry", "main"]
