"""Benchmark items in a corpus."""
