"""Thumbnails with the boxes that the ensemble detected, each thumbnail stored once."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backhaul.campaign.run import SampledBatch
from backhaul.report.shrinking import Fetch, read_picture, shrink

THUMBNAIL_PX = 240
PER_SIDE = 4  # pictures sent and not sent, of one method and batch
MAX_PICTURES = 240  # of the page
MAX_BOXES = 40  # of one picture
SIDE_PX = 96  # of thumbnails on contact sheets
SHEET_BYTES = 600_000  # of all that are there alone
ALBUM_BYTES = 2_300_000  # keeps the page, with plotly.js, below 8 MB


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture, and the size of the image it was made of."""

    key: str
    width: int
    height: int
    uri: str


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the image; `kind` is hit, miss, unknown or missed."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a batch: its thumbnail, None if there is none, and its boxes."""

    file: str
    name: str
    reason: str
    thumbnail: Thumbnail | None
    boxes: tuple[Box, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class RoundPictures:
    """Some images that one method sent of a batch, and some that it did not."""

    batch: int
    n_sent: int
    n_pool: int
    sent: tuple[Picture, ...]
    kept: tuple[Picture, ...]


@dataclass
class Album:
    """Thumbnails by path, up to `limit_bytes` in all.

    Args:
        folder: Where relative paths start.
        fetch: Reads images in object stores; None = there are no thumbnails of them.
        limit_bytes: Most bytes of all of them together.
        side_px: Longest side of each.
        key: Names them on the page, with a number.
        thumbnails: Those made so far.
    """

    folder: Path
    fetch: Fetch | None = None
    limit_bytes: int = ALBUM_BYTES
    side_px: int = THUMBNAIL_PX
    key: str = "picture"
    thumbnails: dict[str, Thumbnail | None] = field(default_factory=dict)

    def thumbnail(self, file: str) -> Thumbnail | None:
        """Return a file's thumbnail; None if the file is gone or broken, or the album full."""
        if file not in self.thumbnails:
            found = None
            content = None
            if self.limit_bytes > 0:
                content = read_picture(file, self.folder, self.fetch)
            if content is not None:
                key = f"{self.key}-{len(self.thumbnails)}"
                found = _thumbnail(content, key, self.side_px)
            self.limit_bytes -= len(found.uri) if found else 0
            self.thumbnails[file] = found
        return self.thumbnails[file]

    def used(self) -> list[Thumbnail]:
        """Return the thumbnails made so far."""
        return [thumbnail for thumbnail in self.thumbnails.values() if thumbnail]


def _thumbnail(content: bytes, key: str, side_px: int) -> Thumbnail | None:
    small = shrink(content, side_px)
    if small is None:
        return None
    data = base64.b64encode(small.jpeg).decode("ascii")
    return Thumbnail(key, small.width, small.height, f"data:image/jpeg;base64,{data}")


def per_side(n_rounds: int) -> int:
    """Return how many pictures each side of a round may show, 1 to 4."""
    return int(np.clip(MAX_PICTURES // (2 * max(n_rounds, 1)), 1, PER_SIDE))


def shown_rounds(rounds: Iterable[SampledBatch]) -> list[SampledBatch]:
    """Return the rounds that have room on the page: the last batches of each method."""
    ordered = list(rounds)
    n_methods = max(len({r.method for r in ordered}), 1)
    room = max(MAX_PICTURES // (2 * n_methods), 1)
    batches = sorted({r.batch for r in ordered})[-room:]
    return [r for r in ordered if r.batch in batches]


def round_pictures(played: SampledBatch, album: Album, count: int) -> RoundPictures:
    """Return the first images drawn, and as many spread evenly over those not sent.

    Args:
        played: One batch of one method.
        album: Collects the thumbnails.
        count: How many images of each kind to return.
    """
    sent = set(played.sent)
    kept = [file for file in played.pool if file not in sent]
    spread = np.unique(np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int))
    by_file = dict(iter(played.seen.groupby("file")))
    empty = played.seen.iloc[:0]

    def picture(file: str) -> Picture:
        rows = by_file.get(file, empty)
        boxes = boxes_of(rows)
        return Picture(
            file=file,
            name=file.replace("\\", "/").rsplit("/", 1)[-1],
            reason=played.reasons.get(file, ""),
            thumbnail=album.thumbnail(file),
            boxes=boxes,
            left_out=len(rows) - len(boxes),
        )

    return RoundPictures(
        batch=played.batch,
        n_sent=len(played.sent),
        n_pool=len(played.pool),
        sent=tuple(picture(file) for file in played.sent[:count]),
        kept=tuple(picture(kept[i]) for i in spread),
    )


def boxes_of(rows: pd.DataFrame) -> tuple[Box, ...]:
    """Return the most confident boxes of one image, at most 40, the least confident first."""
    drawn = rows.dropna(subset=["x1", "y1", "x2", "y2"])
    top = drawn.sort_values("conf", ascending=False, kind="stable", na_position="last")
    return tuple(_box(row) for row in reversed(top.head(MAX_BOXES).to_dict("records")))


def _box(row: dict[Any, Any]) -> Box:
    detected, actual = row["detected"], row["actual"]
    if detected is None:
        kind, label, title = "missed", "", f"missed {actual}"
    else:
        kind = {True: "hit", False: "miss"}.get(row["hit"], "unknown")
        label = f"{row['conf']:.2f}"
        truth = {"hit": "", "unknown": ""}.get(kind, f", actual: {actual or 'nothing'}")
        spread = f" ± {row['conf_std']:.2f}" if np.isfinite(row["conf_std"]) else ""
        title = f"{detected} {label}{spread}{truth}"
    return Box(
        x=round(row["x1"], 1),
        y=round(row["y1"], 1),
        width=round(max(row["x2"] - row["x1"], 0.0), 1),
        height=round(max(row["y2"] - row["y1"], 0.0), 1),
        kind=kind,
        label=label,
        title=title,
    )
