"""Clips to log-mel images, and their cache."""
