"""Our split against two calls of the iterative-stratification package."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

from backhaul.config import SplitFractions
from backhaul.split import split
from backhaul.types import IMAGE_COLUMNS, BoolArray, ImageSet

N_IMAGES = 5_000
N_CLASSES = 10
REPEATS = 7


def rows(rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Return (name, seconds of ours, seconds of the peer), medians of alternating runs."""
    images = _images(rng)
    present = images.presence()
    fractions = SplitFractions(train=0.7, valid=0.15)
    ours, peer = [], []
    for seed in range(REPEATS):
        ours.append(_seconds(partial(split, images, fractions, np.random.default_rng(seed))))
        peer.append(_seconds(partial(_peer, present, seed)))
    name = f"split {N_IMAGES} images, {N_CLASSES} classes"
    return [(name, float(np.median(ours)), float(np.median(peer)))]


def _peer(present: BoolArray, seed: int) -> None:
    first = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.3, random_state=seed)
    _, rest = next(first.split(present, present))
    second = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=0.5, random_state=seed)
    next(second.split(present[rest], present[rest]))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _images(rng: np.random.Generator) -> ImageSet:
    present = rng.random((N_IMAGES, N_CLASSES)) < np.geomspace(0.3, 0.01, N_CLASSES)
    labels = [
        np.column_stack([np.flatnonzero(row), np.full((row.sum(), 4), 0.5)]) for row in present
    ]
    table = pd.DataFrame(
        {
            "image_id": [f"{i:08x}" for i in rng.permutation(N_IMAGES)],
            "labels": pd.Series(labels, dtype=object),
        }
    ).assign(
        uri="", width=96, height=96, size_bytes=1, group=None, label_source="", copy_of=None
    )
    return ImageSet(table[list(IMAGE_COLUMNS)], tuple(f"c{i}" for i in range(N_CLASSES)))


if __name__ == "__main__":
    for name, ours, peer in rows(np.random.default_rng(0)):
        print(f"{name}: {ours:.3f} s, package {peer:.3f} s, ratio {ours / peer:.2f}")
