"""Runs to MLflow and back."""
