"""What is written about an image is read again as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.arrays import FloatArray
from backhaul.data.images import ImageFile
from backhaul.inbox.sidecar import detections_of, read_detections, write_detections
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features

CLASSES = ("car", "weiß")
IMAGE = ImageFile("a.jpg", "a" * 32, 100, 50, 9)
UNIT = st.floats(0, 1)
SIDE = st.floats(1, 20)


@st.composite
def sightings(draw: st.DrawFn) -> FusedDetections:
    n = draw(st.integers(0, 4))

    def column(values: st.SearchStrategy[float]) -> FloatArray:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=np.float64)

    corner = np.column_stack([column(st.floats(0, 80)), column(st.floats(0, 30))])
    scores = np.column_stack([column(UNIT), column(UNIT)]) if draw(st.booleans()) else None
    vectors = np.array([draw(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3))])
    features = Features(names_of([IMAGE.image_id]), vectors.astype(np.float32))
    return FusedDetections(
        image_id=names_of([IMAGE.image_id] * n),
        class_id=column(st.sampled_from([0.0, 1.0])).astype(np.int64),
        confidence=np.sort(column(UNIT))[::-1].copy(),
        xyxy=np.hstack([corner, corner + np.column_stack([column(SIDE), column(SIDE)])]),
        confidence_std=column(UNIT),
        votes=column(st.sampled_from([1.0, 5.0])).astype(np.int64),
        box_spread=column(SIDE),
        scores=scores,
        features=features if draw(st.booleans()) else None,
    )


@given(sightings())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(seen: FusedDetections) -> None:
    text = write_detections(seen, CLASSES)
    checked, problems = read_detections(text.encode(), "a.detections.json", IMAGE, CLASSES)
    assert checked == text
    assert all("not in fractions" in problem.reason for problem in problems)
    found = detections_of([IMAGE.image_id], [text], CLASSES)
    order = np.lexsort((*seen.xyxy.T[::-1], -seen.confidence))
    for name, column in found.columns().items():
        theirs = getattr(seen, name)
        if theirs is None or (name == "scores" and not len(seen)):
            assert column is None
        elif len(set(seen.confidence.tolist())) == len(seen):
            assert column.tolist() == theirs[order].tolist()
    assert (found.features is None) == (seen.features is None)
    if seen.features is not None and found.features is not None:
        np.testing.assert_array_equal(found.features.vectors, seen.features.vectors)


def test_scores_and_features_are_there_if_all_have_them() -> None:
    row = '{"class": "car", "confidence": 0.5, "xyxy": [1, 2, 30, 40]%s}'
    scored = row % ', "scores": {"car": 0.5, "weiß": 0.25}'
    whole = f'{{"detections": [{scored}], "features": [1, 2]}}'
    both = detections_of("ab", [whole, whole], CLASSES)
    assert both.scores is not None
    assert both.scores.tolist() == [[0.5, 0.25]] * 2
    assert both.features is not None
    assert both.features.of("ba").tolist() == [[1, 2]] * 2
    one = detections_of("ab", [whole, f"[{row % ''}]"], CLASSES)
    assert (one.scores, one.features) == (None, None)


@pytest.mark.parametrize("scores", ['{"car": 0.5}', '{"car": 2, "weiß": 0}', "[0.5, 0.5]"])
def test_wrong_scores_are_told(scores: str) -> None:
    row = f'{{"class": "car", "confidence": 0.5, "xyxy": [1, 2, 30, 40], "scores": {scores}}}'
    text = f"[{row}]"
    seen, [problem, *_] = read_detections(text.encode(), "a", IMAGE, CLASSES)
    assert seen is None
    assert "detection 0" in problem.reason


def test_a_byte_order_mark_is_passed_over() -> None:
    text = json.dumps([{"class": "car", "confidence": 0.5, "xyxy": [1, 2, 30, 20]}])
    marked = text.encode("utf-8-sig")
    checked, problems = read_detections(marked, "a.detections.json", IMAGE, CLASSES)
    assert problems == []
    assert json.loads(checked or "")[0]["class"] == CLASSES[0]


@pytest.mark.parametrize(
    ("boxes", "n_warnings"),
    [
        ([[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]], 1),
        ([[0.1, 0.2, 0.5, 0.6], [1, 2, 30, 20]], 0),
        ([[0, 0, 1, 1]], 0),
        ([], 0),
    ],
)
def test_boxes_in_fractions_are_questioned(boxes: list[list[float]], n_warnings: int) -> None:
    rows = [{"class": CLASSES[0], "confidence": 0.5, "xyxy": box} for box in boxes]
    data = json.dumps(rows).encode()
    _, problems = read_detections(data, "a.detections.json", IMAGE, CLASSES)
    assert [problem.severity for problem in problems] == ["warning"] * n_warnings
