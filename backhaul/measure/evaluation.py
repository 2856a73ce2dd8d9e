"""Evaluate a model on sets of images, in a round and in a series alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from backhaul.measure.matching import benchmark
from backhaul.measure.metrics import count, metrics
from backhaul.measure.names import METRICS
from backhaul.measure.settings import Evaluation
from backhaul.values.detections import Detections, FusedDetections
from backhaul.values.images import ImageSet

KEYS = ["test_set", "class"]
OF_ENSEMBLE = ["prec", "recall", "acc", "conf", "conf_std"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics and benchmark tables of a model.

    Args:
        table: Columns ``KEYS`` and ``METRICS``: of each set a row over all classes, whose
            ``class`` is empty, then one a class.
        benchmarks: The benchmark table of each set.
    """

    table: pd.DataFrame
    benchmarks: dict[str, pd.DataFrame]


def evaluate(
    fused: FusedDetections,
    ranked: Detections | FusedDetections,
    sets: Mapping[str, ImageSet],
    settings: Evaluation,
) -> Measurement:
    """Return metrics and benchmark tables of a model on sets of labelled images.

    Args:
        fused: Its detections in them, above the threshold of inference.
        ranked: Its detections down to the confidence floor of average precision; of one
            checkpoint, or fused.
        sets: Labelled images by the name of their set.
        settings: How detections are matched and counted.
    """
    tables = [pd.DataFrame(columns=[*KEYS, *METRICS])]
    benchmarks = {}
    for name, images in sets.items():
        benchmarks[name] = benchmark(_own(fused, images), images, settings.iou_thres)
        table = metrics(benchmarks[name], ranked, images, settings.pos_thres)
        table.insert(0, "test_set", name)
        tables.append(table)
    return Measurement(pd.concat(tables[1:] or tables, ignore_index=True), benchmarks)


def beside_ensemble(
    table: pd.DataFrame,
    fused: FusedDetections,
    sets: Mapping[str, ImageSet],
    settings: Evaluation,
) -> pd.DataFrame:
    """Return a model's metrics with those of the ensemble that it is the last of.

    ``detect_conf_std``, which one checkpoint has not, becomes the ensemble's.

    Args:
        table: The metrics of the model on these sets, as `evaluate` gives them.
        fused: The ensemble's detections in them.
        sets: Labelled images by the name of their set.
        settings: How detections are matched and counted.
    """
    counts = pd.concat(
        [
            count(
                benchmark(_own(fused, images), images, settings.iou_thres),
                images,
                settings.pos_thres,
            )
            for images in sets.values()
        ],
        ignore_index=True,
    )
    both = table.assign(detect_conf_std=counts["detect_conf_std"])
    return both.join(counts[OF_ENSEMBLE].add_prefix("ensemble_"))


def _own(fused: FusedDetections, images: ImageSet) -> FusedDetections:
    return fused.of_images(images.ids)
