"""The images of a batch as they would be sent, each with the captured image it was made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from backhaul.arrays import FloatArray
from backhaul.data.recipes import Prepared, SendCrops
from backhaul.data.sending import SUFFIX, Piece, pieces_of
from backhaul.values.columns import names_of
from backhaul.values.detections import XYXY, FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels, labels_inside
from backhaul.values.offers import ORIGINAL, Offers

SOURCE_COLUMNS = ("image_id", "source_id", "kind", *XYXY)
ID_DIGITS = 32

_Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Versions:
    """Images as they are sent, each with the captured image that it was made of.

    Args:
        images: The images as they are sent; a captured image may be sent as several.
        sources: Columns ``SOURCE_COLUMNS``, a row for each of `images`, in that order:
            ``source_id`` is the captured image, ``kind`` that of the recipe, ``original`` where
            its own file is sent; the corners, in whole pixels of the captured image, x2 and y2
            exclusive, say what is shown of it.

    Raises:
        ValueError: If the sources are of other images.
    """

    images: ImageSet
    sources: pd.DataFrame

    def __post_init__(self) -> None:
        if list(self.sources["image_id"]) != list(self.images.ids):
            raise ValueError("expected one row for each image, in their order")

    def of(self, captured: Sequence[str]) -> Versions:
        """Return the versions of captured images, in the order of their ids."""
        place = {source_id: i for i, source_id in enumerate(captured)}
        rows = self.sources["source_id"].map(place).dropna().sort_values(kind="stable").index
        at = rows.to_numpy(dtype=np.int64)
        return Versions(self.images.at(at), self.sources.iloc[at].reset_index(drop=True))

    def offers(self, captured: ImageSet) -> Offers:
        """Return the offers of the captured images, in their order."""
        sizes = self.images.table["size_bytes"].groupby(self.sources["source_id"]).sum()
        kinds = self.sources.drop_duplicates("source_id").set_index("source_id")["kind"]
        ids = list(captured.ids)
        return Offers(
            image_id=names_of(ids),
            kind=names_of(kinds.loc[ids]),
            size_bytes=sizes.loc[ids].to_numpy(dtype=np.int64),
            file=names_of(captured.table["uri"]),
        )

    def with_originals(self, captured: ImageSet) -> Versions:
        """Return the versions of `captured`: an image that has none is sent as it is."""
        kept = captured.where(
            ~captured.table["image_id"].isin(self.sources["source_id"]).to_numpy()
        )
        own = pd.DataFrame(
            {
                "image_id": kept.table["image_id"],
                "source_id": kept.table["image_id"],
                "kind": ORIGINAL,
                "x1": 0,
                "y1": 0,
                "x2": kept.table["width"],
                "y2": kept.table["height"],
            }
        )
        table = _joined(self.images.table, kept.table)
        both = Versions(ImageSet(table, captured.class_names), _joined(self.sources, own))
        return both.of(captured.ids)


def make_versions(
    images: ImageSet,
    detections: FusedDetections | None,
    sending: Prepared,
    folder: Path,
    on_unreadable: Callable[[str, str], None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Versions:
    """Write images in the form in which they are sent, without those that are sent as they are.

    One that cannot be decoded is sent as it is: home says what is wrong with it. So is one that
    cannot be encoded, as WebP has at most 16,383 pixels a side.

    Threads are enough, because Pillow works outside the interpreter's lock.

    Args:
        images: Images whose uris are local paths; their labels are left out.
        detections: What was seen in them; only crops depend on it.
        sending: In what form they are sent.
        folder: Existing folder to write to.
        on_unreadable: Called with the image_id of each of these, and the reason.
        on_progress: Called with (images done, images in all).
    """
    seen = _boxes_of(images, detections, sending)
    jobs = images.table.to_dict("records")
    made: list[tuple[_Row, _Row]] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        each = threads.map(partial(_make, folder, sending, seen), jobs)
        for done, (row, of_image) in enumerate(zip(jobs, each, strict=True), start=1):
            if isinstance(of_image, str):
                on_unreadable(row["image_id"], of_image)
            else:
                made += of_image
            if on_progress is not None:
                on_progress(done, len(jobs))
    return Versions(
        ImageSet(
            pd.DataFrame([row for row, _ in made], columns=list(IMAGE_COLUMNS)),
            images.class_names,
        ),
        pd.DataFrame([origin for _, origin in made], columns=list(SOURCE_COLUMNS)),
    )


def labelled_versions(versions: Versions, truth: ImageSet, min_visibility: float) -> ImageSet:
    """Return versions with what the labels of their captured images say of them.

    Boxes are fractions of an image, so a whole one keeps them, whatever its size; those of a
    crop are cut at its edge. A version of an image without labels has none.

    Args:
        versions: Images as they are sent.
        truth: The captured images, among others, with their labels.
        min_visibility: Least fraction of a box's area inside a crop with which it goes.
    """
    known = truth.take(dict.fromkeys(versions.sources["source_id"])).table
    rows: dict[str, _Row] = {}
    row: Any
    for row in known.to_dict("records"):
        rows[row["image_id"]] = row
    owners = [rows[source_id] for source_id in versions.sources["source_id"]]
    regions = versions.sources[list(XYXY)].to_numpy(dtype=np.float64)
    labels = [
        _labels_of(owner, region, min_visibility)
        for owner, region in zip(owners, regions, strict=True)
    ]
    table = versions.images.table.assign(
        labels=pd.Series(labels, dtype=object),
        label_source=pd.Series([owner["label_source"] for owner in owners], dtype=object),
    )
    return ImageSet(table, versions.images.class_names)


def _joined(made: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    parts = [part for part in (made, kept) if len(part)] or [kept]
    return pd.concat(parts, ignore_index=True)


def _boxes_of(
    images: ImageSet, detections: FusedDetections | None, sending: Prepared
) -> dict[str, FloatArray]:
    """Return the corners of what was seen in each image, shape (n, 4), by image_id."""
    if detections is None or not isinstance(sending, SendCrops):
        return {}
    known = detections.of_images(images.ids)
    sure = known.take(known.confidence >= sending.conf_thres)
    rows = pd.Series(np.arange(len(sure))).groupby(sure.image_id)
    return {str(image_id): sure.xyxy[at.to_numpy()] for image_id, at in rows}


def _make(
    folder: Path, sending: Prepared, seen: dict[str, FloatArray], captured: _Row
) -> list[tuple[_Row, _Row]] | str:
    """Write the pieces of one image; return each with its origin, or why there is none."""
    boxes = seen.get(captured["image_id"], np.zeros((0, 4)))
    data = Path(captured["uri"]).read_bytes()
    try:
        pieces = pieces_of(data, boxes, sending)
    except Exception as error:  # whatever a decoder raises where it meets broken data
        return f"it cannot be decoded and encoded again ({type(error).__name__})"
    return [_written(folder, captured, piece, sending) for piece in pieces]


def _written(
    folder: Path, captured: _Row, piece: Piece, sending: Prepared
) -> tuple[_Row, _Row]:
    """Write a piece, under an id of its source and content: two images may have equal parts."""
    content = hashlib.sha256(piece.data).hexdigest()
    corners = dict(zip(XYXY, piece.region, strict=True))
    name = f"{captured['image_id']} {piece.region} {content}"
    image_id = hashlib.sha256(name.encode()).hexdigest()[:ID_DIGITS]
    path = folder / f"{image_id}{SUFFIX[sending.format]}"
    path.write_bytes(piece.data)
    width, height = piece.size_px
    group = captured["group"]
    if not isinstance(group, str) and isinstance(sending, SendCrops):
        group = captured["image_id"]  # the crops of one image are in one split
    row = {
        "image_id": image_id,
        "uri": str(path),
        "width": width,
        "height": height,
        "size_bytes": len(piece.data),
        "group": group,
        "labels": None,
        "label_source": None,
        "copy_of": None,
    }
    origin = {"image_id": image_id, "source_id": captured["image_id"], "kind": sending.kind}
    return row, origin | corners


def _labels_of(captured: _Row, region: FloatArray, min_visibility: float) -> Labels | None:
    labels, size = captured["labels"], (captured["width"], captured["height"])
    if not isinstance(labels, Labels) or np.array_equal(region, [0, 0, *size]):
        return labels if isinstance(labels, Labels) else None
    return labels_inside(labels, region, size, min_visibility)
