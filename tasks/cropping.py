"""Stage that replaces the images of batches by crops of the objects detected in them."""

from __future__ import annotations

import pandas as pd
from prefect import get_run_logger

from backhaul.errors import InputError
from backhaul.learn.cropping import Crops, choose_cuts, cut
from backhaul.learn.settings import Cropping
from backhaul.storage.imagefiles import localise, store_images
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import XYXY, FusedDetections
from backhaul.values.images import ImageSet, concat
from backhaul.values.results import Cropped
from tasks.keys import libraries
from tasks.progress import Progress
from tasks.readable import without_unreadable
from tasks.stage import Step, stage


@stage("cropping", random=False, version=2, uses=libraries("opencv-python"))
def crop(
    batches: tuple[Artifact, ...],
    fused: tuple[Artifact, ...],
    dataset: Artifact,
    cropping: Cropping,
    *,
    step: Step,
) -> Cropped:
    """Store the crops of the objects detected in each batch, and the data set with them added.

    A crop with the content of an image that is played elsewhere, or of an earlier crop, is
    left out.

    Args:
        batches: The batches (`ImageSet`).
        fused: What was detected in each batch (`FusedDetections`), in the same order.
        dataset: The data set that the batches come from (`ImageSet`), with its labels.
        cropping: Which objects are cut out, and how.
        step: Where and for which seed, method and batch of the campaign this runs.

    Raises:
        InputError: If nothing can be cut out of a batch.
    """
    everything = read_value(ImageSet, dataset)
    known = set(everything.ids)
    made = []
    for number, (batch, seen) in enumerate(zip(batches, fused, strict=True)):
        images = everything.take(read_value(ImageSet, batch).ids)
        detections = read_value(FusedDetections, seen)
        elsewhere = known.difference(images.ids)
        crops = _cut_and_store(images, detections, cropping, elsewhere, step.root)
        if not len(crops.images):
            raise _nothing_cut(number, len(images), detections, cropping)
        get_run_logger().info(
            "batch %d: %d crops of %d images", number, len(crops.images), len(images)
        )
        known.update(crops.images.ids)
        made.append(crops)
    return Cropped(
        batches=tuple(write_value(step.root, c.images.without_labels()) for c in made),
        dataset=write_value(step.root, _joined(everything, made)),
        tables=tuple(write_value(step.root, _table(c, everything)) for c in made),
    )


def _cut_and_store(
    images: ImageSet,
    detections: FusedDetections,
    cropping: Cropping,
    elsewhere: set[str],
    root: str,
) -> Crops:
    def work(some: ImageSet) -> Crops:
        with scratch_folder() as folder:
            local = localise(some, folder)
            cuts = choose_cuts(local, detections, cropping)
            progress = Progress("cropping")
            crops = cut(local, cuts, cropping.min_visibility, folder, elsewhere, progress)
            return Crops(store_images(root, crops.images), crops.table)

    return without_unreadable(root, images, "cropping", work)


def _nothing_cut(
    number: int, n_images: int, detections: FusedDetections, cropping: Cropping
) -> InputError:
    confidence = detections.table["confidence"]
    highest = f" (highest {confidence.max():.3g})" if len(confidence) else ""
    mend = "lower cropping.conf_thres or cropping.min_side_px"
    if cropping.function is not None:
        mend += f", or mend {cropping.function.use}"
    return InputError(
        f"cropping: nothing can be cut out of batch {number}: {len(confidence)} objects found "
        f"in {n_images} images, {(confidence >= cropping.conf_thres).sum()} of them with "
        f"confidence >= {cropping.conf_thres:g}{highest}; {mend}"
    )


def _joined(everything: ImageSet, made: list[Crops]) -> ImageSet:
    """Return the data set with all crops added, except those that are whole images of it."""
    crops = concat([c.images for c in made])
    new = ~crops.table["image_id"].isin(everything.ids).to_numpy()
    return concat([everything, crops.where(new)])


def _table(crops: Crops, everything: ImageSet) -> pd.DataFrame:
    sources = everything.table.set_index("image_id")["uri"]
    table = crops.table.assign(
        file=crops.images.table["uri"].to_numpy(),
        source=sources.loc[list(crops.table["source_id"])].to_numpy(),
    )
    return table[["file", "source", *XYXY, "detected", "confidence"]]
