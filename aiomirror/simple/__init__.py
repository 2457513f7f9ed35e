"""The Simple Repository API: bytes to values and values to bytes, without IO."""
