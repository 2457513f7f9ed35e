"""Benchmarks: corpora, a loopback upstream, contenders, and one command that runs them; see README.md."""
