import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backhaul.arrays import FloatArray
from backhaul.geometry import iou, pairwise_iou, xywhn_to_xyxy, xyxy_to_xywhn


@st.composite
def boxes(draw: st.DrawFn, least: int = 0) -> FloatArray:
    n = draw(st.integers(least, 6))
    corners = draw(arrays(np.float64, (n, 2, 2), elements=st.integers(0, 20).map(float)))
    return np.sort(corners, axis=1).reshape(n, 4)


@given(a=boxes(), b=boxes())
def test_iou_counts_shared_pixels(a: FloatArray, b: FloatArray) -> None:
    def pixels(box: FloatArray) -> set[tuple[int, int]]:
        x1, y1, x2, y2 = box.astype(int)
        return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}

    expected = [
        [len(pixels(p) & pixels(q)) / max(len(pixels(p) | pixels(q)), 1) for q in b] for p in a
    ]
    assert pairwise_iou(a, b) == pytest.approx(np.array(expected).reshape(len(a), len(b)))


def test_iou_without_area_is_zero() -> None:
    point = np.array([3.0, 3.0, 3.0, 3.0])
    assert iou(point, point) == 0.0


def test_iou_broadcasts() -> None:
    many = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0]])
    assert iou(many, many[0]).tolist() == [1.0, 0.5]


def test_corners_of_a_centred_box() -> None:
    corners = xywhn_to_xyxy(np.array([[0.5, 0.5, 0.5, 0.2]]), 200, 100)
    assert corners == pytest.approx(np.array([[50.0, 40.0, 150.0, 60.0]]))


@given(xyxy=boxes())
def test_formats_round_trip(xyxy: FloatArray) -> None:
    again = xywhn_to_xyxy(xyxy_to_xywhn(xyxy, 640, 480), 640, 480)
    assert again == pytest.approx(xyxy, abs=1e-9)
