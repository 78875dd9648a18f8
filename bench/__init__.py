"""Side-by-side benchmarks: see README.md. Run from the root of the repository, as `python -m bench.NAME`."""
