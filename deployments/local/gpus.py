"""Which GPU a worker is given."""

from __future__ import annotations

import shutil
import subprocess


def gpu_of(number: int) -> str:
    """Return the value of CUDA_VISIBLE_DEVICES for a worker; empty on a machine without."""
    count = _count()
    return str(number % count) if count else ""


def _count() -> int:
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(
        ["nvidia-smi", "--list-gpus"],  # noqa: S607 - it is where the driver put it
        capture_output=True,
        text=True,
        check=False,
    )
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
