"""Scores of a choice of images without training: what it covers, and what it teaches a probe.

All are greater for what should be better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from backhaul.arrays import BoolArray, Float32Array
from backhaul.data.headers import open_image
from backhaul.look.descriptors import N_VALUES, descriptor
from backhaul.sampling.diversity.distances import nearest
from backhaul.sampling.diversity.duplicates import NEAR, distinct_rows
from backhaul.values.columns import names_of
from backhaul.values.features import Features
from backhaul.values.images import ImageSet

SCORES = {
    "scenes": "distinct scenes that are not in the initial set, by descriptors",
    "objects": "labelled objects",
    "classes": "effective number of classes of the objects: e to the entropy of their shares",
    "radius": "- distance of the pool's farthest image to a labelled one, by descriptors "
    "(Hausdorff)",
    "chamfer": "- mean distance of the pool's objects to the nearest labelled object, by "
    "descriptors of their boxes (Chamfer)",
    "probe": "mean average precision, over classes, of a ridge regression from the initial "
    "model's features to which classes are in an image, on the test set",
}
"""Scores by name, with what each is; labelled is what the initial set or the choice has."""

_ALPHAS = np.logspace(-1, 4, 6)  # strengths of the ridge that leave-one-out chooses among


@dataclass(frozen=True, eq=False)
class Part:
    """Labelled images, n of them, and their vectors.

    Args:
        images: The images.
        descriptors: Their colours and textures, shape (n, 449).
        features: What the initial model's head gets of them, shape (n, d); None if it says not.
        objects: Descriptors of the boxes of their objects, by image: `image_id` may repeat.
    """

    images: ImageSet
    descriptors: Float32Array
    features: Float32Array | None
    objects: Features

    def rows(self, image_ids: Sequence[str]) -> list[int]:
        """Return the rows of images."""
        place = {name: row for row, name in enumerate(self.images.ids)}
        return [place[name] for name in image_ids]

    def of_objects(self, image_ids: Sequence[str]) -> Float32Array:
        """Return the descriptors of the objects in these images."""
        return self.objects.only(image_ids).vectors


@dataclass(frozen=True, eq=False)
class Exam:
    """What a probe is tried on: the test set, m images.

    Args:
        features: As of `Part`, shape (m, d); None if the model says not.
        present: Which classes are in them, shape (m, n_classes).
    """

    features: Float32Array | None
    present: BoolArray


def scores_of(
    chosen: Sequence[str], pool: Part, known: Part, exam: Exam
) -> dict[str, float | None]:
    """Return all scores of a choice, by name; None for one that cannot be had.

    Args:
        chosen: Ids of the chosen images of the pool.
        pool: The pool, with the labels that the chosen ones will get.
        known: The initial set.
        exam: The test set.
    """
    rows = pool.rows(chosen)
    own = pool.descriptors[rows]
    labelled = np.concatenate([known.descriptors, own])
    objects = np.concatenate([known.of_objects(known.images.ids), pool.of_objects(chosen)])
    counts = _class_counts(pool.images, chosen)
    far = nearest(pool.descriptors, labelled)
    apart = nearest(pool.of_objects(pool.images.ids), objects)
    return {
        "scenes": float(len(distinct_rows(own, known.descriptors, NEAR))),
        "objects": float(counts.sum()),
        "classes": _effective(counts),
        "radius": None if not len(labelled) else -float(np.sqrt(far.max())),
        "chamfer": None
        if not len(objects) or not len(apart)
        else -float(np.sqrt(apart).mean()),
        "probe": _probe(rows, pool, known, exam),
    }


def _class_counts(images: ImageSet, ids: Sequence[str]) -> Float32Array:
    counts = np.zeros(len(images.class_names), np.float32)
    for labels in images.take(ids).table["labels"]:
        if labels is not None:
            np.add.at(counts, labels.class_id, 1)
    return counts


def _effective(counts: Float32Array) -> float:
    """Return e to the entropy of shares; 0 of nothing."""
    shares = counts[counts > 0] / max(float(counts.sum()), 1.0)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def _probe(rows: Sequence[int], pool: Part, known: Part, exam: Exam) -> float | None:
    if known.features is None or pool.features is None or exam.features is None:
        return None
    features = np.concatenate([known.features, pool.features[list(rows)]])
    present = np.concatenate([known.images.presence(), pool.images.presence()[list(rows)]])
    return probe_precision(features, present, exam.features, exam.present)


def probe_precision(
    features: Float32Array, present: BoolArray, test: Float32Array, truth: BoolArray
) -> float | None:
    """Return how well classes are told from features that were learned on a few images.

    Args:
        features: Of the labelled images, shape (n, d).
        present: Which classes are in them, shape (n, n_classes).
        test: Features of the test images, shape (m, d).
        truth: Which classes are in those.

    Returns:
        Mean average precision over the classes that some, not all, test images have; None with
        fewer than three labelled images, or no such class.
    """
    from sklearn.linear_model import RidgeCV  # noqa: PLC0415 - takes a second or two
    from sklearn.metrics import average_precision_score  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    judged = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
    if len(features) < 3 or not len(judged):  # noqa: PLR2004 - fewer leave none to learn from
        return None
    probe = make_pipeline(StandardScaler(), RidgeCV(_ALPHAS))
    said = probe.fit(features, present.astype(float)).predict(test).reshape(len(test), -1)
    return float(np.mean([average_precision_score(truth[:, k], said[:, k]) for k in judged]))


def describe_objects(images: ImageSet) -> Features:
    """Return the descriptors of the boxes of all labelled objects, an image after the other.

    Args:
        images: Images whose uris are files on this disk.

    Raises:
        Exception: Whatever a decoder raises where it meets broken data.
    """
    names: list[str] = []
    vectors: list[Float32Array] = []
    for image_id, uri, labels in zip(
        images.ids, images.table["uri"], images.table["labels"], strict=True
    ):
        if labels is None or not len(labels):
            continue
        pixels = _pixels(uri)
        height, width = pixels.shape[:2]
        corners = labels.xyxy(width, height).round().astype(np.int64)
        for x1, y1, x2, y2 in corners.clip(0, [width - 1, height - 1] * 2).tolist():
            names.append(image_id)
            vectors.append(descriptor(pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]))
    return Features(names_of(names), np.array(vectors, np.float32).reshape(-1, N_VALUES))


def _pixels(path: str) -> NDArray[np.uint8]:
    with open_image(Path(path).read_bytes()) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
