"""A run's kept model where there is no tracker: served by MLflow, and exported in every form that can be made here.

Trains one short run on a small demo set, has `mlflow models serve` answer curl with a wav, runs each exported folder's
`predict.py` in a process that cannot import tracker, and compares all of it with `tracker predict`. Then it measures
how many clips a second that predicts. Exits with 1 if a probability differs by 0.001 or more.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
LARGEST_DIFFERENCE = 1e-3
PATIENCE_S = 180.0
ALONE = "import runpy, sys; sys.modules['tracker'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"

Rows = dict[str, dict[str, float]]  # probabilities of the classes, by clip


def said(*command: str | Path) -> str:
    """Return what a command prints; raise if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} {command[1]} failed: {done.stderr[-2_000:]}")
    return done.stdout


def rows_of(text: str) -> Rows:
    found = csv.DictReader(io.StringIO(text))
    return {row["clip"]: {name: float(row[name]) for name in list(row)[2:]} for row in found}


def difference(one: Rows, other: Rows) -> float:
    if one.keys() != other.keys():
        raise SystemExit(f"other clips: {one.keys() ^ other.keys()}")
    return max(abs(row[name] - other[clip][name]) for clip, row in one.items() for name in row)


@contextmanager
def served(model: Path, port: int) -> Iterator[str]:
    command = [BIN / "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-p", str(port), "-w", "1"]
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    with Path("serve.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE_S
        address = f"http://127.0.0.1:{port}"
        while subprocess.run(["curl", "-sf", f"{address}/ping"], capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"MLflow does not serve the model: {Path('serve.log').read_text()[-2_000:]}")
            time.sleep(1)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def answers(address: str, clips: list[str]) -> Rows:
    rows: Rows = {}
    for clip in clips:
        body = {"inputs": {"audio": [base64.b64encode(Path(clip).read_bytes()).decode()]}}
        Path("request.json").write_text(json.dumps(body))
        url, kind = f"{address}/invocations", "Content-Type: application/json"
        (row,) = json.loads(said("curl", "-sf", url, "-H", kind, "-d", "@request.json"))["predictions"]
        rows[clip] = {name: value for name, value in row.items() if name != "predicted"}
    return rows


def main() -> int:
    with TemporaryDirectory(prefix="tracker-serve-") as folder:
        os.chdir(folder)
        said(BIN / "tracker", "data", "demo", "set", "--artists", "2", "--clips", "2", "--seconds", "30")
        options = ("--epochs", "4", "--validation-fraction", "0.5")
        run_id = said(BIN / "tracker", "run", "--data", "set/manifest.csv", *options).strip()
        clips = sorted(map(str, Path("set").rglob("*.wav")))
        expected = rows_of(said(BIN / "tracker", "predict", *clips, "--format", "csv"))
        worst = {}
        (model,) = Path("mlruns").glob(f"*/{run_id}/artifacts/model")
        with served(model, 5_071) as address:
            worst["mlflow models serve, curl with a wav"] = difference(expected, answers(address, clips))
        for form in ("keras", "tflite", *(["onnx"] if find_spec("tf2onnx") and find_spec("onnxruntime") else [])):
            said(BIN / "tracker", "export", "best", "--to", form, "--output", form)
            alone = said(sys.executable, "-c", ALONE, f"{form}/predict.py", *clips)
            worst[f"tracker export --to {form}, predict.py"] = difference(expected, rows_of(alone))
        for what, largest in worst.items():
            print(f"{what}: {len(clips)} clips, largest difference {largest:.1e}")
        clock, processor = clips_a_second(clips)
        print(f"tracker.predict: {clock:.0f} clips of 30 s a second, {processor:.0f} a second of processor time")
    return int(max(worst.values()) >= LARGEST_DIFFERENCE)


def clips_a_second(clips: list[str]) -> tuple[float, float]:
    """Return how many clips a call of `tracker.predict` predicts in a second, and in one of processor time.

    Everything was loaded by a call before.
    """
    import tracker

    tracker.predict(clips[:2])
    many = [clip for number in range(10) for clip in (str(_copy(clip, number)) for clip in clips)]
    began = time.perf_counter(), time.process_time()
    tracker.predict(many)
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    return len(many) / took[0], len(many) / took[1]


def _copy(clip: str, number: int) -> Path:
    """Return another file of the same sound: a path that is given twice is predicted once."""
    target = Path(f"copies/{number}/{Path(clip).name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.hardlink_to(Path(clip).resolve())
    return target


if __name__ == "__main__":
    raise SystemExit(main())
