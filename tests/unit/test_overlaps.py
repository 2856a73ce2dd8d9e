from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from backhaul.arrays import FloatArray
from backhaul.data.overlaps import find_overlaps
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels


def data_set(*boxes: list[list[float]] | None) -> ImageSet:
    rows = {name: pd.Series([None] * len(boxes), dtype=object) for name in IMAGE_COLUMNS}
    rows["image_id"] = pd.Series([f"{n:032x}" for n in range(len(boxes))])
    rows["uri"] = pd.Series([f"/d/{n}.jpg" for n in range(len(boxes))])
    labels = [
        None if each is None else Labels.from_rows(each) if each else Labels.empty()
        for each in boxes
    ]
    rows["labels"] = pd.Series(labels, dtype=object)
    return ImageSet(pd.DataFrame(rows), ("cat", "dog"))


def test_boxes_on_top_of_each_other_are_counted_and_named() -> None:
    one, same = [0, 0.5, 0.5, 0.4, 0.4], [0, 0.5, 0.5, 0.4, 0.401]
    other_class = [1, 0.501, 0.5, 0.4, 0.4]
    found = find_overlaps(data_set([one, same], [], None, [one], [one, other_class], [one]))
    assert (found.n_pairs, found.n_images, found.n_of_other_classes) == (2, 2, 1)
    assert [each.path for each in found.first] == ["/d/0.jpg", "/d/4.jpg"]
    assert found.first[1].classes == ("cat", "dog")
    assert found.first[0].iou == pytest.approx(0.4 / 0.401, abs=1e-3)


def test_a_set_without_labels_has_none() -> None:
    assert find_overlaps(data_set(None, [])).n_pairs == 0
    assert find_overlaps(data_set()).n_pairs == 0


def iou(a: FloatArray, b: FloatArray) -> float:
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    shared = float(np.maximum(high - low, 0).prod())
    return shared / float(a[2:].prod() + b[2:].prod() - shared)


def test_all_pairs_are_found_that_comparing_each_with_each_finds() -> None:
    rng = np.random.default_rng(0)
    base = np.column_stack([rng.uniform(0.3, 0.7, (60, 2)), rng.uniform(0.05, 0.5, (60, 2))])
    near = base * rng.uniform(0.97, 1.03, base.shape)
    boxes = np.concatenate([base, near, base[:10]])
    expected = sum(iou(a, b) >= 0.9 for a, b in combinations(boxes, 2))
    rows = [[0.0, *box] for box in boxes.tolist()]
    assert expected > 30
    assert find_overlaps(data_set(rows, rows)).n_pairs == 2 * expected


def test_many_equal_boxes_take_bounded_time_and_memory() -> None:
    rows = np.tile([0.0, 0.5, 0.5, 0.2, 0.2], (100_000, 1))
    rows[:, 1] += np.arange(100_000) * 1e-11
    before = time.process_time()
    found = find_overlaps(data_set(rows.tolist()))
    assert time.process_time() - before < 30  # all with all are five thousand million
    assert found.n_pairs >= 9_000_000
    assert len(found.first) == 5
