"""Jinja templates: they loop and format; they do not compute, sort or decide."""
