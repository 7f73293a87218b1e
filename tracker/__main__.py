"""``python -m tracker``: the same as the command ``tracker``, which begins here."""

import gc
import sys

from tracker.late_imports import imported_quickly, mark_own_process


def main() -> None:
    """Run the command line and exit; Ctrl-C is one line even while libraries are still being imported."""
    mark_own_process()
    try:
        with imported_quickly():
            from tracker.cli import main as run
    except KeyboardInterrupt:
        sys.exit("tracker: interrupted")
    try:
        run()
    finally:
        gc.freeze()  # the process ends, and all of its memory with it: no garbage is looked for in it any more


if __name__ == "__main__":
    main()
