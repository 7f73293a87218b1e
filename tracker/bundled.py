"""Where the folders that stand beside the package in a checkout, and inside it in a wheel, are.

The wheel's only top-level folder is ``tracker``: the build moves ``models/`` to ``tracker/models`` and
``reports/templates/`` to ``tracker/templates``. An editable install ignores that, so both places are tried.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(in_wheel: str, in_checkout: str) -> Path:
    inside = _PACKAGE / in_wheel
    return inside if inside.is_dir() else _PACKAGE.parent / in_checkout


NETWORKS = _folder("models", "models")
TEMPLATES = _folder("templates", "reports/templates")
