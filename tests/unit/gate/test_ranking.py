"""Metrics by weights of images: those of COCO, with images that count several times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.arrays import FloatArray, IntArray
from backhaul.measure.metrics import average_precision
from backhaul.measure.ranking import AT_50, AT_50_TO_95, Ranking, match, mean_over_known
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet
from tests.scored import detections, images_with, scenes, seen_by

HALF = 0.5


def ones(images: ImageSet) -> FloatArray:
    return np.ones((1, len(images)))


def repeated(images: ImageSet, raw: Detections, times: IntArray) -> tuple[ImageSet, Detections]:
    """Return images that are there so many times each, with their detections."""
    table = images.table.iloc[np.repeat(np.arange(len(images)), times)]
    ids = [f"{name}-{number:06d}" for number, name in enumerate(table["image_id"])]
    rows = [
        (copy, raw.class_id[row], raw.confidence[row], *raw.xyxy[row])
        for copy, name in zip(ids, table["image_id"], strict=True)
        for row in np.flatnonzero(raw.image_id == name)
    ]
    copies = table.assign(image_id=ids).reset_index(drop=True)
    return ImageSet(copies, images.class_names), detections(rows)


@given(seed=st.integers(0, 10_000), skill=st.floats(0.1, 1.0))
@settings(max_examples=25, deadline=None)
def test_with_equal_weights_it_is_coco(seed: int, skill: float) -> None:
    rng = np.random.default_rng(seed)
    images = scenes(rng, 20)
    raw = seen_by(rng, images, skill)
    expected = average_precision(raw, images)
    by_class = match(raw, images, AT_50).ranked(HALF).by_class(ones(images))
    ranked = match(raw, images, AT_50_TO_95).ranked(HALF)
    np.testing.assert_allclose(by_class[0], expected["mAP50"].to_numpy()[1:], atol=1e-12)
    for found, column in (
        (ranked.by_class(ones(images), first_iou=True), "mAP50"),
        (ranked.by_class(ones(images)), "mAP50-95"),
    ):
        np.testing.assert_allclose(found[0], expected[column].to_numpy()[1:], atol=1e-12)
    overall = ranked.score(ones(images), "mAP50-95")[0]
    assert overall == pytest.approx(expected["mAP50-95"].iloc[0], abs=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_an_image_of_weight_two_is_there_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = scenes(rng, 12)
    raw = seen_by(rng, images)
    times = rng.integers(0, 4, len(images))
    times[0] = 1
    copies, seen = repeated(images, raw, times)
    expected = average_precision(seen, copies)
    weights = times[None].astype(float)
    for ious, column in ((AT_50, "mAP50"), (AT_50_TO_95, "mAP50-95")):
        found = match(raw, images, ious).ranked(HALF).by_class(weights)[0]
        np.testing.assert_allclose(found, expected[column].to_numpy()[1:], atol=1e-12)


def test_only_proportions_of_weights_count() -> None:
    rng = np.random.default_rng(1)
    images = scenes(rng, 30)
    ranked = match(seen_by(rng, images), images, AT_50).ranked(HALF)
    weights = rng.uniform(0.1, 5, (1, 30))
    assert ranked.score(weights, "mAP50") == pytest.approx(
        ranked.score(weights / 7, "mAP50"), abs=1e-9
    )


def test_a_perfect_model_reaches_one_with_any_weights() -> None:
    rng = np.random.default_rng(2)
    images = scenes(rng, 25)
    rows = [
        (name, class_id, 0.9, *box)
        for name, labels in zip(images.ids, images.table["labels"], strict=True)
        for class_id, box in zip(labels.class_id, labels.xyxy(100, 100), strict=True)
    ]
    ranked = match(detections(rows), images, AT_50_TO_95).ranked(HALF)
    weights = rng.uniform(0, 3, (50, 25))
    np.testing.assert_allclose(ranked.score(weights, "mAP50-95"), 1.0)
    np.testing.assert_allclose(ranked.score(weights, "F1"), 1.0)


def box_of(class_id: int) -> FloatArray:
    return np.array([[class_id, 10.0, 10.0, 50.0, 50.0]])


def test_a_class_without_objects_of_any_weight_is_not_known() -> None:
    images = images_with([box_of(0), box_of(1)])
    ranked = match(detections([("i00000", 0, 0.9, 10, 10, 50, 50)]), images, AT_50).ranked(HALF)
    found = ranked.by_class(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(
        found, [[1.0, np.nan, np.nan], [np.nan, 0.0, np.nan], [np.nan] * 3]
    )
    np.testing.assert_array_equal(mean_over_known(found), [1.0, 0.0, np.nan])


def test_f1_counts_what_is_confident() -> None:
    images = images_with([np.vstack([box_of(0), [[1, 60, 60, 90, 90]]])])
    rows = [
        ("i00000", 0, 0.9, 10, 10, 50, 50),  # right
        ("i00000", 1, 0.4, 60, 60, 90, 90),  # right, but not confident
        ("i00000", 2, 0.8, 60, 60, 90, 90),  # of another class
    ]
    ranked = match(detections(rows), images, AT_50).ranked(HALF)
    assert ranked.score(ones(images), "F1") == pytest.approx(2 * 1 / (2 + 2))


def test_nothing_detected_is_zero() -> None:
    images = images_with([box_of(0)])
    none = detections([("i00000", 0, 0.5, 0, 0, 1, 1)]).take(np.array([], dtype=np.int64))
    ranked: Ranking = match(none, images, AT_50).ranked(HALF)
    assert ranked.score(ones(images), "mAP50").tolist() == [0.0]
    assert ranked.score(ones(images), "F1").tolist() == [0.0]


def test_a_detection_elsewhere_is_refused() -> None:
    images = images_with([box_of(0)])
    with pytest.raises(ValueError, match="not in the set"):
        match(detections([("elsewhere", 0, 0.5, 0, 0, 1, 1)]), images, AT_50).ranked(HALF)
