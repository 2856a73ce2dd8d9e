"""Get the labels (ground truth) of sent images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from backhaul.code import UserCode
from backhaul.data.formats.yolo import parse_lines
from backhaul.data.images import ImageFile
from backhaul.errors import AwaitingLabelsError, InputError
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

N_NAMED = 3  # images that an error lists


def label_from_existing(sent: ImageSet, truth: ImageSet) -> ImageSet:
    """Return `sent` with the labels of images with equal content in the data set `truth`.

    Labels keep the source that `truth` gives, or are of the source "dataset".

    Raises:
        AwaitingLabelsError: If an image is not in `truth` or has no labels there.
    """
    labelled = label_where_known(sent, truth)
    _require_all(sent, list(labelled.table["labels"]))
    return labelled


def label_where_known(images: ImageSet, truth: ImageSet) -> ImageSet:
    """Return `images` with the labels of equal images in `truth`, None where it has none.

    Labels keep the source that `truth` gives, or are of the source "dataset".
    """
    known = truth.table.set_index("image_id")[["labels", "label_source"]]
    found = known.reindex(list(images.ids))
    labels = [boxes if isinstance(boxes, Labels) else None for boxes in found["labels"]]
    source = found["label_source"].where(found["label_source"].notna(), "dataset")
    known_source = [
        None if boxes is None else name for boxes, name in zip(labels, source, strict=True)
    ]
    return _with_labels(images, labels, known_source)


def label_by_function(sent: ImageSet, code: UserCode) -> ImageSet:
    """Return `sent` with the labels that a user's function gives.

    The function gets the path of an image and returns its boxes: `Labels`, an array of shape
    (n, 5) with class_id, cx, cy, w, h normalised to [0, 1], or Darknet lines
    "class_id cx cy w h".
    No box means that there is no object, None that there are no labels yet. The boxes follow
    the rules of label files, see `backhaul.data.formats.checks`.

    Raises:
        AwaitingLabelsError: If the function returns None for an image.
        InputError: If it returns anything else, or a box that breaks the rules.
    """
    function = code.load()
    files = _files(sent)
    with code.running():
        answers = [function(Path(image.path), **code.params) for image in files]
    labels = [
        _parse(answer, image, len(sent.class_names), f"{code.use}: {image.path}")
        for image, answer in zip(files, answers, strict=True)
    ]
    _require_all(sent, labels)
    return _with_labels(sent, labels, [code.use] * len(sent))


def _files(images: ImageSet) -> list[ImageFile]:
    columns = images.table[["uri", "image_id", "width", "height", "size_bytes"]]
    return [ImageFile(*row) for row in columns.itertuples(index=False)]


def _with_labels(sent: ImageSet, labels: list[Any], source: list[Any]) -> ImageSet:
    index = sent.table.index
    table = sent.table.assign(
        labels=pd.Series(labels, index=index, dtype=object),
        label_source=pd.Series(source, index=index, dtype=object),
    )
    return ImageSet(table, sent.class_names)


def _require_all(sent: ImageSet, labels: Sequence[Any]) -> None:
    missing = {
        image_id: uri
        for image_id, uri, boxes in zip(sent.ids, sent.table["uri"], labels, strict=True)
        if not isinstance(boxes, Labels)
    }
    if missing:
        named = ", ".join([*missing.values()][:N_NAMED])
        more = ", ..." if len(missing) > N_NAMED else ""
        raise AwaitingLabelsError(
            f"{len(missing)} of {len(sent)} images have no labels yet: {named}{more}",
            tuple(missing),
        )


def _parse(answer: Any, image: ImageFile, n_classes: int, where: str) -> Labels | None:
    if answer is None:
        return None
    if isinstance(answer, Labels):
        rows: Any = answer.rows()
    else:
        rows = answer.splitlines() if isinstance(answer, str) else answer
    try:
        lines = [
            row.strip() if isinstance(row, str) else " ".join(repr(float(v)) for v in row)
            for row in rows
        ]
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected boxes or Darknet lines, got {answer!r}") from None
    labels, problems = parse_lines("\n".join(lines), where, image, n_classes)
    if problems:
        raise InputError(str(problems[0]))
    return labels
