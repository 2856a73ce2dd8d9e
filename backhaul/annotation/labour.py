"""What labels cost, and what was changed: a table of images, and one of rounds."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from backhaul.campaign.labelled import Edits, LabelledRound

EDITS = ("accepted", "moved", "reclassified", "added", "removed")
LABOUR_COLUMNS = (
    *("method", "batch", "image_id", "node", "name", "source", "annotator", "state"),
    *("boxes", "seconds", *EDITS, "mean_iou", "agreement"),
)
"""Columns of the table of images.

``seconds`` are those of all annotators of the image. The counts of edits, and ``mean_iou``, are
missing where no boxes were shown; ``agreement`` where one annotator alone labelled the image.
"""
COST_COLUMNS = (
    *("method", "batch", "images", "boxes", "timed", "seconds", "seconds_per_box"),
    *("shown", *EDITS, "accepted_share", "agreement"),
)
"""Columns of the table of rounds.

``timed`` counts the images of which the seconds are known, ``seconds`` is their sum, and
``seconds_per_box`` is of them alone. ``shown`` counts the boxes that annotators began with,
``accepted_share`` is accepted / shown. ``agreement`` is the mean over images.
"""


def labour_table(rounds: Iterable[LabelledRound]) -> pd.DataFrame:
    """Return a row for each image whose labels were taken from somewhere: `LABOUR_COLUMNS`."""
    rows = [
        (
            *(record.method, record.batch, each.image_id, each.node, each.name),
            *(each.source, each.annotator, each.state, each.n_boxes, each.seconds),
            *_cells(each.edits),
            each.agreement,
        )
        for record in rounds
        for each in record.images
    ]
    counts = dict.fromkeys(("batch", "boxes", *EDITS), "Int64")
    numbers = dict.fromkeys(("seconds", "mean_iou", "agreement"), "float64")
    return pd.DataFrame(rows, columns=list(LABOUR_COLUMNS)).astype(counts | numbers)


def _cells(edits: Edits | None) -> tuple[object, ...]:
    if edits is None:
        return (None,) * (len(EDITS) + 1)
    return (*(getattr(edits, name) for name in EDITS), edits.mean_iou)


def cost_table(labour: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each round, by method and batch: `COST_COLUMNS`.

    Args:
        labour: What `labour_table` returns.
    """
    rows = [
        _cost(str(method), batch, images)
        for (method, batch), images in labour.groupby(["method", "batch"], dropna=False)
    ]
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))


def _cost(method: str, batch: object, images: pd.DataFrame) -> dict[str, object]:
    timed = images[images["seconds"].notna()]
    seconds, boxes = float(timed["seconds"].sum()), int(timed["boxes"].sum())
    counts = {name: int(images[name].sum()) for name in EDITS}
    shown = sum(counts.values()) - counts["added"]
    return {
        "method": method,
        "batch": batch,
        "images": len(images),
        "boxes": int(images["boxes"].sum()),
        "timed": len(timed),
        "seconds": seconds,
        "seconds_per_box": seconds / boxes if boxes else float("nan"),
        "shown": shown,
        **counts,
        "accepted_share": counts["accepted"] / shown if shown else float("nan"),
        "agreement": float(images["agreement"].mean()),
    }
