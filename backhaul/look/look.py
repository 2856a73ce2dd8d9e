"""Let an ensemble of checkpoints look at images."""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.look.fusion import fuse
from backhaul.look.protocol import OnProgress, PredictionSettings, Predictor
from backhaul.look.settings import Inference
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import Detections, FusedDetections
from backhaul.values.localimages import LocalImages


def look(
    images: LocalImages,
    checkpoints: Sequence[LocalCheckpoint],
    settings: PredictionSettings,
    inference: Inference,
    on_progress: OnProgress,
) -> FusedDetections:
    """Return the objects that checkpoints see together.

    Args:
        images: The images.
        checkpoints: Checkpoints of one detector, with distinct epochs, at least one.
        settings: How outputs become boxes, and what is needed beside them.
        inference: How boxes become objects: ``iou_thres`` and ``label_from``.
        on_progress: Called as the work goes on.

    Raises:
        InputError: As `predict`.
    """
    seen = predict(images, checkpoints, settings, on_progress)
    epochs = [checkpoint.epoch for checkpoint in checkpoints]
    return fuse(seen, epochs, inference.iou_thres, inference.label_from)


def predict(
    images: LocalImages,
    checkpoints: Sequence[LocalCheckpoint],
    settings: PredictionSettings,
    on_progress: OnProgress,
) -> Detections:
    """Return what each of the checkpoints of one detector sees; see `Predictor`."""
    predictor = predictor_of(checkpoints[0].detector)
    return predictor.predict(images, checkpoints, settings, on_progress)


def predictor_of(detector: str) -> Predictor:
    """Return what runs the checkpoints of a detector; see `Checkpoint.detector`."""
    if detector:
        from backhaul.look.own import OwnDetector, read_code

        return OwnDetector(read_code(detector))
    from backhaul.look.ultralytics import Ultralytics

    return Ultralytics()
