"""Rules that map parameters of the earlier tool to fields of a campaign."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backhaul.untrusted import one_line, user_path

METHODS = (
    "random",
    "median-thresh",
    "median-below-thresh",
    "mid-thresh",
    "mid-below-thresh",
    "iqr",
    "normal",
    "mid-normal",
    "bin-quintile",
    "bin-normal",
)
"""Default methods of the earlier tool."""

MULTISCALE_PX = 96
"""The earlier tool varied the side of its input by up to three strides of 32 pixels."""


def truth(text: str) -> bool:
    """Return the meaning of 0, 1, true or false.

    Raises:
        ValueError: If it is none of them.
    """
    words = {"0": False, "1": True, "false": False, "true": True}
    if text.lower() not in words:
        raise ValueError("expected 0 or 1")
    return words[text.lower()]


def number(text: str) -> float:
    """Return a finite number.

    Raises:
        ValueError: If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {one_line(text)!r}")
    return value


def positive(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        ValueError: If it is none.
    """
    value = whole(text)
    if value < 1:
        raise ValueError(f"expected a whole number above 0, got {one_line(text)!r}")
    return value


def whole(text: str) -> int:
    """Return a whole number; ``416.0`` is one.

    Raises:
        ValueError: If it is none.
    """
    value = number(text)
    if not value.is_integer():
        raise ValueError("expected a whole number")
    return int(value)


def share_of_new(text: str) -> float:
    """Return the fraction of new images in a mix.

    Raises:
        ValueError: If it is no number, or leaves no room for new images.
    """
    share = number(text)
    if share <= 0:
        raise ValueError(
            f"expected a fraction above 0, got {one_line(text)!r}: nothing that was sent would "
            "be used; retraining on old images alone is the control arm no-new-data, which "
            "every campaign runs unless control is false"
        )
    return share


def file(text: str) -> str:
    """Return a path as it was written.

    Raises:
        ValueError: If there is none.
    """
    if not text:
        raise ValueError("expected a path")
    return user_path(text).as_posix()


@dataclass(frozen=True, slots=True)
class Rule:
    """How a parameter is carried over.

    Args:
        here: The fields that it becomes, dotted; empty if it cannot be honoured.
        read: Turns its text into a value, or raises ValueError with what was expected.
        changed: In which way its meaning differs here; empty = in none.
    """

    here: tuple[str, ...]
    read: Callable[[str], Any]
    changed: str = ""


_FOLDER = "all files of a run lie in runs/NAME; `backhaul export` writes the earlier folders"

RULES: dict[str, Rule] = {
    "class_list": Rule(("data.names",), file),
    "model_config": Rule(
        ("training.model",),
        file,
        "Ultralytics' form of it: the same backbone and neck, but a head without anchors and "
        "objectness; the weights are new, and other thresholds may fit",
    ),
    "images_per_class": Rule(
        ("augmentation.images_per_class",),
        whole,
        "originals count towards the target, which was added on top of them",
    ),
    "aug_compose": Rule(
        ("augmentation.major",), truth, "it takes effect; then it was read nowhere"
    ),
    "early_stop": Rule(("stopping.kind",), truth),
    "max_epochs": Rule(("training.max_epochs",), whole),
    "conf_check_num": Rule(("inference.conf_check_num",), whole),
    "logs_per_epoch": Rule(("training.logs_per_epoch",), whole),
    "initial_set": Rule(("initial.data.root",), file),
    "train_init": Rule(("initial.train",), number),
    "valid_init": Rule(("initial.valid",), number),
    "sample_set": Rule(("data.root",), file),
    "sampling_batch": Rule(("batches.sampling_batch",), whole),
    "bandwidth": Rule(("bandwidth.images",), whole),
    "train_sample": Rule(("batches.train",), number),
    "valid_sample": Rule(("batches.valid",), number),
    "retrain_new": Rule(
        ("mixing.retrain_new",),
        share_of_new,
        "it holds for each split by itself: train, valid, test",
    ),
    "parallel": Rule(
        ("parallel",), truth, "a number of methods side by side: 1 becomes 2; set what fits"
    ),
    "log": Rule((), file, _FOLDER),
    "output": Rule((), file, _FOLDER),
    "checkpoints": Rule((), file, _FOLDER),
    "strip_len": Rule(("stopping.strip_len",), whole),
    "successions": Rule(("stopping.successions",), whole),
    "img_size": Rule(("training.img_size",), positive),
    "batch_size": Rule(("training.batch_size",), whole),
    "clip": Rule(("training.clip",), number),
    "gradient_accumulations": Rule(("training.gradient_accumulations",), whole),
    "evaluation_interval": Rule(("training.evaluation_interval",), whole),
    "checkpoint_interval": Rule(("training.checkpoint_interval",), whole),
    "multiscale": Rule(
        ("training.multiscale",),
        truth,
        f"a fraction of img_size: 1 becomes {MULTISCALE_PX} pixels, the three strides of then",
    ),
    "n_cpu": Rule(
        ("training.n_cpu",), whole, "processes that load data for a GPU; see training.threads"
    ),
    "iou_thres": Rule(("inference.iou_thres", "evaluation.iou_thres"), number),
    "nms_thres": Rule(("inference.nms_thres",), number),
    "conf_thres": Rule(("inference.conf_thres",), number),
    "pos_thres": Rule(("evaluation.pos_thres",), number),
}
"""Every documented parameter of the earlier tool but ``inherit``."""
