"""What all methods of a campaign share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from backhaul.artifacts import Artifact
from backhaul.detector.checkpoint import Checkpoint


class Setting(BaseModel):
    """The play that all methods are put through.

    Args:
        dataset: All images with the labels of the data set.
        batches: The batches, in order, without labels.
        common: The test set on which methods are ranked.
        old_test: The initial test set.
        start: Checkpoints in place of an initial training, oldest first; empty = it is trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Artifact
    batches: tuple[Artifact, ...]
    common: Artifact
    old_test: Artifact
    start: tuple[Checkpoint, ...] = ()
