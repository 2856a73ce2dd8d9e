"""Images with their sizes, groups and labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backhaul.arrays import BoolArray, IntArray
from backhaul.values.columns import Schema
from backhaul.values.labels import Labels
from backhaul.values.localimages import LocalImages
from backhaul.values.tables import require_columns

if TYPE_CHECKING:
    import pandas as pd

IMAGE_SCHEMA: Schema = {
    "image_id": "text",
    "uri": "text",
    "width": "int64",
    "height": "int64",
    "size_bytes": "int64",
    "group": "text?",
    "labels": "labels?",
    "label_source": "text?",
    "copy_of": "text?",
}
IMAGE_COLUMNS = tuple(IMAGE_SCHEMA)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images with their sizes, groups and labels, one row an image.

    Args:
        table: Columns ``IMAGE_COLUMNS``. ``image_id`` comes from the digest of the file's
            content (augmented copies have ids of their own); ``width`` and ``height`` are in
            pixels, as displayed; ``group`` names the scene or sequence, or is None; ``labels``
            holds `Labels`, without any row for an image without objects, or None where nobody
            labelled it;
            ``label_source`` says where the labels came from; ``copy_of`` is the image_id of the
            original of an augmented copy, else None.
        class_names: Names of the classes, in the order of their ids.

    Raises:
        ValueError: If a column is missing or an image_id repeats.
    """

    table: pd.DataFrame
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        require_columns(self.table, IMAGE_COLUMNS)
        if not self.table["image_id"].is_unique:
            repeated = self.table.loc[self.table["image_id"].duplicated(), "image_id"].iloc[0]
            raise ValueError(f"image_id must be unique, {repeated} repeats")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> tuple[str, ...]:
        """The image ids, in the order of the table."""
        return tuple(self.table["image_id"])

    def where(self, mask: BoolArray) -> ImageSet:
        """Return the rows at which `mask`, of shape (n,), is true."""
        return ImageSet(self.table[mask].reset_index(drop=True), self.class_names)

    def at(self, rows: IntArray) -> ImageSet:
        """Return the images at these positions of the table, in that order, shape (n,)."""
        return ImageSet(self.table.iloc[rows].reset_index(drop=True), self.class_names)

    def take(self, ids: Iterable[str]) -> ImageSet:
        """Return the images `ids`, in that order.

        Raises:
            KeyError: If an id is not in the set.
        """
        rows = self.table.set_index("image_id", drop=False).loc[list(ids)]
        return ImageSet(rows.reset_index(drop=True), self.class_names)

    def originals(self) -> ImageSet:
        """Return the images that are not augmented copies."""
        return self.where(self.table["copy_of"].isna().to_numpy())

    def labelled(self) -> ImageSet:
        """Return the images that have labels, those without objects included."""
        return self.where(self.table["labels"].notna().to_numpy())

    def without_labels(self) -> ImageSet:
        """Return the images without their labels, as an edge node has them."""
        return ImageSet(self.table.assign(labels=None, label_source=None), self.class_names)

    def local(self) -> LocalImages:
        """Return the images as local files; their uris must be paths on this disk."""
        size_px = self.table[["width", "height"]].to_numpy(dtype=np.int64)
        return LocalImages(self.ids, tuple(self.table["uri"]), size_px, self.class_names)

    def presence(self) -> BoolArray:
        """Return whether each image contains each class, shape (n, n_classes)."""
        present = np.zeros((len(self), len(self.class_names)), dtype=bool)
        labels: Labels | None
        for row, labels in enumerate(self.table["labels"]):
            if labels is not None:
                present[row, labels.class_id] = True
        return present


def empty_image_set(class_names: tuple[str, ...]) -> ImageSet:
    """Return a set without images."""
    import pandas as pd  # noqa: PLC0415 - a node, which makes no sets, does without

    return ImageSet(
        pd.DataFrame({name: [] for name in IMAGE_COLUMNS}, dtype=object), class_names
    )


def concat(sets: Iterable[ImageSet]) -> ImageSet:
    """Return all images of `sets`, which have the same classes, in order.

    Raises:
        ValueError: If there is no set, the classes differ, or an image is in two of them.
    """
    parts = list(sets)
    if len({part.class_names for part in parts}) != 1:
        raise ValueError("expected sets of the same classes")
    import pandas as pd  # noqa: PLC0415 - a node, which makes no sets, does without

    tables = [part.table for part in parts if len(part)] or [parts[0].table]
    return ImageSet(pd.concat(tables, ignore_index=True), parts[0].class_names)
