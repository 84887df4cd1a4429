"""Benchmarks: imfilt beside its peers, alternating in one process. Run `python -m benchmarks --help`."""
