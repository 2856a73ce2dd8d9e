"""The GPUs that workers are given."""

from __future__ import annotations

import os
import shutil
import subprocess

CHOSEN = "CUDA_VISIBLE_DEVICES"


def gpus() -> tuple[str, ...]:
    """Return the GPUs of this machine, as CUDA_VISIBLE_DEVICES names them.

    Whoever sets that variable says which of them; set and empty, there is none.
    """
    if CHOSEN in os.environ:
        return tuple(name.strip() for name in os.environ[CHOSEN].split(",") if name.strip())
    if shutil.which("nvidia-smi") is None:
        return ()
    listed = subprocess.run(
        ["nvidia-smi", "--list-gpus"],  # noqa: S607 - it is where the driver put it
        capture_output=True,
        text=True,
        check=False,
    )
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return tuple(map(str, range(count)))
