"""Which part of the frames a model sees nothing in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backhaul.errors import InputError
from backhaul.look.checkpoints import model_digest, open_checkpoint
from backhaul.look.look import predictor_of
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.look.settings import Inference
from backhaul.redundancy.frames import Frames
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.localimages import LocalImages

_IMG_SIZE = 640  # pixels; of models that do not say what they were trained at


@dataclass(frozen=True, slots=True)
class Emptiness:
    """What a model sees nothing in.

    Args:
        share: Part of the frames without a detection, in [0, 1].
        model: Name of the model's file.
        conf_thres: Confidence that a detection must exceed.
        img_size: Side of the square input, pixels.
    """

    share: float
    model: str
    conf_thres: float
    img_size: int


def emptiness_of(
    frames: Frames, model: Path, conf_thres: float, on_progress: OnProgress
) -> Emptiness:
    """Return which part of the frames a model sees nothing in.

    Args:
        frames: The frames, at least one.
        model: A checkpoint of Ultralytics' format; no code in it is run.
        conf_thres: Confidence that a detection must exceed, in [0, 1].
        on_progress: Called with how many frames were looked at, and how many there are.

    Raises:
        InputError: If the file is no checkpoint of a detector, or a frame cannot be read.
    """
    if not model.is_file():
        raise InputError(f"{model}: is no file")
    opened = open_checkpoint(model, trust=False)
    names = getattr(opened, "names", None)
    if not isinstance(names, dict):
        raise InputError(f"{model}: not a checkpoint: it names no classes")
    images = LocalImages(
        image_id=tuple(map(str, range(len(frames)))),
        paths=frames.paths,
        size_px=np.array([(file.width, file.height) for file in frames.files], dtype=np.int64),
        class_names=tuple(names[i] for i in sorted(names)),
    )
    settings = PredictionSettings(
        img_size=_img_size(opened), conf_thres=conf_thres, nms_thres=Inference().nms_thres
    )
    checkpoint = LocalCheckpoint(0, model, model_digest(opened))
    seen = predictor_of(None).predict(images, (checkpoint,), settings, on_progress)
    share = 1 - len(set(seen.image_id.tolist())) / len(frames)
    return Emptiness(share, model.name, conf_thres, settings.img_size)


def _img_size(model: object) -> int:
    """Return the side of the images that a model was trained with, pixels."""
    known = getattr(model, "args", None)
    size = known.get("imgsz") if isinstance(known, dict) else None
    return size if isinstance(size, int) and size > 0 else _IMG_SIZE
