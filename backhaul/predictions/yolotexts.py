"""Ultralytics' texts (``save_txt=True, save_conf=True``): one an image, a line a box.

A line is ``class cx cy w h confidence``, centre and size in fractions of the image's sides. An
image without a file, or with an empty one, was looked at, and nothing was detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backhaul.data.formats.files import read_lines, stem_and_suffix
from backhaul.errors import InputError
from backhaul.predictions.found import Collected, Look
from backhaul.predictions.images import Images

_FIELDS = 6
_EXPECTED = "expected 6 numbers: class cx cy w h confidence"


def read_texts(folder: Path, paths: Sequence[str], images: Images) -> Look:
    """Return the boxes in texts of one checkpoint.

    Args:
        folder: Where they lie.
        paths: The texts; each is named like its image.
        images: The images that they may be of.

    Raises:
        InputError: If a line is not what it must be; the error says which.
    """
    found = Collected(str(folder), images)
    for path in paths:
        name = stem_and_suffix(path)[0].removeprefix(f"{folder.as_posix()}/")
        row = found.image(name, images.row_of_text(name))
        for number, line in enumerate(read_lines(path), start=1):
            if line.strip():
                class_id, confidence, sides = _numbers(line, f"{path}:{number}")
                if row is not None:
                    xyxy = _corners(sides, images, row)
                    found.add(row, class_id, confidence, xyxy, f"{path}:{number}")
    return found.look()


def _numbers(line: str, where: str) -> tuple[int, float, Sequence[float]]:
    """Return the class, the confidence, and cx, cy, w, h."""
    fields = line.split()
    if len(fields) == _FIELDS - 1:
        raise InputError(
            f"{where}: has no confidence; {_EXPECTED} (Ultralytics: save_conf=True)"
        )
    try:
        class_id, *sides, confidence = map(float, fields)
        whole = int(class_id)
    except (ValueError, OverflowError):
        raise InputError(f"{where}: {_EXPECTED}") from None
    if len(fields) != _FIELDS or whole != class_id:
        raise InputError(f"{where}: {_EXPECTED}")
    return whole, confidence, sides


def _corners(sides: Sequence[float], images: Images, row: int) -> tuple[float, ...]:
    cx, cy, w, h = sides
    width, height = images.files[row].width, images.files[row].height
    return (
        (cx - w / 2) * width,
        (cy - h / 2) * height,
        (cx + w / 2) * width,
        (cy + h / 2) * height,
    )
