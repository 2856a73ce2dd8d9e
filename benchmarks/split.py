"""Our split against two calls of the iterative-stratification package.

Both start from the same images with their labels and end with three sets. Ours uses that
package, and then moves single images until the sizes are exactly as asked for. By the
profile the package, which places one row at a time, takes two thirds of our time, and finding
out which image contains which class most of the rest.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

from backhaul.arrays import IntArray
from backhaul.data.settings import SplitFractions
from backhaul.data.split import split
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from benchmarks.measure import Row, compare

N_IMAGES = 5_000
N_CLASSES = 10
FRACTIONS = SplitFractions(train=0.7, valid=0.15)
SEED = 0
LIMIT = "two thirds are the package itself, a row at a time"


def rows(rng: np.random.Generator, scale: float = 1.0) -> list[Row]:
    """Return what was measured, with `scale` times the images."""
    images = _images(max(100, round(N_IMAGES * scale)), rng)
    times = compare(partial(_split, images), partial(_split_by_package, images))
    name = f"split, {len(images):,} images, {N_CLASSES} classes"
    return [Row(name, *times, "iterative-stratification", LIMIT)]


def _split(images: ImageSet) -> None:
    split(images, FRACTIONS, np.random.default_rng(SEED))


def _split_by_package(images: ImageSet) -> None:
    present = images.presence()
    first = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.3, random_state=SEED)
    train, rest = next(first.split(present, present))
    second = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.5, random_state=SEED)
    valid, test = next(second.split(present[rest], present[rest]))
    for part in (train, rest[valid], rest[test]):
        _take(images, part)


def _take(images: ImageSet, positions: IntArray) -> ImageSet:
    return ImageSet(images.table.iloc[positions].reset_index(drop=True), images.class_names)


def _images(n_images: int, rng: np.random.Generator) -> ImageSet:
    present = rng.random((n_images, N_CLASSES)) < np.geomspace(0.3, 0.01, N_CLASSES)
    labels = [Labels(np.flatnonzero(row), np.full((row.sum(), 4), 0.5)) for row in present]
    table = pd.DataFrame(
        {
            "image_id": [f"{i:08x}" for i in rng.permutation(n_images)],
            "labels": pd.Series(labels, dtype=object),
        }
    ).assign(
        uri="", width=96, height=96, size_bytes=1, group=None, label_source="", copy_of=None
    )
    return ImageSet(table[list(IMAGE_COLUMNS)], tuple(f"c{i}" for i in range(N_CLASSES)))
