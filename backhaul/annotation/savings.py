"""What the boxes of a model save its annotators, round by round, by a simulated one.

Of each round that a run has played, the images that were sent are labelled twice: beginning
with what the model saw in them before the round, and with nothing. Labels that the run got are
taken for the truth.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backhaul.annotation.annotator import Annotator, Answer, annotate
from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.errors import InputError
from backhaul.layout import RunFiles, seed_in_name
from backhaul.randomness import generator
from backhaul.storage.objects import read_value
from backhaul.values.detections import XYXY
from backhaul.values.images import ImageSet, concat
from backhaul.values.labels import Labels
from backhaul.values.splits import Splits

SAVINGS_COLUMNS = (
    *("seed", "method", "batch", "images", "objects", "shown", "accepted"),
    *("accepted_of_shown", "accepted_of_objects", "seconds", "seconds_from_nothing", "saved"),
)
"""Columns of the table of savings.

``shown`` counts the model's boxes, ``accepted`` those that the annotator left as they were;
``accepted_of_objects`` is the share of objects that needed no other work. ``saved`` is the part
of ``seconds_from_nothing`` that was not needed; it is negative where boxes were a hindrance.
"""


def savings_table(
    files: RunFiles, annotator: Annotator, min_confidence: float, seed: int
) -> pd.DataFrame:
    """Return a row for each round of a run in which something was sent: `SAVINGS_COLUMNS`.

    Args:
        files: Where the files of the run lie.
        annotator: How the annotator works.
        min_confidence: Boxes with less are not shown.
        seed: Seed of the annotator's errors.

    Raises:
        InputError: If images were sent otherwise than as they were captured.
        MissingObjectError: If a table is gone from the store.
    """
    records = RunRecords(files)
    class_names = records.beginning.class_names
    rows = [
        _row(record, class_names, annotator, min_confidence, seed)
        for record in records.rounds
        if record.sent is not None and record.sent.n_images
    ]
    table = pd.DataFrame(rows, columns=list(SAVINGS_COLUMNS[1:]))
    table.insert(0, "seed", seed_in_name(files.name) or 0)
    return table


def _row(
    record: RoundRecord,
    class_names: tuple[str, ...],
    annotator: Annotator,
    min_confidence: float,
    seed: int,
) -> tuple[object, ...]:
    labelled = _labelled(record)
    shown_in = _shown(record, labelled, class_names, min_confidence)
    helped, alone = list[Answer](), list[Answer]()
    n_objects = n_shown = 0
    truths = zip(labelled.ids, labelled.table["labels"], strict=True)
    for image_id, truth in truths:
        shown = shown_in[image_id]
        n_objects, n_shown = n_objects + len(truth), n_shown + len(shown)
        for begun, answers in ((shown, helped), (None, alone)):
            rng = generator(seed, "annotator", image_id)
            answers.append(annotate(truth, begun, annotator, len(class_names), rng))
    accepted = sum(each.n_accepted for each in helped)
    seconds, without = (sum(each.seconds for each in some) for some in (helped, alone))
    return (
        *(record.method, record.batch, len(labelled), n_objects, n_shown, accepted),
        accepted / n_shown if n_shown else float("nan"),
        accepted / n_objects if n_objects else float("nan"),
        *(seconds, without, 1 - seconds / without if without else float("nan")),
    )


def _labelled(record: RoundRecord) -> ImageSet:
    """Return the images that were sent, with their labels."""
    assert record.new is not None  # noqa: S101 - asked for before
    splits = read_value(Splits, record.new)
    return concat([splits.train, splits.valid, splits.test]).labelled()


def _shown(
    record: RoundRecord,
    labelled: ImageSet,
    class_names: tuple[str, ...],
    min_confidence: float,
) -> dict[str, Labels]:
    """Return the boxes that the model saw in images before the round, by image_id."""
    assert record.benchmark is not None  # noqa: S101 - asked for before
    assert record.images is not None  # noqa: S101 - a round of a batch has them
    if not set(labelled.ids) <= set(read_value(ImageSet, record.images).ids):
        raise InputError(
            f"{record.prefix}: its images were sent as crops or encoded anew; expected "
            "originals, as what the model saw is of those"
        )
    table = read_value(pd.DataFrame, record.benchmark)
    seen = table[table["detected"].notna() & (table["conf"] >= min_confidence)]
    ids = {name: number for number, name in enumerate(class_names)}
    of_image = dict(iter(seen.groupby("image_id")))
    sizes = labelled.table[["image_id", "width", "height"]].itertuples(index=False)
    return {
        image_id: _boxes(of_image.get(image_id, seen.iloc[:0]), ids, (width, height))
        for image_id, width, height in sizes
    }


def _boxes(rows: pd.DataFrame, ids: dict[str, int], size: tuple[int, int]) -> Labels:
    xyxy = np.clip(rows[list(XYXY)].to_numpy(dtype=np.float64), 0.0, [*size, *size])
    class_id = np.array([ids[name] for name in rows["detected"]], dtype=np.int64)
    return Labels.from_xyxy(class_id, xyxy, *size)
