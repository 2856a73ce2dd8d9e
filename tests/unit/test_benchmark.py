from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.measure.matching import BENCHMARK_COLUMNS, benchmark, match
from backhaul.values.detections import FUSED_COLUMNS, XYXY, FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

NAMES = ("cat", "dog", "owl")
LEFT = (0.0, 0.0, 40.0, 40.0)
RIGHT = (60.0, 0.0, 100.0, 40.0)
Truth = list[tuple[int, float, float, float, float]]


def image_set(truths: dict[str, Truth | None]) -> ImageSet:
    """Images of 100 x 50 pixels with corners in pixels as truth."""
    rows = []
    for name, truth in truths.items():
        labels = None
        if truth is not None:
            boxes = np.array(truth, dtype=float).reshape(-1, 5)
            labels = Labels.from_xyxy(boxes[:, 0].astype(np.int64), boxes[:, 1:], 100, 50)
        rows.append((name, f"{name}.jpg", 100, 50, 1, None, labels, None, None))
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), NAMES)


def detected(rows: list[tuple[Any, ...]]) -> FusedDetections:
    """Detections as (image, class, confidence, x1, y1, x2, y2), with a spread of 0.1."""
    full = [(i, c, p, 0.1, 1, *box) for i, c, p, *box in rows]
    return FusedDetections.from_table(pd.DataFrame(full, columns=list(FUSED_COLUMNS)))


def rows_of(
    found: list[tuple[Any, ...]], truths: dict[str, Truth | None]
) -> list[tuple[str, Any, Any, Any]]:
    table = benchmark(detected(found), image_set(truths), 0.5)
    columns = table[["image_id", "detected", "actual", "hit"]].astype(object)
    return list(columns.where(columns.notna(), None).itertuples(index=False, name=None))


def test_all_kinds_of_rows() -> None:
    found = [("a", 0, 0.9, *LEFT), ("a", 1, 0.8, *RIGHT), ("b", 2, 0.7, *LEFT)]
    truths: dict[str, Truth | None] = {
        "b": [],
        "a": [(2, *RIGHT), (0, *LEFT), (1, 0.0, 45.0, 10.0, 50.0)],
        "empty": [],
    }
    assert rows_of(found, truths) == [
        ("b", "owl", None, False),
        ("a", "cat", "cat", True),
        ("a", "dog", "owl", False),
        ("a", None, "dog", False),
    ]


def test_columns() -> None:
    truths: dict[str, Truth | None] = {"a": [(1, *RIGHT)]}
    table = benchmark(detected([("a", 0, 0.9, *LEFT)]), image_set(truths), 0.5)
    assert tuple(table.columns) == BENCHMARK_COLUMNS
    assert table["file"].tolist() == ["a.jpg", "a.jpg"]
    assert table[list(XYXY)].to_numpy() == pytest.approx(np.array([LEFT, RIGHT]))
    assert table["conf"].iloc[0] == 0.9
    assert table["conf_std"].iloc[0] == 0.1
    assert table.loc[1, ["detected", "conf", "conf_std"]].isna().all()


@pytest.mark.parametrize("truths", [{"a": None}, {"a": []}, {"a": [(0, *LEFT)]}, {}])
def test_dtypes_do_not_depend_on_the_content(truths: dict[str, Truth | None]) -> None:
    table = benchmark(detected([]), image_set(truths), 0.5)
    full = benchmark(detected([("a", 0, 0.5, *LEFT)]), image_set({"a": [(0, *LEFT)]}), 0.5)
    assert table.dtypes.to_dict() == full.dtypes.to_dict()


def test_without_truth_nothing_is_known() -> None:
    assert rows_of([("a", 0, 0.9, *LEFT)], {"a": None}) == [("a", "cat", None, None)]


def test_the_most_confident_detection_takes_the_truth() -> None:
    found = [("a", 0, 0.3, *LEFT), ("a", 0, 0.9, 2.0, 0.0, 42.0, 40.0)]
    table = benchmark(detected(found), image_set({"a": [(0, *LEFT)]}), 0.5)
    assert table["conf"].tolist() == [0.9, 0.3]
    assert table["hit"].tolist() == [True, False]


