"""Predictions made up for tests, and the files in which programs have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from backhaul.data.images import probe
from backhaul.storage.parquet import to_parquet
from backhaul.values.columns import names_of
from backhaul.values.detections import Detections

SIDE_PX = 64


class Predicted(NamedTuple):
    """A box, its class, and how sure the detector is."""

    class_id: int
    confidence: float
    xyxy: tuple[float, float, float, float]


Seen: TypeAlias = Mapping[str, Sequence[Predicted]]
"""The predictions in each image, by its name without suffix."""


def write_frames(folder: Path, names: Sequence[str]) -> Path:
    """Write images that differ, of `SIDE_PX` pixels a side."""
    rng = np.random.default_rng(5)
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        image = Image.fromarray(colours).resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)
        image.save(path)
    return folder


def write_coco(path: Path, seen: Seen, ids: Mapping[str, int] | None = None) -> Path:
    """Write COCO results, by ids of a COCO file or by names."""
    results = [
        {
            "image_id": name if ids is None else ids[name],
            "category_id": class_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": confidence,
        }
        for name, boxes in seen.items()
        for class_id, confidence, (x1, y1, x2, y2) in boxes
    ]
    path.write_text(json.dumps(results))
    return path


def write_texts(folder: Path, seen: Seen) -> Path:
    """Write texts as Ultralytics does, none of an image without a box; in full precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, boxes in seen.items():
        lines = []
        for class_id, confidence, (x1, y1, x2, y2) in boxes:
            sides = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            numbers = [side / SIDE_PX for side in sides] + [confidence]
            lines.append(f"{class_id} {' '.join(map(repr, numbers))}\n")
        if lines:
            (folder / f"{name}.txt").write_text("".join(lines))
    return folder


def write_sidecars(folder: Path, seen: Seen) -> Path:
    """Write JSON as nodes do, a file an image, by numbers of classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, boxes in seen.items():
        rows = [
            {"class_id": box.class_id, "confidence": box.confidence, "xyxy": box.xyxy}
            for box in boxes
        ]
        (folder / f"{name}.detections.json").write_text(json.dumps(rows))
    return folder


def detections_of(frames: Path, seen: Seen) -> Detections:
    """Return the predictions as those of one checkpoint."""
    rows = [(name, box) for name, boxes in seen.items() for box in boxes]
    ids = {name: probe((frames / f"{name}.png").as_posix()).image_id for name in seen}
    return Detections(
        image_id=names_of(ids[name] for name, _ in rows),
        epoch=np.ones(len(rows), dtype=np.int64),
        class_id=np.array([box.class_id for _, box in rows], dtype=np.int64),
        confidence=np.array([box.confidence for _, box in rows], dtype=np.float64),
        xyxy=np.array([box.xyxy for _, box in rows], dtype=np.float64).reshape(-1, 4),
    )


def write_parquet(path: Path, frames: Path, seen: Seen) -> Path:
    """Write a table of detections by epoch, images by their ids."""
    path.write_bytes(to_parquet(detections_of(frames, seen)))
    return path
