"""What all methods of a campaign share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Arrangement, Timing


class Setting(BaseModel):
    """Batches, test sets and starting point that all methods of a campaign share.

    Args:
        dataset: All images with the labels of the data set.
        batches: The batches, in order, without labels.
        common: The test set on which methods are ranked.
        old_test: The initial test set.
        start: Checkpoints in place of an initial training, oldest first; empty = it is trained.
        crops: For each of the first batches a table of what it was cut out of; empty = it
            consists of whole images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Artifact
    batches: tuple[Artifact, ...]
    common: Artifact
    old_test: Artifact
    start: tuple[Checkpoint, ...] = ()
    crops: tuple[Artifact, ...] = ()

    def plays(self, bandwidth_of: Callable[[int], Bandwidth]) -> Iterator[Play]:
        """Yield the input of each batch, in order.

        Args:
            bandwidth_of: Returns what a batch may send; asked when it is the turn of the batch.
        """
        for number, images in enumerate(self.batches):
            yield Play(
                number=number,
                images=images,
                truth=self.dataset,
                following=next(iter(self.batches[number + 1 : number + 2]), None),
                common=self.common,
                old_test=self.old_test,
                bandwidth=bandwidth_of(number),
            )


class Play(BaseModel):
    """Input of one batch, the same for every method.

    Args:
        number: Number of the batch.
        images: The batch as it arrived (`ImageSet` without labels).
        truth: An `ImageSet` with labels of these images, as far as they are known.
        following: The batch after it, if it is there.
        common: The test set on which methods are ranked.
        old_test: The initial test set.
        bandwidth: What may be sent of it.
        seen: What the node saw in the batch (`FusedDetections`); None = our checkpoints look.
        label_files: A table of image_id, node, name, image and labels, the file that its labels
            are put into; None if nobody has to.
        nodes: A table of image_id and node; None = names and groups of the images say it.
        arrivals: The table of `Arrivals` of these images; None if the method needs none.
        told: A table of what the nodes told meanwhile (`backhaul.inbox.telling`), of the
            method's policy; None if the method needs none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    images: Artifact
    truth: Artifact
    following: Artifact | None
    common: Artifact
    old_test: Artifact
    bandwidth: Bandwidth
    seen: Artifact | None = None
    label_files: Artifact | None = None
    nodes: Artifact | None = None
    arrivals: Artifact | None = None
    told: Artifact | None = None


class Beginning(BaseModel):
    """How a run began.

    Args:
        started: When this start of it did, UTC.
        arrangement: How its data set is played.
        class_names: Names of the classes.
        timings: How long preparing took.
        blocks: The addresses of its config that name blocks, by which others find the keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    started: datetime
    arrangement: Arrangement
    class_names: tuple[str, ...]
    timings: tuple[Timing, ...] = ()
    blocks: tuple[str, ...] = ()
