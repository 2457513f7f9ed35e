"""Mirror the projects you name from a Python package index, verified and ready to be served."""

__version__ = "0.1.0"
