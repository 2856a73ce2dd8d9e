"""Run a detector of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.arrays import FloatArray, IntArray
from backhaul.code import UserCode
from backhaul.errors import InputError
from backhaul.look.checkpoints import file_digest
from backhaul.look.descriptors import describe_files
from backhaul.look.protocol import OnProgress, OwnPredictor, PredictionSettings
from backhaul.values.checkpoints import LocalCheckpoint
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections, Need
from backhaul.values.features import Features
from backhaul.values.localimages import LocalImages

COLUMNS = 6


def load_predictor(code: UserCode) -> OwnPredictor:
    """Return an instance of the user's class, built with its params."""
    predictor: OwnPredictor = code.load()(**code.params)
    return predictor


@dataclass(frozen=True, slots=True)
class OwnDetector:
    """Runs checkpoints of a detector of the user's own.

    Boxes are clipped to their image; those without area there, or with no more than
    ``conf_thres``, are dropped, and of too many the most confident are kept.

    Args:
        code: The user's class.
    """

    code: UserCode

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

        Raises:
            InputError: If a checkpoint is not what it should be, or the class yields anything
                but one array of boxes an image, or not what is needed.
        """
        with self.code.running():
            return self._predict(images, checkpoints, settings, on_progress)

    def _predict(
        self,
        images: LocalImages,
        checkpoints: Sequence[LocalCheckpoint],
        settings: PredictionSettings,
        on_progress: OnProgress,
    ) -> Detections:
        detector = load_predictor(self.code)
        found, done = [], 0
        for checkpoint in checkpoints:
            if file_digest(checkpoint.path) != checkpoint.sha256:
                raise InputError(f"{checkpoint.path}: content does not match its digest")
            paths = [Path(path) for path in images.paths]
            answers = detector.predict(checkpoint.path, paths, images.class_names, settings)
            for place, answer in enumerate(self._each(answers, images, "boxes")):
                where = f"{self.code.use}: {images.paths[place]}"
                boxes = _checked(answer, len(images.class_names), settings.needs, where)
                kept = _kept(boxes, images.size_px[place], settings)
                whose = np.broadcast_to([place, checkpoint.epoch], (len(kept), 2))
                found.append(np.hstack([whose, kept]))
                done += 1
                on_progress(done, len(images) * len(checkpoints))
        vectors: dict[str, Any] = {}
        if "features" in settings.needs:
            last = checkpoints[-1]
            vectors["features"] = self._features(detector, images, last, settings)
        if "descriptors" in settings.needs:
            described = describe_files(images.paths)
            vectors["descriptors"] = Features(names_of(images.image_id), described)
        return replace(_detections(images, found, settings), **vectors)

    def _each(self, answers: Iterable[Any], images: LocalImages, what: str) -> Iterator[Any]:
        """Yield one answer an image.

        Raises:
            InputError: If there are more or less.
        """
        given = iter(answers)
        for path in images.paths:
            if (answer := next(given, None)) is None:
                raise InputError(f"{self.code.use}: {path}: no answer; expected {what}")
            yield answer
        if next(given, None) is not None:
            raise InputError(f"{self.code.use}: yields more than one array an image")

    def _features(
        self,
        detector: OwnPredictor,
        images: LocalImages,
        checkpoint: LocalCheckpoint,
        settings: PredictionSettings,
    ) -> Features:
        function = getattr(detector, "features", None)
        if function is None:
            raise InputError(
                f"{self.code.use}: has no method features(weights, images, class_names, "
                "settings), and a sampling method needs features"
            )
        paths = [Path(path) for path in images.paths]
        answers = function(checkpoint.path, paths, images.class_names, settings)
        vectors = list(self._each(answers, images, "a vector of features"))
        try:
            array = np.array(vectors, dtype=np.float32).reshape(len(vectors), -1)
        except (TypeError, ValueError):
            raise InputError(
                f"{self.code.use}: features: expected vectors of one length"
            ) from None
        if not np.isfinite(array).all():
            raise InputError(f"{self.code.use}: features: expected finite numbers")
        return Features(names_of(images.image_id), array)


def _checked(answer: Any, n_classes: int, needs: frozenset[Need], where: str) -> FloatArray:
    """Return boxes with as many columns as are needed."""
    expected = "expected an array of shape (n, 6): x1, y1, x2, y2, confidence, class_id"
    try:
        boxes = np.asarray(answer, dtype=np.float64)
        boxes = boxes.reshape(-1, boxes.shape[-1] if boxes.ndim > 1 else COLUMNS)
    except (TypeError, ValueError):
        raise InputError(f"{where}: {expected}, got {answer!r}") from None
    n_columns = COLUMNS + n_classes if "scores" in needs else COLUMNS
    if len(boxes) == 0:
        return np.zeros((0, n_columns))
    if boxes.shape[1] not in (COLUMNS, COLUMNS + n_classes):
        raise InputError(f"{where}: {expected}, got {answer!r}")
    if boxes.shape[1] < n_columns:
        raise InputError(
            f"{where}: a sampling method needs scores: expected {n_classes} more columns, the "
            "score of each class"
        )
    scores, class_id = boxes[:, [4, *range(COLUMNS, boxes.shape[1])]], boxes[:, 5]
    if not np.isfinite(boxes).all() or ((scores < 0) | (scores > 1)).any():
        raise InputError(f"{where}: expected finite boxes and confidences in [0, 1]")
    if not np.isin(class_id, np.arange(n_classes)).all():
        wrong = class_id[~np.isin(class_id, np.arange(n_classes))][0]
        raise InputError(f"{where}: class_id {wrong:g}, expected 0 to {n_classes - 1}")
    return boxes[:, :n_columns]


def _kept(boxes: FloatArray, size_px: IntArray, settings: PredictionSettings) -> FloatArray:
    """Return the boxes that count, the most confident first."""
    clipped = boxes.copy()
    clipped[:, :4] = clipped[:, :4].clip(0, np.tile(size_px, 2))
    area = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    counts = clipped[area & (clipped[:, 4] > settings.conf_thres)]
    order = np.argsort(-counts[:, 4], kind="stable")
    return counts[order[: settings.max_detections]]


def _detections(
    images: LocalImages,
    found: list[FloatArray],
    settings: PredictionSettings,
) -> Detections:
    """Return rows of image number, epoch, and what `_kept` left, as columns."""
    n_scores = len(images.class_names) if "scores" in settings.needs else 0
    rows = np.concatenate([np.zeros((0, 2 + COLUMNS + n_scores)), *found])
    return Detections(
        image_id=names_of(images.image_id)[rows[:, 0].astype(np.int64)],
        epoch=rows[:, 1].astype(np.int64),
        class_id=rows[:, 7].astype(np.int64),
        confidence=rows[:, 6].copy(),
        xyxy=rows[:, 2:6].copy(),
        scores=rows[:, 2 + COLUMNS :].copy() if "scores" in settings.needs else None,
    )
