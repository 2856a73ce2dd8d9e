"""Stages that divide images into initial set, batches, and train, valid and test."""

from __future__ import annotations

from collections.abc import Callable

from prefect import get_run_logger

from backhaul.data.arrangement import Drawn, draw_from, labelled, playable
from backhaul.data.arrangement import arrange as draw_all
from backhaul.data.arrangement import arrange_stream as cut_stream
from backhaul.data.lists import Lists, play_lists
from backhaul.data.settings import Batches, InitialSet, Labelling, SplitFractions
from backhaul.data.split import Arrivals, placement, split
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet, concat
from backhaul.values.results import Arrangement, ListedArrangement
from backhaul.values.splits import Splits
from tasks.keys import libraries
from tasks.stage import Step, stage

STRATIFICATION = libraries("iterative-stratification")


@stage("batches", random=True, uses=STRATIFICATION)
def arrange(
    images: Artifact,
    own: Artifact | None,
    initial: InitialSet,
    arriving: Batches,
    labelling: Labelling,
    *,
    step: Step,
) -> Arrangement:
    """Store the initial set, the held-out images and all batches (`ImageSet` each), at random.

    Images without labels take part only if a function labels them. Where the initial set has
    data of its `own`, `images` contains these as well, and all other images arrive in batches.

    Args:
        images: All images (`ImageSet`).
        own: Data from which alone the initial set is drawn (`ImageSet`); None = `images`.
        initial: Size of the initial set.
        arriving: Size and number of the batches.
        labelling: Where labels of sent images come from.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    return _drawn(draw_all, images, own, initial, arriving, labelling, step)


@stage("batches", random=True, uses=STRATIFICATION)
def arrange_stream(
    images: Artifact,
    own: Artifact | None,
    initial: InitialSet,
    arriving: Batches,
    labelling: Labelling,
    *,
    step: Step,
) -> Arrangement:
    """Store the parts of a stream: its initial set, test part and batches (`ImageSet` each).

    Args:
        images: All frames (`ImageSet`), and the images of `own`.
        own: Data from which alone the initial set is drawn (`ImageSet`); None = the stream.
        initial: Size of the initial set.
        arriving: Size and number of the batches.
        labelling: Where labels of sent images come from.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    return _drawn(cut_stream, images, own, initial, arriving, labelling, step)


def _drawn(
    draw: Callable[..., Drawn],
    images: Artifact,
    own: Artifact | None,
    initial: InitialSet,
    arriving: Batches,
    labelling: Labelling,
    step: Step,
) -> Arrangement:
    everything = read_value(ImageSet, images)
    apart = None if own is None else read_value(ImageSet, own)
    drawn = draw(_playable(everything, labelling), apart, initial, arriving, step.rng)
    sizes = {"images": len(everything)}
    if apart is not None:
        sizes["initial_unused"] = len(drawn.unused)
    return _stored(step.root, drawn.first, drawn.arrivals, sizes)


def _playable(images: ImageSet, labelling: Labelling) -> ImageSet:
    taken = playable(images, labelling)
    if left_out := len(images) - len(taken):
        get_run_logger().warning("%d images without labels are left out", left_out)
    return taken


def _stored(root: str, first: ImageSet, parts: Arrivals, sizes: dict[str, int]) -> Arrangement:
    pool = [parts.holdout, *parts.numbered, parts.leftover]
    sizes = sizes | {
        "initial": len(first),
        "pool": sum(len(part) for part in pool),
        "holdout": len(parts.holdout),
        "batches": len(parts.numbered),
        "leftover": len(parts.leftover),
    }
    get_run_logger().info("arranged %s", sizes)
    return Arrangement(
        initial=write_value(root, first),
        batches=tuple(write_value(root, batch.without_labels()) for batch in parts.numbered),
        holdout=write_value(root, parts.holdout.without_labels()),
        leftover=write_value(root, parts.leftover.without_labels()),
        sizes=sizes,
    )


@stage("batches", random=False)
def arrange_listed(
    images: Artifact, lists: Lists, arriving: Batches, labelling: Labelling, *, step: Step
) -> ListedArrangement:
    """Store the initial splits, the held-out images and all batches, as given by `lists`.

    Args:
        images: The data set (`ImageSet`).
        lists: The lists of an earlier run.
        arriving: Number of the batches and of those held out.
        labelling: Where labels of sent images come from.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    everything = read_value(ImageSet, images)
    splits, parts, unlisted = play_lists(everything, lists, arriving)
    if len(unlisted):
        get_run_logger().warning(
            "%d images are in no list and are not used, %s first",
            len(unlisted),
            unlisted.table["uri"].iloc[0],
        )
    parts = Arrivals(
        holdout=_playable(parts.holdout, labelling),
        numbered=tuple(_playable(batch, labelling) for batch in parts.numbered),
        leftover=_playable(parts.leftover, labelling),
    )
    first = concat([splits.train, splits.valid, splits.test])
    sizes = {"images": len(everything), "unlisted": len(unlisted)}
    return ListedArrangement(
        arrangement=_stored(step.root, first, parts, sizes),
        splits=write_value(step.root, splits),
    )


@stage("batches", random=True, uses=STRATIFICATION)
def arrange_inbox(own: Artifact, initial: InitialSet, *, step: Step) -> Arrangement:
    """Store the initial set (`ImageSet`) of a run whose batches arrive later.

    Args:
        own: Data from which the initial set is drawn (`ImageSet`).
        initial: Size of the initial set.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    candidates = labelled(read_value(ImageSet, own))
    first, unused = draw_from(candidates, initial, step.rng("initial"))
    none = unused.take(())
    return _stored(step.root, first, Arrivals(none, (), unused), {"images": len(candidates)})


@stage("split", random=True, uses=STRATIFICATION)
def split_images(
    images: Artifact,
    seen: Artifact | None,
    fractions: SplitFractions,
    untrained: tuple[str, ...] = (),
    *,
    step: Step,
) -> Artifact:
    """Store the `Splits` of labelled images; a group keeps the subset of earlier rounds.

    Args:
        images: The labelled images (`ImageSet`).
        seen: All images of earlier rounds (`Splits`); None = there are none.
        fractions: Shares of train, valid and test.
        untrained: Images that are never trained on: they go to valid and test.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    placed = {} if seen is None else placement(read_value(Splits, seen))
    rng = step.rng("split")
    parts = split(read_value(ImageSet, images), fractions, rng, placed, untrained)
    return write_value(step.root, parts)


@stage("split", random=False)
def nothing_new(images: Artifact, *, step: Step) -> Artifact:
    """Store empty `Splits`, for a round in which no image was labelled."""
    none = read_value(ImageSet, images)
    return write_value(step.root, Splits(none, none, none))
