"""Stage that scores choices of a pool without training on them."""

from __future__ import annotations

import pandas as pd
from prefect import get_run_logger

from backhaul.storage.imagefiles import localise
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.study.scores import Exam, Part, describe_objects, scores_of
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import ImageSet
from tasks.keys import libraries
from tasks.readable import without_unreadable
from tasks.stage import Step, stage


@stage("screening", random=False, uses=libraries("scikit-learn"))
def screen(
    pool: Artifact,
    known: Artifact,
    test: Artifact,
    seen: tuple[Artifact, ...],
    choices: tuple[Artifact, ...],
    *,
    step: Step,
) -> Artifact:
    """Store the scores of choices as a table, a row a choice (`backhaul.study.scores.SCORES`).

    Args:
        pool: The labelled pool (`ImageSet`).
        known: The labelled initial set; what of it is in the test set does not count.
        test: The test set.
        seen: What the initial model saw in these three, with vectors (`FusedDetections`).
        choices: The chosen images of the pool (`ImageSet`), a choice each.
        step: Where and for which seed of the study this runs.
    """
    tested = read_value(ImageSet, test)
    initial = read_value(ImageSet, known)
    initial = initial.where(~initial.table["image_id"].isin(tested.ids).to_numpy())
    in_pool, in_initial, in_test = (read_value(FusedDetections, each) for each in seen)
    arrived = _part(step.root, read_value(ImageSet, pool), in_pool)
    labelled = _part(step.root, initial, in_initial)
    features = in_test.features
    exam = Exam(None if features is None else features.of(tested.ids), tested.presence())
    scores = [
        scores_of(read_value(ImageSet, each).ids, arrived, labelled, exam) for each in choices
    ]
    get_run_logger().info("%d choices of %d images scored", len(choices), len(arrived.images))
    return write_value(step.root, pd.DataFrame(scores).astype(float))


def _part(root: str, images: ImageSet, seen: FusedDetections) -> Part:
    """Return images with what was seen in them, and with descriptors of their objects."""

    def describe(some: ImageSet) -> Features:
        with scratch_folder() as folder:
            return describe_objects(localise(some, folder))

    if seen.descriptors is None:
        raise ValueError("expected detections with descriptors")
    return Part(
        images=images,
        descriptors=seen.descriptors.of(images.ids),
        features=None if seen.features is None else seen.features.of(images.ids),
        objects=without_unreadable(root, images, "screening", describe),
    )
