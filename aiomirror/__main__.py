"""Run aiomirror as ``python -m aiomirror``."""

from aiomirror.cli import entry

if __name__ == "__main__":
    entry()
