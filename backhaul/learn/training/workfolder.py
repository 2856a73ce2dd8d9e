"""A folder in Ultralytics' layout, made of links: the user's own is never written to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from backhaul.storage.parquet import from_parquet, to_parquet
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels
from backhaul.values.splits import Splits

SPLITS = "splits.parquet"
LEAST_SIDE_PX = 10
"""An image with a shorter side is no image to Ultralytics."""


def too_small(images: ImageSet) -> dict[str, str]:
    """Return why Ultralytics would not train on images for their size, by image_id."""
    rows = images.table[["image_id", "width", "height"]].itertuples(index=False, name=None)
    return {
        image_id: f"{width} x {height} pixels, Ultralytics trains on {LEAST_SIDE_PX} x "
        f"{LEAST_SIDE_PX} or more"
        for image_id, width, height in rows
        if min(width, height) < LEAST_SIDE_PX
    }


def write_work_folder(folder: Path, splits: Splits) -> None:
    """Write ``data.yaml``, ``train/`` and ``val/``, each with ``images/`` and ``labels/``.

    Args:
        folder: New or left over from an earlier start of the same training.
        splits: Labelled images on the local disk; the test set is not needed for training.

    Raises:
        ValueError: If an image is not labelled.
    """
    for name, images in (("train", splits.train), ("val", splits.valid)):
        shutil.rmtree(folder / name, ignore_errors=True)
        _write_part(folder / name, images)
    data = {
        "path": str(folder.resolve()),
        "train": "train/images",
        "val": "val/images",
        "names": dict(enumerate(splits.train.class_names)),
    }
    (folder / "data.yaml").write_text(
        yaml.safe_dump(data, allow_unicode=True), encoding="utf-8"
    )


def write_splits(folder: Path, splits: Splits) -> None:
    """Write the splits into a folder, for a training process that reads them itself."""
    (folder / SPLITS).write_bytes(to_parquet(splits))


def read_splits(folder: Path) -> Splits:
    """Return the splits that `write_splits` wrote."""
    return from_parquet(Splits, (folder / SPLITS).read_bytes())


def _write_part(folder: Path, images: ImageSet) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    table = images.table
    for name, uri, labels in zip(table["image_id"], table["uri"], table["labels"], strict=True):
        if labels is None:
            raise ValueError(f"image {name} is not labelled")
        source = Path(uri)
        (folder / "images" / f"{name}{source.suffix.lower()}").symlink_to(source.resolve())
        lines = "".join(f"{line}\n" for line in _darknet_lines(labels))
        (folder / "labels" / f"{name}.txt").write_text(lines, encoding="ascii")


def _darknet_lines(labels: Labels) -> Iterable[str]:
    for class_id, *box in labels.rows().tolist():
        yield " ".join([str(int(class_id)), *(f"{value:.6f}" for value in box)])
