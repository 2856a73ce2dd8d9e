"""Compare a candidate with the model that it has to match."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.measure.gatesettings import Comparing
from backhaul.measure.paired import middle, resample
from backhaul.measure.ranking import Ranking, ious_of, match, mean_over_known
from backhaul.measure.settings import Evaluation
from backhaul.values.comparison import Comparison, Measure, Pair
from backhaul.values.detections import Detections
from backhaul.values.images import ImageSet


@dataclass(frozen=True, eq=False)
class CommonSet:
    """Labelled images on which models are compared.

    Args:
        images: The images, n of them.
        weights: What each counts, shape (n,).
        old: Ids of those on which the initial model was tested.
        n_fresh: How many of them chance drew on nodes.
    """

    images: ImageSet
    weights: FloatArray
    old: Collection[str]
    n_fresh: int


def compare(
    candidate: Detections,
    basis: Detections,
    common: CommonSet,
    how: Comparing,
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> Comparison:
    """Return how a candidate does beside another model.

    Args:
        candidate: What the one detects in the images.
        basis: What the other detects there.
        common: The images.
        how: By what, and how surely.
        evaluation: From which confidence on detections count.
        rng: Draws the resamples.
    """
    first, second = (
        match(each.above(evaluation.conf_floor), common.images, ious_of(how.metric)).ranked(
            evaluation.pos_thres
        )
        for each in (candidate, basis)
    )
    found = resample(first, second, common.weights, how.metric, how.resamples, rng)

    def measured(value: float, resampled: FloatArray) -> Measure:
        low, high = (_known(bound) for bound in middle(resampled, found.n))
        return Measure(value=_known(value), low=low, high=high, n=len(common.images))

    return Comparison(
        metric=how.metric,
        candidate=measured(found.candidate, found.candidates),
        basis=measured(found.basis, found.bases),
        gain=measured(found.gain, found.candidates - found.bases),
        bound=_known(found.lower_bound(how.alpha)),
        n_fresh=common.n_fresh,
        classes=_classes(first, second, common),
        old_test=_old_test(first, second, common),
    )


def _classes(first: Ranking, second: Ranking, common: CommonSet) -> dict[str, Pair]:
    scores = (r.by_class(common.weights[None], first_iou=True)[0] for r in (first, second))
    n_truths = first.n_truths.sum(axis=0)
    return {
        name: Pair(candidate=_known(own), basis=_known(other), n=int(n))
        for name, own, other, n in zip(
            common.images.class_names, *scores, n_truths, strict=True
        )
    }


def _old_test(first: Ranking, second: Ranking, common: CommonSet) -> Pair:
    is_old = np.isin(np.array(common.images.ids), list(common.old)).astype(np.float64)
    own, other = (
        mean_over_known(each.by_class(is_old[None], first_iou=True))[0]
        for each in (first, second)
    )
    return Pair(candidate=_known(own), basis=_known(other), n=int(is_old.sum()))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
