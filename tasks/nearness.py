"""Stage that learns which images look the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from prefect import get_run_logger

from backhaul.look.copies import learn_nearness
from backhaul.look.nearness import FRAMES, FeaturesOf, descriptors, frames_of
from backhaul.look.settings import Inference
from backhaul.storage.objects import read_value, write_value
from backhaul.storage.scratch import scratch_folder
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint, LocalCheckpoint
from backhaul.values.images import ImageSet
from backhaul.values.localimages import LocalImages
from backhaul.values.offers import Nearness
from tasks.inference import (
    detector_libraries,
    prediction_settings,
    predictor_for,
    with_local_files,
)
from tasks.keys import Inputs
from tasks.stage import Step, stage


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    checkpoints = inputs.get("checkpoints", ())
    return detector_libraries(checkpoints[0]) if checkpoints else ()


@stage("nearness", random=True, uses=_libraries)
def nearness_in(
    images: Artifact,
    inference: Inference,
    img_size: int,
    checkpoints: tuple[Checkpoint, ...] = (),
    *,
    step: Step,
) -> Artifact:
    """Store how near images of a batch are that look the same, as copies of 50 frames show.

    Args:
        images: The batch (`ImageSet`); no labels are looked at.
        inference: How the checkpoint is run.
        img_size: Side of its square input, pixels.
        checkpoints: The last checkpoint, if its features tell as well; none = descriptors.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    rng = step.rng("nearness")
    pool = read_value(ImageSet, images)
    by_name = pool.take(sorted(pool.ids))
    frames = by_name.at(rng.permutation(len(pool))[:FRAMES])
    settings = prediction_settings(inference, img_size, inference.conf_thres, step)

    def look_at(files: LocalImages, weights: Sequence[LocalCheckpoint]) -> Nearness:
        pixels = frames_of(files)
        if not weights:
            return learn_nearness(pixels, descriptors, rng=rng)
        predictor = predictor_for(checkpoints, step)
        with scratch_folder() as folder:
            features = FeaturesOf(predictor, weights[-1], settings, pool.class_names, folder)
            return learn_nearness(pixels, descriptors, features, rng=rng)

    learned = with_local_files(step.root, frames, checkpoints, look_at)
    get_run_logger().info("near-duplicates are %.3g apart at most", learned.distance)
    return write_value(step.root, pd.DataFrame([asdict(learned)], dtype=np.float64))
