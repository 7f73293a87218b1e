"""MLflow's command line in a process that ends with its parent, however that ends; a script, called by its path.

Standard input is a pipe whose other end the parent holds; that end is closed when the parent is gone. The server that
``mlflow server`` starts runs in this very process, which has MLflow imported already.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not by sys.stdin, whose lock the interpreter asks for when it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _serve_here() -> None:
    """Have MLflow call uvicorn in this process, rather than start it in another."""
    import uvicorn.main  # first: MLflow's application guards itself against other sites' pages if this is loaded

    # isort: split
    import mlflow.server

    def call(command: Sequence[str], *, extra_env: Mapping[str, str], **_options: object) -> None:
        os.environ.update(extra_env)
        uvicorn.main.main(command[command.index("uvicorn") + 1 :])

    if hasattr(mlflow.server, "_exec_cmd"):  # as in the versions that are known
        mlflow.server._exec_cmd = call  # noqa: SLF001


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[0] = "mlflow"
    if sys.argv[1:2] == ["server"]:
        _serve_here()
    runpy.run_module("mlflow", run_name="__main__")
