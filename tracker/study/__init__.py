"""Runs translated once: what they were asked for, what they came to, and which of them can be compared."""
