"""Run checkpoints over images: every image is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.errors import InputError
from backhaul.look.checkpoints import load_model
from backhaul.look.libraries import isolate_libraries
from backhaul.look.protocol import PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.detections import DETECTION_COLUMNS, Detections
from backhaul.values.images import ImageSet

PADDING = 114
"""Grey that Ultralytics pads letterboxed images with."""


def predict(
    images: ImageSet,
    checkpoints: Sequence[LocalCheckpoint],
    settings: PredictionSettings,
    on_progress: Callable[[int, int], None] | None = None,
) -> Detections:
    """Return what each checkpoint sees in each image, after non-maximum suppression by class.

    A box may carry several classes (one row each), as in Ultralytics' validator. The
    end-to-end head of models that have one is switched off, since it ignores ``nms_thres``.

    Args:
        images: Images on the local disk. Labels are not looked at.
        checkpoints: Checkpoints with distinct epochs.
        settings: See `PredictionSettings`.
        on_progress: Called with (images done, images in all).

    Raises:
        InputError: If an image cannot be read or a checkpoint is not what it should be.
    """
    isolate_libraries()
    import torch

    torch.set_num_threads(settings.threads)
    place = _device(settings.device)
    layout = torch.channels_last if place == "cpu" else torch.contiguous_format  # oneDNN's own
    models = [
        (c.epoch, _detector(c, images.class_names).to(place, memory_format=layout))
        for c in checkpoints
    ]
    parts = [np.zeros((0, 8))]
    done = 0
    for batch in _batches(images, settings):
        pixels = (
            torch.from_numpy(np.stack([item.pixels for item in batch])).to(place).float() / 255
        )
        with torch.inference_mode():
            for epoch, model in models:
                boxes = _suppress(model(pixels), settings)
                parts += [
                    _rows(done + i, epoch, item, found.cpu().numpy())
                    for i, (item, found) in enumerate(zip(batch, boxes, strict=True))
                ]
        done += len(batch)
        if on_progress is not None:
            on_progress(done, len(images))
    return _detections(images, np.concatenate(parts))


@dataclass(frozen=True, slots=True)
class _Letterboxed:
    """An image scaled into a padded square: pixels (3, size, size) uint8 RGB."""

    pixels: npt.NDArray[np.uint8]
    scale: float
    left: int
    top: int
    width: int
    height: int


def _batches(images: ImageSet, settings: PredictionSettings) -> Iterator[list[_Letterboxed]]:
    uris = images.table["uri"].tolist()
    with ThreadPoolExecutor(settings.threads) as threads:
        for start in range(0, len(uris), settings.batch_size):
            part = uris[start : start + settings.batch_size]
            yield list(threads.map(lambda uri: _letterbox(uri, settings.img_size), part))


def _letterbox(uri: str, size: int) -> _Letterboxed:
    image = cv2.imdecode(np.fromfile(uri, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{uri}: cannot be read as an image")
    height, width = image.shape[:2]
    scale = min(size / height, size / width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    if new != (width, height):
        image = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    left, top = (size - new[0]) // 2, (size - new[1]) // 2
    square = np.full((size, size, 3), PADDING, dtype=np.uint8)
    square[top : top + new[1], left : left + new[0]] = image
    pixels = np.ascontiguousarray(square[:, :, ::-1].transpose(2, 0, 1))
    return _Letterboxed(pixels, scale, left, top, width, height)


def _detector(checkpoint: LocalCheckpoint, class_names: tuple[str, ...]) -> Any:
    model = load_model(checkpoint.path, class_names, checkpoint.sha256)
    head = model.model[-1]
    if getattr(head, "end2end", False):
        head.end2end = False
    if getattr(head, "end2end", False) or not hasattr(head, "stride"):
        raise InputError(
            f"{checkpoint.path}: its head has no boxes to suppress; unset nms_thres"
        )
    return model.fuse(verbose=False)


def _suppress(output: Any, settings: PredictionSettings) -> list[Any]:
    """Return one (m, 6) tensor an image: x1, y1, x2, y2, confidence, class_id, best first."""
    import torch
    from torchvision.ops import batched_nms, box_convert

    raw = output[0] if isinstance(output, (list, tuple)) else output  # (batch, 4 + classes, n)
    found = []
    for prediction in raw.transpose(1, 2):
        rows, classes = torch.where(prediction[:, 4:] > settings.conf_thres)
        confidence = prediction[rows, 4 + classes]
        boxes = box_convert(prediction[rows, :4], "cxcywh", "xyxy")
        keep = batched_nms(boxes, confidence, classes, settings.nms_thres)
        keep = keep[: settings.max_detections]
        columns = (boxes[keep], confidence[keep, None], classes[keep, None].float())
        found.append(torch.cat(columns, dim=1))
    return found


def _rows(
    image: int, epoch: int, item: _Letterboxed, found: npt.NDArray[np.float32]
) -> FloatArray:
    """Return rows of image number, epoch, class_id, confidence, x1, y1, x2, y2 (pixels)."""
    corners = (found[:, :4].astype(np.float64) - [item.left, item.top] * 2) / item.scale
    rows = np.empty((len(found), 8))
    rows[:, :2] = image, epoch
    rows[:, 2] = found[:, 5]
    rows[:, 3] = found[:, 4].clip(0, 1)
    rows[:, 4:] = corners.clip(0, [item.width, item.height] * 2)
    return rows


def _detections(images: ImageSet, rows: FloatArray) -> Detections:
    table = pd.DataFrame(rows[:, 1:], columns=list(DETECTION_COLUMNS[1:]))
    table = table.astype({"epoch": np.int64, "class_id": np.int64})
    names = images.table["image_id"].to_numpy()[rows[:, 0].astype(np.int64)]
    table.insert(0, "image_id", names)
    return Detections(table)


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return f"cuda:{name}" if name.isdecimal() else name
