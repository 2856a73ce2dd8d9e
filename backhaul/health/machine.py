"""This machine: GPUs, disks and memory."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from backhaul.health.check import Answer, failed, ok, warning
from backhaul.look.devices import visible_gpus

GB = 10**9
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Limits:
    """Free bytes below which a check warns or fails."""

    warning_bytes: int
    failure_bytes: int


DISK = Limits(10 * GB, 1 * GB)
MEMORY = Limits(4 * GB, 1 * GB)


def check_gpu(device: str) -> Answer:
    """Say which GPUs PyTorch sees.

    Args:
        device: The config's `training.device`: auto, cpu, or a GPU's number.
    """
    if device == "cpu":
        return ok("training.device is cpu: none is used")
    gpus = visible_gpus()
    listed = ", ".join(
        f"{i}: {gpu.name}, {gpu.memory_bytes / GB:.0f} GB" for i, gpu in enumerate(gpus)
    )
    if device != "auto" and int(device) >= len(gpus):
        return failed(
            f"training.device is {device}, PyTorch sees {listed or 'no GPU'}",
            "check CUDA_VISIBLE_DEVICES and the driver (nvidia-smi), or train with --set "
            "training.device=auto",
        )
    if gpus:
        return ok(listed)
    if shutil.which("nvidia-smi") and os.environ.get("CUDA_VISIBLE_DEVICES") is None:
        return warning(
            "there is a driver, yet PyTorch sees no GPU: trainings use the CPU",
            "nvidia-smi; python -c 'import torch; torch.zeros(1).cuda()'  (says why)",
        )
    return ok("PyTorch sees no GPU: trainings use the CPU")


def check_disk(folder: Path, limits: Limits = DISK) -> Answer:
    """Say how many bytes are free where `folder` is, or will be."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / GB:.1f} GB free at {folder}"
    return _judge(free, limits, found, f"make room: du -xsh {place}/* | sort -h | tail")


def check_memory(limits: Limits = MEMORY) -> Answer:
    """Say how much memory is there, and how much of it is available."""
    memory = psutil.virtual_memory()
    total = min(memory.total, _container_limit())
    available = min(memory.available, total)
    found = f"{available / GB:.1f} of {total / GB:.1f} GB available"
    remedy = "end other processes, or take a smaller training.batch_size, img_size or parallel"
    return _judge(available, limits, found, remedy)


def _container_limit() -> float:
    try:
        return float(_CGROUP_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or "max"
        return float("inf")


def _judge(n_bytes: float, limits: Limits, found: str, remedy: str) -> Answer:
    if n_bytes < limits.failure_bytes:
        return failed(f"{found}, needed {limits.failure_bytes / GB:g}", remedy)
    if n_bytes < limits.warning_bytes:
        return warning(f"{found}, better {limits.warning_bytes / GB:g}", remedy)
    return ok(found)
