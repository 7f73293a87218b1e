# Thin targets: what they call, a user can call. Needs Python 3.11 to 3.13, pip and make.

PYTHON ?= python3
BIN := .venv/bin
UV := 0.13.9
OTHER_MLFLOW := 2.22.5 1.30.1
# Without byte code TensorFlow takes three times as long to import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test lint types check wheel truth faults faults-short hostile hostile-short compat team serve cluster scale sweep-kills accuracy speed schema lock clean

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml Makefile
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "tracker needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv --system-certs pip install --python $(BIN)/python --quiet --compile-bytecode --require-hashes -r requirements.lock \
	|| $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv --system-certs pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The writeup's four configurations on the built-in demo set, and their report.
demo: install
	$(BIN)/tracker run --reuse --kernel 7 --lr 1e-4 --plateau 0.3,10 --early-stop 15 \
	  --note "The plateau fired once, and early stopping ended the run five epochs later: its patience should be much longer."
	$(BIN)/tracker run --reuse --kernel 7 --lr 1e-4
	$(BIN)/tracker run --reuse --kernel 3 --lr 1e-3 --plateau 0.5,15 --early-stop 20 \
	  --note "Validation loss jumps from epoch to epoch: ten times the learning rate of the others is **too much**."
	$(BIN)/tracker run --reuse --kernel 5 --lr 1e-4 --plateau 0.1,5 --early-stop 10
	$(BIN)/tracker report > REPORT.md
	@echo "The report is in REPORT.md. Browse the runs with: $(BIN)/tracker ui"

test: install
	$(BIN)/pytest -n 3 --dist loadgroup

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install
	$(BIN)/mypy

# A wheel, installed where the checkout cannot be seen, and tried there.
wheel: install
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/wheel.sh

check: lint types test wheel

# Simulated experiments with known truth, put through the report's own code; the table stands in docs/truth.md.
truth: install
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.truth --write docs/truth.md

# Runs killed and resumed, a server that dies, many first opens at once; the table stands in docs/faults.md.
faults: install
	$(BIN)/python -m bench.faults --write docs/faults.md

# The same in little, in a minute or two; the tests of the store open it at once already.
faults-short: install
	$(BIN)/python -m bench.faults --kills 3 --server-deaths 1 --opens 0

# What strangers' projects, journals, stores, artifacts, servers and surroundings may do; the table stands in docs/faults.md.
hostile: install
	$(BIN)/python -m bench.hostile --forked --write docs/faults.md

# A fixed part of the same, in a minute.
hostile-short: install
	$(BIN)/python -m bench.hostile --forked --short

# Stores of other versions of MLflow, with artifacts in S3, on PostgreSQL and MariaDB, are read as what was logged to them.
# Keras on JAX trains, resumes and saves as on TensorFlow.
compat: install $(OTHER_MLFLOW:%=.compat/mlflow-%) .compat/drivers .compat/jax
	$(BIN)/python -m bench.compat --versions $(OTHER_MLFLOW)
	$(BIN)/python -m bench.backends

# A sweep into a server on PostgreSQL that is restarted meanwhile.
team: install .compat/drivers
	$(BIN)/python -m bench.team

# Sweeps on clusters of Dask and Ray that are started for it, a worker of each killed; the table stands in docs/scale.md.
cluster: install .compat/cluster
	.compat/cluster/bin/python -m bench.cluster

# A sweep whose workers and whose own process are killed 20 times.
sweep-kills: install
	$(BIN)/python -m bench.sweep_kills

# A simulated sweep of 10,000 one-second runs on eight Dask workers, and what stores take of it: 25 minutes of a quiet machine.
scale: install .compat/cluster
	.compat/cluster/bin/python -m bench.scale --server

# What each network reaches beside a plain script, and in what time; hours on two cores, and it goes on where it was stopped.
accuracy: install
	$(BIN)/python -m bench.accuracy --write docs/accuracy.md

# Tracker beside a plain script, in seven minutes of two quiet cores; the tables stand in docs/speed.md.
speed: install
	$(BIN)/python -m bench.speed --write docs/speed.md

# A kept model served by MLflow and exported, compared with tracker predict in processes that cannot import tracker.
serve: install
	$(BIN)/python -m bench.serve

# Its own SQLAlchemy, as MLflow 2.22 doesn't know 2.1, and setuptools, as MLflow 1.30 needs its pkg_resources.
.compat/mlflow-%:
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow==$*' 'sqlalchemy<2.1' 'setuptools<81' || rm -rf $@

# Apart, as Ray takes 250 MB; what .venv has is found there, too.
.compat/cluster:
	$(BIN)/python -m venv $@
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	> "$$($@/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tracker.pth"
	ln -s ../../../$(BIN)/mlflow $@/bin/mlflow
	$(BIN)/uv --system-certs pip install --python $@/bin/python --quiet 'dask[distributed]>=2024.8' 'ray>=2.40' || rm -rf $@

.compat/drivers:
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ boto3 'moto[s3,server]' psycopg2-binary pymysql \
	|| rm -rf $@

.compat/jax:
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ jax || rm -rf $@

# The schemas of tracker report and tracker gate --format json.
schema: install
	$(BIN)/python -c 'from tracker.render import report_schema; print(report_schema(), end="")' > docs/report.schema.json
	$(BIN)/python -c 'from tracker.render import gate_schema; print(gate_schema(), end="")' > docs/gate.schema.json

lock:
	$(BIN)/uv --system-certs pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header \
	  --quiet --output-file requirements.lock

clean:
	rm -rf .venv .compat build dist .pytest_cache .mypy_cache .ruff_cache
