"""Where the labels of a run came from: who gave them, how long it took, what was changed.

The labels themselves are files in the folder of labels, which is anybody's. A record a round
says of those that were taken from a labelling service, or from a file of an annotator's tool.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backhaul.campaign.recordfiles import RecordType
from backhaul.labellayout import labelled_folder, labelled_place
from backhaul.layout import RunFiles

State: TypeAlias = Literal["submitted", "approved"]
"""Approved: a reviewer said that the labels are right, or marked them as ground truth."""


class Edits(BaseModel):
    """What an annotator did to the boxes that a model saw.

    Args:
        accepted: Boxes that stayed as they were.
        moved: Boxes that got other corners, and kept their class.
        reclassified: Boxes that got another class, maybe other corners too.
        added: Objects that the model had overlooked.
        removed: Boxes without an object.
        mean_iou: Mean IoU of the boxes that stayed in any form with what became of them; None
            without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: int = 0
    moved: int = 0
    reclassified: int = 0
    added: int = 0
    removed: int = 0
    mean_iou: float | None = None

    @property
    def n_shown(self) -> int:
        """How many boxes the annotator was shown."""
        return self.accepted + self.moved + self.reclassified + self.removed


class LabelledImage(BaseModel):
    """Where the labels of one image came from.

    Args:
        image_id: The image.
        node: The node that sent it.
        name: The name that the node gave it.
        source: What the labels were taken from, as ``label-studio`` or ``cvat``.
        reference: What they are called there; empty if they have no name of their own.
        annotator: Who gave them; empty if nobody knows.
        state: What a reviewer said.
        changed: When they were changed last, as the source tells it; None if it does not.
        digest: SHA-256 of the file of labels as it was written.
        n_boxes: Objects in the image.
        seconds: How long the annotators took, all together; None if nobody knows.
        edits: What was done to the boxes of the model; None if none were shown.
        agreement: F1 of two annotators, see `backhaul.annotation.agreement`; None of one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    node: str
    name: str
    source: str
    reference: str = ""
    annotator: str = ""
    state: State = "submitted"
    changed: AwareDatetime | None = None
    digest: str = ""
    n_boxes: int = 0
    seconds: float | None = None
    edits: Edits | None = None
    agreement: float | None = None


class LabelledRound(BaseModel):
    """Where the labels of a round came from.

    Args:
        method: Label of the method that sent the images.
        batch: Number of the batch.
        images: Those of its images whose labels were taken from somewhere, by their ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    batch: int | None
    images: tuple[LabelledImage, ...] = ()

    def having(self, images: Iterable[LabelledImage]) -> LabelledRound:
        """Return the record with these images; one that it has already is replaced."""
        every = {each.image_id: each for each in (*self.images, *images)}
        ordered = tuple(every[image_id] for image_id in sorted(every))
        return self.model_copy(update={"images": ordered})

    def without(self, image_ids: Collection[str]) -> LabelledRound:
        """Return the record without these images."""
        kept = tuple(each for each in self.images if each.image_id not in image_ids)
        return self.model_copy(update={"images": kept})


LABELLED = RecordType("record of labels", LabelledRound)


def read_labelled(files: RunFiles) -> dict[str, LabelledRound]:
    """Return where labels of a run came from, by the prefix of their round."""
    return LABELLED.read_all(labelled_folder(files))


def sources_of(files: RunFiles, prefixes: Iterable[str]) -> Mapping[str, str]:
    """Return what the labels of images were taken from, by image, as far as it is known.

    Args:
        files: Where the files of the run lie.
        prefixes: Of the rounds that may have asked for labels of these images.
    """
    found = (LABELLED.read(labelled_place(files, prefix)) for prefix in prefixes)
    return {
        each.image_id: each.source
        for record in found
        if record is not None
        for each in record.images
    }
