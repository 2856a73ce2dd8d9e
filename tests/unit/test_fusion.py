from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.geometry import pairwise_iou
from backhaul.look.ensemble import ensemble_epochs
from backhaul.look.fusion import LabelFrom, fuse
from backhaul.values.columns import names_of
from backhaul.values.detections import DETECTION_COLUMNS, FUSED_COLUMNS, XYXY, Detections
from backhaul.values.features import Features

Row = tuple[str, int, int, float, float, float, float, float]
BOX = (10.0, 10.0, 50.0, 50.0)
FAR = (100.0, 100.0, 140.0, 140.0)


def detections(rows: list[Row]) -> Detections:
    table = pd.DataFrame(rows, columns=list(DETECTION_COLUMNS))
    return Detections.from_table(table.astype({"image_id": "str"}))


def fused(rows: list[Row], epochs: tuple[int, ...], label_from: LabelFrom = "mean") -> Any:
    return fuse(detections(rows), epochs, 0.5, label_from).table


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Row], tuple[int, ...]]:
    """A few images with boxes that overlap a lot and tie often."""
    epochs = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)))
    row = st.tuples(
        st.sampled_from(["b", "a", "c"]),
        st.sampled_from(epochs),
        st.integers(0, 2),
        st.sampled_from([0.125, 0.25, 0.5, 0.75, 1.0]),  # sums are exact, so ties are ties
        st.integers(0, 6),
        st.integers(0, 6),
        st.integers(0, 8),
        st.integers(0, 8),
    )
    rows = draw(st.lists(row, max_size=25))
    return [
        (i, e, c, p, float(x), float(y), float(x + w), float(y + h))
        for i, e, c, p, x, y, w, h in rows
    ], epochs


def slow_fuse(
    rows: list[Row], epochs: tuple[int, ...], iou_thres: float, label_from: str
) -> list[tuple[Any, ...]]:
    """Place the boxes one by one, as the rule is written."""
    clusters: list[list[Row]] = []
    for row in sorted(rows, key=lambda r: (r[0], -r[3], r[1], r[4:], r[2])):
        for cluster in clusters:
            first = cluster[0]
            same_image = first[0] == row[0]
            free = all((r[1], r[2]) != (row[1], row[2]) for r in cluster)
            overlap = pairwise_iou(np.array([first[4:]]), np.array([row[4:]])).item()
            if same_image and free and overlap >= iou_thres:
                cluster.append(row)
                break
        else:
            clusters.append([row])
    return sorted((_summary(c, epochs, label_from) for c in clusters), key=_rounded)


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[0], *(round(value, 9) for value in row[1:])


def _summary(cluster: list[Row], epochs: tuple[int, ...], label_from: str) -> tuple[Any, ...]:
    candidates = []
    for class_id in {r[2] for r in cluster}:
        mine = {r[1]: r for r in cluster if r[2] == class_id}
        values = [mine[e][3] if e in mine else 0.0 for e in epochs]
        mean = sum(sorted(values, reverse=True)) / len(epochs)
        spread = float(np.std(values, ddof=1)) if len(epochs) > 1 else 0.0
        best = next(r for r in cluster if r[2] == class_id)
        corners = np.array([r[4:] for r in mine.values()])
        jitter = float(corners.std(axis=0, ddof=1).mean()) if len(mine) > 1 else 0.0
        last = mine[max(epochs)][3] if max(epochs) in mine else -1.0
        order = (last, mean, -class_id) if label_from == "last" else (mean, -class_id)
        candidates.append(
            (order, (cluster[0][0], class_id, mean, spread, len(mine), *best[4:], jitter))
        )
    return max(candidates)[1]


