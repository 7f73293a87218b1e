"""Templates of the report, as an importable package."""
