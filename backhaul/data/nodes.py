"""Which node an image is from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from backhaul.arrays import IntArray, NameArray
from backhaul.data.streams.names import node_name
from backhaul.storage.objects import read_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import ALL_NODES
from backhaul.values.columns import names_of
from backhaul.values.images import ImageSet


def nodes_of(images: ImageSet, told: Artifact | None) -> NameArray:
    """Return the name of the node of each image, shape (n,).

    Frames of a stream say it in their names; of other images it is their group, and what has
    none is of one node without a name.

    Args:
        images: The images.
        told: Table of image_id and node, of images that an inbox got from nodes; None = their
            names and groups say it.
    """
    if told is not None:
        table = read_value(pd.DataFrame, told)
        known = dict(zip(table["image_id"], table["node"], strict=True))
        return names_of(known[image_id] for image_id in images.ids)
    pairs = zip(images.table["uri"], images.table["group"], strict=True)
    return names_of(
        node_name(uri) or (ALL_NODES if pd.isna(group) else group) for uri, group in pairs
    )


def rows_by_node(
    images: ImageSet, names: Sequence[str], told: Artifact | None
) -> dict[str, IntArray]:
    """Return the rows of each node's images, by its name.

    Args:
        images: The images.
        names: Names of the nodes; `ALL_NODES` alone is all of them together.
        told: See `nodes_of`.
    """
    if tuple(names) == (ALL_NODES,):
        return {ALL_NODES: np.arange(len(images))}
    node = nodes_of(images, told)
    return {name: np.flatnonzero(node == name) for name in names}
