"""Run Ultralytics checkpoints over images; each image is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import Float32Array, FloatArray
from backhaul.errors import InputError
from backhaul.look.checkpoints import load_model
from backhaul.look.descriptors import N_VALUES, descriptor
from backhaul.look.libraries import isolate_libraries
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections
from backhaul.values.features import Features
from backhaul.values.localimages import LocalImages

PADDING = 114
"""Grey that Ultralytics pads letterboxed images with."""

_NOTHING = np.zeros(0, np.float32)
_BOX_COLUMNS = 6  # x1, y1, x2, y2, confidence, class_id; scores follow


@dataclass(frozen=True, slots=True)
class Ultralytics:
    """Runs checkpoints of Ultralytics' detectors; every image is decoded once for all of them.

    A box may carry several classes (one row each), as in Ultralytics' validator. The end-to-end
    head of models that have one is switched off, since it ignores ``nms_thres``. Features are
    the means over the coarsest map of features that the head of the last checkpoint gets.

    Args:
        trust: Whether code in checkpoints may be run, see `load_model`.
    """

    trust: bool = False

    def predict(
        self,
        images: LocalImages,
        checkpoints: Sequence[LocalCheckpoint],
        settings: PredictionSettings,
        on_progress: OnProgress,
    ) -> Detections:
        """Return the detections of each checkpoint, see `backhaul.look.protocol.Predictor`.

        Args:
            images: Image files, n of them.
            checkpoints: Checkpoints with distinct epochs, the last one last.
            settings: How outputs become boxes, and what is needed besides boxes.
            on_progress: Called as the work goes on.
        """
        isolate_libraries()
        import torch

        torch.set_num_threads(settings.threads)
        models = self._models(checkpoints, images.class_names, settings)
        pooled = _PooledFeatures(models[-1][1]) if "features" in settings.needs else None
        found = _Found([np.zeros((0, 8))], [np.zeros((0, len(images.class_names)))], [])
        done = 0
        for batch in _batches(images.paths, settings):
            pixels = torch.from_numpy(np.stack([item.pixels for item in batch]))
            pixels = pixels.to(_device(settings.device)).float() / 255
            with torch.inference_mode():
                for epoch, model in models:
                    boxes = _suppress(model(pixels), settings)
                    for i, (item, of_image) in enumerate(zip(batch, boxes, strict=True)):
                        found.add(done + i, epoch, item, of_image.cpu().numpy())
            found.descriptors.extend(item.descriptor for item in batch)
            done += len(batch)
            on_progress(done, len(images))
        return _detections(images, found, settings, pooled)

    def _models(
        self,
        checkpoints: Sequence[LocalCheckpoint],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> list[tuple[int, Any]]:
        import torch

        place = _device(settings.device)
        layout = torch.channels_last if place == "cpu" else torch.contiguous_format  # oneDNN's
        loaded = [
            (each, load_model(each.path, class_names, each.sha256, trust=self.trust))
            for each in checkpoints
        ]
        return [
            (each.epoch, _detector(model, each).to(place, memory_format=layout))
            for each, model in loaded
        ]


class _PooledFeatures:
    """Keeps, for each image, the mean over the coarsest feature map that the head gets."""

    def __init__(self, model: Any) -> None:
        self.parts: list[npt.NDArray[np.float32]] = []
        model.model[-1].register_forward_pre_hook(self._keep)

    def _keep(self, head: Any, inputs: tuple[Any, ...]) -> None:
        coarsest = inputs[0][-1]
        self.parts.append(coarsest.mean(dim=(2, 3)).float().cpu().numpy())

    def vectors(self) -> Float32Array:
        """Return the features of the images of the prediction, in order, shape (n, d)."""
        return np.concatenate(self.parts) if self.parts else np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class _Letterboxed:
    """An image scaled into a padded square: pixels (3, size, size) uint8 RGB.

    Its descriptor is empty where nobody needs it.
    """

    pixels: npt.NDArray[np.uint8]
    scale: float
    left: int
    top: int
    width: int
    height: int
    descriptor: Float32Array


def _batches(
    paths: Sequence[str], settings: PredictionSettings
) -> Iterator[list[_Letterboxed]]:
    with ThreadPoolExecutor(settings.threads) as threads:
        for start in range(0, len(paths), settings.batch_size):
            part = paths[start : start + settings.batch_size]
            yield list(threads.map(lambda path: _letterbox(path, settings), part))


def _letterbox(path: str, settings: PredictionSettings) -> _Letterboxed:
    size = settings.img_size
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: cannot be read as an image")
    described = _NOTHING
    if "descriptors" in settings.needs:
        described = descriptor(image[:, :, ::-1])
    height, width = image.shape[:2]
    scale = min(size / height, size / width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    if new != (width, height):
        image = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    left, top = (size - new[0]) // 2, (size - new[1]) // 2
    square = np.full((size, size, 3), PADDING, dtype=np.uint8)
    square[top : top + new[1], left : left + new[0]] = image
    pixels = np.ascontiguousarray(square[:, :, ::-1].transpose(2, 0, 1))
    return _Letterboxed(pixels, scale, left, top, width, height, described)


def _detector(model: Any, checkpoint: LocalCheckpoint) -> Any:
    head = model.model[-1]
    if getattr(head, "end2end", False):
        head.end2end = False
    if getattr(head, "end2end", False) or not hasattr(head, "stride"):
        raise InputError(
            f"{checkpoint.path}: its head has no boxes to suppress; unset nms_thres"
        )
    return model.fuse(verbose=False)


def _suppress(output: Any, settings: PredictionSettings) -> list[Any]:
    """Return a tensor for each image, a row a box, the most confident first.

    Its columns are x1, y1, x2, y2, confidence, class_id, and the score of each class if needed.
    """
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
        columns = [boxes[keep], confidence[keep, None], classes[keep, None].float()]
        if "scores" in settings.needs:
            columns.append(prediction[rows[keep], 4:])
        found.append(torch.cat(columns, dim=1))
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    """Detections found so far.

    Args:
        rows: Arrays of image number, epoch, class_id, confidence, x1, y1, x2, y2 (pixels).
        scores: Arrays of the scores of those rows, where they are needed.
        descriptors: Those of the images, empty ones where they are not needed.
    """

    rows: list[FloatArray]
    scores: list[FloatArray]
    descriptors: list[Float32Array]

    def add(
        self, image: int, epoch: int, item: _Letterboxed, found: npt.NDArray[np.float32]
    ) -> None:
        """Add the detections of one checkpoint in one image.

        Args:
            image: Number of the image.
            epoch: Epoch of the checkpoint.
            item: The image.
            found: What `_suppress` left, in pixels of the padded square.
        """
        corners = (found[:, :4].astype(np.float64) - [item.left, item.top] * 2) / item.scale
        rows = np.empty((len(found), 8))
        rows[:, :2] = image, epoch
        rows[:, 2] = found[:, 5]
        rows[:, 3] = found[:, 4].clip(0, 1)
        rows[:, 4:] = corners.clip(0, [item.width, item.height] * 2)
        self.rows.append(rows)
        if found.shape[1] > _BOX_COLUMNS:
            self.scores.append(found[:, _BOX_COLUMNS:].astype(np.float64).clip(0, 1))


def _detections(
    images: LocalImages,
    found: _Found,
    settings: PredictionSettings,
    pooled: _PooledFeatures | None,
) -> Detections:
    rows = np.concatenate(found.rows)
    names = names_of(images.image_id)
    vectors: dict[str, Features] = {}
    if pooled is not None:
        vectors["features"] = Features(names, pooled.vectors())
    if "descriptors" in settings.needs:
        described = np.array(found.descriptors, np.float32).reshape(len(names), N_VALUES)
        vectors["descriptors"] = Features(names, described)
    return Detections(
        image_id=names[rows[:, 0].astype(np.int64)],
        epoch=rows[:, 1].astype(np.int64),
        class_id=rows[:, 2].astype(np.int64),
        confidence=rows[:, 3].copy(),
        xyxy=rows[:, 4:].copy(),
        scores=np.concatenate(found.scores) if "scores" in settings.needs else None,
        **vectors,
    )


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return f"cuda:{name}" if name.isdecimal() else name
