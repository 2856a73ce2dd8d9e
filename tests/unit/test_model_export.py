"""What an exported model says of itself, and when it must not leave."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backhaul.arrays import Float32Array, FloatArray, IntArray
from backhaul.errors import InputError
from backhaul.geometry import pairwise_iou
from backhaul.learn.export.report import refusal
from backhaul.look.letterbox import letterbox
from backhaul.look.modelfile import KEY, ModelInfo, info_of
from backhaul.look.onnx import OnnxModel, suppress
from backhaul.look.protocol import PredictionSettings
from backhaul.values.results import Reevaluated, Remeasured

NEWER = ModelInfo(format=2, class_names=(), img_size=1, epochs=(), precision="int8")
SETTINGS = PredictionSettings(64, conf_thres=0.1, nms_thres=0.5)


def measured(*maps: tuple[float, float]) -> Reevaluated:
    checkpoints = tuple(
        Remeasured(epoch=i + 1, map50_before=before, map50_after=after)
        for i, (before, after) in enumerate(maps)
    )
    return Reevaluated(
        checkpoints=checkpoints, n_images=8, latency_p50_ms=1.0, latency_p95_ms=2.0
    )


def test_the_checkpoint_that_lost_most_decides() -> None:
    assert refusal(measured((0.5, 0.49), (0.6, 0.7)), 0.02) is None
    assert refusal(measured((0.5, 0.47)), 0.03) is None
    told = refusal(measured((0.5, 0.49), (0.6, 0.5), (0.3, 0.3)), 0.02)
    assert told is not None
    assert told.startswith("mAP50 of epoch 2 falls from 0.600 to 0.500 on 8 validation images")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({}, r"a\.onnx: expected a model that `backhaul export-model` wrote"),
        ({KEY: "no"}, r"a\.onnx: its metadata: : Invalid JSON"),
        ({KEY: "{}"}, r"a\.onnx: its metadata: class_names: Field required"),
        (NEWER.metadata(), r"a\.onnx: has format 2, and this version knows 1"),
    ],
)
def test_what_a_file_says_is_checked(metadata: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        info_of(metadata, "a.onnx")


def test_what_a_file_says_comes_back() -> None:
    info = ModelInfo(class_names=("ä", "b"), img_size=320, epochs=(3, 7), precision="int8")
    assert info_of(info.metadata(), "a.onnx") == info


def test_what_is_no_model_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"a\.onnx: not a model"):
        OnnxModel(path)


def greedy(xyxy: FloatArray, confidence: Float32Array, class_id: IntArray) -> list[int]:
    """Suppress by definition: the best box left drops those of its class that overlap it."""
    left, kept = list(np.argsort(-confidence)), []
    while left:
        best = left.pop(0)
        kept.append(best)
        overlap = pairwise_iou(xyxy[best][None], xyxy)[0]
        left = [i for i in left if class_id[i] != class_id[best] or overlap[i] <= 0.5]
    return kept


def test_suppression_is_greedy_within_a_class() -> None:
    rng = np.random.default_rng(0)
    drawn = np.vstack([rng.uniform(20, 44, (2, 60)), rng.uniform(10, 30, (2, 60))])
    boxes = drawn.astype(np.float32)
    scores = rng.uniform(0, 0.6, (3, 60)).astype(np.float32)
    found = suppress(boxes, scores, SETTINGS)
    row, class_id = np.nonzero(scores.T > 0.1)
    centre, size = boxes[:2, row].T, boxes[2:, row].T
    xyxy = np.hstack([centre - size / 2, centre + size / 2]).astype(np.float64)
    kept = greedy(xyxy, scores[class_id, row], class_id)
    assert 3 < len(kept) < len(row)
    np.testing.assert_allclose(found[:, :4], xyxy[kept], atol=1e-4)
    np.testing.assert_array_equal(found[:, 4], scores[class_id, row][kept])
    np.testing.assert_array_equal(found[:, 5], class_id[kept])


def test_nothing_confident_is_no_box() -> None:
    found = suppress(np.ones((4, 5), np.float32), np.zeros((2, 5), np.float32), SETTINGS)
    assert found.shape == (0, 6)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (64, 64), (3000, 2), (20, 10)])
def test_a_box_in_the_square_is_where_it_was(size: tuple[int, int]) -> None:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    boxed = letterbox(image, 64)
    assert boxed.pixels.shape == (64, 64, 3)
    corners = np.array([[boxed.left, boxed.top, 64 - boxed.left, 64 - boxed.top]], np.float32)
    around = boxed.in_image(corners)
    assert around[0] == pytest.approx([0, 0, width, height], abs=1 / boxed.scale)
    inner = boxed.pixels[boxed.top + 1 : 63 - boxed.top, boxed.left + 1 : 63 - boxed.left]
    assert not inner.any()
    assert cv2.countNonZero(boxed.pixels[..., 0]) <= 64 * 64
