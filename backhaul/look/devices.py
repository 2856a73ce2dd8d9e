"""The GPUs of this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """A GPU as PyTorch sees it.

    Args:
        name: Its model.
        memory_bytes: All its memory.
    """

    name: str
    memory_bytes: int


def visible_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that PyTorch can use, in the order of their numbers; empty if none."""
    import torch

    devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return tuple(Gpu(device.name, device.total_memory) for device in devices)
