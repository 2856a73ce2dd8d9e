"""A campaign that trains nothing, for tests of what is kept of a run."""

from __future__ import annotations

from typing import Any

IDLE: dict[str, Any] = {
    "name": "idle",
    "seed": 1,
    "data": {"kind": "digits", "images": 44, "size_px": 48},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 8, "count": 2, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 4},
    "methods": ["true-random"],
    "control": False,
    "augmentation": {},
    "training": {
        "detector": "benchmarks.idle:IdleDetector",
        "model": "idle",
        "max_epochs": 2,
        "retrain_max_epochs": 1,
        "img_size": 32,
        "device": "cpu",
    },
    "inference": {"conf_check_num": 2},
}
