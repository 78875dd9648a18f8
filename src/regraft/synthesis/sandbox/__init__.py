"""Runs code that nobody has read: under limits, in a system of its own, with a verdict."""
