"""Trains audio classifiers, logs every run to MLflow and writes the comparison, with conclusions that hold."""

__version__ = "0.1.0"
