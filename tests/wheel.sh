#!/bin/sh
# Builds the wheel, installs it in an empty environment without the network, and trains and reports with it in a folder
# from which the checkout can't be seen, and which has a project's own models/ and reports/. Needs the environment of
# `make install` on the PATH, and uv's cache filled by it.
set -eu

checkout=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH

uv build --quiet --wheel --no-build-isolation --out-dir "$work/dist" "$checkout"
uv venv --quiet --python "$(command -v python)" "$work/venv"
uv pip install --quiet --offline --no-verify-hashes --no-deps --python "$work/venv/bin/python" "$work"/dist/*.whl
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
test "$(cd "$site" && ls -d [a-z]* | grep -v '^_virtualenv\|dist-info$')" = tracker
test -f "$site"/tracker_report-*.dist-info/licenses/LICENSE
uv pip install --quiet --offline --no-verify-hashes --python "$work/venv/bin/python" \
  --constraints "$checkout/requirements.lock" "$work"/dist/*.whl
# The same files have been compiled by `make install`: compiling them again would take 17 s.
python - "$site" <<'PY'
import shutil, sys, sysconfig
from pathlib import Path
site, ours = Path(sys.argv[1]), Path(sysconfig.get_path("purelib"))
for compiled in ours.rglob("__pycache__"):
    folder = site / compiled.relative_to(ours)
    if folder.parent.is_dir():
        shutil.copytree(compiled, folder, dirs_exist_ok=True)
PY

# What another project has in the working folder must neither run nor replace what is built in.
mkdir "$work/project"
cd "$work/project"
mkdir models reports
for file in models/__init__.py models/cnn.py models/users.py reports/__init__.py; do
  echo 'raise SystemExit("the code of another project was run")' >$file
done
cat >models/mine.py <<'PY'
import keras


class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 2):
    """Return a network.

    Parameters
    ----------
    depth : int, at least 1
        Number of convolutions.
    """
    inputs = features = keras.Input(input_shape)
    for _ in range(depth):
        features = keras.layers.Conv2D(4, kernel_size, strides=2, padding="same", activation="relu")(features)
    features = Scale()(keras.layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(features))
PY

export TRACKER_CACHE="$work/cache"
tracker="$work/venv/bin/tracker"
"$tracker" --help | grep -q 'tracker report'
"$work/venv/bin/python" -m tracker --help | grep -q 'report'
"$tracker" run --model mine --help | grep -q -- '--depth'
"$tracker" data demo set --artists 2 --clips 2 --seconds 4
"$tracker" run --data set/manifest.csv --epochs 2 --validation-fraction 0.5 >run-id
"$tracker" run --data set/manifest.csv --epochs 2 --validation-fraction 0.5 --model mine --depth 1 >mine-id
"$tracker" report >REPORT.md
test "$(grep -c '^### ' REPORT.md)" -ge 2
test -n "$(find reports/figures -name '*.png')"
"$tracker" report --format html >report.html
grep -q '<h1' report.html

# A kept model with a layer of its own loads elsewhere, with the source that is among the run's artifacts.
cp "$(find mlruns -path "*$(cat mine-id)*" -name network.py)" "$work/network.py"
cp -R "$(find mlruns -path "*$(cat mine-id)*" -type d -name model)" "$work/model"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import network, mlflow.keras
assert mlflow.keras.load_model("model", custom_objects=vars(network)).get_layer("scale")
PY
echo "the wheel works outside the checkout"
