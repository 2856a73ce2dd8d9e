"""Choose what the node sends home."""

from __future__ import annotations

import numpy as np
from prefect import get_run_logger

from backhaul.sampling import Method
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.offers import Pool
from backhaul.values.results import Sent
from tasks.stage import Step, stage


@stage("sampling", random=True)
def select_images(
    images: Artifact,
    fused: Artifact,
    method: Method,
    bandwidth: Bandwidth,
    *,
    step: Step,
) -> Sent:
    """Spend the bandwidth of one batch."""
    arrived = read_value(ImageSet, images)
    pool = Pool(
        image_id=arrived.ids,
        size_bytes=arrived.table["size_bytes"].to_numpy(dtype=np.int64),
        detections=read_value(FusedDetections, fused),
        files=tuple(arrived.table["uri"]),
    )
    rng = step.rng("sampling", method.label)
    selection = method.select(pool, bandwidth, rng=rng)
    sent_bytes = int(selection.table["size_bytes"].sum())
    get_run_logger().info(
        "sent %d of %d images, %d of %d bytes",
        len(selection),
        len(pool),
        sent_bytes,
        pool.size_bytes.sum(),
    )
    return Sent(
        selection=write_value(step.root, selection),
        chosen=write_value(step.root, arrived.take(selection.table["image_id"])),
        n_images=len(selection),
        n_bytes=sent_bytes,
        pool_images=len(pool),
        pool_bytes=int(pool.size_bytes.sum()),
    )
