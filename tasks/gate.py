"""Stages that compare a candidate with the model that it has to match."""

from __future__ import annotations

import numpy as np
import pandas as pd
from prefect import get_run_logger

from backhaul.measure import comparing
from backhaul.measure.commonset import drawn_by_chance, weights_of
from backhaul.measure.gatesettings import GateMetric
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.arrivals import Arrivals
from backhaul.values.artifacts import Artifact
from backhaul.values.comparison import Comparison
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet, concat
from backhaul.values.results import Drawn
from backhaul.values.splits import Splits
from tasks.stage import Step, stage


@stage("drawn-tests", random=False)
def drawn_tests(new: Artifact, arrivals: Artifact, *, step: Step) -> Drawn:
    """Store the test images of a round that chance drew on nodes; nobody trains on them.

    Args:
        new: The labelled images of the round (`Splits`).
        arrivals: The table of `Arrivals` of its batch.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    told = Arrivals.from_table(read_value(pd.DataFrame, arrivals))
    images, probability = drawn_by_chance(read_value(Splits, new).test.labelled(), told)
    chances = pd.DataFrame({"image_id": images.ids, "probability": probability})
    get_run_logger().info("%d images that chance drew are for tests", len(images))
    return Drawn(
        images=write_value(step.root, images),
        chances=write_value(step.root, chances),
        n_images=len(images),
    )


@stage("comparison", random=True)
def compare(
    candidate: tuple[Artifact, ...],
    basis: tuple[Artifact, ...],
    common: Artifact,
    drawn: tuple[Artifact, ...],
    chances: tuple[Artifact, ...],
    old_test: Artifact,
    metric: GateMetric,
    alpha: float,
    resamples: int,
    evaluation: Evaluation,
    *,
    step: Step,
) -> Comparison:
    """Return how a candidate does beside another model, with intervals.

    Args:
        candidate: What the one detects in the common set, then in `drawn` (`Detections`).
        basis: What the other detects there.
        common: The common set (`ImageSet`).
        drawn: Labelled images that chance drew, by round (`ImageSet`).
        chances: With which probability each was drawn, by round (table).
        old_test: The images that the initial model was tested on (`ImageSet`).
        metric: What they are compared by.
        alpha: Probability with which the gain may be below the bound.
        resamples: Number of resamples.
        evaluation: From which confidence on detections count.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    known = _common_set(common, drawn, chances, old_test)
    seen = (_seen(each, known.images) for each in (candidate, basis))
    found = comparing.compare(
        *seen, known, metric, alpha, resamples, evaluation, step.rng("comparison")
    )
    get_run_logger().info(
        "%s %s after %s on %d images, %d of them drawn by chance",
        *(metric, found.candidate.value, found.basis.value, found.gain.n, found.n_fresh),
    )
    return found


def _common_set(
    common: Artifact,
    drawn: tuple[Artifact, ...],
    chances: tuple[Artifact, ...],
    old_test: Artifact,
) -> comparing.CommonSet:
    fixed = read_value(ImageSet, common).labelled()
    fresh = [read_value(ImageSet, each) for each in drawn]
    tables = [read_value(pd.DataFrame, each)["probability"] for each in chances]
    probability = np.concatenate([np.zeros(0), *(t.to_numpy(dtype=float) for t in tables)])
    return comparing.CommonSet(
        images=concat([fixed, *fresh]),
        weights=weights_of(len(fixed), probability),
        old=frozenset(read_value(ImageSet, old_test).ids),
        n_fresh=len(probability),
    )


def _seen(parts: tuple[Artifact, ...], images: ImageSet) -> Detections:
    every = Detections.concat(read_value(Detections, each) for each in parts)
    return every.of_images(images.ids)
