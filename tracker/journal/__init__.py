"""A run's journal on local disk: written first, read by whatever sends, resumes, reports or mends."""
