"""Stage that chooses which images of a batch the node sends."""

from __future__ import annotations

import numpy as np
from prefect import get_run_logger

from backhaul.sampling import Method
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import VECTORS, FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import ImageSet
from backhaul.values.offers import Offers, Pool, SentBefore
from backhaul.values.results import Sent
from tasks.stage import Step, stage


@stage("sampling", random=True)
def select_images(
    images: Artifact,
    fused: Artifact,
    method: Method,
    bandwidth: Bandwidth,
    sent_before: tuple[Artifact, ...] = (),
    sent_seen: tuple[Artifact, ...] = (),
    *,
    step: Step,
) -> Sent:
    """Store the `Selection` of a batch within the bandwidth, and the images sent.

    Args:
        images: The batch (`ImageSet`).
        fused: Detections in it (`FusedDetections`).
        method: The sampling method.
        bandwidth: Most that may be sent.
        sent_before: What the method sent of each earlier batch (`ImageSet`).
        sent_seen: Detections in those images, with the vectors that the method needs.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    arrived = read_value(ImageSet, images)
    sizes = arrived.table["size_bytes"].to_numpy(dtype=np.int64)
    pool = Pool(
        Offers.originals(arrived.ids, sizes, tuple(arrived.table["uri"])),
        read_value(FusedDetections, fused),
        _sent(sent_before, sent_seen),
    )
    rng = step.rng("sampling", method.label)
    selection = method.select(pool, bandwidth, rng=rng)
    sent_bytes = int(selection.size_bytes.sum())
    get_run_logger().info(
        "sent %d of %d images, %d of %d bytes",
        len(selection),
        len(pool),
        sent_bytes,
        pool.size_bytes.sum(),
    )
    return Sent(
        selection=write_value(step.root, selection),
        chosen=write_value(step.root, arrived.take(selection.image_id.tolist())),
        n_images=len(selection),
        n_bytes=sent_bytes,
        pool_images=len(pool),
        pool_bytes=int(pool.size_bytes.sum()),
    )


def _sent(sent: tuple[Artifact, ...], seen: tuple[Artifact, ...]) -> SentBefore:
    ids = [image_id for each in sent for image_id in read_value(ImageSet, each).ids]
    parts = [read_value(FusedDetections, each).vectors() for each in seen]
    vectors = {
        name: Features.concat(part[name] for part in parts if name in part) for name in VECTORS
    }
    return SentBefore(tuple(ids), **vectors)
