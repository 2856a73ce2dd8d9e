"""Objects of several prediction inputs: each is a checkpoint of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backhaul.errors import InputError
from backhaul.look.fusion import fuse
from backhaul.predictions.found import Look
from backhaul.values.detections import Detections, FusedDetections


def objects_of(looks: Sequence[Look], conf_thres: float, iou_thres: float) -> FusedDetections:
    """Return the objects that are predicted; of several checkpoints how far they disagree, too.

    What is fused already is taken as it is. Class scores are kept where all boxes have them;
    features are those of the last input that has some.

    Args:
        looks: What each input says, at least one.
        conf_thres: Boxes of a checkpoint must have more confidence than this, in [0, 1].
        iou_thres: IoU from which boxes of checkpoints are one object, in [0, 1].

    Raises:
        InputError: If one of several is of an ensemble, which is not to be fused again.
    """
    parts: list[Detections] = []
    for look in looks:
        if isinstance(look.seen, Detections):
            parts.append(look.seen)
        elif len(looks) == 1:
            return look.seen
        else:
            raise InputError(
                f"{look.place}: is of an ensemble, fused already; expected it alone, or the "
                "predictions of single checkpoints"
            )
    n_each = [look.n_checkpoints for look in looks]
    boxes, n_checkpoints = _numbered(parts, n_each), sum(n_each)
    epochs = range(1, n_checkpoints + 1)
    disagreeing = conf_thres if n_checkpoints > 1 else None
    return fuse(boxes.above(conf_thres), epochs, iou_thres, conf_thres=disagreeing)


def _numbered(parts: Sequence[Detections], n_each: Sequence[int]) -> Detections:
    """Return the boxes of all inputs, their checkpoints numbered from 1."""
    numbered, n_before = [], 0
    for part, n_checkpoints in zip(parts, n_each, strict=True):
        _, which = np.unique(part.epoch, return_inverse=True)
        numbered.append(replace(part, epoch=which + 1 + n_before))
        n_before += n_checkpoints
    features = [part.features for part in parts if part.features is not None]
    found = Detections.concat(numbered)
    scores = [part.scores for part in parts if part.scores is not None]
    if len(scores) == len(parts) and len({each.shape[1] for each in scores}) == 1:
        found = replace(found, scores=np.concatenate(scores))
    return replace(found, features=features[-1] if features else None)
