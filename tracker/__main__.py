"""``python -m tracker``: the same as the command ``tracker``, which begins here."""

import sys


def main() -> None:
    """Run the command line and exit; Ctrl-C is one line even while libraries are still being imported."""
    try:
        from tracker.cli import main as run
    except KeyboardInterrupt:
        sys.exit("tracker: interrupted")
    run()


if __name__ == "__main__":
    main()
