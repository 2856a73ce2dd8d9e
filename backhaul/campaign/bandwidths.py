"""Bandwidth of each batch, fixed once per run, as an operator may change the link."""

from __future__ import annotations

from backhaul.campaign.recordfiles import RecordType
from backhaul.layout import RunFiles
from backhaul.storage.conditional import create
from backhaul.values.bandwidth import Bandwidth

BANDWIDTH = RecordType("bandwidth", Bandwidth)


def agreed_bandwidth(files: RunFiles, batch: int) -> Bandwidth | None:
    """Return the stored bandwidth of a batch; None if there is none yet."""
    return BANDWIDTH.read(files.bandwidth(batch))


def agree_on(files: RunFiles, batch: int, bandwidth: Bandwidth) -> Bandwidth:
    """Store `bandwidth` for a batch, unless another method has already stored one.

    So it is the same for all methods, and for one that waited for labels of what it has sent.

    Args:
        files: Where the files of the run lie.
        batch: Number of the batch.
        bandwidth: The limit to store if there is none yet.

    Returns:
        What all methods may send of the batch.
    """
    if create(files.bandwidth(batch), BANDWIDTH.encode(bandwidth, files.root)):
        return bandwidth
    return agreed_bandwidth(files, batch) or bandwidth
