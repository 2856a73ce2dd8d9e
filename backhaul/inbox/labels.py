"""Read the labels that annotators put into the store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.report import Problem
from backhaul.data.formats.yolo import parse_lines
from backhaul.data.images import ImageFile
from backhaul.inbox.files import images_of, label_file
from backhaul.storage.conditional import read_bounded
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.untrusted import MOST_BYTES, UnreadableFileError, text_of, understanding
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

LOG = logging.getLogger(__name__)

NONE_TOLD: Mapping[str, str] = {}
_FILE = ["uri", "image_id", "width", "height", "size_bytes"]


def read_truth(
    labels: str,
    table: pd.DataFrame,
    class_names: tuple[str, ...],
    source: str = "labels",
    sources: Mapping[str, str] = NONE_TOLD,
) -> ImageSet:
    """Return images with the labels that annotators put into the store, None where missing.

    Label files with a wrong line count as missing until they are corrected: only a method that
    has sent the image waits for them. Errors are logged.

    Args:
        labels: The folder of labels.
        table: The images, with columns ``LOG_COLUMNS``; no others are looked up.
        class_names: The class list.
        source: What the images are to say of where their labels came from.
        sources: What those say whose labels are known to come from elsewhere, by image_id.

    Raises:
        StoreError: If the store cannot be used.
    """
    files = [ImageFile(*row) for row in table[_FILE].itertuples(index=False)]
    names = zip(table["node"], table["name"], strict=True)
    uris = [f"{labels}/{label_file(node, name)}" for node, name in names]

    def read(file: ImageFile, uri: str) -> Checked:
        return read_labels(uri, file, len(class_names))

    with ThreadPoolExecutor(TRANSFERS) as threads:
        found = list(threads.map(read, files, uris))
    boxes = [_if_right(uri, *labels_of) for uri, labels_of in zip(uris, found, strict=True)]
    images = images_of(table, class_names)
    told = [
        None if found is None else sources.get(image_id, source)
        for image_id, found in zip(images.ids, boxes, strict=True)
    ]
    known = images.table.assign(
        labels=pd.Series(boxes, dtype=object), label_source=pd.Series(told, dtype=object)
    )
    return ImageSet(known, class_names)


def read_labels(uri: str, image: ImageFile, n_classes: int) -> Checked:
    """Return the labels in the file of one image, None without one, and its problems."""
    try:
        data = read_bounded(uri, MOST_BYTES)
        if data is None:
            return None, []
        with understanding(uri):
            return parse_lines(text_of(uri, data), uri, image, n_classes)
    except UnreadableFileError as error:
        return None, [Problem(uri, None, error.reason, "error")]


def _if_right(uri: str, boxes: Labels | None, problems: Sequence[Problem]) -> Labels | None:
    """Return the labels of an image; None, with a log message, if a line is wrong."""
    for problem in problems:
        LOG.warning("%s", problem)
    if any(problem.severity == "error" for problem in problems):
        LOG.warning("%s: counts as not labelled until mended", uri)
        return None
    return boxes
