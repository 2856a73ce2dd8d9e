"""Scenes of handwritten digits: a small detection task that needs no download.

A scene shows up to four 8 x 8 digits of scikit-learn's ``load_digits`` (Alpaydin and Kaynak,
1998), enlarged, on a grey gradient with noise, dark on light or light on dark. The classes are
unbalanced on purpose, so that methods that sample by class have something to do.
"""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from backhaul.arrays import FloatArray
from backhaul.data.formats.yolo import write_data_yaml
from backhaul.data.settings import DigitsData
from backhaul.errors import InputError
from backhaul.geometry import xyxy_to_xywhn
from backhaul.randomness import generator
from backhaul.storage.intact import is_intact, sha256_of

NAMES = ("zero", "one", "two", "three", "four")
SHARES = (0.4, 0.25, 0.17, 0.11, 0.07)
"""Which fraction of all digits is of each class."""

EMPTY = 0.025
"""Probability of a scene without a digit."""

CONTENTS = "contents.json"
"""The file with the SHA-256 of each other file."""

RECORD = "digits.json"
"""The file with the settings; written last, it marks the scenes as whole."""

_MOST = 4  # digits of a scene
_SCALES = (2.5, 4.5)  # of the 8 px of a digit
_DRAWN = 0.25  # of full ink: what counts as drawn, for the box
_OVERLAP = 0.1  # most of the smaller box that another may cover
_TRIES = 20


def write_scenes(folder: Path, data: DigitsData) -> None:
    """Write the scenes as a YOLO folder: ``images/*.png``, ``labels/*.txt``, ``data.yaml``.

    The same `data` gives the same bytes, and the same first scenes if there are to be more. The
    folder appears whole or not at all; one with these scenes is left as it is.

    Raises:
        InputError: If there is something else in `folder`.
    """
    if _is_there(folder, data):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary) / "scenes"
        _write(whole, data)
        try:
            whole.rename(folder)
        except OSError:
            if not _is_there(folder, data):  # another process may have been faster
                raise


def are_whole(folder: Path, data: DigitsData) -> bool:
    """Return whether a folder has these scenes, as they were written."""
    record = folder / RECORD
    if not record.is_file() or record.read_bytes() != data.model_dump_json().encode():
        return False
    contents = folder / CONTENTS
    if not contents.is_file():  # an earlier version wrote them
        return True
    try:
        digests = json.loads(contents.read_bytes())
        return all(is_intact(str(folder / name), sha256) for name, sha256 in digests.items())
    except (AttributeError, TypeError, ValueError):  # this file is damaged itself
        return False


def _is_there(folder: Path, data: DigitsData) -> bool:
    record = folder / RECORD
    if record.is_file() and record.read_bytes() == data.model_dump_json().encode():
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder, or these very scenes")
    return False


def _write(folder: Path, data: DigitsData) -> None:
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(data.images):
        rng = generator(data.seed, "digits", number)
        image, labels = _draw_scene(data.size_px, rng)
        _, png = cv2.imencode(".png", image)
        (folder / "images" / f"scene{number:05d}.png").write_bytes(png.tobytes())
        lines = (
            f"{row[0]:.0f} " + " ".join(f"{value:.6f}" for value in row[1:]) for row in labels
        )
        path = folder / "labels" / f"scene{number:05d}.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    write_data_yaml(folder, NAMES)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    (folder / CONTENTS).write_text(json.dumps(digests), encoding="utf-8")
    (folder / RECORD).write_text(data.model_dump_json(), encoding="utf-8")


def _draw_scene(
    size_px: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Return a grey image, shape (size_px, size_px), and its labels, shape (n, 5)."""
    dark_on_light = rng.random() < 0.5  # noqa: PLR2004 - a fair coin
    scene = _draw_background(size_px, 185.0 if dark_on_light else 70.0, rng)
    n_digits = 0 if rng.random() < EMPTY else int(rng.integers(1, _MOST + 1))
    corners: list[FloatArray] = []
    classes: list[int] = []
    for class_id in rng.choice(len(NAMES), size=n_digits, p=SHARES).tolist():
        ink = _draw_digit(class_id, rng)
        place = _find_place(ink, size_px, corners, rng)
        contrast = rng.uniform(60, 130) * (-1 if dark_on_light else 1)
        if place is None:
            continue
        x, y = place
        scene[y : y + len(ink), x : x + len(ink)] += contrast * ink
        corners.append(_box_of(ink, x, y))
        classes.append(class_id)
    scene += rng.normal(0, rng.uniform(2, 10), scene.shape)
    labels = np.empty((len(classes), 5))
    labels[:, 0] = classes
    labels[:, 1:] = xyxy_to_xywhn(np.array(corners).reshape(-1, 4), size_px, size_px)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8), labels


def _draw_background(size_px: int, grey: float, rng: np.random.Generator) -> FloatArray:
    angle = rng.uniform(0, 2 * np.pi)
    steps = np.linspace(-0.5, 0.5, size_px)
    ramp = np.cos(angle) * steps[None, :] + np.sin(angle) * steps[:, None]
    background: FloatArray = grey + rng.uniform(-35, 35) + rng.uniform(0, 50) * ramp
    return background


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
