"""Boxes as prediction files give them, checked and put into columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from backhaul.errors import InputError
from backhaul.predictions.images import LEFT_OUT, Images, named
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections, FusedDetections

MOST_CLASS = 1_000_000


@dataclass(frozen=True)
class Look:
    """What one prediction input says.

    Args:
        place: Where it was read, for errors.
        seen: Boxes of single checkpoints, or of an ensemble; images by their ids.
        notes: What was left out, in words.
        n_checkpoints: How many checkpoints looked, of single ones, also those without a box.
    """

    place: str
    seen: Detections | FusedDetections
    notes: tuple[str, ...] = ()
    n_checkpoints: int = 1


@dataclass
class Collected:
    """Boxes of one checkpoint, gathered one by one.

    Args:
        place: The file or folder that they are read from.
        images: The images that they may be of.
    """

    place: str
    images: Images
    _of: dict[int, str] = field(default_factory=dict)
    _unknown: dict[str, None] = field(default_factory=dict)
    _rows: list[tuple[int, int, float, float, float, float, float]] = field(
        default_factory=list
    )
    _n_known: int = 0
    _n_outside: int = 0

    def image(self, name: str, row: int | None) -> int | None:
        """Take note of an image that is spoken of; return its row if its boxes count.

        Args:
            name: How it is called, each name once.
            row: As `Images.row_of_text` finds it.

        Raises:
            InputError: If it was spoken of by another name.
        """
        if row is None:
            self._unknown[name] = None
            return None
        self._n_known += 1
        if row == LEFT_OUT:
            return None
        if self._of.setdefault(row, name) != name:
            path = self.images.files[row].path
            raise InputError(
                f"{self.place}: {self._of[row]!r} and {name!r} would both be {path}"
            )
        return row

    def add(
        self, row: int, class_id: int, confidence: float, xyxy: Sequence[float], where: str
    ) -> None:
        """Add a box; what of it lies outside of its image is cut off.

        Args:
            row: Its image.
            class_id: Its class, >= 0.
            confidence: In [0, 1].
            xyxy: Its corners in pixels.
            where: The file and the place in it, for errors.

        Raises:
            InputError: If a number is none that can be.
        """
        require_possible(class_id, confidence, xyxy, where)
        file = self.images.files[row]
        x1, y1, x2, y2 = xyxy
        x1, x2 = max(x1, 0.0), min(x2, float(file.width))
        y1, y2 = max(y1, 0.0), min(y2, float(file.height))
        if x1 >= x2 or y1 >= y2:
            self._n_outside += 1
            return
        self._rows.append((row, class_id, confidence, x1, y1, x2, y2))

    def look(self) -> Look:
        """Return all boxes as those of one checkpoint.

        Raises:
            InputError: If they are all of images that are not there.
        """
        self.require_some()
        image_id = [self.images.files[each[0]].image_id for each in self._rows]
        numbers = np.array(self._rows, dtype=np.float64).reshape(-1, 7)
        seen = Detections(
            image_id=names_of(image_id),
            epoch=np.ones(len(numbers), dtype=np.int64),
            class_id=np.array([each[1] for each in self._rows], dtype=np.int64),
            confidence=numbers[:, 2].copy(),
            xyxy=np.ascontiguousarray(numbers[:, 3:]),
        )
        return Look(self.place, seen, self.notes())

    def require_some(self) -> None:
        """Do nothing if one of the images is there, or none was spoken of.

        Raises:
            InputError: If all are unknown: the names mean something else.
        """
        if self._unknown and not self._n_known:
            raise InputError(
                f"{self.place}: none of its images is in {self.images.root}: "
                f"{named(self._unknown, 'image')}; expected names of images there, with or "
                "without suffix, or for ids of a COCO data set its file (--coco)"
            )

    def notes(self) -> tuple[str, ...]:
        """Return what was left out, in words."""
        notes = []
        if self._unknown:
            images = named(self._unknown, "image")
            notes.append(f"{self.place}: left out, as not in {self.images.root}: {images}")
        if self._n_outside:
            notes.append(outside(self.place, self._n_outside))
        return tuple(notes)


def outside(place: str, n_boxes: int) -> str:
    """Return that boxes were left out as nothing of them lies in their image."""
    return f"{place}: left out, as without area in their image: {n_boxes} boxes"


def require_possible(
    class_id: int, confidence: float, xyxy: Sequence[float], where: str
) -> None:
    """Do nothing if numbers may be those of a predicted box.

    Raises:
        InputError: If one may not; `where` is where they are.
    """
    if not 0 <= class_id <= MOST_CLASS:
        raise InputError(f"{where}: class {class_id}, expected 0 to {MOST_CLASS:,}")
    if not 0 <= confidence <= 1:  # of NaN, too
        raise InputError(f"{where}: confidence {confidence}, expected 0 to 1")
    x1, y1, x2, y2 = xyxy
    if not all(map(math.isfinite, xyxy)) or x2 < x1 or y2 < y1:
        raise InputError(f"{where}: expected a box of finite numbers, width and height >= 0")
