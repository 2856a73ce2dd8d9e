"""Run an ensemble of checkpoints over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backhaul.code import UserCode
from backhaul.look.fusion import fuse
from backhaul.look.own import OwnDetector
from backhaul.look.protocol import OnProgress, PredictionSettings, Predictor
from backhaul.look.settings import Inference
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import FusedDetections
from backhaul.values.localimages import LocalImages


def look(
    images: LocalImages,
    checkpoints: Sequence[LocalCheckpoint],
    predictor: Predictor,
    settings: PredictionSettings,
    inference: Inference,
    on_progress: OnProgress,
) -> FusedDetections:
    """Return the objects that an ensemble of checkpoints detects.

    Args:
        images: The images.
        checkpoints: Checkpoints of one detector, with distinct epochs, at least one.
        predictor: What runs them, see `predictor_of`.
        settings: How outputs become boxes, and what is needed beside them. Who needs
            disagreement gets scores as well: it is measured by those of single checkpoints.
        inference: How boxes become objects: ``iou_thres`` and ``label_from``.
        on_progress: Called as the work goes on.

    Raises:
        InputError: As ``predictor.predict``.
    """
    disagreement = "disagreement" in settings.needs
    if disagreement:
        settings = replace(settings, needs=settings.needs | {"scores"})
    seen = predictor.predict(images, checkpoints, settings, on_progress)
    epochs = [checkpoint.epoch for checkpoint in checkpoints]
    conf_thres = settings.conf_thres if disagreement else None
    return fuse(seen, epochs, inference.iou_thres, inference.label_from, conf_thres)


def predictor_of(code: UserCode | None, trust: bool = False) -> Predictor:
    """Return the predictor for a detector of the user's own, or without one Ultralytics'.

    Args:
        code: The user's class; None = Ultralytics.
        trust: Whether code in Ultralytics' checkpoints may be run.
    """
    if code is not None:
        return OwnDetector(code)
    from backhaul.look.ultralytics import Ultralytics

    return Ultralytics(trust)