@pytest.mark.parametrize("label_from", get_args(LabelFrom))
@settings(deadline=None)
@given(crowd=crowds(), iou_thres=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_equals_the_rule_taken_literally(
    crowd: tuple[list[Row], tuple[int, ...]],
    iou_thres: float,
    label_from: Literal["mean", "last"],
) -> None:
    rows, epochs = crowd
    table = fuse(detections(rows), epochs, iou_thres, label_from).table
    expected = slow_fuse(rows, epochs, iou_thres, label_from)
    got = sorted(table.itertuples(index=False, name=None), key=_rounded)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours[:2] == theirs[:2]
        assert ours[2:] == pytest.approx(theirs[2:], abs=1e-12)


@settings(deadline=None)
@given(crowd=crowds(), seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(
    crowd: tuple[list[Row], tuple[int, ...]], seed: int
) -> None:
    rows, epochs = crowd
    order = np.random.default_rng(seed).permutation(len(rows))
    again = fused([rows[i] for i in order], epochs[::-1])
    pd.testing.assert_frame_equal(again, fused(rows, epochs), check_exact=True)


@settings(deadline=None)
@given(crowd=crowds())
def test_invariants(crowd: tuple[list[Row], tuple[int, ...]]) -> None:
    rows, epochs = crowd
    table = fused(rows, epochs)
    assert tuple(table.columns) == (*FUSED_COLUMNS, "box_spread")
    assert (table["confidence_std"] >= 0).all()
    assert table["votes"].between(1, len(epochs)).all()
    seen = {(r[0], r[2], r[4:]) for r in rows}
    assert {(r[0], r[1], r[5:9]) for r in table.itertuples(index=False, name=None)} <= seen
    assert set(table["image_id"]) == {r[0] for r in rows}
    assert not table["confidence"].isna().any()
    order = list(zip(table["image_id"], -table["confidence"], strict=True))
    assert order == sorted(order)


@settings(deadline=None)
@given(crowd=crowds())
def test_boxes_of_one_checkpoint_and_class_never_merge(
    crowd: tuple[list[Row], tuple[int, ...]],
) -> None:
    rows: list[Row] = [(r[0], 1, 0, *r[3:]) for r in crowd[0]]
    assert len(fused(rows, (1,))) == len(rows)


def test_one_checkpoint_without_overlap_is_unchanged() -> None:
    rows: list[Row] = [("a", 3, 1, 0.9, *BOX), ("a", 3, 0, 0.4, *FAR), ("b", 3, 0, 0.7, *BOX)]
    table = fused(rows, (3,))
    assert (table["confidence_std"] == 0).all()
    assert (table["votes"] == 1).all()
    columns = ["image_id", "class_id", "confidence", *XYXY]
    assert table[columns].equals(detections(rows).table[columns])


def test_without_detections() -> None:
    table = fuse(detections([]), (1, 2), 0.5).table
    assert tuple(table.columns) == (*FUSED_COLUMNS, "box_spread")
    assert len(table) == 0
    assert table["confidence"].dtype == np.float64


def test_missing_checkpoints_count_as_zero() -> None:
    (row,) = fused([("a", 1, 0, 0.8, *BOX), ("a", 2, 0, 0.4, *BOX)], (1, 2, 3)).itertuples()
    assert row.votes == 2
    assert row.confidence == pytest.approx(0.4)
    assert row.confidence_std == pytest.approx(np.std([0.8, 0.4, 0.0], ddof=1))


def test_class_of_greatest_mean_gives_the_box() -> None:
    shifted = (12.0, 10.0, 52.0, 50.0)
    rows: list[Row] = [
        ("a", 1, 1, 0.9, *BOX),
        ("a", 1, 0, 0.6, *shifted),
        ("a", 2, 0, 0.5, *BOX),
    ]
    (row,) = fused(rows, (1, 2)).itertuples()
    assert (row.class_id, row.confidence, row.votes) == (0, pytest.approx(0.55), 2)
    assert (row.x1, row.x2) == (12.0, 52.0)


def test_label_from_last() -> None:
    rows: list[Row] = [
        ("a", 1, 0, 0.9, *BOX),
        ("a", 2, 1, 0.5, *BOX),
        ("a", 2, 2, 0.3, *BOX),
        ("b", 1, 2, 0.6, *BOX),
    ]
    table = fused(rows, (1, 2), "last")
    assert table["class_id"].tolist() == [1, 2]
    assert table["confidence"].tolist() == pytest.approx([0.25, 0.3])
    assert fused(rows, (1, 2))["class_id"].tolist() == [0, 2]


def test_tie_takes_the_lower_class() -> None:
    rows: list[Row] = [("a", 1, 2, 0.5, *BOX), ("a", 2, 1, 0.5, *BOX)]
    assert fused(rows, (1, 2))["class_id"].tolist() == [1]


def test_boxes_without_area_stay_single() -> None:
    point = (5.0, 5.0, 5.0, 5.0)
    assert len(fused([("a", 1, 0, 0.5, *point), ("a", 2, 0, 0.5, *point)], (1, 2))) == 2


@pytest.mark.parametrize("epochs", [(), (1, 1), (2,)])
def test_rejects_epochs_that_do_not_fit(epochs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="epochs"):
        fused([("a", 1, 0, 0.5, *BOX)], epochs)


def test_defect_29_boxes_that_hardly_overlap_stay_apart() -> None:
    touching = (49.0, 10.0, 89.0, 50.0)  # IoU 0.013
    assert len(fused([("a", 1, 0, 0.9, *BOX), ("a", 2, 0, 0.8, *touching)], (1, 2))) == 2


def test_defect_29_overlap_counts_with_the_first_box_only() -> None:
    steps = [(10.0 + 10 * i, 10.0, 50.0 + 10 * i, 50.0) for i in range(3)]  # IoU 0.6, 0.6, 0.33
    rows: list[Row] = [("a", i + 1, 0, 0.9 - i / 10, *box) for i, box in enumerate(steps)]
    assert fused(rows, (1, 2, 3))["votes"].tolist() == [2, 1]


def test_defect_30_the_most_confident_box_is_kept() -> None:
    shifted = (14.0, 10.0, 54.0, 50.0)
    table = fused([("a", 1, 0, 0.3, *BOX), ("a", 2, 0, 0.9, *shifted)], (1, 2))
    assert table[list(XYXY)].to_numpy().tolist() == [list(shifted)]


def test_defect_31_confidence_is_the_mean_of_the_products() -> None:
    objectness, class_probability = np.array([0.9, 0.2]), np.array([0.8, 0.1])
    products = objectness * class_probability
    rows: list[Row] = [("a", i + 1, 0, float(p), *BOX) for i, p in enumerate(products)]
    (row,) = fused(rows, (1, 2)).itertuples()
    assert row.confidence == pytest.approx(products.mean())
    assert row.confidence != pytest.approx(objectness.mean() * class_probability.mean())


def test_defect_32_equal_confidences_keep_spreads_of_their_own() -> None:
    rows: list[Row] = [
        ("a", 1, 0, 0.5, *BOX),
        ("a", 2, 0, 0.5, *BOX),
        ("a", 1, 0, 0.9, *FAR),
        ("a", 2, 0, 0.1, *FAR),
    ]
    table = fused(rows, (1, 2))
    assert table["confidence"].tolist() == pytest.approx([0.5, 0.5])
    assert sorted(table["confidence_std"]) == pytest.approx([0.0, np.std([0.9, 0.1], ddof=1)])


def test_defect_32_one_checkpoint_has_no_spread() -> None:
    assert fused([("a", 7, 0, 0.5, *BOX)], (7,))["confidence_std"].tolist() == [0.0]


def test_defect_32_divides_by_the_checkpoints_that_ran() -> None:
    epochs = ensemble_epochs([1, 2], count=5)
    assert epochs == (1, 2)
    (row,) = fused([("a", e, 0, 0.6, *BOX) for e in epochs], epochs).itertuples()
    assert row.confidence == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("available", "count", "fraction", "expected"),
    [
        pytest.param(range(1, 51), 1, 0.0, (50,), id="one"),
        pytest.param(range(1, 51), 5, 0.0, (1, 13, 25, 38, 50), id="all epochs"),
        pytest.param(range(1, 51), 4, 0.4, (20, 30, 40, 50), id="late epochs"),
        pytest.param([30, 10, 20, 20], 9, 0.0, (10, 20, 30), id="fewer exist"),
        pytest.param([10], 3, 0.9, (10,), id="single"),
    ],
)
def test_epochs_of_the_ensemble(
    available: list[int], count: int, fraction: float, expected: tuple[int, ...]
) -> None:
    assert ensemble_epochs(available, count, fraction) == expected


@settings(deadline=None)
@given(
    available=st.lists(st.integers(1, 500), min_size=1, unique=True),
    count=st.integers(1, 30),
    fraction=st.floats(0, 0.99),
)
def test_ensemble_is_as_large_as_it_can_be(
    available: list[int], count: int, fraction: float
) -> None:
    epochs = ensemble_epochs(available, count, fraction)
    eligible = [e for e in available if e >= fraction * max(available)]
    assert len(epochs) == min(count, len(eligible))
    assert list(epochs) == sorted(set(epochs))
    assert set(epochs) <= set(eligible)
    assert epochs[-1] == max(available)


@pytest.mark.parametrize(("available", "count"), [([], 1), ([1], 0)])
def test_rejects_an_empty_ensemble(available: list[int], count: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        ensemble_epochs(available, count)


def test_scores_are_means_over_the_checkpoints_and_vectors_stay() -> None:
    rows: list[Row] = [
        ("a", 1, 0, 0.5, 0.0, 0.0, 9.0, 9.0),
        ("a", 2, 0, 0.75, 0.0, 0.0, 9.0, 8.0),
        ("a", 2, 1, 0.25, 0.0, 0.0, 9.0, 9.0),
        ("b", 2, 1, 1.0, 0.0, 0.0, 9.0, 9.0),
    ]
    scores = np.array([[0.5, 0.25], [0.75, 0.25], [0.75, 0.25], [0.0, 1.0]])
    features = Features(names_of("abc"), np.eye(3, dtype=np.float32))
    descriptors = Features(names_of("cba"), np.eye(3, dtype=np.float32))
    seen = replace(detections(rows), scores=scores, features=features, descriptors=descriptors)
    found = fuse(seen, (1, 2), 0.5)
    assert found.scores is not None
    assert found.scores.tolist() == [[0.625, 0.25], [0.0, 0.5]]
    assert found.confidence.tolist() == [0.625, 0.5]
    assert found.box_spread.tolist() == pytest.approx([np.std([8, 9], ddof=1) / 4, 0])
    assert found.features is features
    assert found.descriptors is descriptors
