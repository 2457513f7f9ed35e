"""The command line: arguments in, exit code out."""

from aiomirror.cli.main import entry, main

__all__ = ["entry", "main"]
