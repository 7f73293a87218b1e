"""A network saved as MLflow saves one, and without it: a folder that MLflow and Keras load.

Its files are those of ``mlflow.keras.save_model``; `tests/store/test_saved_model.py` compares each. MLflow itself takes
two seconds to be imported, and so every process of a sweep.
"""

from __future__ import annotations

import platform
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from json import dumps
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.store import ClipFunction, KerasModel

_CLIP_SETTINGS = "clip.json"
_CONDA, _VIRTUALENV, _REQUIREMENTS = "conda.yaml", "python_env.yaml", "requirements.txt"
_AUDIO = dumps([{"type": "binary", "name": "audio", "required": True}])


def save_keras_model(folder: Path, model: KerasModel, clips: ClipFunction, backend: str = "tensorflow") -> None:
    """Save a model as a new folder that MLflow and Keras load, with signature and requirements.

    It is uploaded as files of the run, rather than by ``mlflow.keras.log_model``, which puts it elsewhere
    (``models/m-…``) and works on MLflow's global active run. ``runs:/ID/model`` loads either. MLflow loads it as a
    function of audio, which is `clips`: the column ``audio`` has paths or files' bytes. ``mlflow.keras`` loads the
    network. The time and an id are inside: saving again gives another folder.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "keras_module.txt").write_text("keras", encoding="utf-8")
    model.save(data / "model.keras")
    size = sum(file.stat().st_size for file in data.iterdir())
    module = f"clip_model_{sha256(clips.code.encode()).hexdigest()[:8]}"  # a process may load models of several codes
    (folder / "code").mkdir()
    (folder / "code" / f"{module}.py").write_text(clips.code, encoding="utf-8")
    (data / _CLIP_SETTINGS).write_text(clips.settings, encoding="utf-8")
    python = platform.python_version()
    about = {
        "flavors": {
            "keras": {
                "data": "data",
                "keras_backend": backend,
                "keras_version": version("keras"),
                "save_exported_model": False,
            },
            "python_function": {
                "code": "code",
                "data": "data",
                "env": {"conda": _CONDA, "virtualenv": _VIRTUALENV},
                "loader_module": module,
                "python_version": python,
            },
        },
        "is_signature_from_type_hint": False,
        "mlflow_version": version("mlflow"),
        "model_id": None,
        "model_size_bytes": size,
        "model_uuid": uuid.uuid4().hex,
        "prompts": None,
        "signature": {"inputs": _AUDIO, "outputs": None, "params": None},
        "type_hint_from_example": False,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(about), encoding="utf-8")
    _write_environment(folder, python, ("mlflow", "keras", backend, "numpy", *clips.packages))


def _write_environment(folder: Path, python: str, packages: tuple[str, ...]) -> None:
    """Write what loading needs, pinned to what is installed; MLflow's own inference of it takes 15 s."""
    pinned = [f"{name}=={version(name)}" for name in dict.fromkeys(packages)]
    tools = {name: _installed(name) for name in ("pip", "setuptools", "wheel")}
    pip = f"pip<={tools['pip']}" if tools["pip"] else "pip"
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", pip, {"pip": pinned}],
        "name": "mlflow-env",
    }
    virtualenv = {
        "python": python,
        "build_dependencies": [f"{name}=={tool}" if tool else name for name, tool in tools.items()],
        "dependencies": [f"-r {_REQUIREMENTS}"],
    }
    (folder / _CONDA).write_text(yaml.safe_dump(conda), encoding="utf-8")
    (folder / _VIRTUALENV).write_text(yaml.safe_dump(virtualenv, sort_keys=False), encoding="utf-8")
    (folder / _REQUIREMENTS).write_text("\n".join(pinned), encoding="utf-8")


def _installed(package: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(package)
    return None
