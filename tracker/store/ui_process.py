"""MLflow's command line in a process that ends with its parent, however that ends; a script, called by its path.

Standard input is a pipe whose other end the parent holds; that end is closed when the parent is gone.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not by sys.stdin, whose lock the interpreter asks for when it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # which MLflow passes on to its server


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[0] = "mlflow"
    runpy.run_module("mlflow", run_name="__main__")
