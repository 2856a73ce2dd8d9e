from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import precision_score, recall_score

from backhaul.arrays import FloatArray
from backhaul.measure.matching import benchmark
from backhaul.measure.metrics import SMALL_PX2, average_precision, count, metrics
from backhaul.measure.names import METRICS
from backhaul.values.detections import (
    DETECTION_COLUMNS,
    FUSED_COLUMNS,
    Detections,
    FusedDetections,
)
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

NAMES = ("cat", "dog", "owl")
SIZE = 100
BOX = (10.0, 10.0, 50.0, 50.0)


def image_set(truths: list[FloatArray | None]) -> ImageSet:
    """Square images of 100 pixels; truth as class, x1, y1, x2, y2 in pixels."""
    rows = []
    for i, truth in enumerate(truths):
        labels = None
        if truth is not None:
            labels = Labels.from_xyxy(truth[:, 0].astype(np.int64), truth[:, 1:], SIZE, SIZE)
        rows.append((f"i{i}", f"i{i}.jpg", SIZE, SIZE, 1, None, labels, None, None))
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), NAMES)


def truth_of(*boxes: tuple[float, ...]) -> FloatArray:
    return np.array(boxes, dtype=float).reshape(-1, 5)


def raw_of(rows: list[tuple[Any, ...]], epoch: int = 1) -> Detections:
    """Detections as (image, class, confidence, x1, y1, x2, y2)."""
    full = [(f"i{i}", epoch, *rest) for i, *rest in rows]
    return Detections.from_table(pd.DataFrame(full, columns=list(DETECTION_COLUMNS)))


def fused_of(rows: list[tuple[Any, ...]], spread: float = 0.25) -> FusedDetections:
    full = [(f"i{i}", c, p, spread, 1, *box) for i, c, p, *box in rows]
    return FusedDetections.from_table(pd.DataFrame(full, columns=list(FUSED_COLUMNS)))


def evaluated(rows: list[tuple[Any, ...]], truths: list[FloatArray | None]) -> pd.DataFrame:
    images = image_set(truths)
    table = metrics(benchmark(fused_of(rows), images, 0.5), raw_of(rows), images, 0.5)
    assert tuple(table.columns) == ("class", *METRICS)
    assert table["class"].tolist() == ["", *NAMES]
    return table.set_index("class")


def noisy_scenes(rng: np.random.Generator, n: int) -> tuple[list[Any], list[Any]]:
    """Truth, and detections of it that are shifted, missed, doubled or of a wrong class."""
    rows: list[Any] = []
    truths: list[Any] = []
    for i in range(n):
        low = rng.uniform(0, 60, (rng.integers(0, 6), 2))
        corners = np.hstack([low, low + rng.uniform(10, 40, low.shape)])
        classes = rng.integers(0, 2 + i % 2, len(low))
        truths.append(np.hstack([classes[:, None].astype(float), corners]))
        for class_id, box in zip(classes, corners, strict=True):
            for _ in range(rng.integers(0, 3)):
                said = int(class_id if rng.random() < 0.8 else rng.integers(0, 3))
                rows.append((i, said, rng.random(), *(box + rng.normal(0, 3, 4))))
    return rows, truths


def by_pycocotools(rows: list[Any], truths: list[Any], area: int = 0) -> FloatArray:
    """Return AP50 and AP50-95, over all and by class, shape (1 + n_classes, 2).

    `area` is a position among COCO's areas: all, small, medium, large.
    """
    boxes = [(i, *t) for i, truth in enumerate(truths) for t in truth]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i} for i in range(len(truths))],
        "categories": [{"id": c} for c in range(len(NAMES))],
        "annotations": [
            {
                "id": k + 1,
                "image_id": i,
                "category_id": int(c),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
            }
            for k, (i, c, x1, y1, x2, y2) in enumerate(boxes)
        ],
    }
    found = [
        {
            "image_id": i,
            "category_id": c,
            "score": p,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
        }
        for i, c, p, x1, y1, x2, y2 in rows
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.params.maxDets = [1, 10, 300]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, area, 2]
    groups = [precision, *(precision[:, :, k : k + 1] for k in range(len(NAMES)))]
    return np.array([[_known(g[:1]), _known(g)] for g in groups])


