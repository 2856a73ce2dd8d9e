"""Run Ultralytics checkpoints over images; each image is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backhaul.arrays import Float32Array
from backhaul.errors import InputError
from backhaul.look.checkpoints import load_model
from backhaul.look.descriptors import N_VALUES, descriptor
from backhaul.look.found import Found
from backhaul.look.letterbox import Letterbox, letterbox, read_pixels
from backhaul.look.libraries import isolate_libraries
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections, VectorNeed
from backhaul.values.localimages import LocalImages

_NOTHING = np.zeros(0, np.float32)


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
        found, done = Found(len(images.class_names)), 0
        described: list[Float32Array] = []
        for batch in _batches(images.paths, settings):
            pixels = torch.from_numpy(np.stack([item.boxed.pixels for item in batch]))
            pixels = pixels.permute(0, 3, 1, 2).to(_device(settings.device)).float() / 255
            with torch.inference_mode():
                for epoch, model in models:
                    boxes = _suppress(model(pixels), settings)
                    for i, (item, of_image) in enumerate(zip(batch, boxes, strict=True)):
                        found.add(done + i, epoch, item.boxed, of_image.cpu().numpy())
            described.extend(item.descriptor for item in batch)
            done += len(batch)
            on_progress(done, len(images))
        vectors: dict[VectorNeed, Float32Array] = {}
        if pooled is not None:
            vectors["features"] = pooled.vectors()
        if "descriptors" in settings.needs:
            vectors["descriptors"] = np.array(described, np.float32).reshape(done, N_VALUES)
        names = names_of(images.image_id)
        return found.detections(names, vectors, scores="scores" in settings.needs)

    def _models(
        self,
        checkpoints: Sequence[LocalCheckpoint],
        class_names: tuple[str, ...],
        settings: PredictionSettings,
    ) -> list[tuple[int, Any]]:
        import torch

        place = _device(settings.device)
        layout = torch.channels_last if place == "cpu" else torch.contiguous_format  # oneDNN's
        models = [load_detector(each, class_names, trust=self.trust) for each in checkpoints]
        return [
            (each.epoch, model.to(place, memory_format=layout))
            for each, model in zip(checkpoints, models, strict=True)
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
class _Read:
    """An image that was read, and its descriptor, empty where nobody needs it."""

    boxed: Letterbox
    descriptor: Float32Array


def _batches(paths: Sequence[str], settings: PredictionSettings) -> Iterator[list[_Read]]:
    with ThreadPoolExecutor(settings.threads) as threads:
        for start in range(0, len(paths), settings.batch_size):
            part = paths[start : start + settings.batch_size]
            yield list(threads.map(lambda path: _read(path, settings), part))


def _read(path: str, settings: PredictionSettings) -> _Read:
    image = read_pixels(path)
    described = descriptor(image) if "descriptors" in settings.needs else _NOTHING
    return _Read(letterbox(image, settings.img_size), described)


def load_detector(
    checkpoint: LocalCheckpoint, class_names: tuple[str, ...], *, trust: bool = False
) -> Any:
    """Return the network of a checkpoint as it is run here, on the CPU, its layers fused.

    Args:
        checkpoint: The checkpoint.
        class_names: The classes it must have been trained on.
        trust: Whether code in it may be run, see `load_model`.

    Raises:
        InputError: If it is none, or its head gives nothing that could be suppressed.
    """
    model = load_model(checkpoint.path, class_names, checkpoint.sha256, trust=trust)
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


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return f"cuda:{name}" if name.isdecimal() else name
