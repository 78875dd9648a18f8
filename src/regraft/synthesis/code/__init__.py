"""Programming problems with solutions that pass their tests."""