def _known(precision: FloatArray) -> float:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else math.nan


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_equals_pycocotools(seed: int) -> None:
    rows, truths = noisy_scenes(np.random.default_rng(seed), 40)
    ours = average_precision(raw_of(rows), image_set(truths))[["mAP50", "mAP50-95"]]
    theirs = by_pycocotools(rows, truths)
    assert 0.1 < theirs[0, 1] < theirs[0, 0] < 1
    assert ours.to_numpy() == pytest.approx(theirs, abs=1e-6)


def test_average_precision_of_small_objects_is_that_of_coco() -> None:
    rows, truths = noisy_scenes(np.random.default_rng(4), 60)
    images = image_set(truths)
    ours = average_precision(raw_of(rows), images, SMALL_PX2)[["mAP50", "mAP50-95"]]
    assert ours.to_numpy() == pytest.approx(by_pycocotools(rows, truths, area=1), abs=1e-6)
    everything = average_precision(raw_of(rows), images)[["mAP50", "mAP50-95"]]
    assert not np.allclose(ours, everything)
    large = image_set([truth_of((0, *BOX))])
    only = average_precision(raw_of([(0, 0, 0.9, *BOX)]), large, SMALL_PX2)
    assert only["mAP50"].isna().all()


def test_average_precision_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    average_precision(raw_of([(0, 0, 0.9, *BOX)]), image_set([truth_of((0, *BOX))]))
    assert capfd.readouterr() == ("", "")


def test_average_precision_is_the_same_for_any_order_of_rows() -> None:
    rows, truths = noisy_scenes(np.random.default_rng(5), 20)
    images = image_set(truths)
    table = average_precision(raw_of(rows), images)
    pd.testing.assert_frame_equal(average_precision(raw_of(rows[::-1]), images), table)


def test_counts_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    actual, said = rng.integers(-1, 3, 200), rng.integers(-1, 3, 200)  # -1: nothing there
    truths = [truth_of((c, *BOX)) if c >= 0 else truth_of() for c in actual]
    rows = [(i, int(c), 0.7, *BOX) for i, c in enumerate(said) if c >= 0]
    table = evaluated(rows, list(truths))
    for average, names in [("micro", [""]), (None, list(NAMES))]:
        options = {"labels": [0, 1, 2], "average": average}
        expected = np.atleast_1d(precision_score(actual, said, **options))
        assert table.loc[names, "prec"].to_numpy() == pytest.approx(expected)
        expected = np.atleast_1d(recall_score(actual, said, **options))
        assert table.loc[names, "recall"].to_numpy() == pytest.approx(expected)


def test_a_case_by_hand() -> None:
    far = (60.0, 60.0, 90.0, 90.0)
    rows = [
        (0, 0, 0.9, *BOX),  # hit
        (0, 1, 0.7, *far),  # dog for owl
        (1, 0, 0.5, *BOX),  # nothing there
        (1, 0, 0.4, *far),  # would be a hit, but too weak
    ]
    truths: list[FloatArray | None] = [truth_of((0, *BOX), (2, *far)), truth_of((0, *far))]
    table = evaluated(rows, truths)
    total, cat, dog, owl = table.to_dict("records")
    assert (total["prec"], total["recall"], total["acc"]) == (1 / 3, 1 / 3, 1 / 5)
    assert (total["n_images"], total["n_truths"], total["n_detections"]) == (2, 3, 3)
    assert total["conf"] == pytest.approx(0.7)
    assert total["conf_std"] == pytest.approx(np.std([0.9, 0.7, 0.5], ddof=1))
    assert total["detect_conf_std"] == 0.25
    assert (cat["prec"], cat["recall"], cat["acc"]) == (1 / 2, 1 / 2, 1 / 3)
    assert (cat["n_images"], cat["n_truths"], cat["n_detections"]) == (2, 2, 2)
    assert (dog["prec"], dog["acc"], dog["n_truths"]) == (0, 0, 0)
    assert math.isnan(dog["recall"])
    assert (owl["recall"], owl["acc"]) == (0, 0)
    assert math.isnan(owl["prec"])
    assert math.isnan(dog["mAP50"])
    assert total["mAP50"] == pytest.approx(np.mean([cat["mAP50"], owl["mAP50"]]))


