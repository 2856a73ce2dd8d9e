"""Detections in validation images matched with their labels."""

import numpy as np
import pandas as pd
import pytest

from backhaul.measure.matching import benchmark
from backhaul.measure.validation import validate
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from backhaul.values.validation import NO_CLASS, Validation

CLASSES = ("a", "b", "c")


def images_of(**labels: Labels | None) -> ImageSet:
    rows = [
        (name, f"{name}.png", 100, 100, 9, None, known, "given", None)
        for name, known in labels.items()
    ]
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), CLASSES)


def seen_in(*rows: tuple[str, int, float, float, float, float, float]) -> FusedDetections:
    n = len(rows)
    return FusedDetections(
        image_id=names_of(row[0] for row in rows),
        class_id=np.array([row[1] for row in rows], dtype=np.int64),
        confidence=np.array([row[2] for row in rows], dtype=np.float64),
        xyxy=np.array([row[3:] for row in rows], dtype=np.float64).reshape(n, 4),
        confidence_std=np.zeros(n),
        votes=np.ones(n, dtype=np.int64),
        box_spread=np.zeros(n),
    )


def test_hits_false_alarms_and_missed_objects_by_hand() -> None:
    two = Labels(np.array([0, 1]), np.array([[0.1, 0.1, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2]]))
    images = images_of(x=two, y=Labels.empty(), z=None)
    fused = seen_in(
        ("x", 2, 0.3, 0, 0, 20, 10),  # half of the first object, and another class
        ("y", 0, 0.8, 5, 5, 9, 9),
        ("z", 0, 0.9, 5, 5, 9, 9),  # nobody knows
    )
    found = validate(fused, images, 0.5)
    assert found.detected.tolist() == [2, NO_CLASS, 0]
    assert found.actual.tolist() == [0, 1, NO_CLASS]
    assert found.confidence.tolist() == [0.3, 0, 0.8]
    assert found.iou.tolist() == pytest.approx([0.5, 0, 0])
    assert found.is_hit.tolist() == [False, False, False]
    assert found.is_detection.tolist() == [True, False, True]


def test_it_counts_what_the_benchmark_counts() -> None:
    rng = np.random.default_rng(0)

    def some(n: int) -> Labels:
        centre = rng.uniform(0.3, 0.7, (n, 2))
        return Labels(rng.integers(0, 3, n), np.hstack([centre, rng.uniform(0.2, 0.5, (n, 2))]))

    images = images_of(**{name: some(int(rng.integers(0, 5))) for name in "abcdefgh"})
    rows = []
    for name in rng.choice(list("abcdefgh"), 40):
        x, y = rng.uniform(10, 50, 2)
        rows.append((name, int(rng.integers(0, 3)), rng.random(), x, y, x + 40, y + 40))
    fused = seen_in(*rows)
    found, table = validate(fused, images, 0.4), benchmark(fused, images, 0.4)
    assert len(found) == len(table)
    assert found.is_hit.sum() == table["hit"].sum() > 0
    assert (~found.is_detection).sum() == table["detected"].isna().sum() > 0
    expected = np.sort(table["conf"].fillna(0).to_numpy())
    assert np.sort(found.confidence).tolist() == pytest.approx(expected.tolist())
    matched = (found.actual != NO_CLASS) & found.is_detection
    assert (found.iou[matched] >= 0.4).all()
    shuffled = validate(fused.take(rng.permutation(40)), images, 0.4)
    assert shuffled.table.equals(found.table)


def test_nothing_seen_and_nothing_labelled() -> None:
    assert len(validate(seen_in(), images_of(), 0.5)) == 0
    again = Validation.from_table(validate(seen_in(), images_of(x=None), 0.5).table)
    assert again.detected.dtype == np.int64
    with pytest.raises(ValueError, match="not in the set"):
        validate(seen_in(("q", 0, 0.5, 1, 1, 2, 2)), images_of(), 0.5)
