"""`backhaul analyze`: what the files of a run say."""

from __future__ import annotations

from backhaul.cli.lazy import Entry, lazy

COMMANDS = {
    "curves": Entry(
        "backhaul.cli.analyze.over_batches:curves",
        "Follow the trainings epoch by epoch, with the batches marked.",
    ),
    "method": Entry(
        "backhaul.cli.analyze.over_batches:method",
        "Show all metrics of one method by batch, with what was sent and the epochs trained.",
    ),
    "compare": Entry(
        "backhaul.cli.analyze.over_batches:compare",
        "Compare the methods by one metric, batch after batch.",
    ),
    "leaderboard": Entry(
        "backhaul.cli.analyze.leaderboard:leaderboard",
        "Rank methods by what their last models reach, beside the share of images they sent.",
    ),
    "regression": Entry(
        "backhaul.cli.analyze.regress:regression",
        "Regress a later gain on a feature of what was sent.",
    ),
    "classes": Entry(
        "backhaul.cli.analyze.confidence:classes",
        "Count hits and errors of each class in a benchmark file.",
    ),
    "histogram": Entry(
        "backhaul.cli.analyze.confidence:histogram",
        "Count hits, misses and all detections by confidence, together and class by class.",
    ),
    "rolling": Entry(
        "backhaul.cli.analyze.confidence:rolling",
        "Show precision among detections of about the same confidence, method by method.",
    ),
    "series": Entry(
        "backhaul.cli.analyze_series:series",
        "Measure checkpoints epoch by epoch, on test sets of your choice.",
        command_class="backhaul.cli.analyze_series:OptionalCount",
    ),
    "batches": Entry(
        "backhaul.cli.analyze_series:batches",
        "Measure the model after each batch on a later one, alone and as an ensemble.",
    ),
    "forgetting": Entry(
        "backhaul.cli.analyze_series:forgetting",
        "Measure the model after each batch on the tests of earlier ones: backward transfer.",
    ),
}

analyze = lazy("Tables and charts of a run.", COMMANDS)
