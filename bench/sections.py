"""Pages that several benchmarks write to, each its own section: from one heading of the first level to the next."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_section(path: Path, section: str) -> None:
    """Replace a section of a page, which is made if it is missing."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(with_section(page, section), encoding="utf-8")


def with_section(page: str, section: str) -> str:
    """Return a page with a section in place of the one that opens with the same line, or at the end."""
    heading, *_ = section.splitlines()
    lines = page.splitlines()
    if heading not in lines:
        return "\n\n".join(filter(None, (page.strip(), section.strip()))) + "\n"
    start = lines.index(heading)
    own = 1 + len(list(takewhile(lambda line: not line.startswith("# "), lines[start + 1 :])))
    before, after = lines[:start], lines[start + own :]
    parts = ("\n".join(before).strip(), section.strip(), "\n".join(after).strip())
    return "\n\n".join(filter(None, parts)) + "\n"