def test_own_class_goes_before_greater_overlap() -> None:
    near, exact = (4.0, 0.0, 44.0, 40.0), LEFT
    truths: dict[str, Truth | None] = {"a": [(1, *exact), (0, *near)]}
    found = [("a", 0, 0.9, *exact), ("a", 1, 0.8, *near)]
    assert rows_of(found, truths) == [("a", "cat", "cat", True), ("a", "dog", "dog", True)]


def test_greater_overlap_decides_within_a_class() -> None:
    shifted = (5.0, 0.0, 45.0, 40.0)
    overlap = np.array([[0.6, 0.9, 0.7], [0.6, 0.9, 0.55]])
    classes = np.array([0, 0])
    assert match(classes, overlap, np.array([0, 0, 1]), 0.5).tolist() == [1, 0]
    truths: dict[str, Truth | None] = {"a": [(0, *LEFT), (0, *shifted)]}
    table = benchmark(detected([("a", 0, 0.9, *shifted)]), image_set(truths), 0.5)
    assert table["x1"].tolist() == pytest.approx([5.0, 0.0])  # the row of the overlooked truth


def test_rejects_detections_of_unknown_images() -> None:
    with pytest.raises(ValueError, match="not in the set"):
        benchmark(detected([("z", 0, 0.5, *LEFT)]), image_set({"a": []}), 0.5)


def test_defect_33_wrong_class_is_no_hit_though_the_class_is_in_the_image() -> None:
    truths: dict[str, Truth | None] = {"a": [(0, *LEFT), (1, *RIGHT)]}
    assert rows_of([("a", 1, 0.9, *LEFT)], truths) == [
        ("a", "dog", "cat", False),
        ("a", None, "dog", False),
    ]


def test_defect_33_a_single_detection_must_lie_on_the_object() -> None:
    assert rows_of([("a", 0, 0.9, *RIGHT)], {"a": [(0, *LEFT)]}) == [
        ("a", "cat", None, False),
        ("a", None, "cat", False),
    ]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[tuple[Any, ...]], dict[str, Truth | None]]:
    box = st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(1, 5)] * 2).map(
        lambda b: (b[0] * 9.0, b[1] * 5.0, (b[0] + b[2]) * 9.0, (b[1] + b[3]) * 5.0)
    )
    names = st.sampled_from(["a", "b", "c"])
    confidence = st.sampled_from([0.1, 0.5, 0.9])
    found = draw(st.lists(st.tuples(names, st.integers(0, 2), confidence, box), max_size=12))
    truth = st.none() | st.lists(st.tuples(st.integers(0, 2), box), max_size=5)
    truths = {name: draw(truth) for name in "abc"}
    return [(i, c, p, *b) for i, c, p, b in found], {
        name: None if boxes is None else [(c, *b) for c, b in boxes]
        for name, boxes in truths.items()
    }


@settings(max_examples=60, deadline=None)
@given(scene=scenes(), seed=st.integers(0, 2**32 - 1))
def test_every_detection_and_every_truth_is_there_once(
    scene: tuple[list[tuple[Any, ...]], dict[str, Truth | None]], seed: int
) -> None:
    found, truths = scene
    table = benchmark(detected(found), image_set(truths), 0.5)
    for name, truth in truths.items():
        rows = table[table["image_id"] == name]
        mine = sorted((NAMES[c], p, *b) for i, c, p, *b in found if i == name)
        columns = ["detected", "conf", *XYXY]
        seen = rows.loc[rows["detected"].notna(), columns].itertuples(index=False, name=None)
        assert sorted(seen) == mine
        actual = sorted(rows["actual"].dropna())
        assert actual == sorted(NAMES[t[0]] for t in truth or [])
        assert rows["hit"].isna().all() if truth is None else rows["hit"].notna().all()
    both = table["detected"].notna() & table["actual"].notna()
    assert (table["hit"].fillna(value=False) <= both).all()
    same = table["detected"] == table["actual"]
    assert (table.loc[both, "hit"] == same[both]).all()

    order = np.random.default_rng(seed).permutation(len(found))
    shuffled = detected([found[i] for i in order])
    pd.testing.assert_frame_equal(benchmark(shuffled, image_set(truths), 0.5), table)


def test_an_overlap_of_just_the_threshold_matches() -> None:
    assert match(np.array([0]), np.array([[0.5]]), np.array([0]), 0.5).tolist() == [0]
    assert match(np.array([0]), np.array([[0.4999]]), np.array([0]), 0.5).tolist() == [-1]
