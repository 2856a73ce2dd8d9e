"""Stage that makes augmented copies of new training images."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.learn.augmentation import make_copies, plan
from backhaul.learn.settings import Augmentation
from backhaul.storage.imagefiles import localise, store_images
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.images import ImageSet, concat
from backhaul.values.splits import Splits
from tasks.keys import Inputs
from tasks.progress import Progress
from tasks.readable import without_unreadable
from tasks.stage import Step, stage


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    made = inputs["augmentation"].images_per_class is not None
    return ("albumentations", "opencv-python") if made else ()


@stage("augmentation", random=True, uses=_libraries)
def augment(
    mixed: Artifact,
    new: Artifact,
    augmentation: Augmentation,
    *,
    step: Step,
) -> Artifact:
    """Store the `Splits` `mixed` with copies of its new training images added.

    Args:
        mixed: What the detector is retrained on (`Splits`).
        new: The new images of this round (`Splits`); these alone are copied.
        augmentation: How many copies are made, and how they look.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    splits, fresh = read_value(Splits, mixed), read_value(Splits, new)
    if augmentation.images_per_class is None:
        return mixed
    wanted = augmentation.images_per_class

    def copy(originals: ImageSet) -> ImageSet:
        rng = step.rng("augmentation")
        copies = plan(splits.train, originals.originals().ids, wanted, rng)
        for line in copies.unreached(splits.train.class_names):
            get_run_logger().warning("%s", line)
        progress = Progress(f"{step}: augmenting")
        with scratch_folder() as folder:
            local = localise(originals, folder)
            made = make_copies(local, copies, augmentation, folder, rng, progress)
            return store_images(step.root, made)

    stored = without_unreadable(step.root, fresh.train, "augmentation", copy)
    get_run_logger().info("made %d copies of %d images", len(stored), len(fresh.train))
    train = concat([splits.train, stored])
    return write_value(step.root, Splits(train, splits.valid, splits.test))
