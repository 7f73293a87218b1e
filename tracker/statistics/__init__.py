"""Intervals, paired tests, corrections and power, as pure functions on arrays."""
