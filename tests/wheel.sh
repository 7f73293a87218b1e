#!/bin/sh
# Builds the wheel, installs it in an empty environment without the network, and trains and reports with it in a
# folder from which the checkout cannot be seen. Needs uv on the PATH and its cache filled by `make install`.
set -eu

checkout=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

uv build --quiet --wheel --no-build-isolation --out-dir "$work/dist" "$checkout"
uv venv --quiet --python "$checkout/.venv/bin/python" "$work/venv"
uv pip install --quiet --offline --no-verify-hashes --python "$work/venv/bin/python" \
  --constraints "$checkout/requirements.lock" "$work"/dist/*.whl

cd "$work"
export TRACKER_CACHE="$work/cache"
tracker="$work/venv/bin/tracker"
"$tracker" --help | grep -q 'tracker report'
"$tracker" data demo set --artists 2 --clips 2 --seconds 4
"$tracker" run --data set/manifest.csv --epochs 2 --validation-fraction 0.5 >run-id
"$tracker" report >REPORT.md
grep -q '^### Conv=3, lr=0.001$' REPORT.md
test -n "$(find reports/figures -name '*.png')"
"$tracker" report --format html >report.html
grep -q '<h1' report.html
echo "the wheel works outside the checkout"
