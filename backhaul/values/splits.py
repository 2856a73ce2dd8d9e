"""Labelled images, divided into train, valid and test."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from backhaul.values.images import ImageSet


@dataclass(frozen=True, slots=True)
class Splits:
    """Labelled images for training, for early stopping, and for testing.

    Raises:
        ValueError: If an image, or a copy of it, is in two of the three.
    """

    train: ImageSet
    valid: ImageSet
    test: ImageSet

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for part in (self.train, self.valid, self.test):
            table = part.table
            ids = set(table["copy_of"].where(table["copy_of"].notna(), table["image_id"]))
            if seen & ids:
                raise ValueError(f"image {min(seen & ids)} is in two splits")
            seen |= ids

    def without(self, image_ids: Collection[str]) -> Splits:
        """Return the splits without these images in training and validation."""
        train, valid = (
            part.where(~part.table["image_id"].isin(image_ids).to_numpy())
            for part in (self.train, self.valid)
        )
        return Splits(train, valid, self.test)
