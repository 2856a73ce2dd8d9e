"""The files of a run as the earlier tool wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

BENCHMARK_COLUMNS = ("file", "detected", "actual", "conf", "conf_std", "hit")
FOLDERS = ("log", "output", "checkpoints")

_KEYS = {
    "model_config": "training.model",
    "images_per_class": "augmentation.images_per_class",
    "aug_compose": "augmentation.major",
    "max_epochs": "training.max_epochs",
    "conf_check_num": "inference.conf_check_num",
    "logs_per_epoch": "training.logs_per_epoch",
    "train_init": "initial.train",
    "valid_init": "initial.valid",
    "sample_set": "data.root",
    "sampling_batch": "batches.sampling_batch",
    "bandwidth": "bandwidth.images",
    "train_sample": "batches.train",
    "valid_sample": "batches.valid",
    "retrain_new": "mixing.retrain_new",
    "strip_len": "stopping.strip_len",
    "successions": "stopping.successions",
    "img_size": "training.img_size",
    "batch_size": "training.batch_size",
    "clip": "training.clip",
    "gradient_accumulations": "training.gradient_accumulations",
    "evaluation_interval": "training.evaluation_interval",
    "checkpoint_interval": "training.checkpoint_interval",
    "n_cpu": "training.n_cpu",
    "iou_thres": "inference.iou_thres",
    "nms_thres": "inference.nms_thres",
    "conf_thres": "inference.conf_thres",
    "pos_thres": "evaluation.pos_thres",
}
"""Keys of the earlier tool and the field of a config that each stands for."""


def retrain_cfg(config: Mapping[str, Any]) -> str:
    """Return the text of ``retrain.cfg``: a line ``key = value`` for all that has one there.

    Args:
        config: The config of a run, as its ``run.json`` has it.
    """
    initial = _field(config, "initial.data.root") or _field(config, "data.root")
    values = {
        "class_list": "classes.txt",
        "initial_set": initial,
        "early_stop": _field(config, "stopping.kind") == "up",
        "multiscale": bool(_field(config, "training.multiscale")),
        "parallel": (_field(config, "parallel") or 1) > 1,
        **{key: _field(config, path) for key, path in _KEYS.items()},
        **{name: name for name in FOLDERS},
    }
    return "".join(f"{k} = {_text(v)}\n" for k, v in values.items() if v is not None)


def _field(config: Mapping[str, Any], path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def earlier_benchmark(table: pd.DataFrame) -> pd.DataFrame:
    """Return a benchmark with the columns that the earlier tool wrote, and no others."""
    return table[list(BENCHMARK_COLUMNS)]
