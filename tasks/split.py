"""Share images out: initial set, batches, and the splits of what was labelled."""

from __future__ import annotations

from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.artifacts import Artifact
from backhaul.config import Batches, InitialSet, Labelling, SplitFractions
from backhaul.split import batches, draw_initial, placement, split
from backhaul.types import ImageSet, Splits
from tasks.stages import Step, stage
from tasks.store import read_value, write_value


class Arrangement(BaseModel):
    """How a data set is played: an initial set, then batches as they come from the edge.

    All are `ImageSet`; only the initial set has labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial: Artifact
    batches: tuple[Artifact, ...]
    holdout: Artifact
    leftover: Artifact
    sizes: dict[str, int]


@stage("batches", random=True)
def arrange(
    images: Artifact,
    initial: InitialSet,
    arriving: Batches,
    labelling: Labelling,
    *,
    step: Step,
) -> Arrangement:
    """Store the initial set, the held-out images and every batch.

    Images without labels can only be played if a function labels them.
    """
    everything = read_value(ImageSet, images)
    playable = everything if labelling.source != "existing" else everything.labelled()
    if len(playable) < len(everything):
        left_out = len(everything) - len(playable)
        get_run_logger().warning("%d images without labels are left out", left_out)
    first, pool = draw_initial(playable, initial.images or len(playable), step.rng("initial"))
    parts = batches(pool, arriving, step.rng("batches"))
    sizes = {
        "images": len(everything),
        "initial": len(first),
        "pool": len(pool),
        "holdout": len(parts.holdout),
        "batches": len(parts.numbered),
        "leftover": len(parts.leftover),
    }
    get_run_logger().info("arranged %s", sizes)
    return Arrangement(
        initial=write_value(step.root, first),
        batches=tuple(
            write_value(step.root, batch.without_labels()) for batch in parts.numbered
        ),
        holdout=write_value(step.root, parts.holdout.without_labels()),
        leftover=write_value(step.root, parts.leftover.without_labels()),
        sizes=sizes,
    )


@stage("split", random=True)
def split_images(
    images: Artifact,
    seen: Artifact | None,
    fractions: SplitFractions,
    *,
    step: Step,
) -> Artifact:
    """Store the `Splits` of labelled images; a group seen before goes where it went then."""
    placed = {} if seen is None else placement(read_value(Splits, seen))
    rng = step.rng("split")
    return write_value(step.root, split(read_value(ImageSet, images), fractions, rng, placed))


@stage("split", random=False)
def nothing_new(images: Artifact, *, step: Step) -> Artifact:
    """Store the empty `Splits` of a round in which nothing was labelled."""
    none = read_value(ImageSet, images)
    return write_value(step.root, Splits(none, none, none))
