"""Stage that reckons what arrives when, of what was sent and of the new model."""

from __future__ import annotations

import numpy as np
from prefect import get_run_logger

from backhaul.data.nodes import rows_by_node
from backhaul.link.exchange import Carried, exchange
from backhaul.link.settings import Link
from backhaul.link.state import LinkState
from backhaul.storage.objects import read_bytes, read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import ALL_NODES
from backhaul.values.columns import names_of
from backhaul.values.images import ImageSet
from backhaul.values.results import Offered
from tasks.offers import versions_of
from tasks.stage import Step, stage


@stage("transfer", random=True)
def transfer(
    chosen: Artifact | Offered,
    model: Artifact | None,
    link: Link,
    before: LinkState,
    names: tuple[str, ...] = (ALL_NODES,),
    nodes: Artifact | None = None,
    *,
    step: Step,
) -> Carried:
    """Store when each image of a round arrived, and return what went over the link.

    Which packets are lost depends on seed and batch, and not on the method.

    Args:
        chosen: What was sent, in that order (`ImageSet`), and how, if not as it was captured.
        model: The new model, whose size counts unless the link says one; None = there is none.
        link: The link of each node.
        before: Where the links stand.
        names: The nodes of the batch.
        nodes: Table that says which node each image is from; None = the images do.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    captured = chosen.captured if isinstance(chosen, Offered) else chosen
    images = read_value(ImageSet, captured)
    sizes = images.table["size_bytes"].to_numpy(dtype=np.int64)
    if isinstance(chosen, Offered):
        sizes = versions_of(chosen).offers(images).size_bytes
    rows = rows_by_node(images, names, nodes)
    model_bytes = None if model is None else link.model_bytes or len(read_bytes(model))
    went = exchange(
        link,
        before,
        {name: sizes[own] for name, own in rows.items()},
        model_bytes,
        rng=step.rng("transfer"),
    )
    ids = names_of(images.ids)
    table = went.table({name: ids[own] for name, own in rows.items()})
    carried = went.carried(write_value(step.root, table))
    get_run_logger().info(
        "%d bytes on the wire in %.0f s, %d images late, model %d bytes",
        carried.wire_bytes,
        carried.link_busy_s,
        carried.images_late,
        carried.model_bytes,
    )
    return carried
