"""The report as Markdown, HTML and JSON."""
