"""What home is told of a frame, beside its picture."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.node.frame import Frame
from backhaul.node.sight import Sight
from backhaul.node.standing import Seen
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features

SCHEMA = 1
_DIGITS = 4


def sidecar_of(name: str, frame: Frame, sight: Sight, recipe: str) -> dict[str, Any]:
    """Return the sidecar of a frame.

    Args:
        name: What the source calls the frame.
        frame: The frame.
        sight: What was seen in it.
        recipe: In what form it is sent.
    """
    found = sight.found
    return {
        "schema": SCHEMA,
        "frame_id": name,
        "digest": frame.digest,
        "captured_s": frame.captured_s,
        "number": frame.number,
        "size_bytes": frame.size_bytes,
        "width": sight.width,
        "height": sight.height,
        "recipe": recipe,
        "model": frame.model,
        "policy": frame.policy,
        "window": frame.window,
        "why": frame.why,
        "value": round(frame.value, _DIGITS + 2),
        "probability": frame.probability,
        "detections": [_detection(found, row) for row in range(len(found))],
        "descriptor": packed(sight.descriptor),
        "features": None if sight.features is None else packed(sight.features),
    }


def seen_of(sidecar: dict[str, Any], digest: str) -> Seen:
    """Return what was seen in a frame, as its sidecar has it.

    Raises:
        ValueError: If something of it is missing or wrong.
    """
    try:
        rows = sidecar["detections"]
        features = sidecar["features"]
        return Seen(
            found=_found(rows, digest, features),
            descriptor=unpacked(sidecar["descriptor"]),
            features=None if features is None else unpacked(features),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"sidecar: {error}") from None


def packed(vector: Float32Array) -> str:
    """Return a vector in half precision as text (base64), two bytes a value."""
    limited = np.clip(vector, np.finfo(np.float16).min, np.finfo(np.float16).max)
    return base64.b64encode(limited.astype("<f2").tobytes()).decode()


def unpacked(text: str) -> Float32Array:
    """Return the vector of a text that `packed` made.

    Raises:
        ValueError: If it is none.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)


def _detection(found: FusedDetections, row: int) -> dict[str, Any]:
    return {
        "class_id": int(found.class_id[row]),
        "confidence": round(float(found.confidence[row]), _DIGITS),
        "xyxy": [round(value, 1) for value in found.xyxy[row].tolist()],
        "confidence_std": round(float(found.confidence_std[row]), _DIGITS),
        "votes": int(found.votes[row]),
        "box_spread": round(float(found.box_spread[row]), 2),
        **_optional(found, row),
    }


_OPTIONAL = ("mutual_information", "pairwise_iou", "vote_fraction")


def _optional(found: FusedDetections, row: int) -> dict[str, Any]:
    columns = {name: getattr(found, name) for name in _OPTIONAL}
    known: dict[str, Any] = {
        name: None if np.isnan(column[row]) else round(float(column[row]), _DIGITS)
        for name, column in columns.items()
        if column is not None
    }
    if found.scores is not None:
        known["scores"] = [round(value, _DIGITS) for value in found.scores[row].tolist()]
    return known


def _found(rows: list[dict[str, Any]], digest: str, features: str | None) -> FusedDetections:
    def column(name: str, default: float = np.nan) -> Any:
        values = [row.get(name) for row in rows]
        return np.array([default if v is None else v for v in values], dtype=np.float64)

    scores = [row["scores"] for row in rows if "scores" in row]
    optional = {
        name: column(name) if rows and all(name in row for row in rows) else None
        for name in _OPTIONAL
    }
    return FusedDetections(
        image_id=names_of([digest] * len(rows)),
        class_id=np.array([row["class_id"] for row in rows], dtype=np.int64),
        confidence=column("confidence", 0.0),
        xyxy=np.array([row["xyxy"] for row in rows], dtype=np.float64).reshape(-1, 4),
        confidence_std=column("confidence_std", 0.0),
        votes=np.array([row["votes"] for row in rows], dtype=np.int64),
        box_spread=column("box_spread", 0.0),
        scores=np.array(scores) if rows and len(scores) == len(rows) else None,
        features=None
        if features is None
        else Features(names_of([digest]), unpacked(features)[None]),
        **optional,
    )
