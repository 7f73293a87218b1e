"""What knowing the speaker changes: spoken digits with the speaker as group, and without groups.

    .venv/bin/python bench/spoken_digits.py DATA [--epochs 60] [--seeds 1]

DATA holds `<digit>/<digit>_<speaker>_<take>.wav` (the layout of the Free Spoken Digit Dataset, sorted by digit). A
manifest is written for each way, beside nothing of DATA's own, and `tracker run --segment 0.5` trains on it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TRACKER = Path(sys.executable).with_name("tracker")


def write_manifest(data: Path, manifest: Path, *, grouped: bool) -> None:
    files = sorted(data.glob("*/*_*_*.wav"))
    if not files:
        sys.exit(f"no <digit>/<digit>_<speaker>_<take>.wav below {data}")
    with manifest.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["path", "label", *(["group"] if grouped else [])])
        for file in files:
            digit, speaker, _ = file.stem.split("_")
            writer.writerow([os.path.relpath(file, manifest.parent), digit, *([speaker] if grouped else [])])


def accuracies(folder: Path, data: Path, arguments: argparse.Namespace, *, grouped: bool) -> list[str]:
    name = "grouped" if grouped else "ungrouped"
    manifest = folder / f"{name}.csv"
    write_manifest(data, manifest, grouped=grouped)
    options = ["--segment", "0.5", "--epochs", str(arguments.epochs), "--seeds", str(arguments.seeds)]
    place = ["--experiment", name]
    subprocess.run([TRACKER, "run", "--data", manifest.name, *options, *place], cwd=folder, check=True)
    report = subprocess.run(
        [TRACKER, "report", "--format", "json", *place], cwd=folder, check=True, capture_output=True, text=True
    )
    held = [run["validation"] for run in json.loads(report.stdout)["runs"]]
    return [f"{v['correct']}/{v['n']} = {v['correct'] / v['n']:.3f}" for v in held]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    with tempfile.TemporaryDirectory() as folder:
        for grouped in (True, False):
            found = accuracies(Path(folder), data, arguments, grouped=grouped)
            print("speaker as group:" if grouped else "without groups:  ", ", ".join(found), flush=True)


if __name__ == "__main__":
    main()
