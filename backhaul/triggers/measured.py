"""How well nodes saw what has been labelled since, and the champion what it was accepted on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from backhaul.campaign.rounds import read_round
from backhaul.campaign.runstate import read_state
from backhaul.campaign.triggers import MetricCondition, MetricName
from backhaul.inbox.files import fused_of
from backhaul.inbox.origin import arrivals_of
from backhaul.layout import INITIAL
from backhaul.measure.explored import explored_rates
from backhaul.measure.matching import benchmark
from backhaul.measure.metrics import metrics
from backhaul.registry.cards import read_card
from backhaul.registry.history import history_of
from backhaul.registry.log import read_log
from backhaul.registrylayout import RegistryFiles
from backhaul.storage.objects import read_value
from backhaul.triggers.unplayed import Hourly, Unplayed
from backhaul.values.images import ImageSet

if TYPE_CHECKING:
    from backhaul.values.artifacts import Artifact

UNKNOWN = float("nan")
COMMON = "common"


def metric_now(condition: MetricCondition, unplayed: Unplayed) -> tuple[float, int]:
    """Return a metric of what nodes saw in frames not played yet, and of how many frames.

    Args:
        condition: Which metric, and of which frames.
        unplayed: What has arrived.

    Returns:
        NaN where it is not known: there are too few frames with labels and detections.
    """
    rows, truth = unplayed.rows, unplayed.truth
    if rows is None or truth is None:
        return UNKNOWN, 0
    labelled = set(truth.labelled().ids)
    known = rows[rows["image_id"].isin(labelled) & rows["detections"].notna()]
    if condition.of == "explored":
        known = known[arrivals_of(known).is_explored]
    known = known.reset_index(drop=True)
    if len(known) < condition.least_images:
        return UNKNOWN, len(known)
    images = truth.take(known["image_id"])
    return _measured(condition, unplayed.run, known, images), len(known)


def _measured(
    condition: MetricCondition, run: Hourly, rows: pd.DataFrame, images: ImageSet
) -> float:
    fused, settings = fused_of(rows, run.class_names), run.config.evaluation
    matched = benchmark(fused, images, settings.iou_thres)
    if condition.of == "labelled":
        return figure_in(metrics(matched, fused, images, settings.pos_thres), condition.name)
    rates = explored_rates(matched, images, arrivals_of(rows), settings.pos_thres).iloc[0]
    prec, recall = float(rates["explored_prec"]), float(rates["explored_recall"])
    both = prec + recall
    f1 = 2 * prec * recall / both if both else both  # NaN stays NaN
    return {"prec": prec, "recall": recall, "F1": f1}[condition.name]


def figure_in(table: pd.DataFrame, name: MetricName) -> float:
    """Return a metric over all classes from a table of metrics; NaN where it is not known.

    F1 is 2 TP / (2 TP + FP + FN), which follows from ``acc`` = TP / (TP + FP + FN).
    """
    [whole] = table.loc[table["class"] == "", "acc" if name == "F1" else name]
    return 2 * float(whole) / (1 + float(whole)) if name == "F1" else float(whole)


def champion_figure(run: Hourly, name: MetricName) -> tuple[float, str]:
    """Return a metric of the champion on the common test set as it was made, and its name.

    The champion is that of the run's registry; without one it is the last model of the first
    arm, or the initial model.

    Args:
        run: The run.
        name: The metric.
    """
    evaluation, champion = _champion(run)
    table = read_value(pd.DataFrame, evaluation)
    figure = figure_in(table[table["test_set"] == COMMON], name)
    return figure, champion


def _champion(run: Hourly) -> tuple[Artifact, str]:
    registry = RegistryFiles(run.files)
    if (version := history_of(read_log(registry)).champion) is not None:
        card = read_card(registry, version)
        return card.evaluation, card.name
    publish = run.config.publish
    label = run.labels[0] if publish is None else publish.method
    done = read_state(run.files).played.get(label, 0)
    prefix = f"{label}{done - 1}" if done else INITIAL
    return read_round(run.files, prefix).evaluation, prefix


def is_known(value: float) -> bool:
    """Return whether a figure is known."""
    return not math.isnan(value)
