"""Which graphics processor a worker process trains on: each takes one, in turn, before TensorFlow is loaded.

A process takes the first number that no other of this machine has, by a lock that is free again as soon as it is gone.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from functools import cache
from itertools import count, takewhile
from typing import TYPE_CHECKING

from tracker.atomic_files import cache_folder, disk_errors
from tracker.journal.process_lock import try_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filelock import FileLock

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SHARED = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else one takes all memory
_TIMEOUT_S = 20.0
_locks: list[FileLock] = []  # of this process, held until it ends


def listed_devices(variable: str | None, listing: str) -> tuple[str, ...]:
    """Return the devices that a process may use, by what CUDA calls them.

    `variable` is the value of ``CUDA_VISIBLE_DEVICES``, None if it isn't set; as for CUDA, the list ends at what is no
    device. `listing` is what ``nvidia-smi -L`` prints: of a processor that is divided, its parts count.
    """
    if variable is not None:
        names = (name.strip() for name in variable.split(","))
        return tuple(takewhile(lambda name: name and not name.startswith("-"), names))
    parts = re.findall(r"\(UUID: (MIG-[^)\s]+)\)", listing)
    return tuple(parts or re.findall(r"\(UUID: (GPU-[^)\s]+)\)", listing))


def device_for(number: int, devices: Sequence[str]) -> str:
    """Return the device of a machine's worker of a number, counted from 0: they take turns."""
    return devices[number % len(devices)]


@cache
def visible_devices() -> tuple[str, ...]:
    """Return the devices that this process may use."""
    variable, listing = os.environ.get(VISIBLE), ""
    if variable is None:
        try:
            command = ["nvidia-smi", "-L"]
            listed = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
            listing = listed.stdout
        except (OSError, subprocess.TimeoutExpired):  # there is no driver, or it hangs
            pass
    return listed_devices(variable, listing)


@cache
def take_device() -> None:
    """Have this worker process train on one device alone, if there is any; another call changes nothing."""
    devices = visible_devices()
    if devices and "tensorflow" not in sys.modules:
        os.environ[VISIBLE] = device_for(_number(), devices)
        for name, value in _SHARED.items():
            os.environ.setdefault(name, value)


def _number() -> int:
    """Return the lowest number that no other worker process on this machine has."""
    folder = cache_folder() / "devices"
    with disk_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number in count():
            if lock := try_lock(folder / f"{socket.gethostname()}-{number}.lock"):
                _locks.append(lock)
                return number
    raise AssertionError
