from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import pkgutil, sys, importlib, tracker.statistics
for module in pkgutil.iter_modules(tracker.statistics.__path__):
    importlib.import_module(f"tracker.statistics.{module.name}")
import tracker.replay
print(*sorted(name for name in sys.modules if name.startswith(("scipy.stats", "scipy.special"))))
"""


def test_importing_the_statistics_imports_no_heavy_part_of_scipy():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
