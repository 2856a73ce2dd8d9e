from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backhaul.arrays import FloatArray
from backhaul.values.labels import Labels

ROWS = [[1, 0.5, 0.5, 0.2, 0.4], [0, 0.25, 0.75, 0.1, 0.1], [2, 0.5, 0.5, 1, 1]]
TRIANGLE = np.array([[0.4, 0.3], [0.6, 0.3], [0.5, 0.7]])


def outlined() -> Labels:
    plain = Labels.from_rows(ROWS)
    return Labels(plain.class_id, plain.xywhn, (TRIANGLE, None, None))


def test_rows_and_corners_come_back_as_they_were() -> None:
    labels = Labels.from_rows(ROWS)
    assert labels.class_id.tolist() == [1, 0, 2]
    assert labels.rows().tolist() == ROWS
    again = Labels.from_xyxy(labels.class_id, labels.xyxy(640, 480), 640, 480)
    np.testing.assert_allclose(again.rows(), ROWS)


def test_no_object_is_empty() -> None:
    for labels in (Labels.empty(), Labels.from_rows([]), Labels.concat([])):
        assert len(labels) == 0
        assert labels.rows().shape == (0, 5)
        assert labels.xyxy(9, 9).shape == (0, 4)


def test_outlines_go_with_their_objects() -> None:
    labels = outlined()
    by_mask = labels.take(np.array([True, False, True]))
    assert by_mask.class_id.tolist() == [1, 2]
    assert by_mask.polygons == (TRIANGLE, None)
    by_row = labels.take(np.array([2, 0]))
    assert by_row.class_id.tolist() == [2, 1]
    assert by_row.polygons is not None
    assert by_row.polygons[1] is TRIANGLE
    joined = Labels.concat([Labels.from_rows(ROWS), labels])
    assert joined.polygons == (None, None, None, TRIANGLE, None, None)
    assert Labels.concat([Labels.from_rows(ROWS)]).polygons is None


def moved(rows: FloatArray, class_id: float = 0, cx: float = 0) -> FloatArray:
    return np.asarray(rows + np.array([class_id, cx, 0, 0, 0]))


def test_order_and_rounding_make_no_difference() -> None:
    labels = Labels.from_rows(ROWS)
    assert labels.same_as(Labels.from_rows(moved(labels.rows()[::-1], cx=1e-6)))
    assert not labels.same_as(labels.take(np.array([0, 1])))
    assert not labels.same_as(Labels.from_rows(moved(labels.rows(), cx=1e-3)))
    assert not labels.same_as(Labels.from_rows(moved(labels.rows(), class_id=1)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0, 1, 1, 1]], "shape"),
        ([[0.5, 0, 0, 1, 1]], "classes"),
        ([[-1, 0, 0, 1, 1]], "classes"),
    ],
)
def test_what_is_no_row_is_refused(rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Labels.from_rows(rows)


def test_shapes_must_belong_together() -> None:
    class_id: Any = np.zeros(2, dtype=np.int64)
    xywhn = np.zeros((2, 4))
    with pytest.raises(ValueError, match="class_id"):
        Labels(class_id.astype(float), xywhn)
    with pytest.raises(ValueError, match="xywhn"):
        Labels(class_id, xywhn[:1])
    with pytest.raises(ValueError, match="each of 2"):
        Labels(class_id, xywhn, (None,))
    with pytest.raises(ValueError, match="polygon of shape"):
        Labels(class_id, xywhn, (None, np.zeros((3, 3))))
