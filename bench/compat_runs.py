"""Log three runs as any MLflow since 1.30 does: `python compat_runs.py TRACKING_URI`. `bench.compat` reads them."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient

EXPERIMENT = "compat"
PREDICTIONS = "clip,label,predicted,blues,jazz\na.wav,blues,blues,0.75,0.25\nb.wav,jazz,blues,0.5,0.5\n"


def main() -> None:
    """Log two runs with predictions and one without."""
    client = MlflowClient(sys.argv[1])
    experiment = client.create_experiment(EXPERIMENT)
    for number in range(3):
        run = client.create_run(experiment, start_time=1_000 + number, run_name=f"run {number}")
        run_id = run.info.run_id
        client.log_param(run_id, "kernel_size", 3 + 2 * number)
        client.log_param(run_id, "note", "ä: b/c ✓")
        client.set_tag(run_id, "owner", f"person {number}")
        for step in range(1, 31):
            loss = {2: math.nan, 3: math.inf}.get(step, 1 / (step + number))
            client.log_metric(run_id, "val_loss", loss, timestamp=step, step=step)
            client.log_metric(run_id, "val/accuracy", 0.5 + step / 100, timestamp=step, step=step)
        client.log_metric(run_id, "val_loss", 0.25, timestamp=31, step=30)  # the one that holds
        if number < 2:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "validation.csv")
                file.write_text(PREDICTIONS, "utf-8")
                client.log_artifact(run_id, str(file), "predictions")
        client.set_terminated(run_id, end_time=2_000 + number)


if __name__ == "__main__":
    main()
