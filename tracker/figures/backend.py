"""matplotlib, imported before the other modules of this room, which all need it, and without its notices."""

from __future__ import annotations

import logging
from importlib import import_module

from tracker.errors import TrackerError

_logger = logging.getLogger("matplotlib")
_level = _logger.level
_logger.setLevel(logging.ERROR)  # where there is no home, it says at length that its fonts are not remembered
try:
    import_module("matplotlib.font_manager")
except ValueError as error:  # of MPLBACKEND, or of a person's own matplotlibrc
    raise TrackerError(f"matplotlib refuses its settings: {str(error)[:200]}; unset or correct them") from error
finally:
    _logger.setLevel(_level)