def test_defect_34_nothing_detected() -> None:
    table = evaluated([], [truth_of((0, *BOX)), truth_of()])
    total = table.iloc[0]
    assert (total[["recall", "acc", "mAP50", "mAP50-95"]] == 0).all()
    assert total[["prec", "conf", "conf_std", "detect_conf_std"]].isna().all()
    assert (total["n_images"], total["n_truths"], total["n_detections"]) == (2, 1, 0)


def test_defect_34_box_size_does_not_depend_on_a_fixed_image_size() -> None:
    images = image_set([truth_of((0, *BOX))])
    wide = ImageSet(images.table.assign(width=640, height=480), NAMES)
    box = (64.0, 48.0, 320.0, 240.0)
    table = benchmark(fused_of([(0, 0, 0.9, *box)]), wide, 0.99)
    assert table["hit"].tolist() == [True]
    assert average_precision(raw_of([(0, 0, 0.9, *box)]), wide)["mAP50-95"].iloc[0] == 1


@pytest.mark.parametrize("truths", [[], [None]])
@pytest.mark.parametrize("rows", [[], [(0, 0, 0.9, *BOX)]])
def test_without_any_truth_all_is_null(
    rows: list[tuple[Any, ...]], truths: list[FloatArray | None]
) -> None:
    table = evaluated(rows if truths else [], truths)
    counts = ["n_images", "n_truths", "n_detections"]
    assert table.drop(columns=counts).isna().all(axis=None)
    assert (table[counts] == 0).all(axis=None)


def test_images_without_objects_count() -> None:
    total = evaluated([(0, 0, 0.9, *BOX)], [truth_of()]).iloc[0]
    assert (total["prec"], total["acc"]) == (0, 0)
    assert total[["recall", "mAP50"]].isna().all()


def test_unlabelled_images_count_for_nothing() -> None:
    rows, truths = noisy_scenes(np.random.default_rng(1), 8)
    extra = [(8, 0, 0.99, *BOX)]
    table = evaluated(rows, truths)
    pd.testing.assert_frame_equal(evaluated(rows + extra, [*truths, None]), table)


def test_fused_detections_have_average_precision_too() -> None:
    rows, truths = noisy_scenes(np.random.default_rng(2), 8)
    images = image_set(truths)
    table = average_precision(fused_of(rows), images)
    pd.testing.assert_frame_equal(table, average_precision(raw_of(rows), images))


def test_rejects_raw_detections_of_two_checkpoints() -> None:
    table = pd.concat([raw_of([(0, 0, 0.5, *BOX)], epoch).table for epoch in (1, 2)])
    with pytest.raises(ValueError, match="one checkpoint"):
        average_precision(Detections.from_table(table), image_set([truth_of()]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pos_thres=st.floats(0, 1))
def test_dropping_weak_detections_first_changes_nothing(seed: int, pos_thres: float) -> None:
    rows, truths = noisy_scenes(np.random.default_rng(seed), 4)
    images = image_set(truths)
    strong = [row for row in rows if row[2] >= pos_thres]
    after = count(benchmark(fused_of(rows), images, 0.5), images, pos_thres)
    before = count(benchmark(fused_of(strong), images, 0.5), images, 0.0)
    pd.testing.assert_frame_equal(after, before)
    ratios = after[["prec", "recall", "acc"]].to_numpy()
    assert ((ratios >= 0) & (ratios <= 1) | np.isnan(ratios)).all()
    assert after["n_detections"].iloc[0] == after["n_detections"].iloc[1:].sum()
