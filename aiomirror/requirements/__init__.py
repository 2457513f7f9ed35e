"""Requirement files and command-line specs: text to requirements, without IO."""
