"""Stage that chooses which images of a batch the node sends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from prefect import get_run_logger

from backhaul.data.nodes import rows_by_node
from backhaul.sampling import Method
from backhaul.sampling.nodes import select_by_node
from backhaul.storage.objects import read_value, write_value
from backhaul.values.arrivals import Arrivals
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth, NodeBandwidths
from backhaul.values.detections import VECTORS, FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import ImageSet
from backhaul.values.offers import Nearness, Offers, Pool, SentBefore
from backhaul.values.results import Offered, Sent
from backhaul.values.validation import Validation
from tasks.offers import offered_as, versions_of
from tasks.stage import Step, stage


@stage("sampling", random=True)
def select_images(  # noqa: PLR0913 - as many as a pool is made of
    images: Artifact | Offered,
    fused: Artifact,
    method: Method,
    bandwidth: Bandwidth | NodeBandwidths,
    sent_before: tuple[Artifact, ...] = (),
    sent_seen: tuple[Artifact, ...] = (),
    *,
    validation: Artifact | None = None,
    nearness: Artifact | None = None,
    arrivals: Artifact | None = None,
    step: Step,
) -> Sent:
    """Store the `Selection` of a batch within the bandwidth, and the images sent.

    Args:
        images: The batch (`ImageSet`), or how it would be sent, if not as it was captured.
        fused: Detections in it (`FusedDetections`).
        method: The sampling method.
        bandwidth: Most that may be sent, or that each node may send.
        sent_before: What the method sent of each earlier batch (`ImageSet`).
        sent_seen: Detections in those images, with the vectors that the method needs.
        validation: The table of a `Validation`, if the method needs it.
        nearness: A table of one `Nearness`, if the method needs it.
        arrivals: The table of `Arrivals`, if the method needs it.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    captured = images.captured if isinstance(images, Offered) else images
    versions = versions_of(images) if isinstance(images, Offered) else None
    arrived = read_value(ImageSet, captured)
    offers = _originals(arrived) if versions is None else versions.offers(arrived)
    overhead_bytes = 0 if isinstance(bandwidth, Bandwidth) else bandwidth.overhead_bytes
    pool = Pool(
        replace(offers, size_bytes=offers.size_bytes + overhead_bytes),
        read_value(FusedDetections, fused),
        _sent(sent_before, sent_seen),
        None if validation is None else Validation.from_table(_table(validation)),
        None if nearness is None else Nearness(*_table(nearness).iloc[0].tolist()),
        None if arrivals is None else Arrivals.from_table(_table(arrivals)),
    )
    rng = step.rng("sampling", method.label)
    if isinstance(bandwidth, Bandwidth):
        selection = method.select(pool, bandwidth, rng=rng)
    else:
        rows = rows_by_node(arrived, bandwidth.names, bandwidth.nodes)
        selection = select_by_node(method, pool, rows, bandwidth.limits, rng=rng)
    ids = selection.image_id.tolist()
    sent_bytes = int(selection.size_bytes.sum()) - overhead_bytes * len(ids)
    get_run_logger().info(
        "sent %d of %d images, %d of %d bytes",
        len(selection),
        len(pool),
        sent_bytes,
        offers.size_bytes.sum(),
    )
    chosen = write_value(step.root, arrived.take(ids))
    return Sent(
        selection=write_value(step.root, selection),
        chosen=chosen,
        n_images=len(selection),
        n_bytes=sent_bytes,
        pool_images=len(pool),
        pool_bytes=int(offers.size_bytes.sum()),
        versions=None if versions is None else offered_as(chosen, versions.of(ids), step.root),
    )


def _table(artifact: Artifact) -> pd.DataFrame:
    return read_value(pd.DataFrame, artifact)


def _originals(arrived: ImageSet) -> Offers:
    sizes = arrived.table["size_bytes"].to_numpy(dtype=np.int64)
    return Offers.originals(arrived.ids, sizes, tuple(arrived.table["uri"]))


def _sent(sent: tuple[Artifact, ...], seen: tuple[Artifact, ...]) -> SentBefore:
    ids = [image_id for each in sent for image_id in read_value(ImageSet, each).ids]
    parts = [read_value(FusedDetections, each).vectors() for each in seen]
    vectors = {
        name: Features.concat(part[name] for part in parts if name in part) for name in VECTORS
    }
    return SentBefore(tuple(ids), **vectors)
