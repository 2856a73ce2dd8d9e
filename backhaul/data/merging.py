"""Several data sets as one whose classes are those of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels


def merge(sets: Mapping[str, ImageSet]) -> ImageSet:
    """Return the labelled images of all sets, with the classes of one set after the other.

    A class ``car`` of the set ``lot`` becomes ``lot car``, and a group stays one of its set. An
    image that is in several sets is taken from the first, since its objects are labelled for
    that one's classes alone.

    Args:
        sets: Data sets by name, at least one.
    """
    names: list[str] = []
    tables = []
    for name, images in sets.items():
        table = images.labelled().table
        groups = [None if pd.isna(each) else f"{name}/{each}" for each in table["group"]]
        labels: list[Any] = [_moved(each, len(names)) for each in table["labels"].tolist()]
        own = pd.Series(groups, index=table.index, dtype=object)  # in which None stays None
        tables.append(table.assign(labels=labels, group=own))
        names += [f"{name} {each}" for each in images.class_names]
    table = pd.concat([each for each in tables if len(each)] or tables[:1], ignore_index=True)
    return ImageSet(table.drop_duplicates("image_id", ignore_index=True), tuple(names))


def _moved(labels: Labels, by: int) -> Labels:
    return replace(labels, class_id=labels.class_id + np.int64(by))
