"""Frames as a camera captures them, and boxes that stay where the objects are."""

import cv2
import numpy as np
import pytest

from backhaul.data.settings import DigitScenes
from backhaul.data.streams import capture as module
from backhaul.data.streams.capture import Pixels, Scene, capture, shifted
from backhaul.data.streams.digitscenes import DrawnScenes
from backhaul.values.labels import Labels


def random(*path: str | int) -> np.random.Generator:
    return np.random.default_rng([len(str(part)) + ord(str(part)[0]) for part in path])


def spot(x1: int, y1: int, x2: int, y2: int) -> Scene:
    """Return a white rectangle, its box around it, on black, 100 x 80 pixels."""
    pixels = np.zeros((80, 100, 3), dtype=np.uint8)
    pixels[y1:y2, x1:x2] = 255
    box = np.array([[x1, y1, x2, y2]], dtype=np.float64)
    return Scene("s00000", pixels, Labels.from_xyxy(np.array([2]), box, 100, 80))


def decoded(jpeg: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.asarray(pixels, dtype=np.uint8)


def box_of(pixels: Pixels) -> list[int]:
    ys, xs = np.nonzero(pixels.max(axis=2) > 127)
    return [int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]


@pytest.mark.parametrize("by", [(0, 0), (2, -1), (-7, 5), (-30, 0), (0, 28)])
def test_boxes_move_with_the_objects(by: tuple[int, int]) -> None:
    moved = shifted(spot(20, 30, 45, 60), np.array(by))
    (box,) = moved.labels.xyxy(100, 80)
    np.testing.assert_allclose(box, box_of(moved.pixels))
    assert moved.labels.class_id.tolist() == [2]


def test_what_has_hardly_anything_left_at_the_edge_is_no_object() -> None:
    assert len(shifted(spot(0, 30, 20, 60), np.array([-9, 0])).labels) == 1
    assert len(shifted(spot(0, 30, 20, 60), np.array([-11, 0])).labels) == 0


def test_captured_boxes_are_where_the_object_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise, a digit's box is found again by looking at the pixels alone."""
    monkeypatch.setattr(module, "NOISE", (0.0, 0.0))
    places = set()
    for seed in range(20):
        jpeg, labels = capture(spot(20, 30, 45, 60), np.random.default_rng(seed))
        pixels = decoded(jpeg)
        (box,) = labels.xyxy(100, 80).round().astype(int).tolist()
        np.testing.assert_allclose(box, box_of(pixels), atol=1)
        places.add(tuple(box))
    assert len(places) > 5
    assert all(abs(x1 - 20) <= 2 and abs(y1 - 30) <= 2 for x1, y1, _, _ in places)


def test_boxes_of_digits_are_around_what_differs_from_the_background() -> None:
    scenes = DrawnScenes(DigitScenes(), random)
    for number in range(10):
        scene, empty = (
            each("stream", number, 1).pixels[:, :, 0].astype(int)
            for each in (scenes.scene, scenes.background)
        )
        inside = np.zeros(scene.shape, dtype=bool)
        boxes = scenes.scene("stream", number, 1).labels.xyxy(96, 96).round().astype(int)
        for x1, y1, x2, y2 in boxes:
            inside[y1:y2, x1:x2] = True
        drawn = np.abs(scene - empty) > 0.3 * 130
        assert drawn.any()
        assert not (drawn & ~inside).any()


def test_frames_of_a_burst_are_nearly_equal_and_never_the_same() -> None:
    scenes = DrawnScenes(DigitScenes(), random)
    files = [
        capture(scenes.scene("stream", 0, 0), np.random.default_rng(i))[0] for i in range(30)
    ]
    assert len(set(files)) == 30
    blurred = [cv2.GaussianBlur(decoded(each)[:, :, 0], (0, 0), 3) for each in files]
    alike = [np.corrcoef(blurred[0].ravel(), each.ravel())[0, 1] for each in blurred]
    assert min(alike) > 0.7
    assert all(2_000 <= len(each) <= 12_000 for each in files)
    assert max(map(len, files)) > 2 * min(map(len, files))
