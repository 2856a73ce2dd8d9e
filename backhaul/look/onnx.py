"""Run an exported model over images, as a node does: with ONNX Runtime, NumPy and OpenCV.

Nothing here loads PyTorch, Ultralytics or pandas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import Float32Array
from backhaul.errors import InputError
from backhaul.look.checkpoints import file_digest
from backhaul.look.descriptors import descriptor
from backhaul.look.found import Found
from backhaul.look.letterbox import Letterbox, letterbox, read_pixels
from backhaul.look.modelfile import BOXES, FEATURES, INPUT, SCORES, info_of
from backhaul.look.protocol import OnProgress, PredictionSettings
from backhaul.untrusted import one_line
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections, VectorNeed
from backhaul.values.localimages import LocalImages


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model gives for one image; `backhaul.look.modelfile` says the shapes."""

    boxes: Float32Array
    scores: Float32Array
    features: Float32Array


class OnnxModel:
    """An exported model, loaded.

    Args:
        path: The file, as `backhaul export-model` wrote it.
        sha256: Digest that its bytes must have; empty = any.
        threads: CPU threads of one look.

    Raises:
        InputError: If it is no such model, or has another digest.
    """

    def __init__(self, path: Path, sha256: str = "", threads: int = 1) -> None:
        import onnxruntime

        self.sha256 = file_digest(path)
        """Digest of its file."""
        if sha256 and self.sha256 != sha256:
            raise InputError(f"{path}: content does not match its digest {sha256[:12]}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone
        # Planned ahead, memory of one checkpoint would not serve the next: a third more of it.
        options.enable_mem_pattern = False
        # One checkpoint after the other: side by side, all would hold what lies between layers.
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of many types, for whatever a broken file holds
            raise InputError(f"{path}: not a model: {one_line(str(error))}") from None
        self.info = info_of(self._session.get_modelmeta().custom_metadata_map, path)
        """What the file says of itself."""

    def run(self, boxed: Letterbox) -> Outputs:
        """Return what the model gives for an image, before non-maximum suppression."""
        given = self._session.run([BOXES, SCORES, FEATURES], {INPUT: boxed.pixels})
        return Outputs(*given)

    def look(
        self, image: npt.NDArray[np.uint8], image_id: str, settings: PredictionSettings
    ) -> Detections:
        """Return what each checkpoint of the model detects in one image, and its vectors.

        Args:
            image: The image as displayed, RGB, shape (height, width, 3).
            image_id: Its name.
            settings: How outputs become boxes, and what is needed besides boxes.

        Raises:
            InputError: If the model was not made for ``settings.img_size``.
        """
        looks = _Looks(self, settings)
        looks.at(0, image)
        return looks.detections((image_id,))


class _Looks:
    """What a model detects in one image after another."""

    def __init__(self, model: OnnxModel, settings: PredictionSettings) -> None:
        if settings.img_size != model.info.img_size:
            raise InputError(
                f"img_size: {settings.img_size}: the model is for {model.info.img_size} pixels"
            )
        self._model = model
        self._settings = settings
        self._found = Found(len(model.info.class_names))
        self._vectors: dict[VectorNeed, list[Float32Array]] = {}
        for need in ("features", "descriptors"):
            if need in settings.needs:
                self._vectors[need] = []

    def at(self, number: int, image: npt.NDArray[np.uint8]) -> None:
        """Look at the image with this number."""
        boxed = letterbox(image, self._settings.img_size)
        given = self._model.run(boxed)
        for epoch, boxes, scores in zip(
            self._model.info.epochs, given.boxes, given.scores, strict=True
        ):
            self._found.add(number, epoch, boxed, suppress(boxes, scores, self._settings))
        if "features" in self._vectors:
            self._vectors["features"].append(given.features)
        if "descriptors" in self._vectors:
            self._vectors["descriptors"].append(descriptor(image))

    def detections(self, image_id: tuple[str, ...]) -> Detections:
        """Return what was detected in images with these names."""
        vectors = {
            name: np.array(each, np.float32).reshape(len(image_id), -1)
            for name, each in self._vectors.items()
        }
        scores = "scores" in self._settings.needs
        return self._found.detections(names_of(image_id), vectors, scores=scores)


@dataclass(frozen=True, slots=True)
class Onnx:
    """Runs an exported model over image files: a `backhaul.look.protocol.Predictor`.

    All checkpoints lie in one file.
    """

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
            checkpoints: All checkpoints of one model file, in the order of its outputs, each
                with the file's path and digest.
            settings: How outputs become boxes, and what is needed besides boxes.
            on_progress: Called as the work goes on.
        """
        [(path, sha256)] = {(each.path, each.sha256) for each in checkpoints}
        model = OnnxModel(path, sha256, settings.threads)
        epochs = tuple(each.epoch for each in checkpoints)
        if model.info.epochs != epochs:
            raise InputError(f"{path}: has epochs {model.info.epochs}, expected {epochs}")
        if model.info.class_names != images.class_names:
            known = model.info.class_names
            raise InputError(f"{path}: has classes {known}, expected {images.class_names}")
        looks = _Looks(model, settings)
        for number, image in enumerate(images.paths):
            looks.at(number, read_pixels(image))
            on_progress(number + 1, len(images))
        return looks.detections(images.image_id)


def suppress(
    boxes: Float32Array, scores: Float32Array, settings: PredictionSettings
) -> Float32Array:
    """Return the boxes that non-maximum suppression leaves, the most confident first.

    A box may carry several classes, one row each; boxes suppress others of their class alone.

    Args:
        boxes: Centre, width and height, pixels, shape (4, n).
        scores: Score of each class, shape (n_classes, n).
        settings: How outputs become boxes.

    Returns:
        Columns x1, y1, x2, y2, confidence, class_id, and the scores if needed.
    """
    rows, class_id = np.nonzero(settings.conf_thres < scores.T)
    confidence = scores[class_id, rows]
    size = boxes[2:, rows].T
    corner = boxes[:2, rows].T - size * np.float32(0.5)
    kept = cv2.dnn.NMSBoxesBatched(
        np.hstack([corner, size]).astype(np.float64),  # type: ignore[arg-type] # takes arrays
        confidence,  # type: ignore[arg-type]
        class_id.astype(np.int32),  # type: ignore[arg-type]
        settings.conf_thres,
        settings.nms_thres,
    )
    keep = np.asarray(kept, dtype=np.int64).ravel()[: settings.max_detections]
    columns: list[Float32Array] = [corner[keep], corner[keep] + size[keep]]
    columns += [confidence[keep, None], class_id[keep, None].astype(np.float32)]
    if "scores" in settings.needs:
        columns.append(scores[:, rows[keep]].T)
    return np.hstack(columns)
