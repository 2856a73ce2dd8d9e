"""Stage that chooses the fraction of new images in a retraining."""

from __future__ import annotations

import pandas as pd
from prefect import get_run_logger

from backhaul.learn.proportion import SCORES, choose_proportion, chosen_proportion
from backhaul.look.settings import Inference
from backhaul.measure.metrics import average_precision
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet, concat
from backhaul.values.splits import Splits
from tasks.inference import (
    detector_libraries,
    predict_stored,
    prediction_settings,
    predictor_for,
)
from tasks.keys import Inputs
from tasks.stage import Step, stage


def _libraries(inputs: Inputs) -> tuple[str, ...]:
    return (*detector_libraries(inputs["trials"][0]), "faster-coco-eval")


@stage("proportion", random=False, uses=_libraries)
def compare_trials(
    trials: tuple[Checkpoint, ...],
    candidates: tuple[float, ...],
    splits: dict[str, Artifact],
    inference: Inference,
    evaluation: Evaluation,
    img_size: int,
    *,
    step: Step,
) -> Artifact:
    """Store the table of candidates, see `backhaul.learn.proportion.choose_proportion`.

    Args:
        trials: The model that was trained with each candidate.
        candidates: The fractions of new images, in the same order.
        splits: The `Splits` whose validation images count: ``old``, all of earlier rounds, and
            ``new``, those of this round.
        inference: How outputs become boxes.
        evaluation: Says from which confidence on boxes count.
        img_size: Side of the square input, pixels.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    sets = {name: read_value(Splits, splits[name]).valid for name in SCORES}
    everything = concat(sets.values())
    settings = prediction_settings(inference, img_size, evaluation.conf_floor, step)
    predictor = predictor_for(trials, step)
    scores = {}
    for trial in dict.fromkeys(trials):  # candidates for which too few images are old are equal
        what = f"{step}: trial"
        raw = predict_stored(step.root, everything, (trial,), settings, what, predictor)
        scores[trial] = {name: _map50(raw, images) for name, images in sets.items()}
    rows = [
        {"retrain_new": candidate, **scores[trial]}
        for candidate, trial in zip(candidates, trials, strict=True)
    ]
    table = choose_proportion(pd.DataFrame(rows))
    for row in table.to_dict("records"):
        get_run_logger().info(
            "retrain_new %(retrain_new)g: mAP50 %(old).3f on old, %(new).3f on new validation "
            "images, mean %(mean).3f",
            row,
        )
    get_run_logger().info("chosen: retrain_new %g", chosen_proportion(table))
    return write_value(step.root, table)


def _map50(raw: Detections, images: ImageSet) -> float:
    table = average_precision(raw.of_images(images.ids), images)
    return float(table.loc[table["class"] == "", "mAP50"].item())
