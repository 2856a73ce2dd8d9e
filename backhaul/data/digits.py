"""Scenes of handwritten digits: a small detection task that needs no download.

A scene shows up to four 8 x 8 digits of scikit-learn's ``load_digits`` (Alpaydin and Kaynak,
1998), enlarged, on a grey gradient with noise, dark on light or light on dark. The classes are
unbalanced on purpose, so that methods that sample by class have something to do.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import FloatArray
from backhaul.data.settings import DigitsData
from backhaul.data.wholefolder import Recipe, write_whole
from backhaul.data.yolofolder import new_yolo_folder, put_labelled
from backhaul.geometry import xyxy_to_xywhn
from backhaul.randomness import generator

NAMES = ("zero", "one", "two", "three", "four")
SHARES = (0.4, 0.25, 0.17, 0.11, 0.07)
"""Which fraction of all digits is of each class."""

MOST_DIGITS = 4
"""Most digits of a scene."""

EMPTY = 0.025
"""Probability of a scene without a digit."""

RECORD = "digits.json"
"""The file with the settings; written last, it marks the scenes as whole."""

_SCALES = (2.5, 4.5)  # of the 8 px of a digit
_DRAWN = 0.25  # of full ink: what counts as drawn, for the box
_OVERLAP = 0.1  # most of the smaller box that another may cover
_TRIES = 20


def digits_recipe(data: DigitsData) -> Recipe:
    """Return how the scenes are made: a YOLO folder of ``images/*.png`` and ``labels/*.txt``.

    The same `data` gives the same bytes, and the same first scenes if there are to be more.
    """
    return Recipe(RECORD, data.model_dump_json(), partial(_write, data=data))


def write_scenes(folder: Path, data: DigitsData) -> None:
    """Write the scenes as a YOLO folder, see `digits_recipe` and `write_whole`.

    Raises:
        InputError: If there is something else in `folder`.
    """
    write_whole(folder, digits_recipe(data))


def _write(folder: Path, data: DigitsData) -> None:
    new_yolo_folder(folder, NAMES)
    for number in range(data.images):
        image, labels = _draw_scene(data.size_px, generator(data.seed, "digits", number))
        _, png = cv2.imencode(".png", image)
        put_labelled(folder, f"scene{number:05d}.png", png.tobytes(), labels)


def _draw_scene(
    size_px: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Return a grey image, shape (size_px, size_px), and its labels, shape (n, 5)."""
    dark_on_light = rng.random() < 0.5  # noqa: PLR2004 - a fair coin
    scene = draw_background(size_px, 185.0 if dark_on_light else 70.0, rng)
    n_digits = 0 if rng.random() < EMPTY else int(rng.integers(1, MOST_DIGITS + 1))
    labels = put_digits(scene, n_digits, rng, dark=dark_on_light)
    scene += rng.normal(0, rng.uniform(2, 10), scene.shape)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8), labels


def draw_background(size_px: int, grey: float, rng: np.random.Generator) -> FloatArray:
    """Return a gradient of grey, shape (size_px, size_px), of 255.

    Args:
        size_px: Width and height.
        grey: Its mean, up to 35 more or less.
        rng: The only source of randomness.
    """
    angle = rng.uniform(0, 2 * np.pi)
    steps = np.linspace(-0.5, 0.5, size_px)
    ramp = np.cos(angle) * steps[None, :] + np.sin(angle) * steps[:, None]
    background: FloatArray = grey + rng.uniform(-35, 35) + rng.uniform(0, 50) * ramp
    return background


def put_digits(
    scene: FloatArray, n_digits: int, rng: np.random.Generator, *, dark: bool
) -> FloatArray:
    """Draw digits, as many as have room, and return their labels, shape (n, 5).

    Args:
        scene: A square grey image, changed in place.
        n_digits: Most of them.
        rng: The only source of randomness.
        dark: Whether they are darker than the scene.
    """
    size_px = len(scene)
    corners: list[FloatArray] = []
    classes: list[int] = []
    for class_id in rng.choice(len(NAMES), size=n_digits, p=SHARES).tolist():
        ink = _draw_digit(class_id, rng)
        place = _find_place(ink, size_px, corners, rng)
        contrast = rng.uniform(60, 130) * (-1 if dark else 1)
        if place is None:
            continue
        x, y = place
        scene[y : y + len(ink), x : x + len(ink)] += contrast * ink
        corners.append(_box_of(ink, x, y))
        classes.append(class_id)
    labels = np.empty((len(classes), 5))
    labels[:, 0] = classes
    labels[:, 1:] = xyxy_to_xywhn(np.array(corners).reshape(-1, 4), size_px, size_px)
    return labels


@cache
def _digits() -> tuple[FloatArray, ...]:
    """Return the digits of each class, full ink 1, shape (n, 8, 8) each."""
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    return tuple(images[targets == class_id].reshape(-1, 8, 8) / 16 for class_id in range(5))


def _draw_digit(class_id: int, rng: np.random.Generator) -> FloatArray:
    digits = _digits()[class_id]
    side = round(8 * rng.uniform(*_SCALES))
    enlarged = cv2.resize(
        digits[rng.integers(len(digits))], (side, side), interpolation=cv2.INTER_CUBIC
    )
    ink: FloatArray = np.clip(enlarged, 0.0, 1.0)
    return ink


def _box_of(ink: FloatArray, x: int, y: int) -> FloatArray:
    """Return the corners of the drawn digit, the last row and column included."""
    ys, xs = np.nonzero(ink > _DRAWN)
    box = [xs.min() + x, ys.min() + y, xs.max() + 1 + x, ys.max() + 1 + y]
    return np.array(box, dtype=np.float64)


def _find_place(
    ink: FloatArray, size_px: int, corners: list[FloatArray], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Return a position, x and y, where the digit hardly covers another; None if none fits."""
    for _ in range(_TRIES):
        x, y = rng.integers(0, size_px - len(ink), size=2, endpoint=True).tolist()
        box = _box_of(ink, x, y)
        if all(_overlap(box, other) <= _OVERLAP for other in corners):
            return x, y
    return None


def _overlap(xyxy: FloatArray, other: FloatArray) -> float:
    """Return the intersection of two boxes over the area of the smaller one."""
    sides = np.minimum(xyxy[2:], other[2:]) - np.maximum(xyxy[:2], other[:2])
    smaller = min(np.prod(box[2:] - box[:2]) for box in (xyxy, other))
    return float(np.prod(np.maximum(sides, 0)) / smaller)
