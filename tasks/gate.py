"""Stages that compare a candidate with the model that it has to match."""

from __future__ import annotations

import numpy as np
import pandas as pd
from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict

from backhaul.measure import comparing
from backhaul.measure.commonset import drawn_by_chance, weights_of
from backhaul.measure.gatesettings import Comparing
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


class Common(BaseModel):
    """The images on which models are compared.

    Args:
        fixed: The common test set (`ImageSet`).
        old_test: Those of it that the initial model was tested on (`ImageSet`).
        drawn: Images that chance drew, by round.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fixed: Artifact
    old_test: Artifact
    drawn: tuple[Drawn, ...] = ()

    @property
    def parts(self) -> tuple[Artifact, ...]:
        """The sets of images that it is made of, in order."""
        return (self.fixed, *(each.images for each in self.drawn))

    def load(self) -> comparing.CommonSet:
        """Return the images, and what each counts."""
        fixed = read_value(ImageSet, self.fixed).labelled()
        tables = (read_value(pd.DataFrame, each.chances) for each in self.drawn)
        chances = [table["probability"].to_numpy(dtype=float) for table in tables]
        probability = np.concatenate([np.zeros(0), *chances])
        return comparing.CommonSet(
            images=concat([fixed, *(read_value(ImageSet, part) for part in self.parts[1:])]),
            weights=weights_of(len(fixed), probability),
            old=frozenset(read_value(ImageSet, self.old_test).ids),
            n_fresh=len(probability),
        )


@stage("comparison", random=True)
def compare(
    candidate: tuple[Artifact, ...],
    basis: tuple[Artifact, ...],
    common: Common,
    how: Comparing,
    evaluation: Evaluation,
    *,
    step: Step,
) -> Comparison:
    """Return how a candidate does beside another model, with intervals.

    Args:
        candidate: What the one detects in each part of the common set (`Detections`).
        basis: What the other detects there.
        common: The images.
        how: By what, and how surely.
        evaluation: From which confidence on detections count.
        step: Where and for which seed, method and batch of the campaign this runs.
    """
    known = common.load()
    first, second = (_seen(each, known.images) for each in (candidate, basis))
    found = comparing.compare(first, second, known, how, evaluation, step.rng("comparison"))
    get_run_logger().info(
        "%s %s after %s on %d images, %d of them drawn by chance",
        *(how.metric, found.candidate.value, found.basis.value, found.gain.n, found.n_fresh),
    )
    return found


def _seen(parts: tuple[Artifact, ...], images: ImageSet) -> Detections:
    every = Detections.concat(read_value(Detections, each) for each in parts)
    return every.of_images(images.ids)
